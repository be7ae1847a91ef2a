"""The lattice of columns, and which of its sublattices each column belongs to, from where the columns are."""

from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np
import pandas as pd
from scipy.ndimage import convolve
from scipy.spatial import cKDTree

from atomwork.columns import bragg, fit

FINE = 4.0  # px that the shortest distance of columns becomes in the picture whose spectrum tells the lattice
LEAST = 40  # columns below which no lattice is told
SPOT = 1.0  # standard deviation of a column in that picture [px]
SAME = 0.25  # distance from a sublattice's place over the lattice's shortest vector, within which a column belongs to it [-]
RARE = 0.05  # share of the cells in which a sublattice that counts has a column [-]
BINS = 100  # of a cell along either vector, in which pairs of columns are counted by what they are apart
ALIKE = 0.08  # of the lattice's vectors, within which two pairs of columns are equally far apart [-]
COMMON = 0.1  # share of the most frequent pair's number, above which a pair recurs [-]
BRIGHTNESS = 0.5  # of the lattice's shortest vector, by which a column e times as bright as its sublattice seems misplaced [-]
ROUNDS = 3  # in which the sublattices' places settle
UNREACHED = 9.0  # of the queue, for columns that nothing is handed on to
NEAR = 1.3  # of the longer of the lattice's vectors, within which columns tell each other's sublattices [-]


@dataclass(frozen=True)
class Sublattices:
    """Columns as sites of a lattice.

    Attributes
    ----------
    vectors : (2, 2) float array, the lattice's shortest vectors as rows, (y, x) [px]
    offsets : (M, 2) float array, where in a cell the sublattices are, over the vectors; the first one at 0 [-]
    labels : (N,) int array, the sublattice of each column, the brightest first, or the one with most columns if brightness
        is not known; −1 for none
    """

    vectors: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray


def find(points, amplitude=None):
    """The lattice and the sublattices of columns.

    Parameters
    ----------
    points : (N, 2) float array, (y, x) [px]
    amplitude : (N,) float array, how bright they are, which tells sublattices that lie alike; all the same if None

    Returns
    -------
    Sublattices

    Raises
    ------
    ValueError : fewer than `LEAST` columns, or no lattice in them
    """
    points = np.asarray(points, float).reshape(-1, 2)
    if len(points) < LEAST:
        raise ValueError(f"{len(points)} columns tell no lattice; give {LEAST} or more.")
    vectors = lattice(points, amplitude)
    return in_order(labelled(points, vectors, amplitude), amplitude)


def of_columns(columns):
    """The lattice and the sublattices of a detector's columns.

    Parameters
    ----------
    columns : DataFrame with y, x [px]; y_std, x_std [px] and ``amplitude`` if known

    Returns
    -------
    Sublattices : −1 for columns without an error, too, if others have one
    """
    table, known = numbers(columns)
    sites = find(table[known, :2], table[known, 4] if np.isfinite(table[known, 4]).all() else None)
    labels = np.full(len(table), -1)
    labels[known] = sites.labels
    return replace(sites, labels=labels)


def told(columns, sites=None):
    """Points (N, 2), (y, x) [px], of columns that can tell a lattice, their standard deviations (N, 2), and their Sublattices.

    Deviations are all NaN if no column has any. ``sites`` are those of `of_columns`, found if None.
    """
    table, known = numbers(columns)
    sites = sites or of_columns(columns)
    return table[known, :2], table[known, 2:4], replace(sites, labels=sites.labels[known])


def numbers(columns):
    """y, x, y_std, x_std and amplitude of columns (N, 5), and which have errors, or all if none has: (N,) bool array."""
    table = columns.reindex(columns=["y", "x", "y_std", "x_std", "amplitude"]).to_numpy(float)
    known = np.isfinite(table[:, 2:4]).all(1)
    return table, known if known.any() else ~known


def lattice(points, amplitude):
    """The shortest vectors of the lattice, by the spectrum of a picture of the columns."""
    zoom = FINE / np.median(cKDTree(points).query(points, 2)[0][:, 1])
    places = (points - points.min(0)) * zoom + FINE
    height = 1.0 if amplitude is None else np.abs(amplitude) / np.median(np.abs(amplitude))
    spots = pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "y_std": 0.0, "amplitude": height, "width": SPOT})
    shape = np.ceil(places.max(0) + FINE).astype(int)
    try:
        return bragg.find(fit.picture(spots, shape)).vectors / zoom
    except ValueError as error:
        raise ValueError(f"{len(points)} columns have no lattice in common; give those of one crystal.") from error


