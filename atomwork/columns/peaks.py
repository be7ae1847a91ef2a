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
    (N, 2) float array, (y, x) [px], to a fraction of a pixel by a parabola through the maximum

    Raises
    ------
    ValueError : a parameter outside its range
    """
    if not 0 <= lower_bound <= 1:
        raise ValueError(f"lower_bound={lower_bound} is outside 0–1; take a confidence such as 0.1.")
    if not window_size >= 1:
        raise ValueError(f"window_size={window_size} px is below 1 px; take about half the column spacing.")
    highest = maximum_filter(confidence_map, size=2 * int(window_size // 2) + 1, mode="nearest")
    pixels = np.argwhere((confidence_map == highest) & (confidence_map >= max(lower_bound, 1e-6)))
    height = confidence_map[tuple(pixels.T)]
    pixels = pixels[np.argsort(-height, kind="stable")]
    positions = np.clip(pixels + parabolic_offset(confidence_map, pixels), 0, np.array(confidence_map.shape) - 1)
    return positions[suppress(positions, window_size if separation is None else separation)]


def parabolic_offset(image, pixels):
    """Where a parabola through each maximum and its neighbours peaks, (N, 2) within ±0.5 px."""
    padded = np.pad(image, 1, mode="edge").astype(float)
    y, x = pixels.T + 1
    offsets = []
    for before, after in ((padded[y - 1, x], padded[y + 1, x]), (padded[y, x - 1], padded[y, x + 1])):
        curvature = 2 * padded[y, x] - before - after
        offsets.append(np.where(curvature > 0, (after - before) / (2 * np.maximum(curvature, 1e-12)), 0))
    return np.clip(np.stack(offsets, -1), -0.5, 0.5)


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
