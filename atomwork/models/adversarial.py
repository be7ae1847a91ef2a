"""What networks that learn against each other share: their turns, their losses, and a stop where these are no numbers."""

import math
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F

KINDS = ("logistic", "least squares")
KEPT = 0.6  # correlation with the image that something is drawn from, above which its columns are where they were [-]


class Unpaired(NamedTuple):
    """Images of K domains that have nothing to do with each other.

    Attributes
    ----------
    image : (K, B, 1, H, W) float tensor, grey levels of about −1…1
    vectors : (K, B, 2, 2) float tensor, the shortest vectors of each image's lattice as rows, (y, x) [px]
    marks : (K, B, 1, H, W) float tensor, what of each image another method would draw, at the grey levels of drawings;
        negative where it says no more than that there is no defect and no front, NaN where it says nothing; None if of no image
    """

    image: torch.Tensor
    vectors: torch.Tensor
    marks: torch.Tensor | None = None


def judged(logits, real, kind):
    """How far logits are from calling images real, or drawn if not ``real``: scalar tensor; refuses a kind it doesn't know.

    Parameters
    ----------
    logits : float tensor
    real : bool
    kind : "logistic" (Goodfellow et al., NIPS (2014) 2672, the drawer's without saturation) or "least squares" (Mao et al.,
        ICCV (2017) 2794)
    """
    if kind not in KINDS:
        raise ValueError(f"adversarial={kind!r} is no loss of ours; choose from {', '.join(KINDS)}.")
    if kind == "logistic":
        return F.softplus(-logits if real else logits).mean()
    return (logits - float(real)).square().mean()


def steepness(logits, image):
    """Half the squared gradient of logits (B, …) by their images (B, …), the mean over images: R1.

    References
    ----------
    Mescheder, Geiger & Nowozin, ICML (2018) 3481.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def moved(drawn, source):
    """By how much less than `KEPT` drawn images correlate with those (B, 1, H, W) that they are drawn from: scalar tensor."""
    centred = (part.flatten(1) - part.flatten(1).mean(1, keepdim=True) for part in (drawn, source))
    return F.relu(KEPT - F.cosine_similarity(*centred)).mean()


class Adversarial(pl.LightningModule):
    """Networks that draw and networks that judge, in turn.

    What inherits it has the attributes ``drawing`` and ``judging``, modules that hold the two parties' parameters, and the
    methods `draw`, `judges_losses` and `drawers_losses`; its hyper-parameters have ``learning_rate``, ``betas`` and ``seed``.
    A step is counted once, although two optimisers make it.
    """

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def draw(self, batch, chance):
        """What the drawing networks make of a batch, with their gradients."""
        raise NotImplementedError

    def judges_losses(self, batch, made):
        """Losses of the judging networks by name; what was made is to be detached."""
        raise NotImplementedError

    def drawers_losses(self, batch, made, chance):
        """Losses of the drawing networks by name."""
        raise NotImplementedError

    def configure_optimizers(self):
        """Adam for either party, the drawing one first."""
        settings = {"lr": self.hparams.learning_rate, "betas": tuple(self.hparams.betas)}
        return [torch.optim.Adam(party.parameters(), **settings) for party in (self.drawing, self.judging)]

    def chance(self):
        """Random numbers of the present step: the same in a run that was killed and resumed, others in every process."""
        key = (self.global_step, self.global_rank) if self.global_rank else (self.global_step,)
        state = np.random.SeedSequence(self.hparams.seed, spawn_key=key).generate_state(1, np.uint64)
        return torch.Generator(self.device).manual_seed(int(state[0] >> 1))

    def training_step(self, batch, _):
        """The judging networks learn from what is drawn, then the drawing ones from their judgement."""
        chance = self.chance()
        drawer, judge, *_ = self.optimizers()
        made = self.draw(batch, chance)
        losses = self.judges_losses(batch, made)
        # only the drawer's optimiser counts: each that Lightning steps would be a step of its own
        self.descend(judge.optimizer, losses)
        self.judging.requires_grad_(False)
        losses |= (own := self.drawers_losses(batch, made, chance))
        self.descend(drawer, own)
        self.judging.requires_grad_(True)
        self.log_dict({f"train_{name}": loss.detach() for name, loss in losses.items()}, batch_size=batch.image.shape[1])

    def validation_step(self, batch, index):
        """The drawing networks' losses on images that they don't learn from, the same drawn into the same each time."""
        number = index * self.trainer.world_size + self.global_rank
        chance = torch.Generator(self.device).manual_seed(number)
        losses = self.drawers_losses(batch, self.draw(batch, chance), chance)
        named = {f"val_{name}": loss for name, loss in losses.items()}
        self.log_dict(named, batch_size=batch.image.shape[1], sync_dist=True)

    def descend(self, optimizer, losses, rate="learning_rate"):
        """One step down the sum of losses; one that is no number stops the training before, and says which rate to lower."""
        for name, loss in losses.items():
            if not math.isfinite(loss.item()):
                raise FloatingPointError(
                    f"the loss {name!r} is {loss.item()} at step {self.global_step} with {rate}="
                    f"{self.hparams[rate]:g}; resume from last.ckpt with a lower {rate}, or train at 32 bits."
                )
        optimizer.zero_grad()
        self.manual_backward(sum(losses.values()))
        optimizer.step()
