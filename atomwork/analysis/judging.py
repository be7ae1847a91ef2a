"""What a judge learns from: candidates in simulated frames of which the truth is known."""

from itertools import cycle

import numpy as np
from tqdm.auto import tqdm

from atomwork.analysis import detect
from atomwork.analysis.confidence import VIEWS, confidence_map
from atomwork.columns import evidence
from atomwork.models import judge


def examples(frames, *, model="atomid", progress=True):
    """The evidence on every candidate in labelled frames, but those at optional places.

    The network looks at every second frame `confidence.VIEWS` times, so that the judge knows both kinds of maps.

    Parameters
    ----------
    frames : iterable of LabelledFrame
    model : str, see `weights.load`
    progress : bool, show a bar

    Returns
    -------
    numbers : (N, F) float32 array, see `columns.evidence.gather`
    right : (N,) bool array, the candidate is a column

    Raises
    ------
    ValueError : no candidate in any frame
    """
    numbers, right = gathered(frames, model, progress)
    if not len(right):
        raise ValueError(f"no peak of {detect.CANDIDATE} or more in any frame for {model}; train the detector longer.")
    return numbers, right


def gathered(frames, model, progress):
    """See `examples`; no rows where there is no candidate in any frame."""
    told, truths = [np.empty((0, len(evidence.NAMES)), np.float32)], [np.empty(0, bool)]
    looks = zip(frames, cycle((1, VIEWS)))  # one of them has no end
    for frame, views in tqdm(looks, desc="candidates", unit="frame", disable=not progress):
        seen = confidence_map(frame.image, model=model, views=views)
        table = detect.candidates(frame.image, seen)
        if len(table):
            result = frame.agreement(table)
            told.append(detect.numbers(table, seen)[result.judged])
            truths.append(result.right)
    return np.concatenate(told), np.concatenate(truths)


def learned(frames, *, model="atomid", seed=1, progress=True):
    """A `models.judge.Judge` for the candidates of a weight.

    Parameters
    ----------
    frames, model, progress : see `examples`
    seed : int
    """
    return judge.learn(*examples(frames, model=model, progress=progress), seed=seed, progress=progress)


def learned_on(start, own, simulated, *, model, seed=1, progress=True):
    """A judge that learns on from a user's own frames, so that it knows what a fine-tuned weight finds in them, if anything.

    Parameters
    ----------
    start : models.judge.Judge
    own, simulated : lists of LabelledFrame; either makes half of what it learns from
    model, progress : see `examples`
    seed : int
    """
    own_numbers, own_right = gathered([frame for frame in own for _ in range(2)], model, progress)
    if not len(own_right):
        return start
    numbers, right = examples(simulated, model=model, progress=progress)
    times = -(-len(right) // len(own_right))
    numbers, right = np.concatenate([numbers, np.tile(own_numbers, (times, 1))]), np.append(right, np.tile(own_right, times))
    return judge.learn(numbers, right, start=start, seed=seed, progress=progress)
