"""Gaussians in windows of an image: their derivatives, Fisher information and pictures, compiled by numba.

Parameters are (N, P) float64 arrays: y, x [px], amplitude, background, then one element 1/width² for round
columns or the three elements (yy, xx, yx) of the inverse covariance for elliptical ones [1/px²]. The pixels
of a window are written one after another, so that every sum over them is a single loop. Each buffer is an array of its
own: of rows unpacked from one array numba does not know that they are contiguous, and uses no vectors.
"""

from functools import partial
from math import exp

import numpy as np
from numba import njit

AMPLITUDE, BACKGROUND, SHAPE = 2, 3, 4

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
def bell(sharp, start, count, values):
    """exp(-½ sharp x²) at ``count`` places a pixel apart from ``start`` on: each follows from the last by multiplications."""
    value, ratio, change = exp(-0.5 * sharp * start * start), exp(-sharp * (start + 0.5)), exp(-sharp)
    for k in range(count):
        values[k] = value
        value *= ratio
        ratio *= change


@compiled()
def lay(p, box, across, down, values):
    """A column's Gaussian of unit height on the pixels of a window (y0, y1, x0, x1); returns how many they are.

    ``across`` and ``down`` are room for one side of the window each.
    """
    (yy, xx, yx), (y0, y1, x0, x1) = sharpness(p), box
    count = x1 - x0
    bell(yy, y0 - p[0], y1 - y0, down)
    bell(xx, x0 - p[1], count, across)
    for row in range(y1 - y0):
        for k in range(count):
            values[row * count + k] = down[row] * across[k]
        tilt = yx * (y0 + row - p[0])
        if tilt != 0:
            value, ratio = exp(-tilt * (x0 - p[1])), exp(-tilt)
            for k in range(count):
                values[row * count + k] *= value
                value *= ratio
    return count * (y1 - y0)


@compiled()
def derive(p, box, across, down, slopes):
    """Derivatives (P, pixels) of a column by its parameters on the pixels of a window; returns how many those are."""
    (yy, xx, yx), (y0, y1, x0, x1) = sharpness(p), box
    values, count = slopes[AMPLITUDE], x1 - x0
    pixels = lay(p, box, across, down, values)
    for row in range(y1 - y0):
        y = y0 + row - p[0]
        for k in range(count):
            x, pixel = x0 + k - p[1], row * count + k
            height = p[AMPLITUDE] * values[pixel]
            slopes[0, pixel], slopes[1, pixel] = height * (yy * y + yx * x), height * (xx * x + yx * y)
            if len(p) == SHAPE + 1:
                slopes[SHAPE, pixel] = -0.5 * height * (y * y + x * x)
            else:
                slopes[SHAPE, pixel], slopes[SHAPE + 1, pixel] = -0.5 * height * y * y, -0.5 * height * x * x
                slopes[SHAPE + 2, pixel] = -height * y * x
    slopes[BACKGROUND, :pixels] = 1
    return pixels


@compiled()
def compare(image, picture, box, background, floor, weight, excess):
    """Weights 1/model of a window's pixels and their residuals times them; returns the sum of weight · residual²."""
    y0, y1, x0, x1 = box
    count, misfit = x1 - x0, 0.0
    for row in range(y1 - y0):
        for k in range(count):
            weight[row * count + k] = picture[y0 + row, x0 + k]
        for k in range(count):
            excess[row * count + k] = image[y0 + row, x0 + k]
    for k in range(count * (y1 - y0)):
        level = max(weight[k] + background, floor)
        weight[k] = 1 / level
        excess[k] = excess[k] * weight[k] - 1
        misfit += excess[k] * excess[k] * level
    return misfit


@compiled()
def product(one, other, count, result):
    """The first ``count`` values of two arrays multiplied."""
    for k in range(count):
        result[k] = one[k] * other[k]


@compiled()
def dot(one, other, count):
    """Sum of the first ``count`` products of two arrays."""
    total = 0.0
    for k in range(count):
        total += one[k] * other[k]
    return total


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
    misfit, slopes, across, down = np.zeros(len(rows)), np.zeros((size, side**2)), np.zeros(side), np.zeros(side)
    weight, excess, weighted = np.zeros(side**2), np.zeros(side**2), np.zeros(side**2)
    for n, row in enumerate(rows):
        p, box = parameters[row], window(centre[row], reach, image.shape)
        count = derive(p, box, across, down, slopes)
        misfit[n] = compare(image, picture, box, p[BACKGROUND], floor, weight, excess)
        for a in range(size):
            gradient[n, a] = dot(slopes[a], excess, count)
            product(slopes[a], weight, count, weighted)
            for b in range(a + 1):
                information[n, a, b] = information[n, b, a] = dot(weighted, slopes[b], count)
    return information, gradient, misfit


@compiled()
def share(image, picture, parameters, centre, pairs, reach, floor):
    """Information (n, P, P) that pairs of columns share in the window of the first; see `inform`.

    The second column's background does not reach into the first one's window; the first one's is left out.
    """
    size, side = parameters.shape[1], 2 * reach + 1
    result, across, down = np.zeros((len(pairs), size, size)), np.zeros(side), np.zeros(side)
    here, there = np.zeros((size, side**2)), np.zeros((size, side**2))
    weight, excess, weighted = np.zeros(side**2), np.zeros(side**2), np.zeros(side**2)
    for n in range(len(pairs)):
        p, q = parameters[pairs[n, 0]], parameters[pairs[n, 1]]
        box = window(centre[pairs[n, 0]], reach, image.shape)
        derive(q, box, across, down, there)
        count = derive(p, box, across, down, here)
        compare(image, picture, box, p[BACKGROUND], floor, weight, excess)
        for a in range(size):
            product(here[a], weight, count, weighted)
            for b in range(size):
                if BACKGROUND not in (a, b):
                    result[n, a, b] = dot(weighted, there[b], count)
    return result


@compiled()
def paint(picture, parameters, centre, reach, sign):
    """Add columns (n, P), each in its window, to a picture (H, W), or take them off it if ``sign`` is -1."""
    side = 2 * reach + 1
    across, down, values = np.zeros(side), np.zeros(side), np.zeros(side**2)
    for n in range(len(parameters)):
        y0, y1, x0, x1 = box = window(centre[n], reach, picture.shape)
        lay(parameters[n], box, across, down, values)
        height, count = sign * parameters[n, AMPLITUDE], x1 - x0
        for row in range(y1 - y0):
            for k in range(count):
                picture[y0 + row, x0 + k] += height * values[row * count + k]


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
