"""AtomID-Net: where the columns are, at what spacing, and whether they are bright or dark."""

import copy
import math
from itertools import pairwise

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from atomwork.columns import matching, peaks
from atomwork.columns.labels import NO_SPACING
from atomwork.models.judge import Judge
from atomwork.models.muon import Muon
from atomwork.models.networks.unet import ScaleUNet, pool_scale

JUDGE = "judge."  # what the names of the judge's tensors begin with in a weight file
SEPARATION = 0.55  # smallest distance of two columns over the spacing [-]


class AtomIDNet(pl.LightningModule):
    """Detector of columns, trained on simulated images.

    Parameters
    ----------
    widths : sequence of int, channels per level of the U-Net
    learning_rate : float, of the hidden convolutions (by Muon) at its highest
    other_rate : float, of all other parameters (by AdamW) at its highest
    max_steps : int, length of the one-cycle schedule [steps]
    spacing_weight, dark_weight : float, of the branch's losses beside the map's [-]
    map_shift : float, added to the map's logits at inference, so that the published lower bound of 0.1 is
        the best one on the validation set
    calibration : heights of the map and the share of peaks so high that are columns, as lists, or None
    judged : bool, a `judge.Judge`, which is trained apart, weighs what is found
    averaging : float, weight of the past in the exponential average of the weights, per step [-]
    frozen_statistics : bool, batch normalisation keeps the statistics that it has

    Notes
    -----
    The map is learned as in the paper (Gaussians of width spacing/4 and height 1), by cross-entropy less
    its smallest possible value in place of the squared error; validation uses an exponential average of
    the weights, which is also what is saved.

    References
    ----------
    Lin, Yan et al., Small Science 3 (2023) 2300031.
    """

    def __init__(
        self,
        widths=(24, 48, 96, 128),
        learning_rate=0.02,
        other_rate=3e-3,
        max_steps=10_000,
        spacing_weight=0.2,
        dark_weight=0.05,
        map_shift=0.0,
        calibration=None,
        judged=False,
        averaging=0.998,
        frozen_statistics=False,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.network = ScaleUNet(widths)
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(averaging), use_buffers=True)
        self.average.requires_grad_(False)
        self.judge = Judge().eval().requires_grad_(False) if judged else None
        self.scores = []
        self.train()  # Lightning does not ask for it: it goes on in the mode that it finds

    @classmethod
    def from_weights(cls, tensors, settings, **training):
        """The model of a weight file, see `weights.load`, to go on with under settings of ``training``."""
        read = {"map_shift": settings["map_shift"], "calibration": settings.get("calibration")}
        model = cls(widths=tuple(settings["widths"]), judged=settings.get("judged", False), **read, **training)
        weighing = {name.removeprefix(JUDGE): tensor for name, tensor in tensors.items() if name.startswith(JUDGE)}
        seeing = {name: tensor for name, tensor in tensors.items() if not name.startswith(JUDGE)}
        model.network.load_state_dict(seeing)
        model.average.module.load_state_dict(seeing)
        if model.judge is not None:
            model.judge.load_state_dict(weighing)
        return model

    def take(self, judge):
        """Let a `judge.Judge` weigh what is found from now on."""
        self.judge, self.hparams.judged = judge.eval().requires_grad_(False), True

    def to_weights(self):
        """Tensors and settings of the averaged network, and of the judge if there is one, for `weights.save`."""
        settings = {name: self.hparams[name] for name in ("widths", "map_shift", "calibration", "judged")}
        weighing = self.judge.state_dict() if self.judge is not None else {}
        return {**self.average.module.state_dict(), **{JUDGE + name: tensor for name, tensor in weighing.items()}}, settings

    def inference_network(self):
        """The averaged network with its normalisation folded into the convolutions, shifted, for inference."""
        net = copy.deepcopy(self.average.module).eval()
        fold_normalisation(net)
        with torch.no_grad():
            net.head[0].bias += self.hparams.map_shift
        return net.to(memory_format=torch.channels_last)

    def train(self, mode=True):
        """As in torch, but that batch normalisation may keep its statistics."""
        super().train(mode)
        if self.hparams.frozen_statistics:
            for layer in self.network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        return self

    def configure_optimizers(self):
        """Muon for the hidden convolutions, AdamW for the rest, on a one-cycle schedule."""
        hidden = self.network.hidden_weights()
        others = [p for p in self.network.parameters() if all(p is not h for h in hidden)]
        rates, warm_up = [self.hparams.learning_rate, self.hparams.other_rate], max(0.1, 1.5 / self.hparams.max_steps)
        groups = [{"params": hidden, "momentum": 0.95, "weight_decay": 0.01}, {"params": others, "weight_decay": 1e-4}]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer := Muon(groups), rates, total_steps=self.hparams.max_steps, pct_start=warm_up, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def forward(self, image):
        """`ScaleUNet.forward` with the averaged weights."""
        return self.average(image)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Move a `simulation.batches.Batch`."""
        return batch.to(device)

    def losses(self, network, batch):
        """Map, spacing and polarity losses of a batch, each a scalar tensor."""
        logits, scale = network(batch.image)
        log_spacing, dark = pool_scale(scale)
        shown = ~batch.spacing.isnan()
        cross = F.binary_cross_entropy_with_logits(logits, batch.target, reduction="none")
        least = -torch.special.xlogy(batch.target, batch.target) - torch.special.xlogy(1 - batch.target, 1 - batch.target)
        zero = scale.sum() * 0  # reaches the branch, as several processes ask of every batch
        return {
            "map": ((cross - least) * batch.weight).mean(),
            "spacing": F.smooth_l1_loss(log_spacing[shown], batch.spacing[shown].log(), beta=0.1) if shown.any() else zero,
            "dark": F.binary_cross_entropy_with_logits(dark[shown], batch.dark[shown].float()) if shown.any() else zero,
        }

    def total(self, losses):
        """The weighted sum that is minimised."""
        return losses["map"] + self.hparams.spacing_weight * losses["spacing"] + self.hparams.dark_weight * losses["dark"]

    def training_step(self, batch, _):
        """One step; see `losses`."""
        losses = self.losses(self.network, batch)
        self.log_dict({f"train_{k}": v.detach() for k, v in losses.items()}, batch_size=len(batch.image))
        return self.total(losses)

    def on_train_batch_end(self, *_):
        """Follow the weights with their exponential average."""
        self.average.update_parameters(self.network)

    def validation_step(self, batch, _):
        """Losses and the F1 of the peaks within a quarter of the spacing, at several lower bounds."""
        losses = self.losses(self.average, batch)
        self.log_dict({f"val_{k}": v for k, v in losses.items()}, batch_size=len(batch.image), sync_dist=True)
        maps = torch.sigmoid(self(batch.image)[0])[:, 0].float().cpu().numpy()
        for confidence, truth, optional, spacing in zip(
            maps, batch.columns, batch.optional, batch.spacing.tolist(), strict=True
        ):
            self.scores.append(count_hits(confidence, truth, optional, spacing))

    def on_validation_epoch_end(self):
        """Log the pooled F1 of all validation images for each lower bound, and the best of them."""
        counts = torch.tensor(self.scores, dtype=torch.float32).sum(0)
        hits = self.trainer.strategy.reduce(counts.to(self.device), reduce_op="sum")  # (bounds, 3)
        self.scores.clear()
        f1 = 2 * hits[:, 0] / (hits[:, 1] + hits[:, 2]).clamp_min(1)
        self.log_dict({"val_f1": f1.max(), "val_lower_bound": torch.tensor(BOUNDS)[f1.argmax().cpu()]}, prog_bar=True)


def fold_normalisation(net):
    """Merge every batch normalisation of a network in eval mode into the convolution before it."""
    for parent in net.modules():
        for (name, layer), (normal_name, normal) in pairwise(list(parent.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(normal, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, normal))
                setattr(parent, normal_name, nn.Identity())


def shift_to_published(lower_bound):
    """The shift of the map's logits under which ``lower_bound`` becomes the published 0.1."""
    return math.log(0.1 / 0.9) - math.log(lower_bound / (1 - lower_bound))


BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def count_hits(confidence, truth, optional, spacing):
    """Hits, found and true columns of one image for each of `BOUNDS`, at the true spacing [px]."""
    spacing = spacing if spacing == spacing else NO_SPACING
    counts = []
    for bound in BOUNDS:
        found = peaks.find(confidence, lower_bound=bound, window_size=SEPARATION * spacing)
        result = matching.match(found, truth, tolerance=spacing / 4, optional=optional)
        counts.append((len(result.pairs), result.n_found, result.n_truth))
    return counts
