"""FindFoci: the peaks of an image, merged across the saddles between them."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import center_of_mass, gaussian_filter
from skimage.filters import threshold_otsu

from atomwork.columns import saddles

BACKGROUNDS = ("absolute", "mean", "std", "otsu")
PEAKS = ("absolute", "relative", "above background")
CENTRES = ("mass", "peak")


@dataclass(frozen=True)
class Foci:
    """Peaks of an image, highest first.

    Attributes
    ----------
    positions : (N, 2) float array, (y, x) [px]
    height : (N,) float array, value of each peak in the blurred image [intensity]
    saddle : (N,) float array, highest saddle towards another peak [intensity]; NaN without a neighbour
    size : (N,) int array, pixels of each peak
    labels : (H, W) int array, k + 1 on the pixels of peak k, 0 elsewhere
    background : float, level above which peaks were looked for [intensity]
    """

    positions: np.ndarray
    height: np.ndarray
    saddle: np.ndarray
    size: np.ndarray
    labels: np.ndarray
    background: float


def find(
    image,
    *,
    blur=0.0,
    background_method="std",
    background_parameter=0.0,
    search_parameter=0.0,
    peak_method="above background",
    peak_parameter=0.5,
    min_size=5,
    above_saddle=True,
    max_peaks=None,
    centre="mass",
):
    """Find the peaks of an image.

    Maxima above the background gather the pixels from which steepest ascent leads to them. A peak that
    rises too little above its highest saddle joins the neighbour across it; then so does one of too few
    pixels, smallest first. A peak without a neighbour is measured from the background, and dropped where
    it should have joined one.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    blur : float, standard deviation of the Gaussian that the image is blurred with first [px]
    background_method : {"absolute", "mean", "std", "otsu"}, level above which peaks are looked for: the
        ``background_parameter`` [intensity]; the mean of the blurred image; that and ``background_parameter``
        standard deviations; Otsu's threshold
    background_parameter : float, see there
    search_parameter : float, share p of a peak's height over the background below which it has no pixels
        [0–1]: those under background + p·(peak − background); 0 leaves it all above the background
    peak_method : {"absolute", "relative", "above background"}, least height of a peak over its highest saddle,
        with p the ``peak_parameter``: p [intensity], p·peak, p·(peak − background)
    peak_parameter : float, see there; 0–1 for the latter two
    min_size : int, fewest pixels of a peak
    above_saddle : bool, ask for as many pixels above its highest saddle, too
    max_peaks : int, how many of the highest peaks are kept; all if None
    centre : {"mass", "peak"}, a peak's position: the centre of mass of what rises above its highest saddle
        and the background, or the middle of its highest pixels

    Returns
    -------
    Foci

    Raises
    ------
    ValueError : the image is not two-dimensional or not finite, or a parameter is outside its range

    References
    ----------
    Herbert, Carr & Hoffmann, PLoS ONE 9 (2014) e114749.
    """
    check_choices(
        background_method=(background_method, BACKGROUNDS), peak_method=(peak_method, PEAKS), centre=(centre, CENTRES)
    )
    shares = {"search_parameter": search_parameter}
    if peak_method != "absolute":
        shares["peak_parameter"] = peak_parameter
    check_ranges(blur, peak_parameter, shares, min_size, max_peaks)
    surface = blurred(image, blur)
    land = saddles.survey(surface, background_level(surface, background_method, background_parameter), search_parameter)
    reference = {"relative": land.height, "above background": land.height - land.background}
    owner = saddles.join_low(land, peak_parameter * reference.get(peak_method, np.ones(len(land.height))))
    owner = saddles.join_small(land, owner, min_size)
    if above_saddle:
        owner = saddles.join_small(land, owner, min_size, above_saddle=True)
    return collect(land, owner, max_peaks, centre)


def check_choices(**choices):
    """Refuse a word that is not offered, for each parameter (value, words)."""
    for name, (value, offered) in choices.items():
        if value not in offered:
            raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(map(repr, offered))}.")


def check_ranges(blur, peak_parameter, shares, min_size, max_peaks):
    """Refuse numbers outside their range; ``shares`` are those of 0–1 by name."""
    if not blur >= 0:
        raise ValueError(f"blur={blur} px is negative; take 0 for none, or about a tenth of the column spacing.")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share} is outside 0–1; it is a share of a peak's height.")
    if not peak_parameter >= 0:
        raise ValueError(f"peak_parameter={peak_parameter} is negative; it is the least height of a peak over its saddle.")
    if not min_size >= 1:
        raise ValueError(f"min_size={min_size} px is below 1 px; take the pixels that a peak covers at least.")
    if max_peaks is not None and not max_peaks >= 1:
        raise ValueError(f"max_peaks={max_peaks} keeps no peak; take 1 or more, or None for all.")


def blurred(image, blur):
    """The image as (H, W) float64 array, blurred."""
    image = np.asarray(image, np.float64)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"image has shape {image.shape}; FindFoci takes one (H, W) image, so pick a frame of a stack.")
    if not np.isfinite(image).all():
        raise ValueError("image holds NaN or infinite pixels; replace or crop them before looking for peaks.")
    return gaussian_filter(image, blur, mode="nearest")


def background_level(surface, method, parameter):
    """The level above which peaks are looked for [intensity]."""
    if method == "absolute":
        return float(parameter)
    if method == "otsu":
        return float(threshold_otsu(surface))
    return float(surface.mean() + (parameter * surface.std() if method == "std" else 0))


def collect(land, owner, max_peaks, centre):
    """The `Foci` of the peaks that own themselves."""
    kept = np.unique(owner[owner != saddles.NOBODY])
    kept = kept[np.argsort(-land.height[kept], kind="stable")][:max_peaks]
    number = np.zeros(len(owner) + 1, int)
    number[kept] = np.arange(1, len(kept) + 1)
    labels = np.append(number[owner], 0)[land.labels - 1]
    saddle = land.highest_saddle(owner)[kept]
    if centre == "mass":
        base = np.maximum(saddle, land.background)
        weight = np.maximum(land.surface - np.append(base, np.inf)[labels - 1], 0)
    else:
        weight = ((labels > 0) & (land.tops == np.append(kept + 1, 0)[labels - 1])).astype(float)
    positions = center_of_mass(weight, labels, np.arange(1, len(kept) + 1)) if len(kept) else []
    saddle[np.isinf(saddle)] = np.nan
    size = np.bincount(labels.ravel(), minlength=len(kept) + 1)[1:]
    return Foci(np.reshape(positions, (-1, 2)), land.height[kept], saddle, size, labels, land.background)