def in_order(sites, amplitude):
    """The same with the brightest sublattice as the first one."""
    if amplitude is None:
        return sites
    kinds = range(len(sites.offsets))
    order = np.argsort([-np.median(np.abs(np.asarray(amplitude)[sites.labels == kind])) for kind in kinds], kind="stable")
    renamed = np.append(np.argsort(order), -1)  # the last one for columns of none
    offsets = sites.offsets[order] - sites.offsets[order[0]]
    return Sublattices(sites.vectors, offsets, renamed[sites.labels])


def labelled(points, vectors, amplitude=None):
    """The sublattices that recur, and the columns of each: `Sublattices`."""
    pairs = cKDTree(points).query_pairs(NEAR * np.linalg.norm(vectors, axis=1).max(), output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    steps = (points[pairs[:, 1]] - points[pairs[:, 0]]) @ np.linalg.inv(vectors)
    recurring = alike(steps)
    usual = recurring > COMMON * recurring.max()  # what a stray column is apart from others recurs nowhere
    pairs, turns = pairs[usual], np.exp(2j * np.pi * steps[usual])
    bright = np.zeros(len(points)) if amplitude is None else np.log(np.maximum(np.abs(amplitude), 1e-300))
    offsets = np.zeros((0, 2))
    labels = None
    for _ in range(ROUNDS):  # a stray column may have begun a sublattice beside its place
        before = labels
        labels, offsets = handed_on(points, vectors, pairs, offsets, bright)
        count = np.bincount(labels[labels >= 0])
        order = np.argsort(-count, kind="stable")
        order = order[count[order] >= RARE * count.max()]
        from_first = labels[pairs[:, 0]] == order[0]
        sums = [turns[from_first & (labels[pairs[:, 1]] == kind)].sum(0) for kind in order]
        offsets = np.angle(sums) / (2 * np.pi)
        if np.array_equal(labels, before):
            break
    renamed = np.full(len(count) + 1, -1)  # the last one for columns of none
    renamed[order] = range(len(order))
    return Sublattices(vectors, offsets, renamed[labels])


def alike(steps):
    """How many pairs of columns are apart, in cells (P, 2), as each one is but for whole cells: (P,) float array."""
    bins = tuple(np.minimum(steps % 1.0 * BINS, BINS - 1).astype(int).T)
    count = np.zeros((BINS, BINS))
    np.add.at(count, bins, 1)
    reach = int(ALIKE * BINS)
    disk = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= ALIKE * BINS
    return convolve(count, disk.astype(float), mode="wrap")[bins]


def handed_on(points, vectors, pairs, offsets, bright):
    """Labels (N,) that columns hand on to those they are paired with (P, 2), the surest first, and the offsets (M, 2).

    Where a column is at none of the offsets its place is a new one. What is as ``bright`` (N,), a logarithm, as others of its
    sublattice is surer: across a boundary of grains a column may lie where one of another sublattice would.
    """
    inverse, shortest = np.linalg.inv(vectors), np.linalg.norm(vectors, axis=1).min()
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    around = np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(points))))
    labels, levels = np.full(len(points), -1), {}  # how bright a sublattice's columns are on average, and their number
    central = np.argsort(np.linalg.norm(points - np.median(points, 0), axis=1))
    queue = [(UNREACHED + rank, int(at), 0.0, 0.0) for rank, at in enumerate(central)]
    while queue:
        _, at, *place = heappop(queue)
        if labels[at] >= 0 or not len(around[at]):
            continue
        labels[at], distance = nearest(place, offsets, vectors)
        if distance > SAME * shortest:
            labels[at], offsets = len(offsets), np.vstack([offsets, place])
        level, count = levels.get(labels[at], (0.0, 0))
        levels[labels[at]] = level + (bright[at] - level) / (count + 1), count + 1
        for other in around[at][labels[around[at]] < 0]:
            place = (points[other] - points[at]) @ inverse + offsets[labels[at]]
            kind, distance = nearest(place, offsets, vectors)
            unsure = distance / shortest
            if unsure <= SAME and kind in levels:
                unsure += BRIGHTNESS * min(1.0, abs(bright[other] - levels[kind][0]))
            heappush(queue, (min(unsure, SAME), int(other), *(place - np.rint(place))))
    return labels, offsets


def nearest(place, offsets, vectors):
    """Which of offsets (M, 2) is nearest to a place (2,) in any cell, and how far [px]."""
    if not len(offsets):
        return -1, np.inf
    apart = place - offsets
    distance = np.linalg.norm((apart - np.rint(apart)) @ vectors, axis=1)
    return int(distance.argmin()), float(distance.min())
