"""Which columns of a simulated image count: the stated rule of what an image can show.

A column stands above the noise when its brightness is known to within a fifth of itself (the Rose
criterion, a signal-to-noise ratio of 5), and is a feature of its own when the slope of everything around
it does not swallow its maximum. Two columns nearer than twice the width show one maximum (Sparrow) and
count once. Between clearly visible and clearly invisible lies a band in which a detector is neither asked
for a column nor blamed for finding one.
"""

import math
from enum import IntEnum

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

ROSE = 5.0  # signal-to-noise ratio from which a column counts
HOPELESS = 2.5  # below this one nobody can see it
SLOPE = 0.45  # largest slope of the surroundings, in amplitudes per width, for a column that counts
SWALLOWED = math.exp(-0.5)  # the steepest slope of a Gaussian of unit amplitude and width: no maximum beyond


class Visibility(IntEnum):
    """How a column enters the truth."""

    HIDDEN = 0
    OPTIONAL = 1
    COUNTS = 2


def signal_to_noise(amplitude, width, level):
    """Amplitude over its standard deviation, from the Poisson information of a Gaussian column.

    Parameters
    ----------
    amplitude : float or array, electrons above (below, if negative) the surroundings in the peak [e⁻]
    width : float or array, standard deviation of the column [px]
    level : float or array, variance of the surroundings: electrons plus readout noise squared [e⁻²]

    Returns
    -------
    float or array: √(2π width² [A − b ln(1 + A/b)]) [-]
    """
    level = torch.as_tensor(level).clamp_min(1e-9)
    amplitude = torch.maximum(torch.as_tensor(amplitude), -0.999 * level)
    information = amplitude - level * torch.log1p(amplitude / level)
    return torch.sqrt(2 * math.pi * width**2 * information.clamp_min(0))


def merge(positions, brightness, width):
    """Columns nearer than twice the width, joined at their common centre of brightness.

    Returns
    -------
    positions : (M, 2) float array [px]
    brightness : (M,) float array, sum of the members'
    members : (M,) int array, how many columns were joined
    """
    pairs = cKDTree(positions).query_pairs(2 * width, output_type="ndarray")
    if len(pairs) == 0:
        return positions, brightness, np.ones(len(positions), int)
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(positions),) * 2)
    count, label = connected_components(links, directed=False)
    total = np.bincount(label, brightness, count)
    centre = [np.bincount(label, brightness * axis, count) / total for axis in positions.T]
    return np.stack(centre, -1), total, np.bincount(label, minlength=count)


def sample(image, positions, image_index):
    """Bilinear values of (B, H, W) ``image`` at (N, 2) ``positions`` of the images ``image_index`` (N,)."""
    height, width = image.shape[-2:]
    y = positions[:, 0].clamp(0, height - 1.001)
    x = positions[:, 1].clamp(0, width - 1.001)
    top, left = y.long(), x.long()
    v, u = y - top, x - left
    upper = image[image_index, top, left] * (1 - u) + image[image_index, top, left + 1] * u
    lower = image[image_index, top + 1, left] * (1 - u) + image[image_index, top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


def classify(electrons, positions, image_index, amplitude, width, readout, members, *, speckle=0.0):
    """Visibility of every column.

    Parameters
    ----------
    electrons : (B, H, W) float tensor, expected electrons of the noise-free images [e⁻]
    positions : (N, 2) float tensor, (y, x) [px]
    image_index : (N,) int tensor
    amplitude : (N,) float tensor, the columns' own signed contribution [e⁻]
    width : (N,) float tensor, standard deviation [px]
    readout : (N,) float tensor, Gaussian noise [e⁻]
    members : (N,) int tensor, how many columns were joined
    speckle : float or (N,) tensor, deviation of an amorphous support's speckle, as wide as a column [e⁻]

    Returns
    -------
    (N,) int tensor of `Visibility`
    """
    slopes = [
        (sample(electrons, positions + step, image_index) - sample(electrons, positions - step, image_index)) / 2
        for step in torch.eye(2, device=positions.device)
    ]
    slope = torch.hypot(*slopes) * width / amplitude.abs().clamp_min(1e-9)
    level = sample(electrons, positions, image_index) - amplitude + readout**2
    counting, speckle = signal_to_noise(amplitude, width, level), torch.as_tensor(speckle)
    ratio = 1 / torch.sqrt(1 / counting.clamp_min(1e-6) ** 2 + (speckle / amplitude.abs().clamp_min(1e-9)) ** 2)
    result = torch.full_like(image_index, Visibility.OPTIONAL)
    result[(ratio >= ROSE) & (slope < SLOPE) & (members <= 2)] = Visibility.COUNTS
    result[(ratio < HOPELESS) | ((slope > SWALLOWED) & (members == 1))] = Visibility.HIDDEN
    return result
