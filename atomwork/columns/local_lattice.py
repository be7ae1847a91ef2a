"""The lattice of columns around any place, by least squares, with its covariance."""

import numpy as np
from scipy.spatial import cKDTree

REACH = 3.0  # resolutions up to which columns count
AROUND = 1.3  # of the lattice's longer vector, within which columns are of the first shell
TINY = 1e-9  # keeps a sublattice that no column around a place is of from making its sums singular
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
    too few columns tell them
    """
    known = np.flatnonzero(sites.labels >= 0)
    tree, lattice = cKDTree(points[known]), shells(points, sites)[known]
    points, std, labels = points[known], std[known], sites.labels[known]
    density = 1 / abs(np.linalg.det(sites.vectors)) * len(sites.offsets)
    most = min(len(known), int(np.ceil(1.5 * np.pi * (REACH * resolution) ** 2 * density)) + 8)
    vectors, covariance = np.full((len(places), 2, 2), np.nan), np.full((len(places), 2, 2, 2), np.nan)
    for start in range(0, len(places), BLOCK):
        part = slice(start, start + BLOCK)
        distance, chosen = tree.query(places[part], most, distance_upper_bound=REACH * resolution)
        there = np.isfinite(distance)
        chosen, distance = np.where(there, chosen, 0), np.where(there, distance, 0)
        own = chosen[:, 0]
        apart = points[chosen] - points[own][:, None]
        inside = sites.offsets[labels[chosen]] - sites.offsets[labels[own]][:, None]
        steps = np.rint(apart @ np.linalg.inv(lattice[own]) - inside)
        design = np.concatenate([steps, np.eye(len(sites.offsets))[labels[chosen]]], -1)
        weight = there * np.exp(-0.5 * (distance / resolution) ** 2)
        told = (weight > COUNTING).sum(1) > design.shape[-1] + SPARE
        made = regressed(design[told], apart[told], weight[told], std[chosen[told]] ** 2)
        vectors[start + np.flatnonzero(told)], covariance[start + np.flatnonzero(told)] = made
    return vectors, covariance


def regressed(design, apart, weight, variance):
    """The first two rows of what explains ``apart`` (P, K, 2) best by ``design`` (P, K, D), and their covariances.

    ``weight`` (P, K) is beside the mean of the variances (P, K, 2) of y and x.
    """
    weight = weight / variance.mean(-1)
    weighted = design * (weight / weight.sum(1, keepdims=True))[..., None]
    inverse = np.linalg.inv(weighted.swapaxes(1, 2) @ design + TINY * np.eye(design.shape[-1]))
    noise = [(weighted * variance[..., [axis]]).swapaxes(1, 2) @ weighted for axis in range(2)]
    covariance = np.stack([(inverse @ part @ inverse)[:, :2, :2] for part in noise], 1)
    return (inverse @ (weighted.swapaxes(1, 2) @ apart))[:, :2], covariance
