"""The lattice of an image, by the peaks of its spectrum."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.fft import fft2, fftfreq
from scipy.ndimage import maximum_filter, median_filter

STANDS = 30.0  # power over the median one of its ring from which a peak counts; of noise alone one pixel in 10^9 has it [-]
FAINTEST = 1e-7  # power over the highest one below which nothing is told from a smooth image's leakage [-]
RINGS = 5  # rings over which that median is smoothed
LONGEST = 1 / 3  # period over the image's shorter side up to which a lattice is sought [-]
STRONGEST = 16  # peaks of which any two may be the lattice's vectors
MOST = 60  # peaks that are looked at
PARALLEL = np.sin(np.radians(12))  # sine of the angle below which two vectors span nothing
SAME = 0.6  # distance over the spectrum's resolution within which a peak is at its place [-]
ENOUGH = 0.97  # share of the best explanation with which a coarser lattice in reciprocal space is preferred [-]
SETTLING = (2, 1.5, 1)  # distance, over the one above, within which peaks move a basis that was read off two of them [-]
ORDERS = 6  # highest order of a peak that an explanation uses


@dataclass(frozen=True)
class Lattice:
    """A lattice in an image.

    Attributes
    ----------
    g : (2, 2) float array, reciprocal vectors as rows, (y, x) [1/px]
    g_std : (2, 2) float array, one standard deviation of them [1/px]
    explained : float, share of the peaks' power that lies on the lattice [-]
    """

    g: np.ndarray
    g_std: np.ndarray
    explained: float

    @property
    def vectors(self):
        """The shortest vectors that span the lattice as rows, (y, x) [px]: (2, 2) float array."""
        return reduced(np.linalg.inv(self.g).T)


def find(image):
    """The lattice of an image, from all of its Bragg peaks together.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]

    Returns
    -------
    Lattice : the shortest two reciprocal vectors, g[0] the shorter one, both with x ≥ 0

    Raises
    ------
    ValueError : no peak stands out of the spectrum, or all lie on one line
    """
    image = np.asarray(image, float)
    peaks, amplitude, strength = bragg_peaks(image)
    if not len(peaks):
        raise ValueError(
            f"no Bragg peak of an image of {image.shape[0]} × {image.shape[1]} px stands {STANDS:g} times above what is around "
            "it; choose a crystalline region, or more dose."
        )
    resolution = SAME / np.array(image.shape)
    pairs = combinations(peaks[:STRONGEST], 2)
    bases = [settled(reduced(pair), peaks, strength, resolution) for pair in pairs if spanning(*pair)]
    if not len(bases):
        raise ValueError(
            f"the {len(peaks)} Bragg peaks found lie on one line through the origin: fringes, where a lattice needs two "
            "directions; choose a region that shows both."
        )
    bases = np.array(bases)
    power = amplitude**2
    shares = np.array([power @ indexed(peaks, basis, resolution)[1] for basis in bases]) / power.sum()
    areas = np.abs(np.linalg.det(bases))
    best = max(np.flatnonzero(shares >= ENOUGH * shares.max()), key=lambda k: (round(areas[k] / areas.max(), 3), shares[k]))
    numbers, own = indexed(peaks, bases[best], resolution)
    g, std = fitted(peaks[own], numbers[own], strength[own], 1 / np.array(image.shape))
    return Lattice(g, std, float(power[own].sum() / power.sum()))


def bragg_peaks(image):
    """The peaks of a spectrum, the highest first.

    Returns
    -------
    places (N, 2) with x ≥ 0 [1/px], amplitudes (N,) [arb.], strengths (N,), their power over that of the surroundings [-]
    """
    seen = windowed(image)
    power = np.abs(fft2(seen)) ** 2
    frequency = np.hypot(fftfreq(image.shape[0])[:, None], fftfreq(image.shape[1]))
    ratio = power / surroundings(power, frequency, min(image.shape))
    highest = (ratio == maximum_filter(ratio, 5, mode="wrap")) & (ratio > STANDS)
    highest &= (frequency > 1 / (LONGEST * min(image.shape))) & (frequency < 0.5)
    y, x = np.nonzero(highest)
    places = np.stack([fftfreq(image.shape[0])[y], fftfreq(image.shape[1])[x]], 1)
    half = (places[:, 1] > 0) | ((places[:, 1] == 0) & (places[:, 0] > 0))  # the other half is its mirror image
    places, power, ratio = places[half], power[y, x][half], ratio[y, x][half]
    order = np.argsort(power)[::-1][:MOST]
    exact = np.array([refined(seen, place) for place in places[order]]).reshape(-1, 2)
    return exact, np.sqrt(power[order]), ratio[order]


def windowed(image):
    """An image that falls to its mean, and that to zero, towards the border, so that its spectrum has no cross."""
    window = np.outer(*(np.hanning(length + 2)[1:-1] for length in image.shape))
    return (image - np.average(image, weights=window)) * window


def surroundings(power, frequency, side):
    """The median power of the ring on which each pixel of a spectrum lies."""
    rings = np.minimum((frequency * side).astype(int), side // 2)
    order = np.argsort(rings, axis=None, kind="stable")
    edges = np.searchsorted(rings.ravel()[order], np.arange(1, side // 2 + 1))
    medians = np.array([np.median(part) if len(part) else 0.0 for part in np.split(power.ravel()[order], edges)])
    return np.maximum(median_filter(medians, RINGS), FAINTEST * power.max() + 1e-300)[rings]


def refined(seen, place):
    """Where the spectrum of a windowed image is highest near a place (2,), between its pixels [1/px]."""
    reach = 1 / np.array(seen.shape)
    for _ in range(5):
        steps = np.linspace(-1, 1, 5)
        rows, columns = (place[axis] + reach[axis] * steps for axis in (0, 1))
        power = power_at(seen, rows, columns)
        k, m = np.unravel_index(power.argmax(), power.shape)
        place = np.array([rows[k], columns[m]])
        reach = reach / 3
    return place


def power_at(seen, rows, columns):
    """The spectrum's power at frequencies ``rows`` (R,) along y and ``columns`` (C,) along x [1/px]: (R, C) float array."""
    y, x = (np.arange(length) for length in seen.shape)
    across = np.exp(-2j * np.pi * np.outer(rows, y))
    # an image of complex numbers would have to be made first
    return np.abs((across.real @ seen + 1j * (across.imag @ seen)) @ np.exp(-2j * np.pi * np.outer(x, columns))) ** 2


