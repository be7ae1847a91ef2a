"""Strain and rotation of a crystal's lattice in every place, with one standard deviation."""

from itertools import combinations

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.ndimage import distance_transform_edt, uniform_filter

from atomwork.analysis import fringes
from atomwork.analysis.strain_map import StrainMap
from atomwork.columns import borders, bragg, bragg_noise, deformation

CONVENTIONS = ("finite", "small")
RESOLUTION = 1.5  # over the longest period of the fringes, if none is given [-]
SHARPEST = 0.65  # resolution over that period below which fringes run into each other [-]
MARGIN = 3.5  # resolutions from the border within which fringes feel it
UNSURE = 1 / 3  # standard deviation of a fringe's phase from which it is not seen [rad]
WEAKEST = 0.1  # amplitude of a fringe over the median one below which it is not seen [-]
FLATTEST = 0.25  # side of the reference that is chosen, over the image's [-]
WHOLE = 0.98  # share of the best window's points that are seen, from which another may be the reference [-]
ORDERS = ((1, 0), (0, 1), (1, 1), (1, -1))  # of the lattice's shortest vectors, two of which are chosen
NYQUIST = 0.5  # 1/px
LOOKED_AT = 1024  # px, side of the middle of the image in which they are chosen and noise is read off


def gpa(image, g1=None, g2=None, *, resolution=None, reference=None, convention="finite"):
    """Strain by geometric phase analysis.

    Parameters
    ----------
    image : (H, W) array of numbers, intensity [arb.], or a Micrograph; a Dask or Zarr array or a memory map is read by tiles
    g1, g2 : (2,) reciprocal vectors, (y, x) [1/px]; if None, those two of the image's lattice that tell strain best
    resolution : float, standard deviation of the real-space kernel [px]; 1.5 times the fringes' longest period if None
    reference : (4,) int, y0, y1, x0, x1 of the unstrained region [px]; the flattest quarter of a side across if None
    convention : "finite", exact by the local lattice (a lattice 5 % longer than the reference has e = 0.05), or "small", by
        the gradient of the displacements at present places (0.0476)

    Returns
    -------
    StrainMap : NaN within 3.5 resolutions of the border, and where fringes are weak or their phase unsure. Errors are
        those of the image's noise, which is read off what its lattice doesn't explain; noise is taken to be independent
        from pixel to pixel and the reference's mean to be exact.

    Raises
    ------
    ValueError : no lattice is found, g1 and g2 are parallel or beyond Nyquist, the resolution is too fine or too coarse, or the
        reference is outside the image or without fringes

    References
    ----------
    Hÿtch, Snoeck & Kilaas, Ultramicroscopy 74 (1998) 131; Rouvière & Sarigiannidou, Ultramicroscopy 106 (2005) 1.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention={convention!r} is none; choose from {', '.join(CONVENTIONS)}.")
    pixel_size, image = getattr(image, "pixel_size", None), getattr(image, "image", image)
    middle = borders.middle(image, LOOKED_AT)
    g = picked(middle) if g1 is None else checked(g1, g2)
    resolution = settled(resolution, 1 / np.linalg.norm(g, axis=1).min())
    found = fringes.measure(image, g, resolution)
    floor, gain = bragg_noise.variance(middle, g, resolution)
    noise = floor * found.white + gain * found.shot
    seen = where_seen(found, noise, image.shape, resolution)
    if reference is None:
        reference = flattest(found.slope / np.linalg.norm(g, axis=1)[:, None, None, None], seen, found.step)
    own = g + mean_slope(found, seen, reference, image.shape) / (2 * np.pi)
    maps = deformed(g + np.moveaxis(found.slope, (0, 1), (-2, -1)) / (2 * np.pi), noise, own, convention)
    maps = {name: to_pixels(np.where(seen, part, np.nan), found.step, image.shape) for name, part in maps.items()}
    return StrainMap(**maps, g=own, resolution=resolution, reference=tuple(map(int, reference)), pixel_size=pixel_size)


def deformed(local, noise, own, convention):
    """Strains and rotation, and their standard deviations with ``_std``, by name.

    Parameters
    ----------
    local : (h, w, 2, 2) float array, reciprocal vectors as rows [1/px]
    noise : (2, 2, h, w) float array, covariance of their phases' slopes along either axis [rad²/px²]
    own : (2, 2) float array, those of the reference [1/px]
    convention : see `gpa`
    """
    noise = np.moveaxis(noise, (0, 1), (-2, -1)) / (2 * np.pi) ** 2
    if convention == "finite":
        inverse = np.linalg.inv(local)
        gradient = inverse @ own
        joint, spread = inverse @ noise @ inverse.swapaxes(-1, -2), gradient.swapaxes(-1, -2) @ gradient
        measure = deformation.components
    else:
        inverse = np.linalg.inv(own)
        gradient = np.eye(2) - inverse @ local
        joint, spread = inverse @ noise @ inverse.T, np.broadcast_to(np.eye(2), local.shape)
        measure = deformation.small_components
    values, stds = measure(np.moveaxis(gradient, (-2, -1), (0, 1)), np.einsum("...ac,...bd->abcd...", joint, spread))
    return values | {f"{name}_std": std for name, std in stds.items()}


def picked(image):
    """The two shortest or second shortest reciprocal vectors by whose fringes strain is told best: (2, 2) [1/px]."""
    g = np.array(ORDERS) @ bragg.find(image).g
    g = g[np.abs(g).max(1) < NYQUIST]
    seen = bragg.windowed(image)
    power = np.array([bragg.power_at(seen, at[:1], at[1:])[0, 0] for at in g])

    def error(pair):
        return (np.linalg.inv(g[list(pair)]) ** 2 / power[list(pair)]).sum()

    pairs = [pair for pair in combinations(range(len(g)), 2) if bragg.spanning(*g[list(pair)])]
    return g[list(min(pairs, key=error))]


def checked(g1, g2):
    """The vectors that were given: (2, 2) float array."""
    g = np.array([g1, g2], float)
    if np.abs(g).max() >= NYQUIST:
        raise ValueError(f"g1 and g2 of {g.tolist()} 1/px reach beyond {NYQUIST} 1/px, Nyquist's limit; give (y, x) per pixel.")
    if not bragg.spanning(*g):
        raise ValueError(f"g1 and g2 of {g.tolist()} 1/px are parallel within 12°; choose two that point to different sides.")
    return g


def settled(resolution, period):
    """The resolution that was given, or one that fits the period [px]."""
    if resolution is None:
        return RESOLUTION * period
    if resolution < SHARPEST * period:
        raise ValueError(
            f"resolution={resolution:.3g} px is finer than {SHARPEST:g} of the fringes' period, {period:.3g} px, and would mix "
            f"neighbouring fringes; give {SHARPEST * period:.3g} px or more."
        )
    return float(resolution)


def where_seen(found, noise, shape, resolution):
    """Where the fringes of both vectors can be told: (h, w) bool array."""
    y, x = (np.arange(count) * found.step for count in found.slope.shape[2:])
    margin = MARGIN * resolution
    inner = ((y >= margin) & (y <= shape[0] - 1 - margin))[:, None] & ((x >= margin) & (x <= shape[1] - 1 - margin))
    if not inner.any():
        raise ValueError(
            f"an image of {shape[0]} × {shape[1]} px has no place {MARGIN:g} resolutions of {resolution:.3g} px from its "
            "border; give a larger one or a finer resolution."
        )
    median = np.median(found.amplitude[:, inner], axis=1)[:, None, None]
    # the phase varies by as much as the slopes do over the resolution, twice
    sure = 2 * resolution**2 * np.stack([noise[0, 0], noise[1, 1]]) < UNSURE**2
    seen = inner & (sure & (found.amplitude > WEAKEST * median)).all(0)
    if not seen.any():
        raise ValueError(
            f"the fringes' phase is nowhere sure to {UNSURE:.2g} rad at a resolution of {resolution:.3g} px; give a coarser "
            "one, other vectors or more dose."
        )
    return seen


def flattest(slope, seen, step):
    """The window in which slopes (2, 2, h, w) of points that are seen (h, w) change least: y0, y1, x0, x1 [px]."""
    size = [max(1, int(FLATTEST * count)) for count in seen.shape]
    share = uniform_filter(seen.astype(float), size, mode="constant")

    def mean(values):
        return uniform_filter(np.where(seen, values, 0.0), size, mode="constant") / np.maximum(share, 1e-9)

    parts = slope.reshape(4, *seen.shape).astype(float)
    spread = sum(mean(part**2) - mean(part) ** 2 for part in parts)
    spread[share < WHOLE * share.max()] = np.inf
    corner = [at - count // 2 for at, count in zip(np.unravel_index(spread.argmin(), spread.shape), size, strict=True)]
    return tuple(edge * step + last for at, n in zip(corner, size, strict=True) for edge, last in ((at, 0), (at + n - 1, 1)))


def mean_slope(found, seen, reference, shape):
    """The mean slopes (2, 2) of a region [rad/px]."""
    y0, y1, x0, x1 = reference
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise ValueError(
            f"reference={tuple(reference)} (y0, y1, x0, x1) is outside the image of {shape[0]} × {shape[1]} px; "
            "give a region within."
        )
    y, x = (np.arange(count) * found.step for count in seen.shape)
    inside = seen & ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    if not inside.any():
        raise ValueError(f"reference={tuple(reference)} has no fringes; give a region of crystal away from the border.")
    return found.slope[:, :, inside].mean(-1, dtype=float)


def to_pixels(values, step, shape):
    """Values (h, w) at every ``step``-th pixel in all pixels (H, W), by cubic splines; NaN where the nearest one is."""
    known = np.isfinite(values)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    made = values[tuple(nearest)]
    for axis in (0, 1):
        places = np.arange(values.shape[axis]) * step
        order = min(3, len(places) - 1)
        made = make_interp_spline(places, made, order, axis=axis)(np.arange(shape[axis])).astype(np.float32)
    rows, columns = (np.minimum((np.arange(n) + step // 2) // step, m - 1) for n, m in zip(shape, values.shape, strict=True))
    made[~known[np.ix_(rows, columns)]] = np.nan
    return made
