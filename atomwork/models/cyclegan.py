"""CycleGAN, AtomGAN's rival: a generator and a discriminator for either of two domains."""

import torch
import torch.nn.functional as F
from torch import nn

from atomwork.models.adversarial import Adversarial, judged
from atomwork.models.atomgan import DOMAINS
from atomwork.models.networks.resnet import BLOCKS, PatchDiscriminator, ResNetGenerator
from atomwork.models.networks.translation import BRIGHTEST

REMEMBERED = 50  # drawn images of either domain that the discriminators are shown again


class CycleGAN(Adversarial):
    """Two domains, each drawn from the other, there and back again.

    Parameters
    ----------
    width : int, channels of the networks at the full resolution; 64 as published
    blocks : int, residual blocks of the generators
    max_steps : int, steps that are planned
    learning_rate : float, Adam's; 2e-4 as published
    betas : (2,) float, Adam's
    cycle_weight, identity_weight : float, weights of the way there and back and of an image of the wanted domain that is to
        stay as it is [-]
    seed : int, of which drawn images are remembered

    Notes
    -----
    A batch is an `adversarial.Unpaired`, of which the lattices aren't used; its grey levels are brought to −1…1.

    References
    ----------
    Zhu et al., ICCV (2017) 2223.
    """

    SETTINGS = ("width", "blocks")  # of a weight

    def __init__(
        self,
        width=64,
        blocks=BLOCKS,
        max_steps=10_000,
        learning_rate=2e-4,
        betas=(0.5, 0.999),
        cycle_weight=10.0,
        identity_weight=5.0,
        seed=0,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.drawing = nn.ModuleList(ResNetGenerator(width, blocks) for _ in DOMAINS)  # into domain 0, into domain 1
        self.judging = nn.ModuleList(PatchDiscriminator(width) for _ in DOMAINS)
        self.remembered = [[], []]

    def forward(self, image, domain):
        """Images (B, 1, H, W) as ones of a domain."""
        if domain not in DOMAINS:
            raise ValueError(f"domain={domain!r} is none of this model's; choose from {', '.join(DOMAINS)}.")
        return BRIGHTEST * self.drawing[DOMAINS.index(domain)](image / BRIGHTEST)

    def as_drawing(self, image, _):
        """Images (B, 1, H, W) as drawings."""
        return self(image, "drawing")

    @torch.inference_mode()
    def across(self, batch):
        """Images (2, B, 1, H, W) of a batch as ones of the other domain."""
        return torch.stack([self(batch.image[k], DOMAINS[1 - k]) for k in range(2)])

    def draw(self, batch, chance):
        """Images drawn into domain 0 and into domain 1, and what the discriminators are shown of them."""
        drawn = [self.drawing[k](batch.image[1 - k] / BRIGHTEST) for k in range(2)]
        return drawn, [self.recalled(k, drawn[k].detach(), chance) for k in range(2)]

    def recalled(self, domain, drawn, chance):
        """Drawn images (B, 1, H, W), half replaced by earlier ones once enough are remembered, but not in validation."""
        if not self.training:
            return drawn
        memory, shown = self.remembered[domain], []
        for image in drawn:
            if len(memory) < REMEMBERED:
                memory.append(image)
            elif torch.rand((), generator=chance, device=chance.device) < 0.5:
                place = int(torch.randint(REMEMBERED, (), generator=chance, device=chance.device))
                image, memory[place] = memory[place], image
            shown.append(image)
        return torch.stack(shown)

    def judges_losses(self, batch, made):
        """Real images called real, and drawn ones drawn, at half weight as published."""
        losses = {}
        for k, (judge, shown) in enumerate(zip(self.judging, made[1], strict=True)):
            losses[f"real_{DOMAINS[k]}"] = 0.5 * judged(judge(batch.image[k] / BRIGHTEST), True, "least squares")
            losses[f"drawn_{DOMAINS[k]}"] = 0.5 * judged(judge(shown), False, "least squares")
        return losses

    def drawers_losses(self, batch, made, chance):
        """The discriminators deceived, the first image again on the way back, and images of the wanted domain unchanged."""
        losses, image = {}, batch.image / BRIGHTEST
        for k, (generator, drawn) in enumerate(zip(self.drawing, made[0], strict=True)):
            name = DOMAINS[k]
            losses[f"deceiving_{name}"] = judged(self.judging[k](drawn), True, "least squares")
            losses[f"cycle_{name}"] = self.hparams.cycle_weight * F.l1_loss(self.drawing[1 - k](drawn), image[1 - k])
            if self.hparams.identity_weight:
                losses[f"identity_{name}"] = self.hparams.identity_weight * F.l1_loss(generator(image[k]), image[k])
        return losses

    def configure_optimizers(self):
        """Adam for either party; the learning rates fall to zero over the second half of the steps."""
        optimizers = super().configure_optimizers()
        half = self.hparams.max_steps / 2

        def share(step):
            return min(1.0, (self.hparams.max_steps - step) / half)

        return optimizers, [torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in optimizers]

    def on_train_batch_end(self, *_):
        """Follow the learning rates' schedule."""
        for schedule in self.lr_schedulers():
            schedule.step()

    def on_save_checkpoint(self, checkpoint):
        """Keep the remembered images, without which a resumed run would go elsewhere."""
        checkpoint["remembered"] = [torch.stack(memory) if memory else None for memory in self.remembered]

    def on_load_checkpoint(self, checkpoint):
        """See `on_save_checkpoint`."""
        self.remembered = [[] if memory is None else list(memory.to(self.device)) for memory in checkpoint["remembered"]]

    def to_weights(self):
        """Tensors and settings of the generators, for `weights.save`."""
        return self.drawing.state_dict(), {name: self.hparams[name] for name in self.SETTINGS}

    @classmethod
    def from_weights(cls, tensors, settings):
        """The model of a weight file, see `weights.load`."""
        model = cls(**settings)
        model.drawing.load_state_dict(tensors)
        return model
