"""Gaussians in windows: their values, derivatives and Fisher information by moments, batched in torch.

Parameters are (N, P) tensors: y, x [px], amplitude, background, then one element 1/width² for round
columns or the three elements (yy, xx, yx) of the inverse covariance for elliptical ones [1/px²]. Every
derivative is a polynomial in y and x times the Gaussian, so the information follows from the moments
Σ weight · Gaussian² · yᵖ xʳ about the windows' middles, which one matrix product gives for all columns at once.
"""

from dataclasses import dataclass

import torch

AMPLITUDE, BACKGROUND, SHAPE = 2, 3, 4
# Powers (p, r) of y and x that occur in the derivatives, and those of their products.
_POWERS = torch.tensor([(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)])
_PRODUCTS = _POWERS[:, None] + _POWERS  # (6, 6, 2)


def windows(image, reach):
    """All square windows (H - 2 reach, W - 2 reach, K, K) in an image (H, W), K = 2 reach + 1, without a copy."""
    side = 2 * reach + 1
    return image.unfold(0, side, 1).unfold(1, side, 1)


def pixels_inside(centre, reach, shape):
    """How many pixels (N,) of each window lie in an image of the given shape."""
    sides = [(centre[:, k] + reach).clamp_max(shape[k] - 1) - (centre[:, k] - reach).clamp_min(0) + 1 for k in (0, 1)]
    return sides[0] * sides[1]


def away(parameters, centre):
    """How far each column lies from the middle pixel of a window, (N, 2) [px]."""
    return parameters[:, :2] - centre


def evaluate(parameters, offset, side):
    """Gaussians of unit height, (N, K, K), on the pixels ``side`` (K,) from the windows' middles, columns ``offset`` (N, 2)."""
    dy, dx = (side - offset[..., None]).unbind(1)
    if parameters.shape[1] == SHAPE + 1:  # round: a product of two profiles
        q = parameters[:, SHAPE, None]
        return torch.exp(-0.5 * q * dy**2)[:, :, None] * torch.exp(-0.5 * q * dx**2)[:, None]
    yy, xx, yx = parameters[:, SHAPE:].unbind(1)
    exponent = (yy[:, None] * dy**2)[:, :, None] + (xx[:, None] * dx**2)[:, None]
    return torch.exp(-0.5 * exponent - (yx[:, None] * dy)[:, :, None] * dx[:, None])


def covariances(parameters):
    """Covariance of the Gaussians as rows (yy, xx, yx) of a (3, N) tensor [px²]."""
    if parameters.shape[1] == SHAPE + 1:
        width = parameters[:, SHAPE].reciprocal()
        return torch.stack([width, width, torch.zeros_like(width)])
    return inverse(parameters[:, SHAPE:].T)


def inverse(matrices):
    """Inverse of symmetric 2 x 2 matrices, both as rows (yy, xx, yx) of (3, N) tensors."""
    yy, xx, yx = matrices
    return torch.stack([xx, yy, -yx]) / (yy * xx - yx**2)


def moments(values, side, powers):
    """Σ values · yᵖ xʳ about the windows' middles: (N, K, K) and powers (…, 2) of y and x -> (N, …)."""
    y, x = (side[:, None] ** powers[..., axis].flatten() for axis in (0, 1))  # (K, M)
    basis = (y[:, None] * x).flatten(0, 1)  # (K², M)
    return (values.flatten(1) @ basis).view(-1, *powers.shape[:-1])


def polynomials(parameters, offset):
    """Coefficients (N, P, 6) of the derivatives by all parameters, in the powers of `_POWERS`; 0 for the background.

    Parameters
    ----------
    parameters : (N, P) float tensor
    offset : (N, 2) float tensor, columns from where y and x are counted [px]
    """
    coefficients = about_columns(parameters)
    one, y, x, yy, yx, xx = coefficients.unbind(-1)
    down, right = (offset[:, axis, None] for axis in (0, 1))
    moved = one - y * down - x * right + yy * down**2 + yx * down * right + xx * right**2
    return torch.stack([moved, y - 2 * yy * down - yx * right, x - yx * down - 2 * xx * right, yy, yx, xx], -1)


