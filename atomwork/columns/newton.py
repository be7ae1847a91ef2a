"""Steps of Fisher scoring and inverse informations of many columns, compiled by numba.

For matrices so small a call of LAPACK, or of NumPy, takes longer than its work.
"""

import numpy as np

from atomwork.columns.gaussian import SHAPE, compiled

DAMPING = 1e-7  # share of its diagonal added to a matrix, so that no column breaks


@compiled()
def eliminate(matrix, sides):
    """matrix⁻¹ sides for a symmetric positive matrix (P, P), left in ``sides`` (P, M); both are used up."""
    size, count = sides.shape
    for k in range(size):
        for i in range(k + 1, size):
            share = matrix[i, k] / matrix[k, k]
            for j in range(k + 1, size):
                matrix[i, j] -= share * matrix[k, j]
            for m in range(count):
                sides[i, m] -= share * sides[k, m]
    for k in range(size - 1, -1, -1):
        for m in range(count):
            for j in range(k + 1, size):
                sides[k, m] -= matrix[k, j] * sides[j, m]
            sides[k, m] /= matrix[k, k]


@compiled()
def solve(information, sides, scale):
    """information⁻¹ sides, slightly damped, for a matrix (P, P) brought to a diagonal of ones; as `eliminate`.

    ``scale`` (P,) is room.
    """
    size, count = sides.shape
    for k in range(size):
        scale[k] = 1 / np.sqrt(max(information[k, k], 1e-30))
    for k in range(size):
        for j in range(size):
            information[k, j] *= scale[k] * scale[j]
        information[k, k] += DAMPING
        for m in range(count):
            sides[k, m] *= scale[k]
    eliminate(information, sides)
    for k in range(size):
        for m in range(count):
            sides[k, m] *= scale[k]


@compiled()
def limit(value, low, high):
    """A value kept within limits."""
    return min(max(value, low), high)


@compiled()
def bound(new, old, low, high):
    """Bring new parameters (P,) within bounds (P,), and no width to less than half or more than double the old one."""
    size, widths = len(new), min(SHAPE + 2, len(new))
    reach = 0.5 / np.sqrt(old[SHAPE])
    for k in range(2):
        new[k] = limit(new[k], old[k] - reach, old[k] + reach)
    for k in range(SHAPE, widths):
        new[k] = limit(new[k], old[k] / 2, 2 * old[k])
    for k in range(size):
        new[k] = limit(new[k], low[k], high[k])
    if size > SHAPE + 1:  # the inverse covariance stays positive
        most = 0.9 * np.sqrt(new[SHAPE] * new[SHAPE + 1])
        new[SHAPE + 2] = limit(new[SHAPE + 2], -most, most)


@compiled()
def step(information, gradient, parameters, rows, bounds, prior, caution, settled):
    """Parameters of some columns after a step, and which of them still move.

    Parameters
    ----------
    information, gradient : (n, P, P) and (n, P) float64 arrays of those columns, see `gaussian.inform`; used up
    parameters : (N, P) float64 array of all
    rows : (n,) int array, of those that move
    bounds : tuple of (N, P) float64 arrays, least and greatest parameters of all
    prior : tuple of (N, P) and (P,) float64 arrays, parameters known beforehand and their information
    caution : (N,) float64 array, share of its step that each takes
    settled : float, standard deviations of independent counts that a column at rest moves at most along either axis

    Returns
    -------
    new : (n, P) float64 array
    moved : (n,) bool array
    """
    size, (low, high), (mean, known) = parameters.shape[1], bounds, prior
    new, moved, change, scale = np.zeros((len(rows), size)), np.zeros(len(rows), np.bool_), np.zeros((size, 1)), np.zeros(size)
    for n, row in enumerate(rows):
        old = parameters[row]
        for k in range(size):
            information[n, k, k] += known[k]
            change[k, 0] = gradient[n, k] + known[k] * (mean[row, k] - old[k])
        rest = (settled / np.sqrt(information[n, 0, 0]), settled / np.sqrt(information[n, 1, 1]))
        solve(information[n], change, scale)
        new[n] = old + caution[row] * change[:, 0]
        bound(new[n], old, low[row], high[row])
        moved[n] = abs(new[n, 0] - old[0]) > rest[0] or abs(new[n, 1] - old[1]) > rest[1]
    return new, moved


@compiled()
def inverses(information):
    """Inverses of symmetric positive matrices (N, P, P), which are used up; slightly damped, see `solve`."""
    result, scale = np.zeros(information.shape), np.zeros(information.shape[1])
    for n in range(len(information)):
        for k in range(len(scale)):
            result[n, k, k] = 1
        solve(information[n], result[n], scale)
    return result


@compiled()
def lost(cross, inverse, pairs):
    """Information (N, 2, 2) on positions that columns lose to each other, added up over pairs [1/px²].

    Parameters
    ----------
    cross : (n, P, P) float64 array, information that the columns of each pair share
    inverse : (N, P, P) float64 array, of the information of each column
    pairs : (n, 2) int array
    """
    result, size = np.zeros((len(inverse), 2, 2)), inverse.shape[1]
    for n in range(len(pairs)):
        here, there = pairs[n]
        for i in range(2):
            for j in range(2):
                for a in range(size):
                    for b in range(size):
                        result[here, i, j] += cross[n, i, a] * inverse[there, a, b] * cross[n, j, b]
                        result[there, i, j] += cross[n, a, i] * inverse[here, a, b] * cross[n, b, j]
    return result
