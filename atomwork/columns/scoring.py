"""Fisher scoring of many overlapping Gaussians at once: the engine under `columns.fit`.

Every column is judged in a window of its own, where the model is the sum of all columns' Gaussians plus a
background that belongs to the window. All columns take a step together; those that rest are left alone.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree

from atomwork.columns import gaussian

DRAWN = 0.9  # how much farther a column is drawn than judged, over the width [-]
OVERLAP = 5.0  # columns nearer than this many widths share their errors [-]
MOVED = 0.1  # a column that moves less than this share of its error has converged [-]
POOR = 1.6  # a column whose residuals exceed the usual by this factor has its own dispersion [-]
OUTSIDE = 1e30  # model and data beyond the image: no residual, no weight
CHUNK = 300_000  # window pixels worked on at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Prior:
    """What is known of the parameters before the image is looked at, as independent normal distributions.

    Attributes
    ----------
    mean : (N, P) float tensor
    std : (P,) float tensor; infinite for what is left open
    """

    mean: torch.Tensor
    std: torch.Tensor

    def information(self, dispersion):
        """Its information (P,), float64, on the scale of counting noise that the dispersion enlarges."""
        return dispersion / self.std.double() ** 2


@dataclass
class Fit:
    """A fit in progress.

    Attributes
    ----------
    image : (H, W) float tensor, non-negative
    centre : (N, 2) int tensor, the windows' middle pixels [px]
    parameters : (N, P) float tensor, see `gaussian`
    width : float, the usual width [px]
    reach : int, half-side of the windows [px]
    floor : float, least model intensity; it bounds the weights
    bounds : gaussian.Bounds
    prior : Prior
    """

    image: torch.Tensor
    centre: torch.Tensor
    parameters: torch.Tensor
    width: float
    reach: int
    floor: float
    bounds: gaussian.Bounds
    prior: Prior

    def __post_init__(self):
        positions = self.parameters[:, :2].numpy()
        pairs = cKDTree(positions).query_pairs(OVERLAP * self.width, output_type="ndarray")
        overlap = np.exp(-((positions[pairs[:, 0]] - positions[pairs[:, 1]]) ** 2).sum(1) / (4 * self.width**2))
        crowding = sum(np.bincount(pairs[:, k], overlap, len(positions)) for k in (0, 1))
        self.pairs, self.caution = torch.from_numpy(pairs.astype(np.int64)), torch.from_numpy(1 / (1 + crowding)).float()
        self.drawn = self.reach + math.ceil(DRAWN * self.width)
        self.side = torch.arange(-self.reach, self.reach + 1.0)
        self.brush = torch.arange(-self.drawn, self.drawn + 1)
        self.data = self.cut(F.pad(self.image, (self.drawn,) * 4, value=OUTSIDE), self.centre)
        self.dispersion = 1.0
        self.canvas = F.pad(torch.zeros_like(self.image), (self.drawn,) * 4, value=OUTSIDE)
        for rows in self.chunks(torch.arange(len(self.parameters))):
            self.paint(rows, self.picture(rows, self.parameters[rows]))

    def chunks(self, rows):
        """Pieces of ``rows`` whose windows fit the cache together."""
        return rows.split(max(8, CHUNK // (2 * self.reach + 1) ** 2))

    def work(self, function, rows):
        """Chunks of ``rows`` and what ``function``, which changes nothing, makes of each."""
        return [(chunk, function(chunk)) for chunk in self.chunks(rows)]

    def picture(self, rows, parameters):
        """Gaussians (n, K, K) of some columns in the windows that are drawn."""
        values = gaussian.evaluate(parameters, gaussian.away(parameters, self.centre[rows]), self.brush)
        return values.mul_(parameters[:, gaussian.AMPLITUDE, None, None])

    def paint(self, rows, change):
        """Add (n, K, K) changes of some columns to the canvas, which shows all of them without backgrounds."""
        corner = (self.centre[rows] + self.drawn) @ torch.tensor([self.canvas.shape[1], 1])
        offset = self.brush[:, None] * self.canvas.shape[1] + self.brush
        self.canvas.view(-1).scatter_add_(0, (corner[:, None, None] + offset).flatten(), change.flatten())

    def cut(self, padded, centre):
        """Copies (n, K, K) of the windows around pixels (n, 2) of an image that has the canvas' margin."""
        inner = padded[self.drawn - self.reach :, self.drawn - self.reach :]
        return gaussian.windows(inner, self.reach)[centre[:, 0], centre[:, 1]]

    def judge(self, rows):
        """Offsets (n, 2), Gaussians (n, K, K), weights 1/model and residuals of some columns."""
        parameters, centre = self.parameters[rows], self.centre[rows]
        offset = gaussian.away(parameters, centre)
        model = self.cut(self.canvas, centre).add_(parameters[:, gaussian.BACKGROUND, None, None])
        model = model.clamp_min_(self.floor)
        return offset, gaussian.evaluate(parameters, offset, self.side), model.reciprocal(), self.data[rows] - model

    def improve(self, rows):
        """One step of Fisher scoring for some columns; returns those that still moved."""
        prior = self.prior.information(self.dispersion)

        def step(chunk):
            offset, values, weight, residual = self.judge(chunk)
            parameters = self.parameters[chunk]
            information = gaussian.information(parameters, offset, self.side, values, weight) + torch.diag(prior)
            weighted = weight * residual
            gradient = gaussian.gradient(parameters, offset, self.side, values, weighted)
            gradient += prior * (self.prior.mean[chunk] - parameters)
            new = self.bounds.step(parameters, self.caution[chunk, None] * solve(information, gradient), chunk)
            error = (self.dispersion / torch.diagonal(information, dim1=1, dim2=2)[:, :2]).sqrt()
            moved = ((new - parameters)[:, :2].abs() > MOVED * error).any(1)
            change = self.picture(chunk, new).sub_(self.picture(chunk, parameters))
            return new, change, moved, (weighted * residual).mean((1, 2))

        chi2, still = [], []
        for chunk, (new, change, moved, fitness) in self.work(step, rows):
            self.parameters[chunk] = new
            self.paint(chunk, change)
            still.append(chunk[moved])
            chi2.append(fitness)
        self.dispersion = float(torch.cat(chi2).median())
        return torch.cat(still)

    def run(self, steps):
        """Improve all columns until they rest, at most ``steps`` times."""
        active = torch.arange(len(self.parameters))
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
        everyone, prior = torch.arange(len(self.parameters)), self.prior.information(self.dispersion)

        def inform(rows):
            offset, values, weight, residual = self.judge(rows)
            information = gaussian.information(self.parameters[rows], offset, self.side, values, weight)
            return invert(information + torch.diag(prior)), (weight * residual**2).sum((1, 2))

        inverse, chi2 = (torch.cat(v) for v in zip(*(result for _, result in self.work(inform, everyone)), strict=True))
        pixels = gaussian.pixels_inside(self.centre, self.reach, self.image.shape)
        each = chi2 / (pixels - self.parameters.shape[1]).clamp_min(1)
        usual = each.median()
        dispersion = torch.where(each > POOR * usual, each, usual).double()
        return dispersion[:, None, None] * widened(inverse[:, :2, :2], self.shared(inverse)), dispersion

    def shared(self, inverse):
        """Information (N, 2, 2) that positions lose to the neighbours they overlap [1/px²]."""
        result = torch.zeros((len(inverse), 2, 2), dtype=torch.float64)

        def compare(some):
            here, there = self.pairs[some].unbind(1)
            offset, values, weight, _ = self.judge(here)
            away = gaussian.away(self.parameters[there], self.centre[here])
            both = weight * values * gaussian.evaluate(self.parameters[there], away, self.side)
            return gaussian.cross_information((self.parameters[here], offset), (self.parameters[there], away), self.side, both)

        for some, cross in self.work(compare, torch.arange(len(self.pairs))):
            here, there = self.pairs[some].unbind(1)
            forth, back = cross[:, :2], cross[:, :, :2].mT
            result.index_add_(0, here, forth @ inverse[there] @ forth.mT)
            result.index_add_(0, there, back @ inverse[here] @ back.mT)
        return result


def widened(covariance, lost):
    """Covariance (N, 2, 2) less the information ``lost``, a twentieth of it left at least; NaN if it was none."""
    root, failed = torch.linalg.cholesky_ex(covariance)
    root[failed > 0] = 0
    share, axes = torch.linalg.eigh(root.mT @ lost @ root)
    spread = root @ axes
    result = spread @ torch.diag_embed(1 / (1 - share.clamp(0, 0.95))) @ spread.mT
    result[failed > 0] = float("nan")
    return result


def normalised(information):
    """Information on the scale of its diagonal, slightly damped so that no column breaks a batch, and that scale."""
    scale = torch.diagonal(information, dim1=1, dim2=2).clamp_min(1e-30).rsqrt()
    return information * scale[:, :, None] * scale[:, None] + 1e-7 * torch.eye(information.shape[-1]), scale


def solve(information, gradient):
    """information⁻¹ gradient, (N, P)."""
    unit, scale = normalised(information)
    return (scale * torch.linalg.solve(unit, scale * gradient)).float()


def invert(information):
    """information⁻¹, (N, P, P)."""
    unit, scale = normalised(information)
    return scale[:, :, None] * torch.linalg.inv(unit) * scale[:, None]
