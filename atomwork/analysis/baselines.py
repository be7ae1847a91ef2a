"""The detectors that ours is compared with, under one signature and with the settings of their literature.

All see the image on a scale of 0–1 on which columns are bright. 0 and 1 are the least and the greatest value
of the image's 3 × 3 median, so that a hot pixel sets no scale but a lone atom does; nothing is clipped. A map
that has its own scale, such as a network's confidence, is taken as it is with ``limits=(0, 1)``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter

from atomwork.analysis import atomap_steps, confidence, detect
from atomwork.analysis.clusters import kmeans as kmeans
from atomwork.analysis.clusters import pca as pca
from atomwork.columns import blobs
from atomwork.columns import findfoci as foci

APART = 0.6  # Atomap's separation over the image's shortest period, below the distance of neighbouring columns [-]
REFINEMENTS = ("centre of mass", "gaussian", None)
UNKNOWN = ("y_std", "x_std", "amplitude", "background", "width", "confidence")  # what a method may say nothing of


@dataclass(frozen=True)
class Scaled:
    """An image on the scale that thresholds are stated on.

    Attributes
    ----------
    image : (H, W) float64 array, columns are bright [0–1]
    zero, one : float, what 0 and 1 are in the image as given [intensity]; ``one`` is the lower for dark columns
    """

    image: np.ndarray
    zero: float
    one: float

    def steps(self, height):
        """A height [0–1] as a difference of intensity, negative for dark columns."""
        return height * (self.one - self.zero)


def scaled(image, limits, dark):
    """`Scaled` of a Micrograph or array; ``limits`` are the intensities of 0 and 1, found if None."""
    pixels = confidence.checked(getattr(image, "image", image)).astype(np.float64)
    if limits is None:
        calm = median_filter(pixels, 3)
        calm = calm if np.ptp(calm) else pixels
        limits = calm.min(), calm.max()
    low, high = limits
    if not low < high:
        raise ValueError(f"limits={low:g}, {high:g} span no range; give the intensities that mean 0 and 1, the lower first.")
    zero, one = (high, low) if dark else (low, high)
    return Scaled((pixels - zero) / (one - zero), float(zero), float(one))


def tabulate(image, positions, dark, **known):
    """The DataFrame of `detect.detect` from positions (N, 2) and what else is known of each column."""
    table = pd.DataFrame(np.reshape(positions, (-1, 2)), columns=["y", "x"], dtype=float)
    table = table.assign(**{name: known.get(name, np.nan) for name in UNKNOWN})
    table = table.sort_values(["y", "x"], ignore_index=True)
    table.attrs.update(pixel_size=getattr(image, "pixel_size", None), source=getattr(image, "name", "array"))
    table.attrs.update(spacing=detect.measured_spacing(table, float("nan")), dark=dark)
    return table


def findfoci(
    image,
    *,
    blur=1.0,
    background_method="absolute",
    background_parameter=0.2,
    search_parameter=0.0,
    peak_method="above background",
    peak_parameter=0.5,
    min_size=10,
    above_saddle=True,
    max_peaks=None,
    centre="mass",
    dark=False,
    limits=None,
):
    """Columns by FindFoci; the thesis of AtomID-Net takes background 0.1–0.3, blur 0.8–2 px and 10 px.

    Parameters
    ----------
    image : Micrograph or (H, W) float array, intensity [arb.]
    blur, background_method, background_parameter, search_parameter, peak_method, peak_parameter, min_size,
    above_saddle, max_peaks, centre : see `columns.findfoci.find`; levels are on the scale of 0–1
    dark : bool, columns are darker than their surroundings
    limits : (2,) float, intensities that mean 0 and 1; the extremes of the image's 3 × 3 median if None

    Returns
    -------
    DataFrame : as of `detect.detect`; y_std, x_std, width and confidence are NaN. ``amplitude`` is the blurred
        peak's height over the ``background``, the level above which peaks were looked for [intensity].

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite, or a parameter is out of range

    References
    ----------
    Herbert, Carr & Hoffmann, PLoS ONE 9 (2014) e114749.
    """
    unit = scaled(image, limits, dark)
    found = foci.find(
        unit.image,
        blur=blur,
        background_method=background_method,
        background_parameter=background_parameter,
        search_parameter=search_parameter,
        peak_method=peak_method,
        peak_parameter=peak_parameter,
        min_size=min_size,
        above_saddle=above_saddle,
        max_peaks=max_peaks,
        centre=centre,
    )
    amplitude = unit.steps(found.height - found.background)
    return tabulate(image, found.positions, dark, amplitude=amplitude, background=unit.zero + unit.steps(found.background))


def log(image, *, min_sigma=1.0, max_sigma=10.0, num_sigma=10, threshold=0.1, overlap=0.5, dark=False, limits=None):
    """Columns as maxima of the Laplacian of Gaussian over position and scale.

    Parameters
    ----------
    image : Micrograph or (H, W) float array, intensity [arb.]
    min_sigma, max_sigma, num_sigma, overlap : see `columns.blobs.log` [px]
    threshold : float, least response on the scale of 0–1; a column responds with half its height
    dark, limits : see `findfoci`

    Returns
    -------
    DataFrame : as of `detect.detect`, in whole pixels; all but ``width`` is NaN

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite

    References
    ----------
    Lindeberg, Int. J. Comput. Vis. 30 (1998) 79. Thresholds: Lin, Yan et al., Small Science 3 (2023) 2300031.
    """
    scales = {"min_sigma": min_sigma, "max_sigma": max_sigma, "num_sigma": num_sigma}
    found = blobs.log(scaled(image, limits, dark).image, threshold=threshold, overlap=overlap, **scales)
    return tabulate(image, found[:, :2], dark, width=found[:, 2])


def dog(image, *, min_sigma=1.0, max_sigma=10.0, sigma_ratio=1.6, threshold=0.1, overlap=0.5, dark=False, limits=None):
    """Columns as maxima of the difference of Gaussians over position and scale.

    Parameters
    ----------
    image, dark, limits : see `findfoci`
    min_sigma, max_sigma, sigma_ratio, overlap : see `columns.blobs.dog` [px]
    threshold : float, least response on the scale of 0–1; a column responds with 1/2.6 of its height

    Returns
    -------
    DataFrame : see `log`

    Raises
    ------
    ValueError : see `log`

    References
    ----------
    Lowe, Int. J. Comput. Vis. 60 (2004) 91.
    """
    scales = {"min_sigma": min_sigma, "max_sigma": max_sigma, "sigma_ratio": sigma_ratio}
    found = blobs.dog(scaled(image, limits, dark).image, threshold=threshold, overlap=overlap, **scales)
    return tabulate(image, found[:, :2], dark, width=found[:, 2])


def doh(image, *, min_sigma=3.0, max_sigma=21.0, num_sigma=10, threshold=0.004, overlap=0.5, dark=False, limits=None):
    """Columns as maxima of the determinant of the Hessian over position and scale.

    Parameters
    ----------
    image, dark, limits : see `findfoci`
    min_sigma, max_sigma, num_sigma, overlap : see `columns.blobs.doh` [px]; 1.8 times the columns' width is right
    threshold : float, least response on the scale of 0–1; a column responds with 0.03 of its height squared

    Returns
    -------
    DataFrame : see `log`

    Raises
    ------
    ValueError : see `log`

    References
    ----------
    Bay et al., Comput. Vis. Image Underst. 110 (2008) 346.
    """
    scales = {"min_sigma": min_sigma, "max_sigma": max_sigma, "num_sigma": num_sigma}
    found = blobs.doh(scaled(image, limits, dark).image, threshold=threshold, overlap=overlap, **scales)
    return tabulate(image, found[:, :2], dark, width=found[:, 2])


def atomap(
    image,
    *,
    separation=None,
    threshold_rel=0.02,
    pca=None,
    subtract_background=None,
    refine="centre of mass",
    percent_to_nn=0.4,
    dark=False,
    limits=None,
):
    """Columns by Atomap: peaks that keep a distance, then its own refinement of their positions.

    Parameters
    ----------
    image : Micrograph or (H, W) float array, intensity [arb.]
    separation : float, smallest distance of two columns along y or x [px]; if None, 0.6 of the image's shortest
        period, the nearest maximum of its autocorrelation that is a quarter as high as the highest
    threshold_rel : float, least height of a peak over the highest [0–1]
    pca : int, singular components that the image is reduced to first, 22 in Atomap; all if None
    subtract_background : float, standard deviation of the blur of the image that is subtracted first [px], 30 in
        Atomap; nothing if None
    refine : {"centre of mass", "gaussian", None}, how positions are refined, on the image as it was; a Gaussian is
        fitted after the centres of mass, and takes some hundred times as long
    percent_to_nn : float, radius of what is refined over the distance to the nearest neighbour [-]; Atomap's own
        0.25 hardly moves a centre of mass
    dark, limits : see `findfoci`

    Returns
    -------
    DataFrame : as of `detect.detect`; ``amplitude`` [intensity] and ``width`` [px] are those of the Gaussian,
        all else is NaN

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite, or a parameter is out of range

    References
    ----------
    Nord et al., Adv. Struct. Chem. Imaging 3 (2017) 9.
    """
    if refine not in REFINEMENTS:
        raise ValueError(f"refine={refine!r} is unknown; choose one of {', '.join(map(repr, REFINEMENTS))}.")
    unit = scaled(image, limits, dark)
    bright = np.maximum(unit.image, 0)  # centres of mass need weights
    sought = atomap_steps.prepare(bright, pca, subtract_background)
    if separation is None:
        separation = max(1.0, APART * atomap_steps.shortest_period(sought))
    positions = atomap_steps.find(sought, separation, threshold_rel)
    if refine is None:
        return tabulate(image, positions, dark)
    positions, height, width = atomap_steps.refine(bright, positions, refine, percent_to_nn)
    return tabulate(image, positions, dark, amplitude=unit.steps(height), width=width)
