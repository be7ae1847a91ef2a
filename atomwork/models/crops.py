"""Training images cut from a user's own labelled frames, beside simulated ones so that nothing is forgotten."""

from dataclasses import fields
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from atomwork.simulation.batches import Batch, draw_targets, seeded_batch
from atomwork.simulation.chance import log_uniform

SPACING = (7.0, 18.0)  # px, to which crops are brought; what is finer already stays, for enlarged noise looks like columns
OWN = 0.5  # share of the images of a batch that are cut from labelled frames [-]


class MixedImages(Dataset):
    """Batches for `training.train`, one share simulated and one share crops of labelled frames.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    recipe, batch_size, seed, batches, device : see `datasets.TrainingImages`
    """

    def __init__(self, frames, recipe, batch_size, seed, batches, device="cpu"):
        self.frames, self.recipe, self.batch_size, self.seed = frames, recipe, batch_size, seed
        self.batches, self.device = batches, device

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.batches[index],))
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.batches[index], 2)))
        own = round(OWN * self.batch_size)
        simulated = seeded_batch(sequence, self.recipe, self.batch_size - own, self.device)
        chosen = rng.integers(len(self.frames), size=own)
        return joined([simulated, *(crop(rng, self.frames[k], self.recipe.size).to(self.device) for k in chosen)])


def crop(rng, frame, size):
    """A `Batch` of one image of ``size`` px, cut at random from a frame that is turned, mirrored and reduced at random."""
    frame = frame.turned(int(rng.integers(4)), bool(rng.integers(2)))
    scale = min(1.0, log_uniform(rng, *SPACING) / frame.spacing)
    side = [min(n, int(np.ceil(size / scale))) for n in frame.image.shape]
    corner = np.array([rng.integers(n - s + 1) for n, s in zip(frame.image.shape, side, strict=True)])
    pixels = frame.image[corner[0] : corner[0] + side[0], corner[1] : corner[1] + side[1]]
    seen = torch.from_numpy(np.array(pixels, np.float32))[None, None]
    shape = [min(size, round(s * scale)) for s in side]
    seen = F.interpolate(seen, shape, mode="bilinear", antialias=True, align_corners=False)
    ratio = np.array(shape) / side
    spacing = frame.spacing * float(np.sqrt(ratio.prod()))
    columns, optional = ((points - corner + 0.5) * ratio - 0.5 for points in (frame.columns, frame.optional))
    target, weight = draw_targets([columns], [optional], [spacing], np.array([spacing / 4]), (size, size), "cpu")
    weight[:, shape[0] :] = 0
    weight[:, :, shape[1] :] = 0
    kept = [points[((points >= 0) & (points <= np.array(shape) - 1)).all(1)] for points in (columns, optional)]
    return Batch(
        image=F.pad(seen, (0, size - shape[1], 0, size - shape[0]), mode="replicate"),
        target=target[:, None],
        weight=weight[:, None],
        spacing=torch.tensor([spacing], dtype=torch.float32),
        dark=torch.tensor([frame.dark]),
        dose=torch.tensor([float("nan")]),
        columns=kept[:1],
        optional=kept[1:],
        names=["own"],
    )


def joined(batches):
    """One `Batch` of several."""
    result = {}
    for field in fields(Batch):
        values = [getattr(batch, field.name) for batch in batches]
        result[field.name] = torch.cat(values) if torch.is_tensor(values[0]) else list(chain.from_iterable(values))
    return Batch(**result)
