"""Distances between columns and populations of like columns."""

import numpy as np
from scipy.spatial import cKDTree
from skimage.filters import threshold_otsu

CROWD = 20_000  # points from which several threads find neighbours sooner than one does
SEPARATE = 4.0  # Ashman's D of Otsu's halves from which they are two kinds; one Gaussian cut in two has 2.7, a box 3.5


def workers(points):
    """How many threads SciPy should seek neighbours of points (N, 2) with, -1 for all; for few it takes longer to wake them."""
    return -1 if len(points) > CROWD else 1


def nearest_distance(points, labels=None):
    """Distance of every column to the nearest one of its own kind.

    Parameters
    ----------
    points : (N, 2) float array, (y, x) [px]
    labels : (N,) int array, the kinds; all the same if None

    Returns
    -------
    (N,) float array [px]; NaN for the only column of its kind
    """
    points = np.asarray(points, float).reshape(-1, 2)
    labels = np.zeros(len(points), int) if labels is None else np.asarray(labels)
    result = np.full(len(points), np.nan)
    for kind in np.unique(labels):
        members = np.flatnonzero(labels == kind)
        if len(members) > 1:
            result[members] = cKDTree(points[members]).query(points[members], k=2, workers=workers(members))[0][:, 1]
    return result


def brightness_classes(amplitude):
    """Split columns into bright (0) and faint (1) ones where their amplitudes form two populations.

    Parameters
    ----------
    amplitude : (N,) float array; NaN counts as bright

    Returns
    -------
    (N,) int array; all 0 where there is one population

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62; Ashman, Bird & Zepf, Astron. J. 108 (1994) 2348.
    """
    height = np.abs(np.asarray(amplitude, float))
    labels = np.zeros(len(height), int)
    known = np.isfinite(height) & (height > 0)
    if known.sum() < 10 or np.ptp(height[known]) == 0:
        return labels
    level = np.log(height[known])
    level = level.clip(*np.percentile(level, [0.5, 99.5]))  # a few wild fits would stretch the histogram
    threshold = threshold_otsu(level) if np.ptp(level) else level[0]
    faint, bright = level[level <= threshold], level[level > threshold]
    if min(len(faint), len(bright)) < 0.02 * len(level) or not len(bright):
        return labels
    if np.sqrt(2) * (bright.mean() - faint.mean()) > SEPARATE * np.hypot(bright.std(), faint.std()):
        labels[known] = np.log(height[known]) <= threshold
    return labels
