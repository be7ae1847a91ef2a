"""Sub-pixel positions with error bars: Gaussian columns fitted by Poisson maximum likelihood, all at once.

Neighbours are fitted together (`columns.scoring`). The errors are the inverse Fisher information of a
column and the neighbours that overlap it, times the dispersion that the residuals show. Images on any
linear scale are first brought to electrons by their own noise (`columns.counting`).
"""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.columns import counting, gaussian
from atomwork.columns.scoring import Bounds, Fit, Prior

ROUGH_REACH, REACH = 2.0, 2.8  # half-sides of the windows for a first look at the width and for the fit, over the width [-]
ROUGH_STEPS, STEPS = 2, 25
LARGEST_SHIFT = 0.5  # a fit that leaves its start by this share of the spacing along an axis is refused [-]
TRUSTED = 3.0  # or, where they are known, by so many standard deviations of the given positions [-]
NARROWEST = 1.5  # px, to which a column's width is binned: less than 2 % is added to the least possible error [-]
SHAPE_SPREAD = 0.4  # how much 1/width² is expected to vary among columns [-]
BAND = 20_000  # columns fitted together; many more would hold gigabytes of windows
AROUND = 4.0  # columns beyond a band that are fitted with it, over the spacing [-]
DRAWN = 4.5  # how far a column is drawn, over the width [-]
WIDTH_RANGE = (0.3, 2.5)  # over the usual width; a fit that reaches an end is refused [-]


def first_guess(image, positions, width, elliptical):
    """Parameters (N, P) to start from: heights of the pixels at each position and on a ring around it."""
    angle = np.arange(12) * np.pi / 6
    ring = 2.2 * width * np.stack([np.sin(angle), np.cos(angle)], -1)
    middle = 0.4 * width * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)

    around, here = heights(image, positions, ring, middle)
    above = 1.3 * (here - around)
    sign = np.sign(np.median(above)) or 1.0
    above = sign * np.maximum(sign * above, 0.1 * np.abs(np.median(above)) + 1e-6)
    shape = [1 / width**2, 1 / width**2, 0] if elliptical else [1 / width**2]
    columns = [positions, above[:, None], around[:, None], np.tile(shape, (len(positions), 1))]
    return np.concatenate(columns, axis=1, dtype=float)


@gaussian.compiled()
def heights(image, positions, ring, middle):
    """Median of the pixels at the offsets ``ring`` from each position and mean of those at ``middle`` (n, 2) [px]: two (N,)."""
    around, here, values = np.zeros(len(positions)), np.zeros(len(positions)), np.zeros(len(ring))
    for n, place in enumerate(positions):
        for k, offset in enumerate(ring):
            values[k] = pixel(image, place[0] + offset[0], place[1] + offset[1])
        around[n] = np.median(values)
        for offset in middle:
            here[n] += pixel(image, place[0] + offset[0], place[1] + offset[1]) / len(middle)
    return around, here


@gaussian.compiled()
def pixel(image, y, x):
    """The pixel of an image nearest to a place [px]."""
    row, column = int(np.rint(y)), int(np.rint(x))
    return image[min(max(row, 0), image.shape[0] - 1), min(max(column, 0), image.shape[1] - 1)]


