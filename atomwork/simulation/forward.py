"""The fast linear image model: columns in, noise-free images out, batched in torch on CPU or GPU.

An image is the columns' impulses convolved with a point-spread function. The impulses are splatted as
narrow Gaussians at their exact sub-pixel places, and the rest of the convolution is done in Fourier
space, so that the cost does not grow with the width of the probe and positions are exact to 10⁻⁴ px.
Images wrap around: leave a margin of three widths and crop it.
"""

import math

import torch

SPLAT_WIDTH = 0.8  # standard deviation of the splat [px]; the narrowest column that can be drawn
SPLAT_REACH = 4  # px, five standard deviations


def splat(positions, amplitudes, image_index, n_images, shape):
    """Narrow Gaussians of unit integral at sub-pixel places, periodic.

    Parameters
    ----------
    positions : (N, 2) float tensor, (y, x) [px]
    amplitudes : (N,) float tensor
    image_index : (N,) int tensor, which image of the batch a column belongs to
    n_images : int
    shape : (H, W) [px]

    Returns
    -------
    (n_images, H, W) float tensor, each impulse a Gaussian of standard deviation `SPLAT_WIDTH`
    """
    height, width = shape
    offsets = torch.arange(-SPLAT_REACH, SPLAT_REACH + 1, device=positions.device)
    nearest = positions.round().long()
    distance = offsets - (positions - nearest)[..., None]  # (N, 2, 9)
    profile = torch.exp(-0.5 * (distance / SPLAT_WIDTH) ** 2) / (SPLAT_WIDTH * math.sqrt(2 * math.pi))
    values = (amplitudes[:, None] * profile[:, 0])[:, :, None] * profile[:, 1][:, None, :]  # (N, 9, 9)
    rows = (nearest[:, :1] + offsets) % height + (image_index * height)[:, None]
    columns = (nearest[:, 1:] + offsets) % width
    flat = rows[:, :, None] * width + columns[:, None, :]
    canvas = torch.zeros(n_images * height * width, device=positions.device, dtype=values.dtype)
    return canvas.index_add_(0, flat.reshape(-1), values.reshape(-1)).view(n_images, height, width)


def frequencies(shape, device=None):
    """Spatial frequencies of a real FFT: ky (H, 1) and kx (1, W // 2 + 1) [1/px]."""
    return torch.fft.fftfreq(shape[0], device=device)[:, None], torch.fft.rfftfreq(shape[1], device=device)[None]


def round_transfer(shape, width):
    """Transfer function that widens `splat`'s impulses to round Gaussians of unit height.

    Parameters
    ----------
    shape : (H, W) [px]
    width : (B,) float tensor, standard deviation, at least `SPLAT_WIDTH` [px]

    Returns
    -------
    (B, H, W // 2 + 1) float tensor
    """
    ky, kx = frequencies(shape, width.device)
    decay = -2 * math.pi**2 * (width**2 - SPLAT_WIDTH**2)[:, None, None]
    return torch.exp(decay * ky**2) * ((2 * math.pi * width**2)[:, None, None] * torch.exp(decay * kx**2))


def elliptical_transfer(shape, width, ratio, angle):
    """The same for elliptical Gaussians.

    Parameters
    ----------
    shape : (H, W) [px]
    width : (B,) float tensor, geometric mean of the two standard deviations, neither below `SPLAT_WIDTH` [px]
    ratio : (B,) float tensor, larger over smaller standard deviation [-]
    angle : (B,) float tensor, direction of the larger one, from the x axis towards y [rad]

    Returns
    -------
    (B, H, W // 2 + 1) float tensor
    """
    ky, kx = frequencies(shape, width.device)
    cosine, sine = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    along, across = cosine * kx + sine * ky, cosine * ky - sine * kx
    major, minor = (width**2 * ratio)[:, None, None], (width**2 / ratio)[:, None, None]
    exponent = (major - SPLAT_WIDTH**2) * along**2 + (minor - SPLAT_WIDTH**2) * across**2
    return (2 * math.pi * width**2)[:, None, None] * torch.exp(-2 * math.pi**2 * exponent)


def convolve(impulses, transfer):
    """Apply a transfer function to (B, H, W) impulses; periodic."""
    return torch.fft.irfft2(torch.fft.rfft2(impulses) * transfer, s=impulses.shape[-2:])


def probe_transfer(shape, width, *, ratio, angle, tail_share, tail_ratio):
    """Transfer function of a probe: an elliptical Gaussian core on broad round tails.

    Parameters
    ----------
    shape, width, ratio, angle : see `elliptical_transfer`
    tail_share : (B,) float tensor, the tails' share of the total intensity [-]
    tail_ratio : (B,) float tensor, width of the tails over that of the core [-]

    Returns
    -------
    (B, H, W // 2 + 1) float tensor; a core without tails has unit height
    """
    core = elliptical_transfer(shape, width, ratio, angle)
    tail = round_transfer(shape, width * tail_ratio)
    share = tail_share[:, None, None]
    return core.mul_(1 - share).add_(tail.mul_(share / (tail_ratio**2)[:, None, None]))
