"""What a judge learns from: candidates in simulated frames of which the truth is known."""

import numpy as np
from tqdm.auto import tqdm

from atomwork.analysis import detect
from atomwork.analysis.confidence import confidence_map
from atomwork.models import judge


def examples(frames, *, model="atomid", progress=True):
    """The evidence on every candidate in labelled frames, but those at optional places.

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
    told, truths = [], []
    for frame in tqdm(frames, desc="candidates", unit="frame", disable=not progress):
        seen = confidence_map(frame.image, model=model)
        table = detect.candidates(frame.image, seen)
        if len(table):
            result = frame.agreement(table)
            told.append(detect.numbers(table, seen)[result.judged])
            truths.append(result.right)
    if not told:
        raise ValueError(f"no peak of {detect.CANDIDATE} or more in any frame for {model}; train the detector longer.")
    return np.concatenate(told), np.concatenate(truths)


def learned(frames, *, model="atomid", seed=1, progress=True):
    """A `models.judge.Judge` for the candidates of a weight.

    Parameters
    ----------
    frames, model, progress : see `examples`
    seed : int
    """
    return judge.learn(*examples(frames, model=model, progress=progress), seed=seed, progress=progress)
