"""Tests of the simulation."""

import numpy as np
from scipy.spatial import cKDTree


def places(table):
    """The (y, x) of a table's rows: (N, 2) array."""
    return table[["y", "x"]].to_numpy()


def direction(points, fold):
    """Mean direction of the vectors to the nearest neighbours, from x towards y, modulo 360°/fold [degrees]."""
    distance, nearest = cKDTree(points).query(points, k=fold + 1)
    y, x = (points[nearest[:, 1:]] - points[:, None])[distance[:, 1:] < 1.05 * np.median(distance[:, 1])].T
    return np.rad2deg(np.angle(np.exp(1j * fold * np.arctan2(y, x)).mean())) / fold
