"""How far a lattice is displaced from place to place, by the phases of its Bragg components."""

import numpy as np
from scipy.ndimage import gaussian_filter


def displacement(image, vectors, sigma):
    """The displacement of a lattice, less its mean.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    vectors : (2, 2) float array, the lattice's vectors as rows, (y, x) [px]
    sigma : float, standard deviation of the Gaussian that phases are averaged over [px]

    Returns
    -------
    (H, W, 2) float array, (y, x) [px]

    References
    ----------
    Hÿtch, Snoeck & Kilaas, Ultramicroscopy 74 (1998) 131.
    """
    flat = image - gaussian_filter(image, sigma)
    y, x = np.indices(image.shape)
    reciprocal = np.linalg.inv(vectors).T  # rows g, with g · a = 1 or 0
    phases = []
    for g in reciprocal:
        wave = flat * np.exp(-2j * np.pi * (g[0] * y + g[1] * x))
        wave = gaussian_filter(wave.real, sigma) + 1j * gaussian_filter(wave.imag, sigma)
        phases.append(np.angle(wave * np.conj(wave.mean())))
    return -np.stack(phases, -1) / (2 * np.pi) @ np.linalg.inv(reciprocal).T
