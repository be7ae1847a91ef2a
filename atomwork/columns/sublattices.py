"""The lattice of columns, and which of its sublattices each column belongs to, from where the columns are."""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.columns import bragg, fit

FINE = 4.0  # px that the shortest distance of columns becomes in the picture whose spectrum tells the lattice
LEAST = 40  # columns below which no lattice is told
SPOT = 1.0  # standard deviation of a column in that picture [px]
SAME = 0.25  # distance from a sublattice's place over the lattice's shortest vector, within which a column belongs to it [-]
RARE = 0.05  # share of the cells in which a sublattice that counts has a column [-]
ALIKE = 0.08  # of the lattice's vectors, within which two pairs of columns are equally far apart [-]
COMMON = 0.1  # share of the most frequent pair's number, above which a pair recurs [-]
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
    labels : (N,) int array, the sublattice of each column, the one with most columns first; −1 for none
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
    return labelled(points, vectors)


def lattice(points, amplitude):
    """The shortest vectors of the lattice, by the spectrum of a picture of the columns."""
    zoom = FINE / np.median(cKDTree(points).query(points, 2)[0][:, 1])
    places = (points - points.min(0)) * zoom + FINE
    height = 1.0 if amplitude is None else np.abs(amplitude) / np.median(np.abs(amplitude))
    spots = pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "y_std": 0.0, "amplitude": height, "width": SPOT})
    shape = np.ceil(places.max(0) + FINE).astype(int)
    return bragg.find(fit.picture(spots, shape)).vectors / zoom


def labelled(points, vectors):
    """The sublattices that recur, and the columns of each: `Sublattices`."""
    pairs = cKDTree(points).query_pairs(NEAR * np.linalg.norm(vectors, axis=1).max(), output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    steps = (points[pairs[:, 1]] - points[pairs[:, 0]]) @ np.linalg.inv(vectors)
    torus = cKDTree(steps % 1.0 % 1.0, boxsize=1)  # twice, since the remainder of a tiny negative number is rounded to 1
    alike = torus.query_ball_point(torus.data, ALIKE, return_length=True)
    usual = alike > COMMON * alike.max()  # what a stray column is apart from others recurs nowhere
    pairs, turns = pairs[usual], np.exp(2j * np.pi * steps[usual])
    offsets = np.zeros((0, 2))
    for _ in range(ROUNDS):  # a stray column may have begun a sublattice beside its place
        labels, offsets = handed_on(points, vectors, pairs, offsets)
        count = np.bincount(labels[labels >= 0])
        order = np.argsort(-count, kind="stable")
        order = order[count[order] >= RARE * count.max()]
        from_first = labels[pairs[:, 0]] == order[0]
        sums = [turns[from_first & (labels[pairs[:, 1]] == kind)].sum(0) for kind in order]
        offsets = np.angle(sums) / (2 * np.pi)
    renamed = np.full(len(count) + 1, -1)  # the last one for columns of none
    renamed[order] = range(len(order))
    return Sublattices(vectors, offsets, renamed[labels])


def handed_on(points, vectors, pairs, offsets):
    """Labels (N,) that columns hand on to those they are paired with (P, 2), the surest first, and the offsets (M, 2).

    Where a column is at none of the offsets its place is a new one.
    """
    inverse, shortest = np.linalg.inv(vectors), np.linalg.norm(vectors, axis=1).min()
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    around = np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(points))))
    labels = np.full(len(points), -1)
    central = np.argsort(np.linalg.norm(points - np.median(points, 0), axis=1))
    queue = [(UNREACHED + rank, int(at), 0.0, 0.0) for rank, at in enumerate(central)]
    while queue:
        _, at, *place = heappop(queue)
        if labels[at] >= 0 or not len(around[at]):
            continue
        labels[at], distance = nearest(place, offsets, vectors)
        if distance > SAME * shortest:
            labels[at], offsets = len(offsets), np.vstack([offsets, place])
        for other in around[at][labels[around[at]] < 0]:
            place = (points[other] - points[at]) @ inverse + offsets[labels[at]]
            heappush(queue, (nearest(place, offsets, vectors)[1] / shortest, int(other), *(place - np.rint(place))))
    return labels, offsets


def nearest(place, offsets, vectors):
    """Which of offsets (M, 2) is nearest to a place (2,) in any cell, and how far [px]."""
    if not len(offsets):
        return -1, np.inf
    apart = place - offsets
    distance = np.linalg.norm((apart - np.rint(apart)) @ vectors, axis=1)
    return int(distance.argmin()), float(distance.min())
