"""A detector that learns from a user's own labelled frames, and goes only as far as frames it never saw show a gain."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from atomwork import weights
from atomwork.analysis import confidence, detect, judging, labelled
from atomwork.columns.labels import LabelledFrame, of_batch
from atomwork.models.crops import MixedImages
from atomwork.models.detector import AtomIDNet
from atomwork.models.training import train
from atomwork.simulation import datasets

FEW = 4  # frames below which a quarter of each is held back in place of whole ones
SMALLEST = 64  # px, shortest side of such a quarter
SHARES = tuple(k / 8 for k in range(1, 9))  # of the way from the old weights to the trained ones, that are tried [-]
LOST = 0.003  # F1 on them that may be lost, so that by chance no more than 0.005 is lost on others [-]
# some hundred steps are too few for the slow average of a long training; and what is new most often is the scale
LEARNING = {"averaging": 0.98, "spacing_weight": 1.0, "frozen_statistics": True}


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes
    ----------
    model : str, path of the new weight for ``detect(model=…)``; the weight that was given where none was better
    scores : DataFrame, F1 of ``held back`` frames and of ``simulated`` validation images [-], indexed by the share of the
        way from the old weights, 0, to the trained ones, 1
    share : float, how far the new weight goes [-]; 0 where the old one is kept
    """

    model: str
    scores: pd.DataFrame
    share: float


def finetune(
    frames,
    labels,
    out_dir,
    *,
    model="atomid",
    one_place=False,
    held_back=0.25,
    max_steps=300,
    learning_rate=2e-3,
    seed=0,
    validation_batches=16,
    judge_frames=60,
    progress=True,
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
    one_place : bool, the frames are a series of one place: the same quarter of each is held back, as it is of fewer than
        four frames
    held_back : float, else the share of the frames by which the result is judged, never trained on
    max_steps : int, of 16 crops, half of them simulated; some 0.7 s each on two CPU cores, and then two minutes for the judge
    learning_rate : float, at its highest
    seed : int
    validation_batches : int, of 16 simulated images by which it is noticed what is lost
    judge_frames : int, simulated training frames of each group from which the judge learns beside the user's own
    progress : bool, show a progress bar

    Returns
    -------
    FineTuned : of the weights between the old and the trained ones that which finds most on what was held back, among
        those that lose no more than `LOST` in F1 on simulated validation images

    Raises
    ------
    ValueError : no frames, numbers of frames and labels that differ, a frame with fewer than two columns, or too small to
        hold a quarter back

    References
    ----------
    Weights between old and new ones: Wortsman et al., CVPR (2022) 7959.
    """
    seen, unseen = split(with_labels(frames, labels), one_place, held_back, np.random.default_rng(seed))
    tensors, settings = weights.load(model)
    rates = {"learning_rate": learning_rate, "other_rate": learning_rate}
    net = AtomIDNet.from_weights(tensors, settings, max_steps=max_steps, **rates, **LEARNING)
    schedule = {"max_steps": max_steps, "steps_per_epoch": max(1, max_steps // 3), "validation_batches": 2}
    train(net, out_dir, images=partial(MixedImages, seen), seed=seed, progress=progress, **schedule)
    candidate = Path(out_dir) / "candidate.safetensors"
    if net.judge is not None:
        weights.save(candidate, *net.to_weights())
        reminders = list(labelled.drawn(judge_frames, "training"))
        net.take(judging.learned_on(net.judge, seen, reminders, model=candidate, seed=seed, progress=progress))
    trained = net.to_weights()[0]
    simulated = [frame for batch in datasets.validation_batches(validation_batches) for frame in of_batch(batch)]
    judges = {"held back": unseen, "simulated": simulated}
    rows = {0.0: scores(judges, model)}
    for share in SHARES:
        weights.save(candidate, between(tensors, trained, share), settings)
        rows[share] = scores(judges, candidate)
    candidate.unlink()
    table = pd.DataFrame(rows).T.rename_axis("share")
    share = chosen(table)
    if not share:
        return FineTuned(str(model), table, share)
    path = Path(out_dir) / "finetuned.safetensors"
    weights.save(path, between(tensors, trained, share), settings)
    return FineTuned(str(path), table, share)


def with_labels(frames, labels):
    """The frames with their labels: list of `LabelledFrame`; see `finetune`."""
    images = [confidence.checked(getattr(frame, "image", frame)) for frame in frames]
    if hasattr(labels, "columns") and "frame" in labels.columns:
        labels = [labels[labels["frame"] == k] for k in range(len(images))]
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} frames and {len(labels)} tables of labels; give one table for each frame.")
    pairs = enumerate(zip(images, labels, strict=True))
    return [LabelledFrame.of(image, table, name=f"frame {k}") for k, (image, table) in pairs]


def split(frames, one_place, held_back, rng):
    """Frames, or parts of them, to learn from and to be judged by: two lists; see `finetune`."""
    if len(frames) >= FEW and not one_place:
        order, count = rng.permutation(len(frames)), max(1, round(held_back * len(frames)))
        return [frames[k] for k in order[count:]], [frames[k] for k in order[:count]]
    quarters = [quartered(frame) for frame in frames]
    seen = [quarter for of_one in quarters for quarter in of_one[:-1] if len(quarter.columns)]
    return seen, [of_one[-1] for of_one in quarters]


def quartered(frame):
    """The four quarters of a frame in reading order."""
    half = np.array(frame.image.shape) // 2
    if half.min() < SMALLEST:
        raise ValueError(
            f"{frame.name} of {frame.image.shape[0]} × {frame.image.shape[1]} px is too small to hold a quarter back; "
            f"give {FEW} frames of different places, or frames of {2 * SMALLEST} px at least."
        )
    return [frame.cut((y, x), half) for y in (0, half[0]) for x in (0, half[1])]


def scores(judges, model):
    """F1 of a weight on each of several lists of labelled frames, by name."""
    return {name: pooled_f1(frames, model) for name, frames in judges.items()}


def pooled_f1(frames, model):
    """F1 of all columns of labelled frames together."""
    results = [frame.agreement(detect.locate(frame.image, model=model)) for frame in frames]
    hits, found, true = (sum(counts) for counts in zip(*((len(r.pairs), r.n_found, r.n_truth) for r in results), strict=True))
    return 2 * hits / max(found + true, 1)


def between(old, new, share):
    """Tensors a ``share`` of the way from old to new ones, by name."""
    return {name: torch.lerp(old[name], new[name], share) if old[name].is_floating_point() else old[name] for name in old}


def chosen(table):
    """The share that finds most on what was held back among those that lose little; the smallest of equals."""
    kept = table[table["simulated"] >= table["simulated"].loc[0.0] - LOST]
    return float(kept["held back"].idxmax())
