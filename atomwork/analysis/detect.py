"""Where the columns are and how sure we are: peaks of AtomID-Net's map, then the sub-pixel fit and what it tells."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.analysis.confidence import confidence_map
from atomwork.columns import evidence, fit, neighbours, peaks, residual
from atomwork.models.detector import SEPARATION
from atomwork.models.networks.halved import in_hardware

POSITION_STD = 0.06  # error allowed the network's own positions over the spacing; 0.035 was seen in validation [-]
SMALLEST_WINDOW = 3.0  # px of the map; noise read as a lattice would give every column several peaks
FEW = 10  # columns below which neither their spacing nor their dispersion is believed
DOUBTFUL = 0.9  # share of the columns expected to be right below which `detect` warns
EVEN = 0.1  # the published lower bound: a peak so high is as often right as wrong
CANDIDATE = 0.006  # height from which the judge is asked


class Unfamiliar(UserWarning):
    """An image of a kind that the network does not know, or that shows too little."""


def columns(image, confidence, *, lower_bound=0.1, window_size=None, refine=True):
    """Columns from a map that is already there, so that a slider need not run the network again.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    confidence : ConfidenceMap of that image
    lower_bound, window_size, refine : see `detect`

    Returns
    -------
    DataFrame : see `detect`
    """
    asked = {"lower_bound": lower_bound, "window_size": window_size, "refine": refine}
    return chosen(weighed(image, confidence, **asked), confidence, lower_bound)


def weighed(image, confidence, *, lower_bound=CANDIDATE, window_size=None, refine=True):
    """The `candidates` with confidence, before `chosen`; where a judge weighs them, they are the same at any lower bound that
    is not below `CANDIDATE`.

    Parameters
    ----------
    image, confidence, lower_bound, window_size, refine : see `columns`

    Returns
    -------
    DataFrame : as of `detect`, with height, that of the map [0–1]
    """
    judge = confidence.judge if refine else None
    lowest = min(lower_bound, CANDIDATE) if judge else lower_bound
    table = candidates(image, confidence, lower_bound=lowest, window_size=window_size, refine=refine)
    by_judge = judge and len(table)
    sureness = judge.probability(numbers(table, confidence)) if by_judge else confidence.calibrated(table["height"].to_numpy())
    table = table.assign(confidence=sureness).drop(columns="way")
    table.attrs["judged"] = bool(judge)
    return table


def chosen(table, confidence, lower_bound):
    """Those of the `weighed` that a lower bound keeps, in reading order: the table of `columns`."""
    order, judged = np.lexsort(table[["x", "y"]].to_numpy().T), table.attrs["judged"]
    if judged:
        sureness = table["confidence"].to_numpy()
        right, wrong = EVEN * sureness, (1 - EVEN) * (1 - sureness)
        order = order[((1 - lower_bound) * right >= lower_bound * wrong)[order]]
    table = table.drop(columns="height").take(order).reset_index(drop=True)
    sure = judged or confidence.calibration is not None
    expected = float(table["confidence"].mean()) if sure and len(table) else None
    known = {"spacing": measured_spacing(table, confidence.spacing), "dark": confidence.dark}
    table.attrs.update(known, expected_precision=expected)
    del table.attrs["judged"]
    return table


def candidates(image, confidence, *, lower_bound=CANDIDATE, window_size=None, refine=True):
    """The peaks of a map and their fits, before anything weighs them.

    Parameters
    ----------
    image, confidence, lower_bound, window_size, refine : see `columns`

    Returns
    -------
    DataFrame : as of `detect`, without confidence; with height, that of the map [0–1], and way, how far the fit went [px]
    """
    window_size = window(confidence, window_size)
    positions, height = maxima(confidence, lower_bound, window_size)
    if confidence.again is not None:
        others = maxima(confidence.again, lower_bound, window(confidence.again, window_size))
        positions, height = united(positions, height, *others, window_size / 2)
    if refine:
        error = POSITION_STD * confidence.spacing
        table = fit.refine(image, positions, position_std=error, spacing=confidence.spacing)
        margin = np.where(table["y_std"].isna(), 1 / confidence.scale, 0)
    else:
        table = pd.DataFrame(positions, columns=["y", "x"]).assign(y_std=np.nan, x_std=np.nan)
        table = table.assign(amplitude=np.nan, background=np.nan, width=np.nan)
        margin = 0
    places = table[["y", "x"]].to_numpy()
    kept = peaks.suppress(places, window_size / 2)  # two fits that ran into one column
    for place, length in zip(places.T, image.shape, strict=True):
        # flanks of columns beyond the border: fits that end there, or are refused in the map's outermost pixels
        kept &= (place >= margin - 0.5) & (place <= length - 0.5 - margin)
    return table.assign(height=height, way=np.hypot(*(places - positions).T))[kept].reset_index(drop=True)


def window(confidence, size=None):
    """Side of the window that holds one column [px]: the given one, or what suits a map's spacing."""
    if size is None:
        size = max(SEPARATION * confidence.spacing, SMALLEST_WINDOW / confidence.scale)
    return max(size, 1 / confidence.scale)


def maxima(confidence, lower_bound, window_size):
    """Peaks of a map: places on the image (N, 2) [px] and heights (N,)."""
    on_map = peaks.find(confidence.confidence, lower_bound=lower_bound, window_size=window_size * confidence.scale)
    return confidence.on_image(on_map), confidence.height(on_map)