def spanning(first, second):
    """Whether two vectors are far from parallel."""
    return abs(np.linalg.det([first, second])) > PARALLEL * np.linalg.norm(first) * np.linalg.norm(second)


def indexed(peaks, basis, resolution):
    """Orders (N, 2) of peaks on a lattice, and which of them lie there (N,)."""
    numbers = np.rint(peaks @ np.linalg.inv(basis))
    away = np.hypot(*((peaks - numbers @ basis) / resolution).T)
    return numbers, (away < 1) & (np.abs(numbers).max(1) <= ORDERS)


def settled(basis, peaks, strength, resolution):
    """A basis moved to all the peaks that lie on it; two crystals of other phases shift those that it was read off."""
    for looser in SETTLING:
        numbers, own = indexed(peaks, basis, looser * resolution)
        if np.linalg.matrix_rank(numbers[own]) < 2:
            return basis
        moved, _ = fitted(peaks[own], numbers[own], strength[own], resolution)
        if not spanning(*moved):
            return basis
        basis = moved
    return reduced(basis)


def fitted(peaks, numbers, strength, resolution):
    """The basis by least squares from all of its peaks, and its standard deviations: two (2, 2) arrays [1/px]."""
    weight = np.sqrt(strength)[:, None]
    g, *_ = np.linalg.lstsq(weight * numbers, weight * peaks, rcond=None)
    # a peak of so many times the noise's power is placed to its width over the root of that
    spread = 0.6 * resolution
    left = weight * (peaks - numbers @ g)
    if len(peaks) > 2:
        spread = np.maximum(spread, np.sqrt((left**2).sum(0) / (len(peaks) - 2)))
    inverse = np.linalg.inv((weight * numbers).T @ (weight * numbers))
    return g, np.sqrt(np.outer(np.diag(inverse), spread**2))


def reduced(basis):
    """The shortest two vectors that span a lattice, the shorter first, both with x ≥ 0; Lagrange and Gauss's reduction."""
    a, b = sorted(np.asarray(basis, float), key=np.linalg.norm)
    while True:
        b = b - np.rint(a @ b / (a @ a)) * a
        if np.linalg.norm(b) >= np.linalg.norm(a) * (1 - 1e-9):
            break
        a, b = b, a
    return np.array([v if (v[1], v[0]) >= (0, 0) else -v for v in (a, b)])
