"""Training images cut from a user's own labelled frames, beside simulated ones so that nothing is forgotten."""

from dataclasses import fields
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from atomwork.simulation.batches import Batch, resampled, seeded_batch
from atomwork.simulation.chance import log_uniform
from atomwork.simulation.truth import draw_targets

SPACING = (7.0, 18.0)  # px, to which crops are brought; what is finer already stays, for enlarged noise looks like columns


class MixedImages(Dataset):
    """Batches for `training.train`, one share simulated and one share crops of labelled frames.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    recipe, batch_size, seed, batches, device : see `datasets.TrainingImages`
    own : float, share of the images of a batch that are cut from the frames [-]
    """

    def __init__(self, frames, recipe, batch_size, seed, batches, device="cpu", *, own=0.5):
        self.frames, self.recipe, self.batch_size, self.seed = frames, recipe, batch_size, seed
        self.batches, self.device, self.own = batches, device, round(own * batch_size)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.batches[index],))
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.batches[index], 2)))
        rest = self.batch_size - self.own
        simulated = [seeded_batch(sequence, self.recipe, rest, self.device)] if rest else []
        chosen = rng.integers(len(self.frames), size=self.own)
        return joined([*simulated, *(crop(rng, self.frames[k], self.recipe.size).to(self.device) for k in chosen)])


def crop(rng, frame, size):
    """A `Batch` of one image of ``size`` px, cut at random from a frame that is turned, mirrored and reduced at random."""
    frame = frame.turned(int(rng.integers(4)), bool(rng.integers(2)))
    scale = min(1.0, log_uniform(rng, *SPACING) / frame.spacing)
    side = [min(n, int(np.ceil(size / scale))) for n in frame.image.shape]
    corner = np.array([rng.integers(n - s + 1) for n, s in zip(frame.image.shape, side, strict=True)])
    pixels = frame.image[corner[0] : corner[0] + side[0], corner[1] : corner[1] + side[1]]
    seen = torch.from_numpy(np.array(pixels, np.float32))[None, None]
    shape = [min(size, round(s * scale)) for s in side]
    seen = resampled(seen, shape)
    ratio = np.array(shape) / side
    spacing = frame.spacing * float(np.sqrt(ratio.prod()))
    columns, optional = ((points - corner + 0.5) * ratio - 0.5 for points in (frame.columns, frame.optional))
    target, weight = targets(columns, optional, spacing, size)
    weight[..., shape[0] :, :] = 0
    weight[..., shape[1] :] = 0
    kept = [points[((points >= 0) & (points <= np.array(shape) - 1)).all(1)] for points in (columns, optional)]
    return Batch(
        image=F.pad(seen, (0, size - shape[1], 0, size - shape[0]), mode="replicate"),
        target=target,
        weight=weight,
        spacing=torch.tensor([spacing], dtype=torch.float32),
        dark=torch.tensor([frame.dark]),
        dose=torch.tensor([float("nan")]),
        columns=kept[:1],
        optional=kept[1:],
        names=["own"],
    )


def targets(columns, optional, spacing, size):
    """`truth.draw_targets` of a crop of ``size`` px, columns just beyond it counted in: two (1, 1, size, size) tensors."""
    margin = int(np.ceil(spacing))
    canvas = size + 2 * margin
    near = [p[((p >= 0) & (p <= canvas - 1)).all(1)] for p in (columns + margin, optional + margin)]
    maps = draw_targets(near[:1], near[1:], [spacing], np.array([spacing / 4]), (canvas, canvas), "cpu")
    return [m[:, None, margin : margin + size, margin : margin + size] for m in maps]


def joined(batches):
    """One `Batch` of several."""
    result = {}
    for field in fields(Batch):
        values = [getattr(batch, field.name) for batch in batches]
        result[field.name] = torch.cat(values) if torch.is_tensor(values[0]) else list(chain.from_iterable(values))
    return Batch(**result)
