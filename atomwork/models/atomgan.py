"""AtomGAN: images drawn as those of another domain without a single pair, such as micrographs as drawings of their defects."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from atomwork.models.adversarial import Adversarial, judged, steepness
from atomwork.models.networks.translation import SIZES, Discriminator, Encoder, Generator

DOMAINS = ("image", "drawing")
PUBLISHED = {"size": "paper", "adversarial": "logistic", "cycle_weight": 1.0, "code_weight": 1.0, "r1": 0.0, "hiding": 0.0}


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
    cycle_weight, code_weight : float, λ1 and λ2 of the paper [-]
    r1 : float, weight of the discriminator's steepness at real images [-]
    hiding : float, standard deviation of the noise on a drawn image before it is drawn back [grey levels of −1…1], so that
        nothing can be hidden in it
    averaging : float, weight of the past in the exponential average of the drawing networks, per step [-]
    seed : int, of the noise and of which domain an image is drawn into

    Notes
    -----
    The published settings are `PUBLISHED`. A batch is a tensor (K, B, 1, H, W): B images of each of K domains, which have
    nothing to do with each other.

    References
    ----------
    Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410; Choi et al., CVPR (2020) 8185.
    """

    def __init__(
        self,
        size="compact",
        domains=DOMAINS,
        max_steps=10_000,
        learning_rate=1e-4,
        betas=(0.0, 0.99),
        adversarial="least squares",
        cycle_weight=10.0,
        code_weight=1.0,
        r1=0.0,
        hiding=0.3,
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

    def forward(self, image, reference, domain):
        """Images (B, 1, H, W) as ones of a domain that look like a ``reference`` (1 or B, 1, H, W) of it, by the averages."""
        nets, wanted = self.average.module, torch.full((len(reference),), self.domain(domain), device=reference.device)
        return nets["generator"](image, nets["encoder"](reference, wanted).expand(len(image), -1))

    def domain(self, name):
        """The number of a domain."""
        names = list(self.hparams.domains)
        if name not in names:
            raise ValueError(f"domain={name!r} is none of this model's; choose from {', '.join(names)}.")
        return names.index(name)

    def draw(self, batch, chance):
        """Every image as one of another domain: own and wanted domains (KB,), the wanted domain's codes, drawn images."""
        count, each = batch.shape[:2]
        turn = int(torch.randint(1, count, (), generator=chance, device=chance.device))
        own = torch.arange(count, device=batch.device).repeat_interleave(each)
        wanted = (own + turn) % count
        code = self.drawing["encoder"](batch.roll(-turn, 0).flatten(0, 1), wanted)
        return own, wanted, code, self.drawing["generator"](batch.flatten(0, 1), code)

    def judges_losses(self, batch, made):
        """Real images called real, and drawn ones drawn."""
        own, wanted, _, drawn = made
        real = batch.flatten(0, 1).detach().requires_grad_(self.hparams.r1 > 0)
        logits = self.judging(real, own)
        losses = {"real": judged(logits, True, self.hparams.adversarial)}
        losses["drawn"] = judged(self.judging(drawn.detach(), wanted), False, self.hparams.adversarial)
        if self.hparams.r1:
            losses["steepness"] = self.hparams.r1 * steepness(logits, real)
        return losses

    def drawers_losses(self, batch, made, chance):
        """The discriminator deceived, the first image again on the way back, and the code again in what was drawn."""
        own, wanted, code, drawn = made
        source = batch.flatten(0, 1)
        noise = self.hparams.hiding * torch.randn(drawn.shape, generator=chance, device=drawn.device, dtype=drawn.dtype)
        again = self.drawing["generator"](drawn + noise, self.drawing["encoder"](source, own))
        return {
            "deceiving": judged(self.judging(drawn, wanted), True, self.hparams.adversarial),
            "cycle": self.hparams.cycle_weight * F.l1_loss(again, source),
            "code": self.hparams.code_weight * F.l1_loss(self.drawing["encoder"](drawn, wanted), code),
        }

    def on_train_batch_end(self, *_):
        """Follow the drawing networks with their exponential average."""
        self.average.update_parameters(self.drawing)

    @classmethod
    def from_weights(cls, tensors, settings):
        """The model of a weight file, see `weights.load`."""
        model = cls(size=settings["size"], domains=tuple(settings["domains"]))
        model.drawing.load_state_dict(tensors)
        model.average.module.load_state_dict(tensors)
        return model

    def to_weights(self):
        """Tensors and settings of the averaged drawing networks, for `weights.save`."""
        return self.average.module.state_dict(), {"size": self.hparams.size, "domains": list(self.hparams.domains)}
