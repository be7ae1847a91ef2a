"""The noise of a crystal's image: what its lattice leaves of it, as a constant and a share that follows the intensity."""

import numpy as np
from scipy.fft import fft2, fftfreq, ifft2

from atomwork.columns import bragg

EDGE = 3.0  # resolutions from the border within which the lattice is not told
PARTS = (2, 3)  # of the vectors' sums, at which a lattice of which they span a part has peaks, too
AROUND = 1.5  # of the longer vector, up to which such peaks are looked for
PEAK = 30.0  # power of a peak over the typical one around it; noise has 10 in a window of ten thousand waves [-]
ROUNDS = 3  # of completing the vectors, at most
DARKEST = 0.01  # quantile of the intensities at which no variance is negative [-]


def variance(image, g, resolution):
    """Variance of the noise as ``floor + gain · intensity``; the floor is negative where intensities have an offset.

    Parameters
    ----------
    image : (H, W) float array
    g : (2, 2) float array, reciprocal vectors as rows, (y, x) [1/px]; they may span every second or third peak only
    resolution : float, standard deviation of the Gaussian that fringes are averaged with [px]

    Returns
    -------
    floor [intensity²], gain [intensity]
    """
    g = completed(bragg.reduced(g), image, resolution)
    frequency = np.stack(np.meshgrid(*(fftfreq(n) for n in image.shape), indexing="ij"), -1)
    apart = np.linalg.norm(frequency - np.rint(frequency @ np.linalg.inv(g)) @ g, axis=-1)
    comb = np.exp(-0.5 * (2 * np.pi * resolution * apart) ** 2)
    repeated, own = ifft2(comb * fft2(image)).real, comb.mean()
    edge = [min(int(EDGE * resolution), n // 4) for n in image.shape]
    inner = tuple(slice(e, n - e) for e, n in zip(edge, image.shape, strict=True))
    left = (image - repeated)[inner] ** 2 / np.mean((1 - comb) ** 2)
    # a pixel by all others: its own noise would make what is left follow it
    level = (repeated - own * image)[inner] / (1 - own)
    noise = left.mean() * (np.mean(comb**2) - own**2) / (1 - own) ** 2
    structure = max(level.var() - noise, 1e-12 * level.var())
    most = left.mean() / max(level.mean() - np.quantile(level, DARKEST), 1e-300)
    gain = np.clip(np.mean(left * (level - level.mean())) / structure, 0, most)
    return float(left.mean() - gain * level.mean()), float(gain)


def completed(g, image, resolution):
    """Vectors (2, 2) of all the lattice's peaks, of which g (2, 2) may span every second or third only."""
    power = np.abs(fft2(bragg.windowed(image))) ** 2
    for _ in range(ROUNDS):
        width = min(1 / (2 * np.pi * resolution), 0.4 / max(PARTS) * np.linalg.norm(g, axis=1).min())
        finer = (
            joined(g, order, steps) for order in PARTS for steps in between(order) if peaked(power, g, steps / order, width)
        )
        g, before = next(finer, g), g
        if g is before:
            break
    return g


def between(order):
    """Steps (2,) in ``order``-th parts of two vectors that lead to a lattice point in between, none a multiple of another."""
    return [np.array(steps) for steps in ((0, 1), *((1, k) for k in range(order)))]


def peaked(power, g, offset, width):
    """Whether a spectrum (H, W) has a peak within a width [1/px] of any of the vectors' sums, displaced by an offset (2,)."""
    places = (np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), -1).reshape(-1, 2) + offset) @ g
    reach = AROUND * np.linalg.norm(g, axis=1).max()
    places = places[(np.linalg.norm(places, axis=1) < reach) & (np.abs(places) < 0.5 - width).all(1)]
    for place in places:
        rows, columns = (
            np.arange(-max(2, int(width * n)), max(2, int(width * n)) + 1) + round(at * n)
            for at, n in zip(place, power.shape, strict=True)
        )
        window = power[np.ix_(rows % power.shape[0], columns % power.shape[1])]
        if window.max() > PEAK * np.median(window) / np.log(2):
            return True
    return False


def joined(g, order, steps):
    """Vectors (2, 2) of the lattice of g and ``steps`` (2,) · g / ``order``, a prime that doesn't divide both steps."""
    one = 0 if steps[0] % order else 1
    steps = pow(int(steps[one]), -1, order) * steps % order  # of g[one] a single part is left
    return bragg.reduced(np.stack([steps @ g / order, g[1 - one]]))
