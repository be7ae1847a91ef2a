"""How like real images generated ones are: spectra, brightness of columns, and whether a nearest neighbour tells them apart."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance
from skimage.feature import peak_local_max
from sklearn.decomposition import PCA

from atomwork.columns.polarity import polarity

WIDE = 2  # frequencies across a ring of a spectrum
PATCHES, COMPONENTS = 400, 20  # of either set at most, and what they are described by
DEALS = 2000  # of images to the two sets at random
SIDE = 2.5  # of a patch, over the spacing of columns [-]


@dataclass(frozen=True)
class Realism:
    """Differences between generated images and real ones.

    Attributes
    ----------
    spectrum : float, root mean square of the difference of their rotational mean power spectra [dB]
    brightness : float, Wasserstein distance of their columns' brightness, in deviations of an image [-]
    told_apart : float, share of patches whose nearest neighbour in other images is of their own set, as if both sets were
        equally large; 0.5 if no one can tell [-]
    p_value : float, chance that as many would be by chance [-]
    """

    spectrum: float
    brightness: float
    told_apart: float
    p_value: float


def score(made, real, spacing, *, seed=0):
    """Compare generated images with real ones of the same scale, not necessarily of the same places.

    Parameters
    ----------
    made, real : sequences of (H, W) float arrays, all of one shape, intensity [arb.]
    spacing : float, of neighbouring columns [px]
    seed : int, of the patches that are compared

    Returns
    -------
    Realism

    Raises
    ------
    ValueError : a set has fewer than two images, shapes differ, or images are smaller than a patch

    References
    ----------
    Lopez-Paz & Oquab, ICLR (2017), classifier two-sample tests.
    """
    shapes = {np.shape(image) for image in (*made, *real)}
    if min(len(made), len(real)) < 2 or len(shapes) > 1:
        raise ValueError(
            f"{len(made)} generated and {len(real)} real images of shapes {sorted(shapes)} can't be compared; give two "
            "or more of either, all of one shape."
        )
    sets = [[normalised(image) for image in images] for images in (made, real)]
    first, second = (np.mean([spectrum(image) for image in images], 0) for images in sets)
    share, p_value = told_apart(*sets, spacing, np.random.default_rng(seed))
    return Realism(
        spectrum=float(np.sqrt(np.mean((10 * np.log10(first / second)) ** 2))),
        brightness=float(wasserstein_distance(*(np.concatenate([brightness(i, spacing) for i in images]) for images in sets))),
        told_apart=share,
        p_value=p_value,
    )


def normalised(image):
    """An image of zero median and unit deviation with bright columns."""
    image = polarity(image) * np.asarray(image, float)
    return (image - np.median(image)) / image.std()


def spectrum(image):
    """The rotational mean power of an image's frequencies (K,), from the lowest ring but the zeroth up to Nyquist's."""
    power = np.abs(np.fft.fft2(image)) ** 2
    y, x = (np.fft.fftfreq(length) for length in image.shape)
    ring = (np.hypot(y[:, None], x) * min(image.shape) / WIDE).astype(int).ravel()
    count = min(image.shape) // (2 * WIDE)
    sums = np.bincount(ring, power.ravel(), count) / np.maximum(np.bincount(ring, minlength=count), 1)
    return sums[1:count]


def brightness(image, spacing):
    """The brightness of an image's columns (N,)."""
    smooth = gaussian_filter(image, 0.2 * spacing)
    places = peak_local_max(smooth, min_distance=max(1, round(0.5 * spacing)))
    return smooth[tuple(places.T)]


def told_apart(made, real, spacing, rng):
    """Share of patches whose nearest neighbour in another image is of their own set, and the chance of as large a share.

    By chance means: with images dealt to the sets at random, as patches of one image are alike in more than what they show.
    """
    side, patches, sources = max(3, round(SIDE * spacing)), [], []
    for number, image in enumerate((*made, *real)):
        found = rng.permutation(cut(image, side))[: max(1, PATCHES // max(len(made), len(real)))]
        patches.append(found)
        sources += [number] * len(found)
    described = np.concatenate(patches)
    described = PCA(min(COMPONENTS, *described.shape), random_state=0).fit_transform(described)
    source = np.array(sources)
    distance = cdist(described, described)
    distance[source[:, None] == source] = np.inf
    nearest, own = source[distance.argmin(1)], np.arange(len(made) + len(real)) < len(made)
    share = (own[nearest] == own[source]).mean()
    dealt = rng.permuted(np.tile(own, (DEALS, 1)), axis=1)
    by_chance = (dealt[:, nearest] == dealt[:, source]).mean(1)
    p_value = (1 + (by_chance >= share).sum()) / (1 + DEALS)
    return float(0.5 + share - by_chance.mean()), float(p_value)


def cut(image, side):
    """Patches of an image side by side, flattened: (N, side²) array."""
    if min(image.shape) < side:
        raise ValueError(f"images of {image.shape} px hold no patch of {side} px; give larger ones.")
    down, across = (length // side for length in image.shape)
    blocks = image[: down * side, : across * side].reshape(down, side, across, side)
    return blocks.swapaxes(1, 2).reshape(-1, side * side)
