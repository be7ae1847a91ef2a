"""Which columns of a simulated image count: the stated rule of what an image can show.

A column stands above the noise when its brightness is known to within a fifth of itself (the Rose
criterion, a signal-to-noise ratio of 5). It is a feature of its own when by the same criterion it stands
above the lowest point on the way to each of its neighbours, and when the slope of everything around it does
not swallow its maximum. Two columns nearer than Sparrow's limit show one maximum and count once, at their
centre. Between clearly visible and clearly invisible, and where noise leaves open whether there are one or
two, a detector is neither asked for a column nor blamed for finding one.
"""

import math
from dataclasses import dataclass, replace
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
REACH = 5.0  # distance in widths from which two columns stand apart: 9 % of either is left between them
SPARROW = 2.0  # distance in widths below which two equal columns show one maximum
ALIKE = 3.0  # distance in widths below which two columns may look like one
WAYPOINTS = 7  # places between two columns where the lowest point is sought


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


def stature(amplitude, width, level, speckle):
    """`signal_to_noise` with the deviation ``speckle`` [e⁻] of an amorphous support as a second noise [-]."""
    counting = signal_to_noise(amplitude, width, level).clamp_min(1e-6)
    return 1 / torch.sqrt(1 / counting**2 + (speckle / amplitude.abs().clamp_min(1e-9)) ** 2)


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


@dataclass
class Columns:
    """Columns of a batch of images, one after the other.

    Attributes
    ----------
    positions : (N, 2) float tensor, (y, x) [px]
    image : (N,) int tensor, the image each lies in
    amplitude : (N,) float tensor, their own signed contribution, negative where they are dark [e⁻]
    width : (N,) float tensor, standard deviation [px]
    readout : (N,) float tensor, Gaussian noise [e⁻]
    speckle : (N,) float tensor, deviation of an amorphous support's speckle, as wide as a column [e⁻]
    """

    positions: torch.Tensor
    image: torch.Tensor
    amplitude: torch.Tensor
    width: torch.Tensor
    readout: torch.Tensor
    speckle: torch.Tensor

    def __getitem__(self, rows):
        return Columns(*(values[rows] for values in vars(self).values()))


def noise_grade(electrons, columns):
    """`Visibility` of every column against the noise of its surroundings, neighbours among them: (N,) int tensor."""
    level = sample(electrons, columns.positions, columns.image) - columns.amplitude + columns.readout**2
    return grade(stature(columns.amplitude, columns.width, level, columns.speckle))


def slope_grade(electrons, columns):
    """`Visibility` of every column against the slope of its surroundings: (N,) int tensor."""
    places, image = columns.positions, columns.image
    slopes = [
        (sample(electrons, places + step, image) - sample(electrons, places - step, image)) / 2
        for step in torch.eye(2, device=places.device)
    ]
    slope = torch.hypot(*slopes) * columns.width / columns.amplitude.abs().clamp_min(1e-9)
    return (slope <= SWALLOWED).long() + (slope < SLOPE).long()


def classify(electrons, columns):
    """`Visibility` of every column for itself, neighbours being part of the surroundings: (N,) int tensor."""
    return torch.minimum(noise_grade(electrons, columns), slope_grade(electrons, columns))


def grade(ratio):
    """`Visibility` of signal-to-noise ratios, an int tensor."""
    return (ratio >= HOPELESS).long() + (ratio >= ROSE).long()


def near_pairs(columns):
    """Columns of one image within `REACH` widths: (P, 2) int tensor of indices."""
    image, places, width = (t.cpu().numpy() for t in (columns.image, columns.positions, columns.width))
    pairs = [np.empty((0, 2), int)]
    for one in np.unique(image):
        rows = np.flatnonzero(image == one)
        pairs.append(rows[cKDTree(places[rows]).query_pairs(REACH * width[rows[0]], output_type="ndarray")])
    return torch.from_numpy(np.concatenate(pairs)).to(columns.positions.device)


