"""A detector that learns from a user's own labelled frames, and is kept only if frames it never saw show that it gained."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from atomwork import weights
from atomwork.analysis import detect
from atomwork.columns.labels import LabelledFrame, of_batch
from atomwork.models.crops import MixedImages
from atomwork.models.detector import AtomIDNet
from atomwork.models.training import train
from atomwork.simulation import datasets

FEW = 4  # frames below which each is cut into quarters, so that some can be held back
SMALLEST = 64  # px, shortest side of such a quarter
SIMULATED, LOST = 4, 0.005  # batches of simulated validation images, and the F1 on them that may be lost [-]
ATTEMPTS = 3  # each at a third of the learning rate before
AVERAGING = 0.98  # of the weights; some hundred steps are too few for the slow average of a long training


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes
    ----------
    model : str, path of the new weight for ``detect(model=…)``; the weight that was given where none was better
    scores : DataFrame, F1 of ``held back`` frames and of ``simulated`` validation images before and after each attempt [-]
    kept : bool, a new weight was kept
    """

    model: str
    scores: pd.DataFrame
    kept: bool


def finetune(
    frames, labels, out_dir, *, model="atomid", held_back=0.25, max_steps=300, learning_rate=5e-4, seed=0, progress=True
):
    """Go on training a detector on labelled frames.

    Parameters
    ----------
    frames : sequence of Micrograph or (H, W) float arrays
    labels : sequence of one table per frame with columns y, x [px] and, optionally, ``visible``, or (N, 2) arrays; or one
        table with a column ``frame``, as of `labelling.label_series`. Every column of a frame must be labelled; those
        that are not visible may be found or missed.
    out_dir : path for the weight, the curves and the checkpoints
    model : str, the weight to start from, see `weights.load`
    held_back : float, share of the frames by which the result is judged, never trained on
    max_steps : int, of 16 crops, half of them simulated; 300 take some two minutes on two CPU cores
    learning_rate : float, of the first attempt
    seed : int
    progress : bool, show a progress bar

    Returns
    -------
    FineTuned : a new weight only if it finds more on the frames held back and loses no more than 0.005 in F1 on simulated
        validation images

    Raises
    ------
    ValueError : no frames, numbers of frames and labels that differ, a frame without columns, too small to hold one back
    """
    parts = split(labelled(frames, labels))
    order, count = np.random.default_rng(seed).permutation(len(parts)), max(1, round(held_back * len(parts)))
    unseen, seen = ([parts[k] for k in some] for some in (order[:count], order[count:]))
    tensors, settings = weights.load(model)
    path = Path(out_dir) / "finetuned.safetensors"
    rows = {"before": scores(unseen, model)}
    for attempt in range(ATTEMPTS):
        rate = learning_rate / 3**attempt
        rates = {"learning_rate": rate, "averaging": AVERAGING, "frozen_statistics": True}
        net = AtomIDNet.from_weights(tensors, settings, max_steps=max_steps, **rates)
        schedule = {"max_steps": max_steps, "steps_per_epoch": max(1, max_steps // 3), "validation_batches": 2}
        folder = Path(out_dir) / f"attempt_{attempt + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        train(net, folder, images=partial(MixedImages, seen), seed=seed + attempt, progress=progress, **schedule)
        weights.save(folder / "finetuned.safetensors", *net.to_weights())
        rows[f"after, learning rate {rate:.1e}"] = after = scores(unseen, folder / "finetuned.safetensors")
        gained = after["held back"] > rows["before"]["held back"]
        if gained and after["simulated"] >= rows["before"]["simulated"] - LOST:
            (folder / "finetuned.safetensors").replace(path)
            return FineTuned(str(path), pd.DataFrame(rows).T, True)
    return FineTuned(str(model), pd.DataFrame(rows).T, False)


def labelled(frames, labels):
    """The frames with their labels: list of `LabelledFrame`; see `finetune`."""
    images = [detect.checked(getattr(frame, "image", frame)) for frame in frames]
    if hasattr(labels, "columns") and "frame" in labels.columns:
        labels = [labels[labels["frame"] == k] for k in range(len(images))]
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} frames and {len(labels)} tables of labels; give one table for each frame.")
    pairs = enumerate(zip(images, labels, strict=True))
    return [LabelledFrame.of(image, table, name=f"frame {k}") for k, (image, table) in pairs]


def split(frames):
    """The frames, or their quarters where they are few; those without columns are left out."""
    if len(frames) >= FEW:
        return frames
    quarters = []
    for frame in frames:
        half = np.array(frame.image.shape) // 2
        if half.min() < SMALLEST:
            raise ValueError(
                f"{len(frames)} frames of {frame.image.shape[0]} × {frame.image.shape[1]} px are too little to hold some back; "
                f"give {FEW} frames, or frames of {2 * SMALLEST} px at least."
            )
        quarters += [frame.cut((y, x), half) for y in (0, half[0]) for x in (0, half[1])]
    return [frame for frame in quarters if len(frame.columns) > 1]


def scores(frames, model):
    """F1 of a weight on labelled frames and on simulated validation images: dict."""
    simulated = [frame for batch in datasets.validation_batches(SIMULATED) for frame in of_batch(batch)]
    return {"held back": pooled_f1(frames, model), "simulated": pooled_f1(simulated, model)}


def pooled_f1(frames, model):
    """F1 of all columns of labelled frames together."""
    results = [frame.agreement(detect.detect(frame.image, model=model)) for frame in frames]
    hits, found, true = (sum(counts) for counts in zip(*((len(r.pairs), r.n_found, r.n_truth) for r in results), strict=True))
    return 2 * hits / max(found + true, 1)
