"""Sub-pixel positions with error bars: Gaussian columns fitted by Poisson maximum likelihood, all at once.

Every column is judged in a window of three widths, where the model is the sum of all columns' Gaussians
plus a background of its own. Fisher scoring improves all columns together until none moves. The errors are
the inverse Fisher information of a column and the neighbours that overlap it, times the dispersion that
the residuals show. Images on any linear scale are first brought to electrons by their own noise.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree

from atomwork.columns import counting, gaussian

REACH, DRAWN = 2.8, 3.7  # half-sides of the windows that are judged and drawn, over the width [-]
ROUGH_REACH = 2.0  # the same for the first steps, which only look for the width [-]
OVERLAP = 5.0  # columns nearer than this many widths share their errors [-]
MOVED = 0.1  # a column that moves less than this share of its error has converged [-]
ROUGH_STEPS, STEPS = 3, 25
LARGEST_SHIFT = 0.5  # a fit that leaves its start by this share of the spacing along an axis is refused [-]
WIDTH_RANGE = (0.3, 2.5)  # over the usual width; a fit that reaches an end is refused [-]
POOR = 1.6  # a column whose residuals exceed the usual by this factor has its own dispersion [-]
SHAPE_SPREAD = 0.4  # how much 1/width² is expected to vary among columns [-]
OUTSIDE = 1e30  # model and data beyond the image: no residual, no weight
CHUNK = 300_000  # window pixels worked on at a time, so that they stay in the processor's cache


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
    """

    image: torch.Tensor
    centre: torch.Tensor
    parameters: torch.Tensor
    width: float
    reach: int
    floor: float
    bounds: gaussian.Bounds

    def __post_init__(self):
        positions = self.parameters[:, :2].numpy()
        pairs = cKDTree(positions).query_pairs(OVERLAP * self.width, output_type="ndarray")
        overlap = np.exp(-((positions[pairs[:, 0]] - positions[pairs[:, 1]]) ** 2).sum(1) / (4 * self.width**2))
        crowding = sum(np.bincount(pairs[:, k], overlap, len(positions)) for k in (0, 1))
        self.pairs, self.caution = torch.from_numpy(pairs.astype(np.int64)), torch.from_numpy(1 / (1 + crowding)).float()
        self.drawn = self.reach + math.ceil((DRAWN - REACH) * self.width)
        self.side = torch.arange(-self.reach, self.reach + 1)
        self.brush = torch.arange(-self.drawn, self.drawn + 1)
        self.data = gaussian.Cutter(self.image, self.reach, OUTSIDE)
        self.usual_shape, self.dispersion = None, 1.0
        self.canvas = torch.zeros([n + 2 * self.drawn for n in self.image.shape])
        for rows in self.chunks(torch.arange(len(self.parameters))):
            self.paint(rows, self.picture(rows, self.parameters[rows]))

    def chunks(self, rows):
        """Pieces of ``rows`` whose windows fit the cache together."""
        return rows.split(max(8, CHUNK // (2 * self.reach + 1) ** 2))

    def work(self, function, rows):
        """Chunks of ``rows`` and what ``function`` makes of each."""
        return [(chunk, function(chunk)) for chunk in self.chunks(rows)]

    def picture(self, rows, parameters):
        """Gaussians (n, K, K) of some columns in the windows that are drawn."""
        values = gaussian.evaluate(parameters, *gaussian.distances(parameters, self.centre[rows], self.brush))
        return values.mul_(parameters[:, gaussian.AMPLITUDE, None, None])

    def paint(self, rows, change):
        """Add (n, K, K) changes of some columns to the canvas, which shows all of them."""
        corner = (self.centre[rows] + self.drawn) @ torch.tensor([self.canvas.shape[1], 1])
        offset = self.brush[:, None] * self.canvas.shape[1] + self.brush
        self.canvas.view(-1).index_add_(0, (corner[:, None, None] + offset).flatten(), change.flatten())

    def total(self):
        """Windows on the picture of all columns, without backgrounds."""
        inner = slice(self.drawn, -self.drawn)
        return gaussian.Cutter(self.canvas[inner, inner], self.reach, OUTSIDE)

    def judge(self, total, rows):
        """Distances, Gaussians (n, K, K), weights 1/model and residuals of some columns."""
        parameters, centre = self.parameters[rows], self.centre[rows]
        dy, dx = gaussian.distances(parameters, centre, self.side)
        model = total.cut(centre) + parameters[:, gaussian.BACKGROUND, None, None]
        model = model.clamp_min_(self.floor)
        return dy, dx, gaussian.evaluate(parameters, dy, dx), model.reciprocal(), self.data.cut(centre).sub_(model)

    def improve(self, rows):
        """One step of Fisher scoring for some columns; returns those that still moved."""
        total = self.total()

        def step(chunk):
            dy, dx, values, weight, residual = self.judge(total, chunk)
            parameters = self.parameters[chunk]
            information = gaussian.information(parameters, dy, dx, values, weight)
            weighted = weight * residual
            gradient = gaussian.gradient(parameters, dy, dx, values, weighted)
            self.add_prior(parameters, information, gradient)
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

    def add_prior(self, parameters, information, gradient):
        """Let widths that the image leaves open tend to the usual one."""
        if self.usual_shape is not None:
            trust = self.dispersion / (SHAPE_SPREAD * self.usual_shape) ** 2
            for k in range(gaussian.SHAPE, parameters.shape[1]):
                usual = self.usual_shape if k < gaussian.SHAPE + 2 else 0.0
                information[:, k, k] += trust
                gradient[:, k] += trust * (usual - parameters[:, k])

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
        total, everyone = self.total(), torch.arange(len(self.parameters))

        def inform(rows):
            dy, dx, values, weight, residual = self.judge(total, rows)
            information = gaussian.information(self.parameters[rows], dy, dx, values, weight)
            return invert(information), (weight * residual**2).sum((1, 2))

        inverse, chi2 = (torch.cat(v) for v in zip(*(result for _, result in self.work(inform, everyone)), strict=True))
        pixels = gaussian.pixels_inside(self.centre, self.reach, self.image.shape)
        each = chi2 / (pixels - self.parameters.shape[1]).clamp_min(1)
        usual = each.median()
        dispersion = torch.where(each > POOR * usual, each, usual).double()
        return dispersion[:, None, None] * widened(inverse[:, :2, :2], self.shared(total, inverse)), dispersion

    def shared(self, total, inverse):
        """Information (N, 2, 2) that positions lose to the neighbours they overlap [1/px²]."""
        result = torch.zeros((len(inverse), 2, 2), dtype=torch.float64)

        def compare(some):
            here, there = self.pairs[some].unbind(1)
            dy, dx, values, weight, _ = self.judge(total, here)
            far_y, far_x = gaussian.distances(self.parameters[there], self.centre[here], self.side)
            far = gaussian.evaluate(self.parameters[there], far_y, far_x)
            return gaussian.cross_information(
                (self.parameters[here], dy, dx), (self.parameters[there], far_y, far_x), values * far * weight
            )

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


def first_guess(image, positions, width, elliptical):
    """Parameters (N, P) to start from: heights of the pixels at each position and on a ring around it."""
    angle = np.arange(12) * np.pi / 6
    ring = 2.2 * width * np.stack([np.sin(angle), np.cos(angle)], -1)
    middle = 0.4 * width * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)

    def heights(offsets):
        pixels = np.rint(positions[:, None] + offsets).astype(int)
        return image[tuple(np.clip(pixels, 0, np.array(image.shape) - 1).transpose(2, 0, 1))]  # (N, offsets)

    around = np.median(heights(ring), axis=1)
    above = 1.3 * (heights(middle).mean(1) - around)
    sign = np.sign(np.median(above)) or 1.0
    above = sign * np.maximum(sign * above, 0.1 * np.abs(np.median(above)) + 1e-6)
    shape = [1 / width**2, 1 / width**2, 0] if elliptical else [1 / width**2]
    columns = [positions, above[:, None], around[:, None], np.tile(shape, (len(positions), 1))]
    return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))