def rises(electrons, columns, pairs):
    """How far both columns of a pair stand above the lowest point between them, as `stature`: (P, 2) [-]."""
    sign = columns.amplitude[pairs[:, 0]].sign()
    ends, image = columns.positions[pairs], columns.image[pairs[:, 0]]
    heights = torch.stack([sample(electrons, ends[:, k], image) for k in (0, 1)], -1)
    way = (torch.arange(WAYPOINTS, device=sign.device) + 1) / (WAYPOINTS + 1)
    between = [sample(electrons, torch.lerp(ends[:, 0], ends[:, 1], t), image) for t in way]
    lowest = sign * (sign * torch.stack(between)).amin(0)
    rise = sign[:, None] * (sign[:, None] * (heights - lowest[:, None])).clamp_min(0)
    width, readout, speckle = (t[pairs] for t in (columns.width, columns.readout, columns.speckle))
    return stature(rise, width, lowest[:, None] + readout**2, speckle)


def judge(electrons, columns):
    """The truth of a batch of images.

    Parameters
    ----------
    electrons : (B, H, W) float tensor, expected electrons of the noise-free images [e⁻]
    columns : Columns

    Returns
    -------
    positions : (M, 2) float tensor [px]; pairs that nobody could tell apart are one, and places between
        columns that run into each other are added as optional
    image : (M,) int tensor
    kinds : (M,) int tensor of `Visibility`
    """
    columns, group = merge(electrons, columns)
    pairs, apart, distance = compare(electrons, columns)
    kinds, foreign = classify(electrons, columns), group[pairs[:, 0]] != group[pairs[:, 1]]
    kinds.scatter_reduce_(0, pairs[foreign].ravel(), apart[foreign].ravel(), "amin")
    kinds[torch.bincount(group)[group] > 1] = Visibility.OPTIONAL
    between = join(columns, pairs[(distance < ALIKE) & (apart < Visibility.COUNTS).all(1)])
    optional = torch.full_like(between.image, Visibility.OPTIONAL)
    parts = (columns, between)
    return torch.cat([c.positions for c in parts]), torch.cat([c.image for c in parts]), torch.cat([kinds, optional])


def compare(electrons, columns):
    """Pairs (P, 2) that stand above the noise, how far both stand above what lies between, and their distance.

    Returns
    -------
    pairs : (P, 2) int tensor of indices
    apart : (P, 2) int tensor of `Visibility`
    distance : (P,) float tensor, over the width [-]
    """
    pairs = near_pairs(columns)
    pairs = pairs[(noise_grade(electrons, columns)[pairs] > Visibility.HIDDEN).all(1)]
    distance = torch.linalg.norm(columns.positions[pairs].diff(dim=1)[:, 0], dim=-1) / columns.width[pairs[:, 0]]
    return pairs, grade(rises(electrons, columns, pairs)), distance


def merge(electrons, columns):
    """Join pairs that show one maximum; those that only noise blurs, and larger groups, are left as they are.

    Returns
    -------
    Columns : (M,) of them
    group : (M,) int tensor, the same for columns that run into each other
    """
    pairs, apart, distance = compare(electrons, columns)
    blurred = (distance < SPARROW) | (distance < ALIKE) & (apart == Visibility.HIDDEN).all(1)
    group = groups(pairs[blurred], len(columns.image))
    twins = pairs[(distance < SPARROW) & (torch.bincount(group)[group[pairs[:, 0]]] == 2)]
    single = torch.ones_like(group, dtype=torch.bool).index_fill_(0, twins.ravel(), False)
    both = zip(vars(columns[single]).items(), vars(join(columns, twins)).values(), strict=True)
    return Columns(**{name: torch.cat([a, b]) for (name, a), b in both}), torch.cat([group[single], group[twins[:, 0]]])


def groups(pairs, count):
    """Which of ``count`` columns are linked, directly or through others: (count,) int tensor of labels."""
    links = coo_array((np.ones(len(pairs)), pairs.cpu().numpy().T), shape=(count, count))
    return torch.from_numpy(connected_components(links, directed=False)[1]).long().to(pairs.device)


def join(columns, pairs):
    """Each pair as one column: amplitudes added, at their centre of brightness."""
    amplitude = columns.amplitude[pairs]
    total = amplitude.sum(1)
    positions = (columns.positions[pairs] * (amplitude / total[:, None])[..., None]).sum(1)
    first = columns[pairs[:, 0]]
    return replace(first, positions=positions, amplitude=total)
