"""Simulated images as a microscope would have recorded them that nobody has labelled an image of."""

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from tqdm.auto import tqdm

from atomwork.analysis import generation
from atomwork.models import training, unpaired
from atomwork.models.atomgan import AtomGAN

DOMAINS = ("simulated", "recorded")
KEPT_WEIGHT = 20.0  # see `AtomGAN`
LESSONS = 0.5  # share of the steps, in which images are only learned to be left as they are: the change from there is small [-]
HELD_BACK = 0.1  # share of either heap that the curves are drawn from


def adapt(simulated, recorded, out_dir, *, max_steps=1500, resume_from=None, seed=0, progress=True):
    """Simulated images as ones of the microscope that recorded others; their columns stay where they are.

    AtomGAN learns from the two heaps what their images look like. With the simulation's columns as labels the result is
    what `finetune.finetune` takes, best beside the simulated images themselves.

    Parameters
    ----------
    simulated, recorded : sequences of (H, W) float arrays, intensities [arb.], of crystals; ten of either at least
    out_dir : path for checkpoints and curves
    max_steps : int; a second each on two CPU cores
    resume_from : path of the ``last.ckpt`` of a killed run, or None
    seed : int
    progress : bool, show progress bars

    Returns
    -------
    list of (H, W) float arrays, one for each simulated image

    Raises
    ------
    ValueError : too few images, or one without a lattice
    """
    for name, heap in zip(DOMAINS, (simulated, recorded), strict=True):
        if len(heap) < 1 / HELD_BACK:
            raise ValueError(f"{len(heap)} {name} images are too few to learn a look from; give {1 / HELD_BACK:.0f} at least.")
    wrap = tqdm if progress else iter
    heaps = [unpaired.images(of_one_size(heap), wrap) for heap in (simulated, recorded)]
    pl.seed_everything(seed, verbose=False)
    lessons = round(LESSONS * max_steps)
    model = AtomGAN(domains=DOMAINS, recorded=DOMAINS, kept_weight=KEPT_WEIGHT, max_steps=max_steps, lessons=lessons, seed=seed)
    steps = {"max_steps": max_steps, "steps_per_epoch": max(1, max_steps // 8)}
    parts = zip(*map(parted, heaps), strict=True)
    stream = unpaired.UnpairedStream(*parts, side=model.side, seed=seed, validation_batches=2, **steps)
    training.fit(model, stream, Path(out_dir), resume_from=resume_from, progress=progress)
    chosen = np.random.default_rng(seed).integers(len(recorded), size=len(simulated))
    model.eval()
    made = []
    for k, (image, other) in enumerate(wrap(list(zip(simulated, chosen, strict=True)))):
        seen = unpaired.normalised(image), unpaired.vectors_of(image)
        made.append(generation.as_recorded(model, *seen, recorded[other], "recorded", k))
    return made


def of_one_size(images):
    """The corners that all images have: (N, h, w) array."""
    height, width = np.min([np.shape(image) for image in images], axis=0)
    return np.stack([np.asarray(image)[:height, :width] for image in images])


def parted(heap):
    """A `unpaired.Domain` to learn from and one to validate on."""
    kept = len(heap.image) - round(HELD_BACK * len(heap.image))
    return [unpaired.Domain(heap.image[part], heap.vectors[part]) for part in (slice(kept), slice(kept, None))]