def refine(image, positions, *, position_std=None, spacing=None, width=None, elliptical=False):
    """Fit a Gaussian to every column.

    Parameters
    ----------
    image : (H, W) float array, intensity on a linear scale [arb.]
    positions : (N, 2) float array, (y, x) [px], each within about half a width of its column
    position_std : float, standard deviation of the given positions [px]; they then count as measurements beside
        the image, and a fit that leaves them by three times as much is refused. None: they only start the fit
    spacing : float, distance of neighbouring columns [px]; the median nearest distance if None
    width : float, standard deviation to start from [px]; a fifth of the spacing if None
    elliptical : bool, fit two widths and an angle in place of one width

    Returns
    -------
    DataFrame : one row per position with y, x, y_std, x_std [px], amplitude, background [intensity],
        width [px] (the geometric mean) and, if elliptical, width_major, width_minor [px] and angle [rad]
        of the major axis from x towards y. Where no fit is possible the position is the given one and
        y_std, x_std are NaN. ``attrs``: spacing [px], gain [intensity per electron], offset [intensity],
        dispersion (how much larger the residuals are than counting noise, as a variance).

    Raises
    ------
    ValueError : the image or the positions have the wrong shape, or neither spacing nor width is known

    References
    ----------
    Errors: Mortensen et al., Nature Methods 7 (2010) 377, generalised to overlapping columns.
    """
    positions = np.asarray(positions, float)
    if np.ndim(image) != 2 or positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(
            f"image has shape {np.shape(image)} and positions {positions.shape}; give an (H, W) image and (N, 2) positions."
        )
    if spacing is None and len(positions) > 1:
        spacing = float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))
    if spacing is None and width is None and len(positions):
        raise ValueError("the spacing of a single column is unknown; give spacing or width in pixels.")
    spacing = spacing or 5 * (width or 1.0)
    if len(positions) == 0:
        return pd.DataFrame(described(np.empty((0, 7 if elliptical else 5)), np.empty((0, 2, 2))))
    gain, offset = counting.noise_model(image)
    image, usual = np.asarray(image), {"position_std": position_std, "width": width or spacing / 5, "spacing": spacing}
    numbers, bands = zip(
        *(fit_band(image, positions, band, (gain, offset), elliptical, **usual) for band in row_bands(positions)), strict=True
    )
    order = np.argsort(np.concatenate(numbers))
    found = {name: np.concatenate([band[name] for band in bands])[order] for name in bands[0]}
    dispersion = float(np.nanmedian(found.pop("dispersion")))
    result = pd.DataFrame(found)
    result.attrs.update(spacing=spacing, gain=gain, offset=offset, dispersion=dispersion)
    return result


def row_bands(positions):
    """``(from, to)`` of bands of rows [px] with some `BAND` columns each, which together hold all."""
    count = math.ceil(len(positions) / BAND)
    return pairwise([-np.inf, *np.quantile(positions[:, 0], np.arange(1, count) / count), np.inf])


def fit_band(image, positions, band, noise, elliptical, *, position_std, width, spacing):
    """Fit the columns whose rows lie in a band, together with those around it; see `refine`.

    Returns
    -------
    numbers : (n,) int array, which of ``positions`` they are
    found : dict of str to (n,) array, the columns of `refine` and the dispersion
    """
    row, (gain, offset) = positions[:, 0], noise
    near = np.flatnonzero((row >= band[0] - AROUND * spacing) & (row < band[1] + AROUND * spacing))
    top, bottom = np.clip(np.array(band) + np.array([-2, 2]) * AROUND * spacing, 0, len(image)).astype(int)
    places = positions[near] - (top, 0)
    electrons = counting.rescaled(image[top:bottom], gain, offset)
    fit, bins = fit_all(electrons, places, position_std, width, spacing, elliptical)
    covariance, dispersion = fit.covariance()
    found = described(on_pixels(fit.parameters, bins, blurred=True), bins**2 * covariance) | {"dispersion": dispersion}
    found["amplitude"] *= gain
    found["background"] = found["background"] * gain - offset
    certain = np.maximum(found["y_std"], found["x_std"]) < spacing / 2  # not so where either is NaN
    done = certain & ~fit.bounds.reached(fit.parameters)
    for axis, given in zip(("y", "x"), places.T, strict=True):
        found[axis] = np.where(done, found[axis], given)
        found[f"{axis}_std"] = np.where(done, found[f"{axis}_std"], np.nan)
    found["y"] += top
    inside = (row[near] >= band[0]) & (row[near] < band[1])
    return near[inside], {name: values[inside] for name, values in found.items()}


def fit_all(image, positions, position_std, width, spacing, elliptical):
    """Fit roughly in windows of the guessed width, then to the end in windows of the width found.

    Returns
    -------
    Fit : on pixels of ``bins`` x ``bins`` of the image
    bins : int
    """
    shift = LARGEST_SHIFT * spacing if position_std is None else TRUSTED * position_std

    def fit(pixels, bins, width, widths, reach, start=None):
        """A fit to start from first guesses, or from parameters found before."""
        places = (positions + 0.5) / bins - 0.5
        guess = first_guess(pixels, places, width, elliptical)
        centre = np.rint(places).astype(np.int64).clip(0, np.array(pixels.shape) - 1)
        floor = 1e-3 * float(np.median(np.abs(guess[:, gaussian.AMPLITUDE]))) + 1e-12
        limits = {"shift": shift / bins, "brightest": float(pixels.max())}
        bounds = Bounds.around(guess, widths=[w * width for w in widths], **limits)
        error = None if position_std is None else position_std / bins
        prior = expected(guess, error, None if start is None else width)
        return Fit(pixels, centre, guess.copy() if start is None else start, width, reach, floor, bounds, prior)

    coarse = whole_bins(width)
    pixels = binned(image, coarse)
    rough = fit(pixels, coarse, width / coarse, (1 / 3, 2), math.ceil(ROUGH_REACH * width / coarse)).run(ROUGH_STEPS)
    found = coarse * float(np.median(rough.parameters[:, gaussian.SHAPE] ** -0.5))
    bins = whole_bins(found)
    pixels = pixels if bins == coarse else binned(image, bins)
    start = on_pixels(rough.parameters, coarse / bins)
    return fit(pixels, bins, found / bins, WIDTH_RANGE, math.ceil(REACH * found / bins), start).run(STEPS), bins


