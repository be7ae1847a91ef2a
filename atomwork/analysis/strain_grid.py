"""The coarse grid that strain is told on: its reference region, and its maps in all pixels."""

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.ndimage import distance_transform_edt, uniform_filter

FLATTEST = 0.25  # side of the reference that is chosen, over the image's [-]
BAND = 512  # rows that are made at a time
WHOLE = 0.98  # share of the best window's points that are seen, from which another may be the reference [-]


def axes(shape, step):
    """The grid's y and x for an image of shape (H, W): every ``step``-th pixel, and the next one after the last [px]."""
    return tuple(np.arange(-(-(length - 1) // step) + 1) * step for length in shape)


def reference_region(reference, parts, seen, step, shape):
    """The reference, y0, y1, x0, x1 [px], and which of the grid's points are seen in it, (h, w) bool array.

    Parameters
    ----------
    reference : (4,) int, or None for the window in which the lattice changes least
    parts : (K, h, w) float array, what tells the lattice [-]
    seen : (h, w) bool array
    step, shape : see `axes`
    """
    if reference is None:
        y0, y1, x0, x1 = flattest(parts, seen, step)
        reference = y0, min(y1, shape[0]), x0, min(x1, shape[1])  # the grid's last point may lie beyond
    y0, y1, x0, x1 = reference
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise ValueError(
            f"reference={tuple(reference)} (y0, y1, x0, x1) is outside the image of {shape[0]} × {shape[1]} px; "
            "give a region within."
        )
    y, x = axes(shape, step)
    inside = seen & ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    if not inside.any():
        raise ValueError(f"reference={tuple(reference)} has no lattice; give a region of crystal away from the border.")
    return (int(y0), int(y1), int(x0), int(x1)), inside


def flattest(parts, seen, step):
    """The window in which parts (K, h, w) of points that are seen (h, w) change least: y0, y1, x0, x1 [px]."""
    size = [max(1, int(FLATTEST * count)) for count in seen.shape]
    share = uniform_filter(seen.astype(float), size, mode="constant")

    def mean(values):
        return uniform_filter(np.where(seen, values, 0.0), size, mode="constant") / np.maximum(share, 1e-9)

    spread = sum(mean(part**2) - mean(part) ** 2 for part in parts.astype(float))
    spread[share < WHOLE * share.max()] = np.inf
    corner = [at - count // 2 for at, count in zip(np.unravel_index(spread.argmin(), spread.shape), size, strict=True)]
    return tuple(edge * step + last for at, n in zip(corner, size, strict=True) for edge, last in ((at, 0), (at + n - 1, 1)))


def maps(parts, seen, step, shape):
    """Components (h, w) of the grid by name in all pixels (H, W), NaN where they aren't seen; without what others tell."""
    told = {name: part for name, part in parts.items() if name != "hydrostatic"}
    return {name: to_pixels(np.where(seen, part, np.nan), step, shape) for name, part in told.items()}


def to_pixels(values, step, shape):
    """Values (h, w) of the grid in all pixels (H, W), by cubic splines; NaN where the nearest one is."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(shape, np.nan, np.float32)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = spline(values[tuple(nearest)], step, 0)(np.arange(shape[0])).astype(np.float32)
    rows, columns = (np.minimum((np.arange(n) + step // 2) // step, m - 1) for n, m in zip(shape, values.shape, strict=True))
    made = np.empty(shape, np.float32)
    for start in range(0, shape[0], BAND):
        band = slice(start, start + BAND)
        made[band] = spline(filled[band], step, 1)(np.arange(shape[1]))
        made[band][~known[np.ix_(rows[band], columns)]] = np.nan
    return made


def spline(values, step, axis):
    """The cubic spline through values at every ``step``-th place along an axis."""
    count = values.shape[axis]
    return make_interp_spline(np.arange(count) * step, values, min(3, count - 1), axis=axis)
