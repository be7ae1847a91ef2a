"""Detectors side by side: who finds what on labelled frames, each with its best parameters, and how long it takes."""

import inspect
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np
import pandas as pd
from dask import compute, delayed
from dask.system import CPU_COUNT
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm
from tqdm.dask import TqdmCallback

from atomwork.analysis import baselines, detect, tuning
from atomwork.analysis.confidence import VIEWS, confidence_map

OURS, THOROUGH = "AtomID-Net", "AtomID-Net, 8 views"
RIVALS = {
    "Atomap": baselines.atomap,
    "FindFoci": baselines.findfoci,
    "LoG": baselines.log,
    "DoG": baselines.dog,
    "DoH": baselines.doh,
}
HALVES = ("even frames", "odd frames")
COUNTS = ["hits", "found", "truth"]
ON_MAP = {"limits": (0, 1), "min_sigma": 1.2, "max_sigma": 4.0}  # the map's columns are a quarter of its spacing wide
READOUTS = {
    "LoG": partial(baselines.log, threshold=0.1, num_sigma=4, **ON_MAP),
    "DoG": partial(baselines.dog, threshold=0.1, **ON_MAP),
    "DoH": partial(baselines.doh, threshold=0.004, num_sigma=4, limits=(0, 1), min_sigma=2.2, max_sigma=7.0),
}  # thresholds as published for the same purpose; Lin, Yan et al., Small Science 3 (2023) 2300031


def detectors(model="atomid"):
    """Ours, at once and with all its views, and its rivals by name."""
    ours = partial(detect.detect, model=model)
    return {OURS: ours, THOROUGH: partial(ours, views=VIEWS), **RIVALS}


def compare(frames, detectors, *, parameters=None, progress=True):
    """What every detector finds in every frame.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    detectors : dict of name to function of an image that returns a DataFrame with columns y, x; see `detectors`
    parameters : dict of (name, group) to keyword arguments; a detector's own where there are none
    progress : bool, show a bar

    Returns
    -------
    DataFrame : a row per frame and detector with frame, name, group, dose [e⁻/px], detector; hits, found, truth;
        precision, recall, f1, jaccard [-]; chamfer, rms [px]; rms_over_spacing [-]; seconds; error, what the
        detector tripped over, in which case it counts as having found nothing
    """
    rows = []
    for number, frame in enumerate(tqdm(frames, desc="frames", unit="frame", disable=not progress)):
        for name, detector in detectors.items():
            tried = attempt(detector, frame, (parameters or {}).get((name, frame.group)))
            rows.append({"frame": number, "detector": name, **row(frame, *tried)})
    return pd.DataFrame(rows)


def attempt(detector, frame, options=None):
    """What a detector with some keyword arguments finds in a frame, how long it takes [s], and what it trips over."""
    image, start = shown(frame, detector), perf_counter()
    found, failure = tuning.attempt(detector, image, options or {})
    return found, perf_counter() - start, tuning.described(failure) if failure else ""


def shown(frame, detector):
    """The image of a frame as a detector sees it: one that has to be told is spared dark columns."""
    while isinstance(detector, partial):
        detector = detector.func
    told = "dark" in inspect.signature(detector).parameters
    return frame.image.max() - frame.image if told and frame.dark else frame.image


def row(frame, found, seconds, error):
    """How well what was found agrees with a frame; see `compare`."""
    match = frame.agreement(found)
    return {
        **{name: getattr(frame, name) for name in ("name", "group", "dose")},
        **dict(zip(COUNTS, (len(match.pairs), match.n_found, match.n_truth), strict=True)),
        **{name: getattr(match, name) for name in ("precision", "recall", "f1", "jaccard", "chamfer", "rms")},
        "rms_over_spacing": match.rms / frame.spacing,
        "seconds": seconds,
        "error": error,
    }


