"""The best that a detector can do: its parameters searched on labelled frames, so that a comparison is fair to it."""

import inspect
import warnings
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from atomwork.analysis import baselines, detect
from atomwork.columns import matching
from atomwork.columns.labels import HIT, NO_SPACING

# grids over the column spacing s [px]; columns are some 0.15–0.3 s wide
GRIDS = {
    baselines.atomap: lambda s: {
        "separation": [None, 0.4 * s, 0.55 * s, 0.7 * s],
        "threshold_rel": [0.02, 0.1, 0.2, 0.35],
        "pca": [None, 22],
        "subtract_background": [None, 1.5 * s],
    },
    baselines.findfoci: lambda s: {
        "blur": [1.0, 0.08 * s, 0.15 * s],
        "background_parameter": [0.2, 0.1, 0.3, 0.4, 0.55],
        "peak_parameter": [0.5, 0.25, 0.1, 0.04],
        "min_size": [10, max(2, round(0.1 * s**2))],
    },
    baselines.log: lambda s: {
        "threshold": [0.1, 0.05, 0.2, 0.025, 0.0125],
        "min_sigma": [0.1 * s, 0.2 * s],
        "max_sigma": [0.25 * s, 0.35 * s],
        "num_sigma": [5],
    },
    baselines.dog: lambda s: {
        "threshold": [0.1, 0.05, 0.2, 0.025, 0.0125],
        "min_sigma": [0.1 * s, 0.15 * s, 0.2 * s],
        "max_sigma": [0.25 * s, 0.4 * s],
    },
    baselines.doh: lambda s: {
        "threshold": [0.004, 0.001, 0.0003, 0.0001, 0.01],
        "min_sigma": [0.25 * s, 0.35 * s],
        "max_sigma": [0.45 * s, 0.6 * s],
        "num_sigma": [5],
    },
    detect.detect: lambda s: {
        "lower_bound": [0.1, 0.05, 0.2, 0.3, 0.5, 0.02, 0.01, 0.005],
        "window_size": [None, 0.4 * s, 0.7 * s],
    },
}


@dataclass(frozen=True)
class Tuned:
    """A detector's best parameters.

    Attributes
    ----------
    parameters : dict, keyword arguments of the detector
    f1 : float, harmonic mean of precision and recall over all frames together [-]
    table : DataFrame, a row for each combination in the order of trial: its parameters; hits, found and truth;
        precision, recall and f1; failures, frames on which the detector raised an exception, and the first error
    """

    parameters: dict
    f1: float
    table: pd.DataFrame


def tune(detector, frames, truths, *, optional=None, spacings, grid=None, rounds=1, progress=True):
    """Search the parameters with which a detector agrees best with labelled frames.

    Its own defaults come first, then the grid, then what surrounds the best: halfway to the neighbouring values
    of the grid, along one numeric parameter after the other. Of equals the first wins. A frame on which the
    detector fails counts as one in which it found nothing.

    Parameters
    ----------
    detector : callable, from an image to a DataFrame with columns y, x or an (N, 2) array [px]; what a
        ``functools.partial`` has set stays as it is
    frames : sequence of Micrographs or (H, W) float arrays
    truths : sequence of (N, 2) float arrays, (y, x) of each frame's columns [px]
    optional : sequence of (L, 2) float arrays, places in each frame where a column is neither right nor wrong [px]
    spacings : float or sequence of float, distance of each frame's neighbouring columns [px]; a quarter of it is the
        largest distance of a hit, and 2 px where it is NaN
    grid : dict of str to sequence, values to try for each parameter; that of `default_grid` if None
    rounds : int, how often the surroundings of the best are searched, each time at half the distance
    progress : bool, show a bar

    Returns
    -------
    Tuned

    Raises
    ------
    ValueError : the sequences differ in length or are empty, the grid isn't the detector's, there is no default grid,
        or every trial failed on every frame
    """
    optional = [None] * len(frames) if optional is None else optional
    spacings = np.asarray(spacings, float) if np.ndim(spacings) else np.full(len(frames), float(spacings))
    lengths = [len(v) for v in (frames, truths, optional, spacings)]
    if not lengths[0] or len(set(lengths)) > 1:
        raise ValueError("{} frames, {} truths, {} optional places, {} spacings; give one of each a frame.".format(*lengths))
    known = spacings[np.isfinite(spacings)]
    grid = default_grid(detector, float(np.median(known)) if len(known) else NO_SPACING) if grid is None else grid
    tolerances = HIT * np.where(np.isfinite(spacings), spacings, NO_SPACING)
    trials = Trials(detector, list(zip(frames, truths, tolerances, optional, strict=True)))
    combinations = [own_values(detector, grid), *(dict(zip(grid, values, strict=True)) for values in product(*grid.values()))]
    for combination in tqdm(combinations, desc="grid", unit="trial", disable=not progress):
        trials.judge(combination)
    for share in 0.5 ** np.arange(1.0, rounds + 1):
        for name, values in tqdm(grid.items(), desc="around the best", unit="parameter", disable=not progress):
            for value in between(values, trials.best[name], share):
                trials.judge(trials.best | {name: value})
    return trials.result()


