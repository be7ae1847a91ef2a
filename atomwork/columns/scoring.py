"""Fisher scoring of many overlapping Gaussians at once: the engine under `columns.fit`.

Every column is judged in a window of its own, where the model is the sum of all columns' Gaussians plus a
background that belongs to the window. All columns take a step together; those that rest are left alone.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import cKDTree

from atomwork.columns import gaussian, newton

DRAWN = 0.9  # how much farther a column is drawn than judged, over the width [-]
OVERLAP = 5.0  # columns nearer than this many widths share their errors [-]
MOVED = 0.1  # a column that moves less than this share of its error has converged [-]
POOR = 1.6  # a column whose residuals exceed the usual by this factor has its own dispersion [-]
FEW = 50  # columns or pairs that are not worth another thread


@dataclass(frozen=True)
class Bounds:
    """What parameters a fit may reach.

    Attributes
    ----------
    low, high : (N, P) float arrays
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(cls, start, *, shift, widths, brightest):
        """Bounds about first guesses (N, P): a shift [px], widths (2,) [px], the brightest pixel."""
        low, high = start.copy(), start.copy()
        low[:, :2] -= shift
        high[:, :2] += shift
        bright = start[:, gaussian.AMPLITUDE] > 0
        low[:, gaussian.AMPLITUDE] = np.where(bright, 1e-6 * brightest, -2 * brightest)
        high[:, gaussian.AMPLITUDE] = np.where(bright, 2 * brightest, -1e-6 * brightest)
        low[:, gaussian.BACKGROUND], high[:, gaussian.BACKGROUND] = 0, 2 * brightest
        low[:, gaussian.SHAPE :], high[:, gaussian.SHAPE :] = widths[1] ** -2, widths[0] ** -2
        low[:, gaussian.SHAPE + 2 :] = -high[:, gaussian.SHAPE + 2 :]
        return cls(low, high)

    def reached(self, parameters):
        """Which columns (N,) came to a bound of position or width and so fitted nothing."""
        checked = [0, 1, *range(gaussian.SHAPE, min(gaussian.SHAPE + 2, parameters.shape[1]))]
        slack = 1e-4 * (self.high - self.low)
        at_bound = (parameters <= self.low + slack) | (parameters >= self.high - slack)
        return at_bound[:, checked].any(1)


@dataclass(frozen=True)
class Prior:
    """What is known of the parameters before the image is looked at, as independent normal distributions.

    Attributes
    ----------
    mean : (N, P) float array
    std : (P,) float array; infinite for what is left open
    """

    mean: np.ndarray
    std: np.ndarray

    def information(self, dispersion):
        """Its information (P,) on the scale of counting noise that the dispersion enlarges."""
        return dispersion / self.std**2