def refine(image, positions, *, spacing=None, width=None, elliptical=False):
    """Fit a Gaussian to every column.

    Parameters
    ----------
    image : (H, W) float array, intensity on a linear scale [arb.]
    positions : (N, 2) float array, (y, x) [px], each within about half a width of its column
    spacing : float, distance of neighbouring columns [px]; the median nearest distance if None
    width : float, standard deviation to start from [px]; a fifth of the spacing if None
    elliptical : bool, fit two widths and an angle in place of one width

    Returns
    -------
    DataFrame : one row per position with y, x, y_std, x_std [px], amplitude, background [intensity],
        width [px] (the geometric mean) and, if elliptical, width_major, width_minor [px] and angle [rad]
        of the major axis from x towards y. Where no fit is possible the position is the given one and
        y_std, x_std are NaN. ``attrs``: spacing [px], gain [intensity per electron],
        dispersion (how much larger the residuals are than counting noise, as a variance).

    Raises
    ------
    ValueError : the image or the positions have the wrong shape, or neither spacing nor width is known

    References
    ----------
    Errors: Mortensen et al., Nature Methods 7 (2010) 377, generalised to overlapping columns.
    """
    positions = np.asarray(positions, float)
    if np.ndim(image) != 2 or positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(
            f"image has shape {np.shape(image)} and positions {positions.shape}; give an (H, W) image and (N, 2) positions."
        )
    if spacing is None and len(positions) > 1:
        spacing = float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))
    if spacing is None and width is None and len(positions):
        raise ValueError("the spacing of a single column is unknown; give spacing or width in pixels.")
    spacing = spacing or 5 * (width or 1.0)
    if len(positions) == 0:
        return table(torch.empty(0, 7 if elliptical else 5), torch.empty(0, 2, 2))
    gain, offset = counting.noise_model(image)
    electrons = torch.from_numpy(((np.asarray(image, np.float64) + offset) / gain).astype(np.float32))
    with single_thread():
        fit = fit_all(electrons, positions, width or spacing / 5, spacing, elliptical)
        covariance, dispersion = fit.covariance()
    result = table(fit.parameters, covariance)
    result["amplitude"] *= gain
    result["background"] = result["background"] * gain - offset
    result.attrs.update(spacing=spacing, gain=gain, dispersion=float(dispersion.median()))
    uncertain = ~(result[["y_std", "x_std"]].max(axis=1, skipna=False) < spacing / 2)
    failed = fit.bounds.reached(fit.parameters).numpy() | uncertain.to_numpy()
    result.loc[failed, ["y", "x"]] = positions[failed]
    result.loc[failed, ["y_std", "x_std"]] = np.nan
    return result