def default_grid(detector, spacing):
    """Values to try for each parameter that the detector leaves open, the default or the literature's first.

    Parameters
    ----------
    detector : callable, `detect.detect`, one of `baselines`, or a ``functools.partial`` of one
    spacing : float, distance of neighbouring columns, which lengths are measured in [px]

    Returns
    -------
    dict of str to list

    Raises
    ------
    ValueError : there is none for the detector
    """
    fixed = set()
    while isinstance(detector, partial):
        fixed |= set(detector.keywords)
        detector = detector.func
    if detector not in GRIDS:
        names = ", ".join(known.__name__ for known in GRIDS)
        raise ValueError(f"there is no default grid for {detector}, only for {names}; give a grid of your own.")
    grid = GRIDS[detector](spacing)
    return {name: [rounded(value) for value in values] for name, values in grid.items() if name not in fixed}


def own_values(detector, grid):
    """What the detector itself takes for the parameters of the grid; the grid's first value where it has none."""
    known = inspect.signature(detector).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    result = {}
    for name, values in grid.items():
        if not len(values):
            raise ValueError(f"the grid has no value for {name}; give at least one.")
        if name not in known and not open_ended:
            raise ValueError(f"the detector has no parameter {name}; it takes {', '.join(list(known)[1:])}.")
        default = known[name].default if name in known else inspect.Parameter.empty
        result[name] = values[0] if default is inspect.Parameter.empty else default
    return result


def between(values, best, share):
    """Values that lie ``share`` of the way from the best to its neighbours among the grid's, if those are numbers."""
    if not is_number(best):
        return []
    others = np.array([value for value in values if is_number(value) and value != best], float)
    nearest = [others[others < best].max(initial=-np.inf), others[others > best].min(initial=np.inf)]
    steps = [best + share * (other - best) for other in nearest if np.isfinite(other)]
    whole = all(isinstance(value, int | np.integer) for value in [best, *filter(is_number, values)])
    return [value for value in (round(v) if whole else rounded(v) for v in steps) if value != best]


def is_number(value):
    """Whether there is anything between this value and the next."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def rounded(value):
    """A number to four digits, so that it can be read in a table."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def attempt(detector, image, options):
    """What a detector finds, nothing if it fails, and the exception that it failed with, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", detect.Unfamiliar)  # how right it is, is what is being measured
            return detector(image, **options), None
    except Exception as failure:  # whatever a detector trips over is its result, and stands in the table
        return np.empty((0, 2)), failure


def described(failure):
    """An exception in a table's cell."""
    return f"{type(failure).__name__}: {failure}"


class Trials:
    """Combinations of parameters judged on the same frames, (image, truth, tolerance, optional) each."""

    def __init__(self, detector, frames):
        self.detector, self.frames = detector, frames
        self.combinations, self.rows, self.first_error = [], [], None

    @property
    def best(self):
        """The combination of highest F1, the first of equals."""
        return self.combinations[int(np.argmax([row["f1"] for row in self.rows]))]

    def judge(self, combination):
        """Try a combination on all frames, unless it has been tried."""
        if combination in self.combinations:
            return
        counts, failures, error = np.zeros(3, int), 0, ""
        for image, truth, tolerance, optional in self.frames:
            found, failure = attempt(self.detector, image, combination)
            if failure is not None:
                self.first_error = self.first_error or failure
                failures, error = failures + 1, error or described(failure)
            match = matching.match(found, truth, tolerance=tolerance, optional=optional)
            counts += len(match.pairs), match.n_found, match.n_truth
        self.combinations.append(combination)
        self.rows.append({**scores(*counts.tolist()), "failures": failures, "error": error})

    def result(self):
        """`Tuned`, if anything worked at all."""
        if all(row["failures"] == len(self.frames) for row in self.rows):
            sentence = f"the detector failed on every frame in all {len(self.rows)} trials: {self.rows[0]['error']}"
            raise ValueError(sentence) from self.first_error
        table = pd.concat([pd.DataFrame(self.combinations, dtype=object), pd.DataFrame(self.rows)], axis=1)
        return Tuned(self.best, max(row["f1"] for row in self.rows), table)


def scores(hits, found, truth):
    """The counts and what follows from them; precision, recall and F1 are 1 where there was nothing to count."""
    return {
        "hits": hits,
        "found": found,
        "truth": truth,
        "precision": hits / found if found else 1.0,
        "recall": hits / truth if truth else 1.0,
        "f1": 2 * hits / (found + truth) if found + truth else 1.0,
    }