@dataclass
class Fit:
    """A fit in progress.

    Attributes
    ----------
    image : (H, W) float array, non-negative
    centre : (N, 2) int array, the windows' middle pixels [px]
    parameters : (N, P) float64 array, see `gaussian`
    width : float, the usual width [px]
    reach : int, half-side of the windows [px]
    floor : float, least model intensity; it bounds the weights
    bounds : Bounds
    prior : Prior
    """

    image: np.ndarray
    centre: np.ndarray
    parameters: np.ndarray
    width: float
    reach: int
    floor: float
    bounds: Bounds
    prior: Prior

    def __post_init__(self):
        positions = self.parameters[:, :2]
        self.pairs = cKDTree(positions).query_pairs(OVERLAP * self.width, output_type="ndarray")
        overlap = np.exp(-((positions[self.pairs[:, 0]] - positions[self.pairs[:, 1]]) ** 2).sum(1) / (4 * self.width**2))
        crowding = sum(np.bincount(self.pairs[:, k], overlap, len(positions)) for k in (0, 1))
        self.caution, self.dispersion = 1 / (1 + crowding), 1.0
        self.picture = np.zeros(self.image.shape, np.float32)
        self.paint(slice(None))

    def paint(self, rows, sign=1.0):
        """Add some columns to the picture of all, or take them off it."""
        reach = self.reach + math.ceil(DRAWN * self.width)
        gaussian.paint(self.picture, self.parameters[rows], self.centre[rows], reach, sign)

    def change(self, rows, parameters):
        """Give some columns other parameters (n, P), in the picture as well; where they are most, it is painted anew."""
        most = 2 * len(rows) > len(self.parameters)
        if most:
            self.picture[:] = 0
        else:
            self.paint(rows, -1.0)
        self.parameters[rows] = parameters
        self.paint(slice(None) if most else rows)

    def ask(self, function, rows):
        """What `gaussian.inform` or `gaussian.share` tell of some columns or pairs."""
        return function(self.image, self.picture, self.parameters, self.centre, rows, self.reach, self.floor)

    def improve(self, rows):
        """One step of Fisher scoring for some columns; returns those that still moved."""
        bounds, prior = (self.bounds.low, self.bounds.high), (self.prior.mean, self.prior.information(self.dispersion))
        settled = MOVED * math.sqrt(self.dispersion)

        def step(some):
            information, gradient, misfit = self.ask(gaussian.inform, some)
            return *newton.step(information, gradient, self.parameters, some, bounds, prior, self.caution, settled), misfit

        new, moved, misfit = in_threads(step, rows)
        self.change(rows, new)
        self.dispersion = float(np.median(misfit)) / (2 * self.reach + 1) ** 2
        return rows[moved]

    def run(self, steps):
        """Improve all columns until they rest, at most ``steps`` times."""
        active = np.arange(len(self.parameters))
        for _ in range(steps):
            if len(active):
                active = self.improve(active)
        return self

    def covariance(self):
        """Covariance (N, 2, 2) of the positions [px²] and the dispersion (N,).

        A position's information, its own nuisance parameters eliminated, is reduced by what it shares with
        each neighbour (the Schur complement of the joint information); the neighbours' links among
        themselves are left out.
        """
        prior = np.diag(self.prior.information(self.dispersion))
        information, _, misfit = in_threads(lambda some: self.ask(gaussian.inform, some), np.arange(len(self.parameters)))
        inverse = newton.inverses(information + prior)
        pixels = gaussian.pixels_inside(self.centre, self.reach, self.image.shape)
        each = misfit / np.maximum(pixels - self.parameters.shape[1], 1)
        usual = np.median(each)
        dispersion = np.where(each > POOR * usual, each, usual)
        (cross,) = in_threads(lambda some: (self.ask(gaussian.share, some),), self.pairs)
        lost = newton.lost(cross, inverse, self.pairs)
        return dispersion[:, None, None] * widened(inverse[:, :2, :2], lost), dispersion


@lru_cache(maxsize=1)
def threads(_process, count):
    """Threads that stay: a fit asks them dozens of times; those of another process don't survive its fork."""
    return ThreadPoolExecutor(count)


def in_threads(function, rows):
    """The arrays that a compiled function makes of ``rows``, a piece to every thread (NumPy would wait there)."""
    count = min(torch.get_num_threads(), len(rows) // FEW)
    if count < 2:
        return function(rows)
    first, *others = np.array_split(rows, count)
    pending = [threads(os.getpid(), torch.get_num_threads() - 1).submit(function, some) for some in others]
    results = [function(first), *(some.result() for some in pending)]  # a piece for this thread, which else would sleep
    return tuple(np.concatenate(kind) for kind in zip(*results, strict=True))


def widened(covariance, lost):
    """Covariance (N, 2, 2) less the information ``lost``, a twentieth of it left at least; NaN if it was none."""
    (yy, yx), (_, xx) = covariance.transpose(1, 2, 0)
    known = (yy > 0) & (yy * xx > yx**2)
    result, some = covariance.copy(), known & lost.any((1, 2))
    root = np.linalg.cholesky(covariance[some])
    shares, axes = np.linalg.eigh(root.swapaxes(1, 2) @ lost[some] @ root)
    spread = root @ axes
    result[some] = (spread / (1 - np.clip(shares, 0, 0.95))[:, None]) @ spread.swapaxes(1, 2)
    result[~known] = np.nan
    return result
