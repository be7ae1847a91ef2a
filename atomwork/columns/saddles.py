"""The landscape of an image: its peaks, the slopes that lead up to them and the saddles between them."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import groupby

import numpy as np
from skimage.measure import label
from skimage.morphology import local_maxima

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))  # to the neighbours, the near ones first
NOBODY = -1  # owner of a peak that is dropped


@dataclass(frozen=True)
class Landscape:
    """Peaks of an image and where they meet.

    Attributes
    ----------
    surface : (H, W) float64 array [intensity]
    background : float, level above which there are peaks [intensity]
    tops : (H, W) int array, k + 1 on the highest pixels of peak k, 0 elsewhere
    labels : (H, W) int array, k + 1 on all pixels of peak k, 0 elsewhere
    height : (N,) float array [intensity]
    pairs : (E, 2) int array, the peaks that touch, each pair once
    saddle : (E,) float array, of two peaks' touching pixels the highest lower one [intensity]
    """

    surface: np.ndarray
    background: float
    tops: np.ndarray
    labels: np.ndarray
    height: np.ndarray
    pairs: np.ndarray
    saddle: np.ndarray

    def highest_saddle(self, owner):
        """Highest saddle (N,) of each peak towards a peak of another owner [intensity]; −∞ without a neighbour."""
        result, owners = np.full(len(owner), -np.inf), owner[self.pairs]
        apart = owners[:, 0] != owners[:, 1]
        np.maximum.at(result, owners[apart], self.saddle[apart, None])
        return result


def survey(surface, background, search_parameter=0.0):
    """The `Landscape` above the background.

    Parameters
    ----------
    surface : (H, W) float array [intensity]
    background : float [intensity]
    search_parameter : float, share p of a peak's height over the background below which it has no pixels [0–1]:
        those under background + p·(peak − background)

    Returns
    -------
    Landscape
    """
    tops, height = maxima(surface, background)
    labels = steepest_ascent(surface, tops, background)
    floor = np.minimum(background + search_parameter * (height - background), height)
    labels[surface < np.append(-np.inf, floor)[labels]] = 0
    return Landscape(surface, background, tops, labels, height, *contacts(surface, labels))


def maxima(surface, background):
    """8-connected maxima (H, W) above the background, numbered from 1 in reading order, and their heights (N,)."""
    highest = local_maxima(surface, connectivity=2) & (surface > background)
    tops = label(highest, connectivity=2)
    height = np.zeros(tops.max())
    height[tops[highest] - 1] = surface[highest]
    return tops, height


def steepest_ascent(surface, tops, background):
    """The maximum (H, W) that each pixel above the background climbs to, always to its highest neighbour.

    A watershed would flood from the maxima instead and give a pixel to the flood that reaches it first, which
    need not come from its highest neighbour. Here every pixel points to that neighbour, and following the
    pointers two at a time settles all pixels in a few rounds.
    """
    framed = np.pad(surface, 1, constant_values=-np.inf)
    level, top = framed.ravel(), np.pad(tops, 1).ravel()
    offsets = [dy * framed.shape[1] + dx for dy, dx in STEPS]
    inside = np.flatnonzero(level > background)
    pointer, best = np.arange(len(level)), level.copy()
    for offset in offsets:
        uphill = inside[level[inside + offset] > best[inside]]
        best[uphill], pointer[uphill] = level[uphill + offset], uphill + offset
    cross_terraces(level, pointer, inside[(pointer[inside] == inside) & (top[inside] == 0)], offsets)
    while (pointer[pointer] != pointer).any():
        pointer = pointer[pointer]
    labels = np.where(level > background, top[pointer], 0)
    return labels.reshape(framed.shape)[1:-1, 1:-1].copy()


def cross_terraces(level, pointer, flat, offsets):
    """Lead ``flat`` pixels, which have no higher neighbour and are no maximum, to the nearest equal one that has; in place."""
    lost = np.full(len(level), False)
    lost[flat] = True
    while len(flat):
        for offset in offsets[::-1]:  # so that the near neighbours have the last word
            led = flat[(level[flat + offset] == level[flat]) & ~lost[flat + offset]]
            pointer[led] = led + offset
        settled = pointer[flat] != flat
        lost[flat[settled]] = False
        flat = flat[~settled]


def contacts(surface, labels):
    """Pairs (E, 2) of peaks that touch and their saddles (E,)."""
    pairs, saddle = [], []
    height, width = labels.shape
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0))
        there = slice(dy, height), slice(max(dx, 0), width + min(dx, 0))
        touching = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        pairs.append(np.stack([labels[here][touching], labels[there][touching]], -1) - 1)
        saddle.append(np.minimum(surface[here][touching], surface[there][touching]))
    return highest_contacts(np.concatenate(pairs), np.concatenate(saddle))


def highest_contacts(pairs, saddle):
    """Each pair once, the smaller index first, with its highest saddle."""
    pairs = np.sort(pairs, axis=1)
    order = np.lexsort((-saddle, pairs[:, 1], pairs[:, 0]))
    pairs, saddle = pairs[order], saddle[order]
    first = np.append(True, (pairs[1:] != pairs[:-1]).any(1))[: len(pairs)]
    return pairs[first], saddle[first]


def join_low(land, rise):
    """Let peaks that rise less than ``rise`` above their highest saddle join the neighbour across it.

    Saddles are crossed from the highest down; the lower of two groups that meet there joins the other, or
    stays for good because no lower saddle can move it. So the order of the peaks doesn't matter; of equal
    saddles that towards the highest group comes first. A peak without a neighbour is measured from the
    background, and dropped where it should have joined one.

    Parameters
    ----------
    land : Landscape
    rise : (N,) float array [intensity]; height − rise must not fall from a peak to a higher one

    Returns
    -------
    (N,) int array, the owner of each peak: itself, the peak it joined, or `NOBODY`
    """
    height, owner = land.height, np.arange(len(land.height))

    def summits(contact):
        return sorted((root(owner, peak) for peak in land.pairs[contact]), key=height.__getitem__)

    crossed = np.flatnonzero((height[land.pairs] - land.saddle[:, None] < rise[land.pairs]).any(1))  # no other ever is
    falling = crossed[np.argsort(-land.saddle[crossed], kind="stable")].tolist()
    for level, there in groupby(falling, key=land.saddle.__getitem__):
        for contact in sorted(there, key=lambda contact: -height[summits(contact)[1]]):
            low, high = summits(contact)
            if height[low] - level < rise[low]:
                owner[low] = high
    owner = np.array([root(owner, peak) for peak in range(len(owner))], int)
    dropped = np.isinf(land.highest_saddle(owner)) & (height - land.background < rise)
    return np.where(dropped[owner], NOBODY, owner)


def root(owner, peak):
    """The peak that a peak belongs to in the end, the way there shortened."""
    while owner[peak] != peak:
        owner[peak] = peak = owner[owner[peak]]
    return peak


def join_small(land, owner, min_size, *, above_saddle=False):
    """Let peaks of fewer than ``min_size`` pixels join the neighbour across their highest saddle, the smallest first.

    A peak without a neighbour is dropped. ``above_saddle`` counts the pixels above that saddle alone.

    Parameters
    ----------
    land : Landscape
    owner : (N,) int array, see `join_low`
    min_size : int [px]

    Returns
    -------
    (N,) int array, the new owners
    """
    around, values, height = neighbours(land, owner), pixel_values(land, owner), land.height

    def entry(peak):
        level = max(around[peak].values(), default=-np.inf) if above_saddle else -np.inf
        return np.count_nonzero(values[peak] > level), height[peak], peak

    target, dropped = np.arange(len(owner)), np.full(len(owner), False)
    queue = [entry(peak) for peak in around]
    heapify(queue)
    while queue and queue[0][0] < min_size:
        smallest = heappop(queue)
        peak = smallest[-1]
        if peak not in around or smallest != entry(peak):
            continue  # it has joined another peak, or grown, since
        if not around[peak]:
            del around[peak]
            dropped[peak] = True
            continue
        neighbour = max(around[peak], key=lambda other: (around[peak][other], height[other]))
        low, high = sorted((peak, neighbour), key=height.__getitem__)
        hand_over(around, low, high)
        target[low], values[high] = high, np.concatenate([values[high], values[low]])
        heappush(queue, entry(high))
    final = np.array([root(target, peak) for peak in range(len(owner))], int)[owner]
    return np.where((owner == NOBODY) | dropped[final], NOBODY, final)


def neighbours(land, owner):
    """Of each peak that owns itself, its neighbours and the highest saddles towards them, {peak: {peak: intensity}}."""
    result = {peak: {} for peak in np.unique(owner[owner != NOBODY]).tolist()}
    pairs = owner[land.pairs]
    apart = pairs[:, 0] != pairs[:, 1]
    pairs, saddle = highest_contacts(pairs[apart], land.saddle[apart])
    for (one, other), level in zip(pairs.tolist(), saddle.tolist(), strict=True):
        result[one][other] = result[other][one] = level
    return result


def hand_over(around, low, high):
    """Give the neighbours of ``low`` to ``high``, in place; see `neighbours`."""
    for third, level in around.pop(low).items():
        del around[third][low]
        if third != high:
            around[third][high] = around[high][third] = max(level, around[high].get(third, -np.inf))


def pixel_values(land, owner):
    """Of each peak, the values (n,) of the pixels that it owns."""
    group = np.append(owner, NOBODY)[land.labels - 1]
    values, group = land.surface[group != NOBODY], group[group != NOBODY]
    ends = np.bincount(group, minlength=len(owner)).cumsum()
    return np.split(values[np.argsort(group, kind="stable")], ends[:-1])
