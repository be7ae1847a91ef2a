"""The lattice of columns around any place, by least squares, with its covariance."""

import numpy as np
from scipy.spatial import cKDTree

REACH = 3.0  # resolutions up to which columns count
AROUND = 1.3  # of the lattice's longer vector, within which columns are of the first shell
TINY = 1e-9  # keeps a sublattice that no column around a place is of from making its sums singular
ASIDE = 0.5  # resolutions by which the columns' centre may miss a place whose lattice they tell
COUNTING, SPARE = 0.05, 3  # weight from which a column counts, and how many have to beyond the numbers that are sought
BLOCK = 4096  # places at a time


def shells(points, sites):
    """The lattice (N, 2, 2) about each column by its first neighbours, vectors as rows [px]."""
    inverse, reach = np.linalg.inv(sites.vectors), AROUND * np.linalg.norm(sites.vectors, axis=1).max()
    known = sites.labels >= 0
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    pairs = pairs[known[pairs].all(1)]
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    between = points[pairs[:, 1]] - points[pairs[:, 0]]
    inside = sites.offsets[sites.labels[pairs[:, 1]]] - sites.offsets[sites.labels[pairs[:, 0]]]
    steps = np.rint(between @ inverse - inside) + inside
    squares, products = np.zeros((2, len(points), 2, 2))
    np.add.at(squares, pairs[:, 0], steps[:, :, None] * steps[:, None, :])
    np.add.at(products, pairs[:, 0], steps[:, :, None] * between[:, None, :])
    told = np.linalg.det(squares) > 0.5
    lattice = np.broadcast_to(sites.vectors, squares.shape).copy()
    lattice[told] = np.linalg.solve(squares[told], products[told])
    return lattice


def around(places, points, std, sites, resolution):
    """The lattice around places: that of a plane wave of columns, those of every sublattice moved as a whole.

    Parameters
    ----------
    places : (P, 2) float array, (y, x) [px]
    points, std : (N, 2) float arrays, columns and one standard deviation of them, (y, x) [px]
    sites : sublattices.Sublattices, of the columns
    resolution : float, standard deviation of the Gaussian that columns are weighed with, beside their errors [px]

    Returns
    -------
    vectors (P, 2, 2) as rows, (y, x) [px]; covariance (P, 2, 2, 2) of the two vectors' y, and of their x [px²]; both NaN where
    too few columns tell them, or these lie to one side
    """
    known = np.flatnonzero(sites.labels >= 0)
    lattice = shells(points, sites)[known]
    points, std, labels = points[known], std[known], sites.labels[known]
    tree, near = cKDTree(points), AROUND * np.linalg.norm(sites.vectors, axis=1).max()
    density = 1 / abs(np.linalg.det(sites.vectors)) * len(sites.offsets)
    most = min(len(known), int(np.ceil(1.5 * np.pi * (REACH * resolution) ** 2 * density)) + 8)
    vectors, covariance = np.full((len(places), 2, 2), np.nan), np.full((len(places), 2, 2, 2), np.nan)
    for start in range(0, len(places), BLOCK):
        part = places[start : start + BLOCK]
        distance, chosen = tree.query(part, most, distance_upper_bound=REACH * resolution)
        weight = np.exp(-0.5 * (distance / resolution) ** 2)  # 0 for what is beyond
        chosen = np.where(np.isfinite(distance), chosen, 0)
        between = points[chosen] - part[:, None]
        told = (weight > COUNTING).sum(1) > 2 + len(sites.offsets) + SPARE
        told &= (distance[:, 0] < near) & (np.linalg.norm(mean(between, weight), axis=1) < ASIDE * resolution)
        at = start + np.flatnonzero(told)
        chosen, weight, apart = chosen[told], weight[told], between[told] - between[told, :1]
        steps = whole(apart @ np.linalg.inv(mean(lattice[chosen], weight)) - sites.offsets[labels[chosen]], weight)
        steps += sites.offsets[labels[chosen]]
        design = np.concatenate([steps, np.eye(len(sites.offsets))[labels[chosen]]], -1)
        found, error = regressed(design, apart, weight, std[chosen] ** 2)
        vectors[at], covariance[at] = found[:, :2], error[..., :2, :2]
    return vectors, covariance


def mean(values, weight):
    """The mean of values (P, K, …) with weights (P, K), 0 where all of them are: (P, …)."""
    return np.einsum("pk,pk...->p...", weight / np.maximum(weight.sum(1), TINY)[:, None], values)


def whole(cells, weight):
    """Cells (P, K, 2) that are whole numbers from a common start, but for noise, as these numbers: (P, K, 2) float array."""
    start = np.angle(mean(np.exp(2j * np.pi * cells), weight)) / (2 * np.pi)
    return np.rint(cells - start[:, None])


def regressed(design, apart, weight, variance):
    """What explains ``apart`` (P, K, 2) best by ``design`` (P, K, D): (P, D, 2), and its covariance along y, x: (P, 2, D, D).

    ``weight`` (P, K) is beside the mean of the variances (P, K, 2) of y and x.
    """
    weight = weight / variance.mean(-1)
    weighted = design * (weight / weight.sum(1, keepdims=True))[..., None]
    inverse = np.linalg.inv(weighted.swapaxes(1, 2) @ design + TINY * np.eye(design.shape[-1]))
    noise = [(weighted * variance[..., [axis]]).swapaxes(1, 2) @ weighted for axis in range(2)]
    covariance = np.stack([inverse @ part @ inverse for part in noise], 1)
    return inverse @ (weighted.swapaxes(1, 2) @ apart), covariance
