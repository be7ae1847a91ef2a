"""AtomGAN: images drawn as those of another domain without a single pair, such as micrographs as drawings of their defects."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from atomwork.models.adversarial import Adversarial, judged, moved, steepness
from atomwork.models.networks.lattice import noise_like, unrepeated
from atomwork.models.networks.translation import SIZES, Discriminator, Encoder, Generator
from atomwork.models.unpaired import DRAWN
from atomwork.simulation.drawing import DEFECT_LEVEL, LEVELS

DOMAINS = ("image", "drawing")
PUBLISHED = {"size": "paper", "learning_rate": 1e-4, "cycle_weight": 1.0, "code_weight": 1.0, "r1": 0.0}
PUBLISHED |= {"adversarial": "logistic", "hiding": 0.0, "recorded": (), "odd_weight": 0.0, "taught_weight": 0.0, "lessons": 0}
ODD = 2.0  # how strongly the networks see what the lattice does not repeat [-]
NOISE = 0.3  # grey level of −1…1 below which what the lattice does not repeat counts by its square, above by itself
BRIGHTEST_ATOM = DRAWN * LEVELS[1] / DEFECT_LEVEL  # grey level of −1…1
FAINTEST = 1e-3  # grey level of −1…1 below zero that marks are where they are not known, at least
FINEST = 3  # px, side of the squares over which what is drawn is averaged before it is drawn back
LESSON_BETAS = (0.9, 0.99)  # Adam's, where no party learns against another
MARKED = 3.0  # how much more what is missing of a defect or a front counts than what is drawn beside them [-]
RISE = 0.1  # of all lessons, over which their learning rate rises [-]


class Made(NamedTuple):
    """What was drawn of a batch, K domains of B images one after the other.

    Attributes
    ----------
    own, wanted : (KB,) int tensors, the domain that an image is of, and the one that it is drawn into
    source, drawn : (KB, 1 or 2, H, W) float tensors, what the networks see of the image and of what was drawn
    vectors : (KB, 2, 2) float tensor, the lattice of both
    marks : (KB, 1, H, W) float tensor, of the image, see `Unpaired`; or None
    code : (KB, N) float tensor, the code of the domain that it was drawn into
    """

    own: torch.Tensor
    wanted: torch.Tensor
    source: torch.Tensor
    drawn: torch.Tensor
    vectors: torch.Tensor
    marks: torch.Tensor | None
    code: torch.Tensor


def unlike_marks(drawn, marks, above):
    """How far drawings are from marks, see `Unpaired`: scalar tensor.

    Parameters
    ----------
    drawn, marks : (B, 1, H, W) float tensors
    above : float, grey level above which marks are to be met; elsewhere nothing is to outshine atoms
    """
    unlike = torch.where(marks > above, (drawn - marks).abs(), F.relu(drawn - BRIGHTEST_ATOM))
    unlike = torch.where(marks > BRIGHTEST_ATOM, MARKED * unlike, unlike)
    return torch.where(marks.isnan(), 0.0, unlike).mean()


class AtomGAN(Adversarial):
    """One generator, one encoder and one discriminator for any number of domains.

    Parameters
    ----------
    size : key of `translation.SIZES`
    domains : sequence of str, their names
    max_steps : int, steps that are planned
    learning_rate : float, Adam's
    betas : (2,) float, Adam's
    adversarial : one of `adversarial.KINDS`
    recorded : sequence of str, domains whose images carry noise: what is drawn as one of them is given noise of the
        reference's spectrum, before the discriminator sees it and on its way back. So the discriminator can't win by
        looking for noise, and nothing that noise would bury is of use on the way back
    cycle_weight, code_weight : float, λ1 and λ2 of the paper [-]
    odd_weight : float, weight of what the lattice does not repeat, beside the image, on the way there and back [-]
    kept_weight : float, weight of what is drawn being unlike its first image, see `adversarial.moved`, for domains whose
        columns are all bright: nothing else there tells columns from what lies between them [-]
    taught_weight : float, weight of the difference of drawings from the marks of a batch, where it has any [-]
    lessons : int, of the steps, those at the start in which the drawing networks learn from the marks alone, or where a batch
        has none, to leave images as they are; a fifth of the cost of others
    lesson_rate : float, Adam's learning rate in these at its highest
    r1 : float, weight of the discriminator's steepness at real images [-]
    hiding : float, standard deviation of the noise on what is drawn before it is drawn back [grey levels of −1…1]; with
        any, it is also made as blurred as columns are, so that nothing can be hidden in a texture; 0 leaves it
    averaging : float, weight of the past in the exponential average of the drawing networks, per step [-]
    seed : int, of the noise and of which domain an image is drawn into

    Notes
    -----
    The published settings are `PUBLISHED`. A batch is an `adversarial.Unpaired`.

    References
    ----------
    Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410; Choi et al., CVPR (2020) 8185.
    """

    SETTINGS = ("size", "domains")  # of a weight

    def __init__(
        self,
        size="compact",
        domains=DOMAINS,
        max_steps=10_000,
        learning_rate=1e-4,
        betas=(0.0, 0.99),
        adversarial="logistic",
        recorded=("image",),
        cycle_weight=10.0,
        odd_weight=4.0,
        code_weight=1.0,
        kept_weight=0.0,
        taught_weight=200.0,
        lessons=0,
        lesson_rate=1e-3,
        r1=0.5,
        hiding=0.15,
        averaging=0.998,
        seed=0,
    ):
        super().__init__()
        if len(domains) < 2:
            raise ValueError(f"domains={tuple(domains)} are {len(domains)}; name at least 2.")
        self.save_hyperparameters()
        made = SIZES[size]
        self.drawing = nn.ModuleDict({"generator": Generator(made), "encoder": Encoder(made, len(domains))})
        self.judging = Discriminator(made, len(domains))
        self.average = AveragedModel(self.drawing, multi_avg_fn=get_ema_multi_avg_fn(averaging))
        self.average.requires_grad_(False)
        self.register_buffer("codes", torch.zeros(len(domains), made.code))

    @property
    def side(self):
        """The side of the crops that it learns from [px]."""
        return SIZES[self.hparams.size].field

    def seen(self, image, vectors):
        """What the networks see of images: the grey levels, and what the lattices don't repeat if the size has it."""
        return torch.cat([image, ODD * unrepeated(image, vectors)], 1) if SIZES[self.hparams.size].unrepeated else image

    def forward(self, image, vectors, code):
        """Images (B, 1, H, W) with lattices (B, 2, 2) as ones of the domain that codes (1 or B, N) are of, without noise."""
        return self.average.module["generator"](self.seen(image, vectors), code.expand(len(image), -1))

    def as_drawing(self, image, vectors):
        """Images (B, 1, H, W) with lattices (B, 2, 2) as drawings, of the mean look that `learn_codes` has kept."""
        return self(image, vectors, self.codes[self.domain("drawing")][None])

    def code(self, reference, vectors, domain):
        """How references (B, 1, H, W) of a domain look, (B, N)."""
        wanted = torch.full((len(reference),), self.domain(domain), device=reference.device)
        return self.average.module["encoder"](self.seen(reference, vectors), wanted)

    @torch.inference_mode()
    def across(self, batch):
        """A batch's images (K, B, 1, H, W) as ones of the next domain, looking as one of its images, without noise."""
        codes = self.codes_of(batch).roll(-1, 0)
        return torch.stack([self(*part) for part in zip(batch.image, batch.vectors, codes, strict=True)])

    @torch.inference_mode()
    def learn_codes(self, batches):
        """Keep the mean code of each domain's images in batches (`adversarial.Unpaired`), for images that have no reference."""
        self.codes.copy_(torch.cat([self.codes_of(batch) for batch in batches], 1).mean(1))

    def codes_of(self, batch):
        """The codes (K, B, N) of a batch's images."""
        parts = zip(batch.image, batch.vectors, self.hparams.domains, strict=True)
        return torch.stack([self.code(*part) for part in parts])

    def domain(self, name):
        """The number of a domain."""
        names = list(self.hparams.domains)
        if name not in names:
            raise ValueError(f"domain={name!r} is none of this model's; choose from {', '.join(names)}.")
        return names.index(name)

    def draw(self, batch, chance):
        """Every image as one of another domain: `Made`."""
        count, each = batch.image.shape[:2]
        turn = int(torch.randint(1, count, (), generator=chance, device=chance.device))
        own = torch.arange(count, device=self.device).repeat_interleave(each)
        wanted = (own + turn) % count
        image, vectors = batch.image.flatten(0, 1), batch.vectors.flatten(0, 1)
        source = self.seen(image, vectors)
        reference = source.roll(-turn * each, 0)
        code = self.drawing["encoder"](reference, wanted)
        drawn = self.drawing["generator"](source, code)
        if self.hparams.recorded:
            noise = noise_like(reference[:, :1], vectors.roll(-turn * each, 0), chance)
            drawn = drawn + self.are_recorded(wanted) * noise
        marks = None if batch.marks is None else batch.marks.flatten(0, 1)
        return Made(own, wanted, source, self.seen(drawn, vectors), vectors, marks, code)

    def hidden(self, drawn, vectors, chance):
        """What was drawn (B, 1 or 2, H, W), without what could be hidden in it: float tensor of that shape."""
        if not self.hparams.hiding:
            return drawn
        smooth = F.avg_pool2d(drawn[:, :1], FINEST, 1, FINEST // 2, count_include_pad=False)
        noise = torch.randn(smooth.shape, generator=chance, device=smooth.device, dtype=smooth.dtype)
        return self.seen(smooth + self.hparams.hiding * noise, vectors)

    def are_recorded(self, domains):
        """1 for domains (B,) whose images carry noise, else 0: (B, 1, 1, 1) float tensor."""
        carrying = torch.tensor([name in self.hparams.recorded for name in self.hparams.domains], device=domains.device)
        return carrying[domains].float()[:, None, None, None]

    def judgement(self, logits, real):
        """How far the judges' logits are from calling images real, or drawn: scalar tensor."""
        return sum(judged(of_one, real, self.hparams.adversarial) for of_one in logits)

    def judges_losses(self, batch, made):
        """Real images called real, and drawn ones drawn."""
        source = made.source.detach().requires_grad_(self.hparams.r1 > 0)
        logits = self.judging(source, made.own)
        losses = {"real": self.judgement(logits, True)}
        losses["drawn"] = self.judgement(self.judging(made.drawn.detach(), made.wanted), False)
        if self.hparams.r1:
            losses["steepness"] = self.hparams.r1 * steepness(torch.cat(logits, 1), source)
        return losses

    def drawers_losses(self, batch, made, chance):
        """The discriminator deceived, the first image again on the way back, and the code again in what was drawn."""
        code = self.drawing["encoder"](made.source, made.own)
        again = self.drawing["generator"](self.hidden(made.drawn, made.vectors, chance), code)
        losses = {
            "deceiving": self.judgement(self.judging(made.drawn, made.wanted), True),
            "cycle": self.hparams.cycle_weight * F.l1_loss(again, made.source[:, :1]),
            "code": self.hparams.code_weight * F.l1_loss(self.drawing["encoder"](made.drawn, made.wanted), made.code),
        }
        losses |= self.odd(again, made.source, made.vectors)
        if self.hparams.kept_weight:
            losses["kept"] = self.hparams.kept_weight * moved(made.drawn[:, :1], made.source[:, :1])
        if self.hparams.taught_weight and made.marks is not None:
            drawings = made.wanted == self.domain("drawing")
            unlike = unlike_marks(made.drawn[drawings, :1], made.marks[drawings], BRIGHTEST_ATOM)
            losses["taught"] = self.hparams.taught_weight * unlike
        return losses

    def configure_optimizers(self):
        """Adam for either party, and for the drawing one in its lessons."""
        lessons = torch.optim.Adam(self.drawing.parameters(), lr=self.hparams.lesson_rate, betas=LESSON_BETAS)
        return [*super().configure_optimizers(), lessons]

    def training_step(self, batch, index):
        """A lesson as long as there are any, else see `Adversarial`."""
        if self.global_step >= self.hparams.lessons:
            return super().training_step(batch, index)
        losses = self.copies(batch, self.chance()) if batch.marks is None else self.lesson(batch)
        self.log_dict({f"train_{name}": loss.detach() for name, loss in losses.items()}, batch_size=batch.image.shape[1])
        teacher = self.optimizers()[-1]
        teacher.param_groups[0]["lr"] = self.hparams.lesson_rate * self.share_of_rate(self.global_step)
        self.descend(teacher, losses, rate="lesson_rate")

    def lesson(self, batch):
        """Images drawn as their marks are, and these drawn as the images: losses by name.

        All images that are no drawings themselves are drawn, each with a drawing of the batch as its reference.
        """
        drawing, names = self.domain("drawing"), torch.arange(len(batch.image), device=batch.image.device)
        others = names != drawing
        image, marks, vectors = (part[others].flatten(0, 1) for part in (batch.image, batch.marks, batch.vectors))
        own = names[others].repeat_interleave(batch.image.shape[1])
        source, wanted = self.seen(image, vectors), torch.full_like(own, drawing)
        reference = self.seen(batch.image[drawing], batch.vectors[drawing]).repeat(len(batch.image) - 1, 1, 1, 1)
        drawn = self.drawing["generator"](source, self.drawing["encoder"](reference, wanted))
        known = marks > -FAINTEST
        marked = self.seen(torch.where(known, marks, 0.0), vectors)
        again = self.drawing["generator"](marked, self.drawing["encoder"](source, own))
        return {
            "taught": self.hparams.taught_weight * unlike_marks(drawn, marks, -FAINTEST),
            "cycle": self.hparams.cycle_weight * torch.where(known, again - image, 0.0).abs().mean(),
            **self.odd(again, source, vectors, known),
        }

    def copies(self, batch, chance):
        """Images drawn as ones that look as they do: losses by name."""
        image, vectors = batch.image.flatten(0, 1), batch.vectors.flatten(0, 1)
        own = torch.arange(len(batch.image), device=image.device).repeat_interleave(batch.image.shape[1])
        source = self.seen(image, vectors)
        again = self.drawing["generator"](self.hidden(source, vectors, chance), self.drawing["encoder"](source, own))
        return {"cycle": self.hparams.cycle_weight * F.l1_loss(again, image), **self.odd(again, source, vectors)}

    def odd(self, again, source, vectors, known=True):
        """How far what the lattice does not repeat is from that of the first image, where ``known``: a loss, if it is seen."""
        if not self.hparams.odd_weight or not SIZES[self.hparams.size].unrepeated:
            return {}
        unlike = F.smooth_l1_loss(unrepeated(again, vectors), source[:, 1:] / ODD, beta=NOISE, reduction="none")
        return {"odd": self.hparams.cycle_weight * self.hparams.odd_weight * (unlike * known).mean()}

    def share_of_rate(self, step):
        """The learning rate of a lesson over the highest one: it rises in a straight line and falls as a cosine does to 0."""
        done = (step + 1) / self.hparams.lessons
        return done / RISE if done < RISE else 0.5 + 0.5 * math.cos(math.pi * (done - RISE) / (1 - RISE))

    def on_train_batch_end(self, *_):
        """Follow the drawing networks with their exponential average."""
        self.average.update_parameters(self.drawing)

    @classmethod
    def from_weights(cls, tensors, settings, **training):
        """The model of a weight file, see `weights.load`, to go on with under settings of ``training``."""
        tensors, model = dict(tensors), cls(size=settings["size"], domains=tuple(settings["domains"]), **training)
        model.codes.copy_(tensors.pop("codes"))
        model.drawing.load_state_dict(tensors)
        model.average.module.load_state_dict(tensors)
        return model

    def to_weights(self):
        """Tensors and settings of the averaged drawing networks and their domains' codes, for `weights.save`."""
        tensors = {**self.average.module.state_dict(), "codes": self.codes}
        return tensors, {"size": self.hparams.size, "domains": list(self.hparams.domains)}
