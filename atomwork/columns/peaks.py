"""Peaks of a confidence map: the published two parameters, with circular suppression."""

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree


def find(confidence_map, *, lower_bound=0.1, window_size=8, separation=None):
    """Positions of the peaks of a confidence map, most confident first.

    Parameters
    ----------
    confidence_map : (H, W) float array, confidence of a column being centred there [0–1]
    lower_bound : float, smallest confidence that is kept, 0–1 (the filter lower bound)
    window_size : float, side of the square window that holds one maximum [px] (the filter window size)
    separation : float, smallest distance of two peaks [px]; ``window_size`` if None

    Returns
    -------
    (N, 2) float array, (y, x) [px], to a fraction of a pixel by a Gaussian through the maximum

    Raises
    ------
    ValueError : a parameter outside its range
    """
    if not 0 <= lower_bound <= 1:
        raise ValueError(f"lower_bound={lower_bound} is outside 0–1; take a confidence such as 0.1.")
    if not window_size >= 1:
        raise ValueError(f"window_size={window_size} px is below 1 px; take about half the column spacing.")
    is_peak = confidence_map == maximum_filter(confidence_map, size=2 * int(window_size // 2) + 1, mode="nearest")
    is_peak &= confidence_map >= max(lower_bound, 1e-6)
    pixels = np.argwhere(is_peak)
    height = confidence_map[tuple(pixels.T)]
    pixels = pixels[np.argsort(-height, kind="stable")]
    positions = vertices(confidence_map, pixels)
    # a maximum on the border may be the flank of a column whose centre lies beyond it
    positions = positions[((positions >= -0.5) & (positions <= np.array(confidence_map.shape) - 0.5)).all(1)]
    return positions[suppress(positions, window_size if separation is None else separation)]


def vertices(image, pixels):
    """Where the Gaussians through each maximum and its neighbours along y and x peak, (N, 2) [px].

    On the border the three pixels lie on one side, so that the peak may be found beyond it.
    """
    result = []
    for axis, length in enumerate(image.shape):
        step = np.eye(2, dtype=int)[axis]
        middle = pixels.copy()
        middle[:, axis] = np.clip(middle[:, axis], 1, length - 2)
        before, here, after = (np.log(np.maximum(image[tuple((middle + k * step).T)], 1e-9)) for k in (-1, 0, 1))
        bend = 2 * here - before - after
        offset = (after - before) / (2 * np.maximum(bend, 1e-6))
        result.append(np.where(bend > 1e-6, middle[:, axis] + offset, pixels[:, axis]))
    return np.stack(result, -1).reshape(-1, 2)


def suppress(positions, separation):
    """Which positions stay when each, in the given order, removes the later ones within ``separation`` [px]."""
    kept = np.full(len(positions), True)
    if len(positions) < 2:
        return kept
    pairs = cKDTree(positions).query_pairs(separation, output_type="ndarray")
    for first, second in pairs[np.lexsort(pairs.T[::-1])]:
        if kept[first]:
            kept[second] = False
    return kept
