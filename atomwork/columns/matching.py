"""How well found columns agree with the truth."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Match:
    """Agreement of found columns with true ones.

    Attributes
    ----------
    pairs : (K, 2) int array, indices into found and truth as they were given
    distances : (K,) float array, of each pair [px]
    n_found, n_truth : int, columns on either side (found ones at optional places left out)
    chamfer : float, mean distance of a found column to the nearest true one plus the reverse [px];
        NaN if either side is empty
    judged : (N,) bool array, the given found columns but those at optional places
    """

    pairs: np.ndarray
    distances: np.ndarray
    n_found: int
    n_truth: int
    chamfer: float
    judged: np.ndarray

    @property
    def right(self):
        """Which of the judged found columns are true, (n_found,) bool array."""
        return np.isin(np.arange(len(self.judged)), self.pairs[:, 0])[self.judged]

    @property
    def precision(self):
        """Share of the found columns that are true [-]; 1 if nothing was found."""
        return len(self.pairs) / self.n_found if self.n_found else 1.0

    @property
    def recall(self):
        """Share of the true columns that were found [-]; 1 if there was nothing to find."""
        return len(self.pairs) / self.n_truth if self.n_truth else 1.0

    @property
    def f1(self):
        """Harmonic mean of precision and recall [-]; 1 if there was nothing to find and nothing was found."""
        total = self.n_found + self.n_truth
        return 2 * len(self.pairs) / total if total else 1.0

    @property
    def jaccard(self):
        """Pairs over all columns of either side, F1 / (2 − F1) [-]."""
        return self.f1 / (2 - self.f1)

    @property
    def rms(self):
        """Root mean square distance of the pairs [px]; NaN without pairs."""
        return float(np.sqrt(np.mean(self.distances**2))) if len(self.distances) else float("nan")


def as_points(points):
    """(N, 2) float array from a DataFrame with columns y, x or anything array-like."""
    if hasattr(points, "columns"):
        points = points[["y", "x"]]
    return np.asarray(points, float).reshape(-1, 2)


def match(found, truth, *, tolerance, optional=None):
    """Pair found columns with true ones, one to one, as many as possible and then as near as possible.

    Parameters
    ----------
    found, truth : (N, 2) and (M, 2) float arrays, (y, x) [px], or DataFrames with columns y, x
    tolerance : float, largest distance of a pair [px]; a quarter of the spacing is usual
    optional : (L, 2) float array, places where a found column is neither right nor wrong [px]

    Returns
    -------
    Match

    Raises
    ------
    ValueError : the tolerance is not positive
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance} px must be positive; a quarter of the spacing is usual.")
    found, truth = as_points(found), as_points(truth)
    pairs, distances = assign(found, truth, tolerance)
    spare = np.setdiff1d(np.arange(len(found)), pairs[:, 0])
    places = as_points([] if optional is None else optional)
    judged = np.full(len(found), True)
    judged[spare[assign(found[spare], places, tolerance)[0][:, 0]]] = False
    return Match(pairs, distances, int(judged.sum()), len(truth), chamfer(found[judged], truth), judged)


def assign(first, second, tolerance):
    """Optimal one-to-one pairs within ``tolerance``: (K, 2) indices and (K,) distances."""
    if len(first) == 0 or len(second) == 0:
        return np.empty((0, 2), int), np.empty(0)
    near = cKDTree(first).sparse_distance_matrix(cKDTree(second), tolerance, output_type="coo_matrix")
    # Every first point may also stay single, at a cost no pair reaches, so that a full matching exists;
    # the offset keeps coincident points from being read as absent entries.
    count = np.arange(len(first))
    rows = np.concatenate([near.row, count])
    columns = np.concatenate([near.col, len(second) + count])
    single = 4 * tolerance * (min(len(first), len(second)) + 1)
    costs = np.concatenate([near.data + tolerance, np.full(len(first), single)])
    graph = coo_array((costs, (rows, columns)), shape=(len(first), len(first) + len(second))).tocsr()
    row, column = min_weight_full_bipartite_matching(graph)
    paired = column < len(second)
    pairs = np.stack([row[paired], column[paired]], -1)
    return pairs, np.linalg.norm(first[pairs[:, 0]] - second[pairs[:, 1]], axis=1)


def chamfer(first, second):
    """Mean nearest distance from first to second plus that from second to first [px]; NaN if one is empty."""
    if len(first) == 0 or len(second) == 0:
        return float("nan")
    return float(cKDTree(second).query(first)[0].mean() + cKDTree(first).query(second)[0].mean())


def f1_mutual_nearest(found, truth):
    """The F1 of the AtomID-Net thesis: mutual nearest neighbours are hits, however far apart.

    Without a tolerance a lattice shifted by half its spacing scores 1; `match` is the honest measure.

    Parameters
    ----------
    found, truth : (N, 2) and (M, 2) float arrays, (y, x) [px]

    Returns
    -------
    float [-]

    References
    ----------
    Lin, Yan et al., Small Science 3 (2023) 2300031.
    """
    found, truth = as_points(found), as_points(truth)
    if len(found) == 0 or len(truth) == 0:
        return float(len(found) == len(truth))
    forth, back = cKDTree(truth).query(found)[1], cKDTree(found).query(truth)[1]
    hits = np.sum(back[forth] == np.arange(len(found)))
    return float(2 * hits / (len(found) + len(truth)))
