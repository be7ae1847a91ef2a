"""Gaussians in windows of an image: their derivatives, Fisher information and pictures, compiled by numba.

Parameters are (N, P) float64 arrays: y, x [px], amplitude, background, then one element 1/width² for round
columns or the three elements (yy, xx, yx) of the inverse covariance for elliptical ones [1/px²]. Every
derivative is a polynomial in y and x times the Gaussian, so the information follows from the moments
Σ weight · Gaussian² · yᵖ xʳ about the column, which are added up row by row.
"""

from functools import partial
from math import exp

import numpy as np
from numba import njit

AMPLITUDE, BACKGROUND, SHAPE = 2, 3, 4
POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # (p, r) of y and x that occur in the derivatives
TERMS = len(POWERS)

# sums may be reordered, so that they use the processor's vectors; NaN stays NaN
compiled = partial(njit, nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@compiled()
def sharpness(p):
    """Elements (yy, xx, yx) of the inverse covariance of a column (P,) [1/px²]."""
    return p[SHAPE], p[min(SHAPE + 1, len(p) - 1)], p[SHAPE + 2] if len(p) > SHAPE + 1 else 0.0


@compiled()
def window(centre, reach, shape):
    """Pixels of the window around a pixel that lie in an image: (y0, y1, x0, x1)."""
    y, x = centre
    return max(y - reach, 0), min(y + reach + 1, shape[0]), max(x - reach, 0), min(x + reach + 1, shape[1])


@compiled()
def profile(p, x0, count, x, across):
    """How far ``count`` pixels from ``x0`` on lie right of a column, and its Gaussian along them."""
    _, xx, _ = sharpness(p)
    for k in range(count):
        x[k] = x0 + k - p[1]
        across[k] = exp(-0.5 * xx * x[k] * x[k])


@compiled()
def line(p, y, x, across, count, values):
    """A column's Gaussian of unit height along the row ``y`` below it; see `profile`."""
    yy, _, yx = sharpness(p)
    down = exp(-0.5 * yy * y * y)
    for k in range(count):
        values[k] = down * across[k]
    if yx != 0:
        for k in range(count):
            values[k] *= exp(-yx * y * x[k])


@compiled()
def compare(image, picture, y, x0, count, background, floor, weight, excess):
    """Weights 1/model of a row of pixels and its residuals times them; returns both sums and that of weight · residual²."""
    total, force, misfit = 0.0, 0.0, 0.0
    for k in range(count):
        level = max(picture[y, x0 + k] + background, floor)
        weight[k] = 1 / level
        excess[k] = image[y, x0 + k] * weight[k] - 1
        total += weight[k]
        force += excess[k]
        misfit += excess[k] * excess[k] * level
    return total, force, misfit


@compiled()
def add_row(weight, excess, values, y, x, count, second, first, force):
    """Add a row to the moments Σ w g² yᵖ xʳ (5, 5), Σ w g yᵖ xʳ and Σ e g yᵖ xʳ (3, 3)."""
    s0, s1, s2, s3, s4, f0, f1, f2, e0, e1, e2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(count):  # one loop: each of its own would take as long as all
        one, pull = weight[k] * values[k], excess[k] * values[k]
        two = one * values[k]
        s0, f0, e0 = s0 + two, f0 + one, e0 + pull
        two, one, pull = two * x[k], one * x[k], pull * x[k]
        s1, f1, e1 = s1 + two, f1 + one, e1 + pull
        two, one, pull = two * x[k], one * x[k], pull * x[k]
        s2, f2, e2 = s2 + two, f2 + one, e2 + pull
        two = two * x[k]
        s3 += two
        s4 += two * x[k]
    height = 1.0
    for p in range(5):
        for r, term in enumerate((s0, s1, s2, s3, s4)):
            second[p, r] += height * term
        if p < 3:
            for r, (term, pull) in enumerate(((f0, e0), (f1, e1), (f2, e2))):
                first[p, r] += height * term
                force[p, r] += height * pull
        height *= y


@compiled()
def derivatives(p, down, right, result):
    """Coefficients (P, `TERMS`) of the derivatives by all parameters, in the powers of `POWERS`; 0 for the background.

    ``down`` and ``right`` tell where the column lies from where y and x are counted [px].
    """
    yy, xx, yx = sharpness(p)
    a, half = p[AMPLITUDE], -0.5 * p[AMPLITUDE]
    result[:] = 0
    for row, along, aside in ((0, yy, yx), (1, yx, xx)):
        result[row, 0], result[row, 1], result[row, 2] = -a * (along * down + aside * right), a * along, a * aside
    result[AMPLITUDE, 0] = 1
    last = len(p) - 1 if len(p) == SHAPE + 1 else SHAPE + 1
    result[SHAPE, 0], result[SHAPE, 1], result[SHAPE, 3] = half * down**2, -2 * half * down, half
    result[last, 0] += half * right**2
    result[last, 2], result[last, 5] = -2 * half * right, half
    if len(p) > SHAPE + 1:
        tilt = result[SHAPE + 2]
        tilt[0], tilt[1], tilt[2], tilt[4] = -a * down * right, a * right, a * down, -a


@compiled()
def multiply(one, other, moments, result):
    """Products (P, P) of two columns' derivatives, summed with the weights whose moments (5, 5) are given."""
    size, between = len(result), np.zeros(TERMS)
    for b in range(size):
        for s in range(TERMS):
            between[s] = 0
            for t in range(TERMS):
                between[s] += other[b, t] * moments[POWERS[s][0] + POWERS[t][0], POWERS[s][1] + POWERS[t][1]]
        for a in range(size):
            result[a, b] = 0
            for s in range(TERMS):
                result[a, b] += one[a, s] * between[s]


@compiled()
def project(coefficients, moments, result):
    """Derivatives (P,), summed with the weights whose moments (3, 3) are given."""
    for a in range(len(result)):
        result[a] = 0
        for s in range(TERMS):
            result[a] += coefficients[a, s] * moments[POWERS[s][0], POWERS[s][1]]


@compiled()
def inform(image, picture, parameters, centre, rows, reach, floor):
    """What the pixels around some columns tell of each.

    Parameters
    ----------
    image : (H, W) float array, counts
    picture : (H, W) float array, all columns without backgrounds
    parameters, centre : (N, P) float64 and (N, 2) int array, middle pixels of the windows [px]
    rows : (n,) int array, of the columns that are asked for
    reach : int, half-side of the windows [px]
    floor : float, least model intensity

    Returns
    -------
    information, gradient, misfit : (n, P, P), (n, P) and (n,) float64 arrays: Fisher information of the counts, derivative
        of their log-likelihood, and squared residuals over the model, added up
    """
    size, side = parameters.shape[1], 2 * reach + 1
    information, gradient = np.zeros((len(rows), size, size)), np.zeros((len(rows), size))
    misfit, coefficients = np.zeros(len(rows)), np.zeros((size, TERMS))
    x, across, values, weight, excess = np.zeros((5, side))
    second, first, force = np.zeros((5, 5)), np.zeros((3, 3)), np.zeros((3, 3))
    for n, row in enumerate(rows):
        p = parameters[row]
        y0, y1, x0, x1 = window(centre[row], reach, image.shape)
        count, total, pull = x1 - x0, 0.0, 0.0
        profile(p, x0, count, x, across)
        second[:], first[:], force[:] = 0, 0, 0
        for row_y in range(y0, y1):
            y = row_y - p[0]
            line(p, y, x, across, count, values)
            sums = compare(image, picture, row_y, x0, count, p[BACKGROUND], floor, weight, excess)
            total, pull, misfit[n] = total + sums[0], pull + sums[1], misfit[n] + sums[2]
            add_row(weight, excess, values, y, x, count, second, first, force)
        derivatives(p, 0.0, 0.0, coefficients)
        multiply(coefficients, coefficients, second, information[n])
        project(coefficients, first, information[n, BACKGROUND])
        information[n, BACKGROUND, BACKGROUND] = total
        information[n, :, BACKGROUND] = information[n, BACKGROUND]
        project(coefficients, force, gradient[n])
        gradient[n, BACKGROUND] = pull
    return information, gradient, misfit


@compiled()
def share(image, picture, parameters, centre, pairs, reach, floor):
    """Information (n, P, P) that pairs of columns share in the window of the first; see `inform`.

    The second column's background does not reach into the first one's window; the first one's is left out.
    """
    size, side = parameters.shape[1], 2 * reach + 1
    result, one, other = np.zeros((len(pairs), size, size)), np.zeros((size, TERMS)), np.zeros((size, TERMS))
    x, x_there, across, across_there, values, values_there, weight, excess, unit = np.zeros((9, side))
    moments, first, force = np.zeros((5, 5)), np.zeros((3, 3)), np.zeros((3, 3))
    unit[:] = 1
    for n in range(len(pairs)):
        p, q = parameters[pairs[n, 0]], parameters[pairs[n, 1]]
        y0, y1, x0, x1 = window(centre[pairs[n, 0]], reach, image.shape)
        count = x1 - x0
        profile(p, x0, count, x, across)
        profile(q, x0, count, x_there, across_there)
        moments[:] = 0
        for y in range(y0, y1):
            line(p, y - p[0], x, across, count, values)
            line(q, y - q[0], x_there, across_there, count, values_there)
            compare(image, picture, y, x0, count, p[BACKGROUND], floor, weight, excess)
            for k in range(count):
                weight[k] *= values[k] * values_there[k]
            add_row(weight, excess, unit, y - p[0], x, count, moments, first, force)
        derivatives(p, 0.0, 0.0, one)
        derivatives(q, q[0] - p[0], q[1] - p[1], other)
        multiply(one, other, moments, result[n])
    return result


@compiled()
def paint(picture, parameters, centre, reach, sign):
    """Add columns (n, P), each in its window, to a picture (H, W), or take them off it if ``sign`` is -1."""
    x, across, values = np.zeros((3, 2 * reach + 1), picture.dtype)
    for n in range(len(parameters)):
        p = parameters[n]
        y0, y1, x0, x1 = window(centre[n], reach, picture.shape)
        profile(p, x0, x1 - x0, x, across)
        for k in range(x1 - x0):
            across[k] *= sign * p[AMPLITUDE]
        for y in range(y0, y1):
            line(p, y - p[0], x, across, x1 - x0, values)
            for k in range(x1 - x0):
                picture[y, x0 + k] += values[k]


@compiled()
def eliminate(matrices, vectors):
    """matrices⁻¹ vectors for symmetric positive matrices (N, P, P), left in ``vectors`` (N, P); both are used up.

    For matrices so small a call of LAPACK takes longer than its work.
    """
    size = vectors.shape[1]
    for matrix, vector in zip(matrices, vectors):  # noqa: B905 (numba knows no strict)
        for k in range(size):
            for i in range(k + 1, size):
                share = matrix[i, k] / matrix[k, k]
                for j in range(k + 1, size):
                    matrix[i, j] -= share * matrix[k, j]
                vector[i] -= share * vector[k]
        for k in range(size - 1, -1, -1):
            for j in range(k + 1, size):
                vector[k] -= matrix[k, j] * vector[j]
            vector[k] /= matrix[k, k]


def pixels_inside(centre, reach, shape):
    """How many pixels (N,) of each window lie in an image of the given shape."""
    sides = [np.minimum(centre[:, k] + reach, shape[k] - 1) - np.maximum(centre[:, k] - reach, 0) + 1 for k in (0, 1)]
    return sides[0] * sides[1]


def covariances(parameters):
    """Covariance of the Gaussians as rows (yy, xx, yx) of a (3, N) array [px²]."""
    if parameters.shape[1] == SHAPE + 1:
        width = 1 / parameters[:, SHAPE]
        return np.stack([width, width, np.zeros_like(width)])
    return inverse(parameters[:, SHAPE:].T)


def inverse(matrices):
    """Inverse of symmetric 2 x 2 matrices, both as rows (yy, xx, yx) of (3, N) arrays."""
    yy, xx, yx = matrices
    return np.stack([xx, yy, -yx]) / (yy * xx - yx**2)
