"""The noise of a crystal's image: what its lattice leaves of it, as a constant and a share that follows the intensity."""

import numpy as np
from scipy.fft import fft2, fftfreq, ifft2

EDGE = 3.0  # resolutions from the border within which the lattice is not told
DARKEST = 0.01  # quantile of the intensities at which no variance is negative [-]


def variance(image, g, resolution):
    """Variance of the noise as ``floor + gain · intensity``; the floor is negative where intensities have an offset.

    Parameters
    ----------
    image : (H, W) float array
    g : (2, 2) float array, reciprocal vectors as rows, (y, x) [1/px]
    resolution : float, standard deviation of the Gaussian that fringes are averaged with [px]

    Returns
    -------
    floor [intensity²], gain [intensity]
    """
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