def tune(frames, detectors, *, workers=None, progress=True):
    """The best parameters of every detector for every group of frames, as `compare` takes them; see `tuning.tune`.

    Parameters
    ----------
    frames : sequence of LabelledFrame, other ones than are compared
    detectors : dict of name to detector
    workers : int, processes of one thread, a detector and group each at a time; as many as there are cores if None. A script
        that asks for more than one calls this below ``if __name__ == "__main__":``
    progress : bool, show a bar

    Returns
    -------
    dict of (name, group) to dict
    """
    groups = {}
    for frame in frames:
        groups.setdefault(frame.group, []).append(frame)
    tasks = {(name, group): delayed(partial(best, detectors[name], groups[group]))() for group in groups for name in detectors}
    workers = min(workers or CPU_COUNT, len(tasks))
    how = {"scheduler": "processes", "num_workers": workers, "chunksize": 1} if workers > 1 else {"scheduler": "synchronous"}
    with TqdmCallback(desc="tuning", unit="group", disable=not progress):
        return dict(zip(tasks, compute(*tasks.values(), **how), strict=True))


def best(detector, frames):
    """The parameters with which a detector agrees best with labelled frames, found by one thread."""
    told = {"optional": [frame.optional for frame in frames], "spacings": [frame.spacing for frame in frames]}
    images, truths = [shown(frame, detector) for frame in frames], [frame.columns for frame in frames]
    with threadpool_limits(1):
        return tuning.tune(detector, images, truths, progress=False, **told).parameters


def crosswise(frames, detectors, *, workers=None, progress=True):
    """Frames in two halves, and for each the parameters that are best for the other, so that none is judged where it was tuned.

    Returns
    -------
    frames : list of LabelledFrame, in the groups `HALVES`
    parameters : dict of (name, group) to dict

    Raises
    ------
    ValueError : fewer than two frames
    """
    if len(frames) < 2:
        raise ValueError(f"{len(frames)} labelled frames can't be halved; label two at least, or compare without tuning.")
    halved = [replace(frame, group=HALVES[k % 2]) for k, frame in enumerate(frames)]
    found = tune(halved, detectors, workers=workers, progress=progress)
    return halved, {(name, group): found[name, other] for name in detectors for group, other in (HALVES, HALVES[::-1])}


def readouts(frames, *, model="atomid", progress=True):
    """Four ways to read columns off the same map: as `compare`, with the network's time left out.

    Parameters
    ----------
    frames, progress : see `compare`
    model : see `weights.load`
    """
    rows = []
    for number, frame in enumerate(tqdm(frames, desc="frames", unit="frame", disable=not progress)):
        seen = confidence_map(frame.image, model=model)
        ways = {"NMS": partial(detect.columns, confidence=seen, refine=False)}
        ways |= {name: partial(on_map, seen, readout) for name, readout in READOUTS.items()}
        rows += [{"frame": number, "detector": name, **row(frame, *attempt(way, frame))} for name, way in ways.items()]
    return pd.DataFrame(rows)


def on_map(seen, readout, _):
    """Places on the image (N, 2) that a read-out finds on the map of it."""
    return seen.on_image(readout(seen.confidence)[["y", "x"]].to_numpy())


def pooled(scores, by="group"):
    """Precision, recall, F1 and Jaccard of all columns together, a row per ``by`` and detector, and mean times.

    Parameters
    ----------
    scores : DataFrame of `compare`
    by : str or list, columns to group by besides the detector
    """
    keys = [*([by] if isinstance(by, str) else by), "detector"]
    grouped = scores.groupby(keys, sort=False)
    result = grouped[COUNTS].sum()
    result = result.assign(frames=grouped.size(), failures=grouped["error"].agg(lambda e: (e != "").sum()))
    result["precision"] = result["hits"] / result["found"].clip(lower=1)
    result["recall"] = result["hits"] / result["truth"].clip(lower=1)
    result["f1"] = 2 * result["hits"] / (result["found"] + result["truth"]).clip(lower=1)
    result["jaccard"] = result["f1"] / (2 - result["f1"])
    squares = scores.assign(square=scores["hits"] * scores["rms_over_spacing"] ** 2).groupby(keys, sort=False)["square"].sum()
    result["rms_over_spacing"] = np.sqrt(squares / result["hits"].clip(lower=1))
    result["chamfer"], result["ms"] = grouped["chamfer"].mean(), 1e3 * grouped["seconds"].mean()
    return result.reset_index()