@contextmanager
def single_thread():
    """One torch thread inside: the pieces are so small that threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fit_all(image, positions, width, spacing, elliptical):
    """Fit roughly in windows of the guessed width, then to the end in windows of the width found."""
    start = first_guess(image.numpy(), positions, width, elliptical)
    centre = torch.from_numpy(np.rint(positions).astype(np.int64).clip(0, np.array(image.shape) - 1))
    floor = 1e-3 * float(start[:, gaussian.AMPLITUDE].abs().median()) + 1e-12
    limits = {"shift": LARGEST_SHIFT * spacing, "brightest": float(image.max())}
    bounds = gaussian.Bounds.around(start, widths=(width / 3, 2 * width), **limits)
    rough = Fit(image, centre, start, width, math.ceil(ROUGH_REACH * width), floor, bounds).run(ROUGH_STEPS)
    found = float(rough.parameters[:, gaussian.SHAPE].rsqrt().median())
    bounds = gaussian.Bounds.around(start, widths=(WIDTH_RANGE[0] * found, WIDTH_RANGE[1] * found), **limits)
    fit = Fit(image, centre, rough.parameters, found, math.ceil(REACH * found), floor, bounds)
    fit.usual_shape = found**-2
    return fit.run(STEPS)


def table(parameters, covariance):
    """The columns of the result; see `refine`."""
    values = parameters.double().numpy()
    std = torch.diagonal(covariance, dim1=1, dim2=2)[:, :2].clamp_min(0).sqrt().numpy()
    result = pd.DataFrame({"y": values[:, 0], "x": values[:, 1], "y_std": std[:, 0], "x_std": std[:, 1]})
    result["amplitude"], result["background"] = values[:, gaussian.AMPLITUDE], values[:, gaussian.BACKGROUND]
    if values.shape[1] == gaussian.SHAPE + 1:
        result["width"] = values[:, gaussian.SHAPE] ** -0.5
    else:
        yy, xx, yx = values[:, gaussian.SHAPE :].T
        sharpness, axes = np.linalg.eigh(np.stack([yy, yx, yx, xx], -1).reshape(-1, 2, 2))  # the major axis first
        result["width"] = sharpness.prod(1) ** -0.25
        result["width_major"], result["width_minor"] = (sharpness**-0.5).T
        result["angle"] = np.arctan2(axes[:, 0, 0], axes[:, 1, 0]) % np.pi
    return result