def whole_bins(width):
    """How many pixels along either axis may be added up without blurring a column of some width [px]."""
    return max(1, int(width / NARROWEST))


def binned(image, bins):
    """Sums over ``bins`` x ``bins`` pixels; what is left over at the far sides is cut off."""
    height, width = (n // bins * bins for n in image.shape)
    return sum(image[row:height:bins, column:width:bins] for row in range(bins) for column in range(bins))


def on_pixels(parameters, size, *, blurred=False):
    """Parameters on pixels ``size`` times smaller.

    Parameters
    ----------
    parameters : (N, P) float array
    size : float, old pixels over new ones [-]
    blurred : bool, take the width of the old pixels, which were sums over new ones, off the columns'
    """
    result = parameters.copy()
    result[:, :2] = (parameters[:, :2] + 0.5) * size - 0.5
    result[:, gaussian.BACKGROUND] /= size**2
    spread = size**2 * gaussian.covariances(parameters)
    flat = spread.copy()
    if blurred:
        flat[:2] -= (size**2 - 1) / 12
    result[:, gaussian.SHAPE :] = gaussian.inverse(flat)[: result.shape[1] - gaussian.SHAPE].T
    result[:, gaussian.AMPLITUDE] *= (area(spread) / area(flat)) / size**2  # as many electrons as before
    return result


def area(spread):
    """Square root of the determinant of covariances (3, N), to which a Gaussian's area is proportional."""
    return np.sqrt(spread[0] * spread[1] - spread[2] ** 2)


def picture(columns, shape):
    """Columns without their backgrounds as an image, those without an error bar left out.

    Parameters
    ----------
    columns : DataFrame of `refine`, of round columns
    shape : (H, W) [px]

    Returns
    -------
    (H, W) float32 array [intensity]
    """
    known, result = columns[columns["y_std"].notna()], np.zeros(shape, np.float32)
    if len(known):
        parameters = np.column_stack([known[["y", "x", "amplitude"]], np.zeros(len(known)), known["width"] ** -2.0])
        centre = np.rint(parameters[:, :2]).astype(np.int64).clip(0, np.array(shape) - 1)
        gaussian.paint(result, parameters, centre, math.ceil(DRAWN * known["width"].max()), 1.0)
    return result


def expected(start, position_std, width=None):
    """`Prior` about the first guesses (N, P): positions of the given error, and columns of about one width [px]."""
    mean, std = start.copy(), np.full(start.shape[1], np.inf)
    if position_std is not None:
        std[:2] = position_std
    if width is not None:
        mean[:, gaussian.SHAPE :] = [width**-2, width**-2, 0.0][: start.shape[1] - gaussian.SHAPE]
        std[gaussian.SHAPE :] = SHAPE_SPREAD * width**-2
    return Prior(mean, std)


def described(parameters, covariance):
    """The columns of the result by name, (N,) arrays; see `refine`."""
    std = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))
    result = {"y": parameters[:, 0], "x": parameters[:, 1], "y_std": std[:, 0], "x_std": std[:, 1]}
    result |= {"amplitude": parameters[:, gaussian.AMPLITUDE], "background": parameters[:, gaussian.BACKGROUND]}
    if parameters.shape[1] == gaussian.SHAPE + 1:
        return result | {"width": parameters[:, gaussian.SHAPE] ** -0.5}
    yy, xx, yx = parameters[:, gaussian.SHAPE :].T
    sharpness, axes = np.linalg.eigh(np.stack([yy, yx, yx, xx], -1).reshape(-1, 2, 2))  # the major axis first
    major, minor = (sharpness**-0.5).T
    result |= {"width": sharpness.prod(1) ** -0.25, "width_major": major, "width_minor": minor}
    return result | {"angle": np.arctan2(axes[:, 0, 0], axes[:, 1, 0]) % np.pi}