def united(places, heights, others, other_heights, apart):
    """Peaks of two maps of an image; one of the second within ``apart`` [px] of one of the first only lends its height."""
    if not len(places) or not len(others):
        return np.concatenate([places, others]), np.append(heights, other_heights)
    distance, index = cKDTree(places).query(others)
    same, heights = distance <= apart, heights.copy()
    np.maximum.at(heights, index[same], other_heights[same])
    return np.concatenate([places, others[~same]]), np.append(heights, other_heights[~same])


def look(image, *, model="atomid", views=1):
    """The map of an image, and of what its columns leave where that explains it; as `columns` takes it.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    model, views : see `detect`

    Returns
    -------
    ConfidenceMap
    """
    return looked(image, model, views)[0]


def looked(image, model, views, refine=True):
    """The map of `look` and the columns read off it at the published bound, whatever bound the caller reads it at later.

    Where a quick map does not explain the image, the network looks at it again at 32 bits.

    Faint columns in the flanks of bright ones pass for their tails at first, and a whole faint sublattice for a background.
    Where the fits leave more than noise, the network looks at what they leave: there such columns stand alone. So do the rims
    of columns that are no Gaussians.
    """
    for quick in (True, False) if in_hardware() else (False,):
        seen = confidence_map(image, model=model, views=views, quick=quick)
        table, apart = columns(image, seen, refine=refine), window(seen) / 2
        if len(table) < FEW or "dispersion" not in table.attrs or not residual.unexplained(image, table, apart):
            return seen, table
    again = confidence_map(residual.left(image, table), model=model, views=views, quick=False)
    if again.dark == seen.dark:
        twice = replace(seen, again=again)
        more = columns(image, twice, refine=refine)
        if residual.explains(image, table, more, apart):
            return twice, more
    return seen, table


def numbers(table, confidence):
    """What speaks for each of the `candidates`, see `evidence.gather`."""
    return evidence.gather(table, confidence.spacing, confidence.spacing * confidence.scale, EVEN)


def doubt(table):
    """A sentence about columns of which too few are expected to be right, or None."""
    expected = table.attrs.get("expected_precision")
    if expected is None or expected >= DOUBTFUL:
        return None
    return (
        f"{table.attrs.get('source', 'array')}: only {expected:.0%} of the {len(table)} columns found are expected to be right "
        f"(usual: over {DOUBTFUL:.0%}); the image is of a kind that the network does not know, or shows too little. "
        "Look at them over the image, and raise lower_bound to keep the sure ones."
    )


def measured_spacing(table, predicted):
    """Median nearest-neighbour distance of the columns [px]; the predicted one where there are too few."""
    if len(table) < FEW:
        return predicted
    return float(np.median(neighbours.nearest_distance(table[["y", "x"]])))


def locate(image, *, model="atomid", views=1, lower_bound=EVEN, window_size=None, refine=True):
    """Columns of an array as `detect` finds them, without a warning: for those who judge them anyway.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    model : str, see `weights.load`
    views : int, see `detect`
    lower_bound, window_size, refine : see `columns`
    """
    seen, table = looked(image, model, views, refine)
    if (lower_bound, window_size) != (EVEN, None):
        return columns(image, seen, lower_bound=lower_bound, window_size=window_size, refine=refine)
    return table


def detect(image, *, model="atomid", views=1, lower_bound=0.1, window_size=None, refine=True):
    """Find the atomic columns of an image; where they explain it badly, also in what they leave of it.

    Parameters
    ----------
    image : Micrograph or (H, W) float array, intensity on a linear scale [arb.], bright or dark columns
    model : str, registered weight or path of a .safetensors file
    views : int, 1–8, how often the network looks at the image: turned by quarters, and every second time on finer pixels.
        Its time grows with them, and their mean finds more on hard images
    lower_bound : float, smallest height of the network's map that is kept, 0–1 (the filter lower bound). Where a fit adds its
        evidence, the height that means as much: at the published 0.1 what is rather a column than not is kept
    window_size : float, side of the window that holds one column [px] (the filter window size);
        0.55 of the predicted spacing if None
    refine : bool, fit a Gaussian to every column for sub-pixel positions with error bars

    Returns
    -------
    DataFrame : y, x [px], y_std, x_std [px], amplitude, background, width [px], confidence (the probability of
        being a column) [0–1], in reading order; NaN where nothing was fitted. ``attrs``: pixel_size [Å] or None,
        spacing [px], source, dark, expected_precision, the mean confidence (None if it isn't calibrated).

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite; a parameter outside its range

    Warns
    -----
    Unfamiliar : fewer than `DOUBTFUL` of the columns are expected to be right

    References
    ----------
    Lin, Yan et al., Small Science 3 (2023) 2300031.
    """
    pixels = getattr(image, "image", image)
    table = locate(pixels, model=model, views=views, lower_bound=lower_bound, window_size=window_size, refine=refine)
    table.attrs.update(pixel_size=getattr(image, "pixel_size", None), source=getattr(image, "name", "array"))
    if sentence := doubt(table):
        warnings.warn(sentence, Unfamiliar, stacklevel=2)
    return table
