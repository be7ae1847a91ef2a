"""Strain and rotation of a crystal's lattice in every place, with one standard deviation."""

from itertools import combinations

import numpy as np

from atomwork.analysis import fringes, strain_grid
from atomwork.analysis.strain_map import StrainMap
from atomwork.columns import borders, bragg, bragg_noise, deformation, local_lattice, sublattices

RESOLUTION = 1.5  # over the longest period of the fringes, if none is given [-]
SHARPEST = 0.65  # resolution over that period below which fringes run into each other [-]
MARGIN = 3.5  # resolutions from the border within which fringes feel it
ROOM = 1 / 3  # share of the image's shorter side that this margin may take, if no resolution is given [-]
UNSURE = 1 / 3  # standard deviation of a fringe's phase from which it is not seen [rad]
WEAKEST = 0.1  # amplitude of a fringe over the median one below which it is not seen [-]
ORDERS = ((1, 0), (0, 1), (1, 1), (1, -1))  # of the lattice's shortest vectors, two of which are chosen
NYQUIST = 0.5  # 1/px
LOOKED_AT = 1024  # px, side of the middle of the image in which they are chosen and noise is read off


def gpa(image, g1=None, g2=None, *, resolution=None, reference=None, convention="finite"):
    """Strain by geometric phase analysis.

    Parameters
    ----------
    image : (H, W) array of numbers, intensity [arb.], or a Micrograph; a Dask or Zarr array or a memory map is read by tiles
    g1, g2 : (2,) reciprocal vectors, (y, x) [1/px]; if None, those two of the image's lattice that tell strain best
    resolution : float, standard deviation of the real-space kernel [px]; 1.5 times the fringes' longest period if None, or as
        fine as leaves a third of the image's sides within its margin
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
    deformation.check(convention)
    pixel_size, image = getattr(image, "pixel_size", None), getattr(image, "image", image)
    middle = borders.middle(image, LOOKED_AT)
    g = picked(middle) if g1 is None else checked(g1, g2)
    period = 1 / np.linalg.norm(g, axis=1).min()
    resolution = usual(period, image.shape) if resolution is None else fine_enough(resolution, period)
    found = fringes.measure(image, g, resolution)
    floor, gain = bragg_noise.variance(middle, g, resolution)
    noise = floor * found.white + gain * found.shot
    seen = where_seen(found, noise, image.shape, resolution)
    parts = (found.slope / np.linalg.norm(g, axis=1)[:, None, None, None]).reshape(4, *seen.shape)
    reference, inside = strain_grid.reference_region(reference, parts, seen, found.step, image.shape)
    local = g + np.moveaxis(found.slope, (0, 1), (-2, -1)) / (2 * np.pi)
    own = local[inside].mean(0)
    maps = deformation.of_waves(local, np.moveaxis(noise, (0, 1), (-2, -1)) / (2 * np.pi) ** 2, own, convention)
    maps = strain_grid.maps(maps, seen, found.step, image.shape)
    return StrainMap(**maps, g=own, resolution=resolution, reference=reference, convention=convention, pixel_size=pixel_size)


def from_columns(columns, *, shape=None, resolution=None, reference=None, convention="finite", sites=None):
    """Strain by the lattice of columns.

    Parameters
    ----------
    columns : DataFrame with y, x [px]; y_std, x_std [px], which weigh the columns and give the errors, and ``amplitude``,
        which tells sublattices that lie alike, if there; columns without an error are left out if others have one
    shape : (H, W) of the image [px]; up to the last column if None
    resolution : float, standard deviation of the Gaussian that columns around a place are weighed with [px], by which strain
        is averaged as in `gpa`; 1.5 times the longest period of the lattice's planes if None
    reference, convention : see `gpa`
    sites : Sublattices of the columns; found if None, see `sublattices.of_columns`

    Returns
    -------
    StrainMap : NaN where fewer columns lie than tell a lattice, or all to one side. Sublattices are found, and each may be
        displaced as a whole; columns on none of them and vacancies do no harm. Errors are those that the columns state,
        taken to be independent, and NaN if they state none; the reference's mean is taken to be exact.

    Raises
    ------
    ValueError : too few columns or no lattice in them, the resolution is too fine, or the reference is outside the image or
        without a lattice

    References
    ----------
    Galindo et al., Ultramicroscopy 107 (2007) 1186, for the lattice by least squares.
    """
    deformation.check(convention)
    points, std, sites = sublattices.told(columns, sites)
    g = np.linalg.inv(sites.vectors).T
    resolution = RESOLUTION / np.linalg.norm(g, axis=1).min() if resolution is None else float(resolution)
    shape = tuple(np.ceil(points.max(0) + 1).astype(int)) if shape is None else shape
    step = max(1, int(fringes.GRID * resolution))
    axes = strain_grid.axes(shape, step)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    local, noise = local_lattice.around(places, points, np.ones_like(std) if np.isnan(std).any() else std, sites, resolution)
    local, noise = (part.reshape(len(axes[0]), len(axes[1]), *part.shape[1:]) for part in (local, noise))
    seen = np.isfinite(local).all((-2, -1))
    if not seen.any():
        raise ValueError(f"nowhere are there columns enough within a resolution of {resolution:.3g} px; give a coarser one.")
    parts = np.moveaxis((local - sites.vectors) @ np.linalg.inv(sites.vectors), (-2, -1), (0, 1)).reshape(4, *seen.shape)
    reference, inside = strain_grid.reference_region(reference, parts, seen, step, shape)
    own = local[inside].mean(0)
    maps = deformation.of_vectors(local, noise if np.isfinite(std).all() else noise * np.nan, own, convention)
    maps = strain_grid.maps(maps, seen, step, shape)
    return StrainMap(
        **maps,
        g=np.linalg.inv(own).T,
        resolution=resolution,
        reference=reference,
        convention=convention,
        pixel_size=columns.attrs.get("pixel_size"),
    )


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


def usual(period, shape):
    """The resolution for fringes of a period [px] in an image of shape (H, W) [px]."""
    return max(SHARPEST * period, min(RESOLUTION * period, ROOM * min(shape) / MARGIN))


def fine_enough(resolution, period):
    """The resolution, if the fringes' period [px] allows it."""
    if resolution < SHARPEST * period:
        raise ValueError(
            f"resolution={resolution:.3g} px is finer than {SHARPEST:g} of the fringes' period, {period:.3g} px, and would mix "
            f"neighbouring fringes; give {SHARPEST * period:.3g} px or more."
        )
    return float(resolution)


def where_seen(found, noise, shape, resolution):
    """Where the fringes of both vectors can be told: (h, w) bool array."""
    y, x = strain_grid.axes(shape, found.step)
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