def about_columns(parameters):
    """`polynomials` with y and x counted from the columns themselves."""
    count, size = parameters.shape
    amplitude, shape = parameters[:, AMPLITUDE], parameters[:, SHAPE:]
    result = torch.zeros((count, size, len(_POWERS)))
    result[:, AMPLITUDE, 0] = 1
    if size == SHAPE + 1:
        result[:, 0, 1] = result[:, 1, 2] = amplitude * shape[:, 0]
        result[:, SHAPE, 3] = result[:, SHAPE, 5] = -0.5 * amplitude
        return result
    result[:, 0, 1], result[:, 0, 2] = amplitude * shape[:, 0], amplitude * shape[:, 2]
    result[:, 1, 1], result[:, 1, 2] = amplitude * shape[:, 2], amplitude * shape[:, 1]
    result[:, SHAPE, 3], result[:, SHAPE + 1, 5], result[:, SHAPE + 2, 4] = -0.5 * amplitude, -0.5 * amplitude, -amplitude
    return result


def information(parameters, offset, side, values, weight):
    """Fisher information (N, P, P), float64, of columns in their windows with weights 1/variance; see `evaluate`."""
    coefficients, shaded = polynomials(parameters, offset), weight * values
    squares = moments(shaded * values, side, _PRODUCTS)  # (N, 6, 6)
    result = coefficients @ squares @ coefficients.mT
    linear = moments(shaded, side, _POWERS)  # (N, 6)
    with_background = (coefficients @ linear[..., None])[..., 0]
    result[:, BACKGROUND], result[:, :, BACKGROUND] = with_background, with_background
    result[:, BACKGROUND, BACKGROUND] = weight.sum((1, 2))
    return result.double()


def cross_information(here, there, side, product):
    """Information (N, P, P), float64, that pairs of columns share.

    Parameters
    ----------
    here, there : tuples (parameters, offset) of the one and the other column, in the window of the first
    side : see `evaluate`
    product : (N, K, K) float tensor, both Gaussians times the weight

    Notes
    -----
    The second column's background does not reach into the first one's window; the first one's is left out.
    """
    shared = moments(product, side, _PRODUCTS)  # (N, 6, 6)
    return (polynomials(*here) @ shared @ polynomials(*there).mT).double()


def gradient(parameters, offset, side, values, weighted_residual):
    """Derivative (N, P), float64, of the log-likelihood; residuals come divided by the variance."""
    force = moments(weighted_residual * values, side, _POWERS)
    result = (polynomials(parameters, offset) @ force[..., None])[..., 0]
    result[:, BACKGROUND] = weighted_residual.sum((1, 2))
    return result.double()


@dataclass(frozen=True)
class Bounds:
    """What parameters a fit may reach.

    Attributes
    ----------
    low, high : (N, P) float tensors
    """

    low: torch.Tensor
    high: torch.Tensor

    @classmethod
    def around(cls, start, *, shift, widths, brightest):
        """Bounds about first guesses (N, P): a shift [px], widths (2,) [px], the brightest pixel."""
        low, high = start.clone(), start.clone()
        low[:, :2] -= shift
        high[:, :2] += shift
        bright = start[:, AMPLITUDE] > 0
        low[:, AMPLITUDE] = torch.where(bright, 1e-6 * brightest, -2 * brightest)
        high[:, AMPLITUDE] = torch.where(bright, 2 * brightest, -1e-6 * brightest)
        low[:, BACKGROUND], high[:, BACKGROUND] = 0, 2 * brightest
        low[:, SHAPE:], high[:, SHAPE:] = widths[1] ** -2, widths[0] ** -2
        low[:, SHAPE + 2 :] = -high[:, SHAPE + 2 :]
        return cls(low, high)

    def step(self, parameters, change, rows):
        """Parameters after a change that stays within bounds and can't more than double a width at once."""
        new = parameters + change
        reach = 0.5 * parameters[:, SHAPE, None].rsqrt()
        new[:, :2] = parameters[:, :2] + change[:, :2].clamp(-reach, reach)
        widths = slice(SHAPE, min(SHAPE + 2, parameters.shape[1]))
        new[:, widths] = torch.minimum(torch.maximum(new[:, widths], parameters[:, widths] / 2), parameters[:, widths] * 2)
        new = torch.minimum(torch.maximum(new, self.low[rows]), self.high[rows])
        if parameters.shape[1] > SHAPE + 1:  # the inverse covariance stays positive
            bound = 0.9 * (new[:, SHAPE] * new[:, SHAPE + 1]).sqrt()
            new[:, SHAPE + 2] = torch.minimum(torch.maximum(new[:, SHAPE + 2], -bound), bound)
        return new

    def reached(self, parameters):
        """Which columns (N,) came to a bound of position or width and so fitted nothing."""
        checked = [0, 1, *range(SHAPE, min(SHAPE + 2, parameters.shape[1]))]
        slack = 1e-4 * (self.high - self.low)
        at_bound = (parameters <= self.low + slack) | (parameters >= self.high - slack)
        return at_bound[:, checked].any(1)
