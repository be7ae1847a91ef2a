"""Amorphous carbon in drawn images: a thin film's speckle, and a thick support's unrest on every length.

A thin film is noise as wide as the probe. A thick one varies more the farther one looks, as a rough surface does: its
amplitudes fall with a power of the spatial frequency. What hides a column is the part of it that is as wide as a column.
"""

import math

import numpy as np
import torch

from atomwork.simulation import forward, noise
from atomwork.simulation.chance import log_uniform, sometimes

FILM, GRAIN = (0.01, 0.2), (1.0, 2.5)  # speckle of a film over the height of a column, and its width over a column's [-]
UNREST, SLOPE = (0.1, 4.0), (1.0, 2.0)  # deviation of a support over that height, and power of its amplitudes' fall [-]
WIDER = 2.0  # how much wider the surroundings are than the column that is compared with them [-]
SEEN = 1 / 2 - 1 / (1 + WIDER**2)  # height of a column of unit height in that comparison [-]
NEARBY = 3.0  # widths of a column over which the unrest around it is averaged [-]
HOLES = (2, 6)  # half-waves across an image of the places where a support has holes


def under(rng, torch_rng, clean, height, widths, support_share):
    """Films under four of ten images, and thick supports under a share of them.

    Parameters
    ----------
    rng : numpy.random.Generator
    torch_rng : torch.Generator on the device of ``clean``
    clean : (B, H, W) float tensor, the columns alone [arb.]
    height : (B,) float array, of the columns in it [arb.]
    widths : (B,) float array, standard deviation of the columns [px]
    support_share : float, share of images on a thick support [-]

    Returns
    -------
    texture : (B, H, W) float tensor, the carbon [arb.]
    unrest : (B, H, W) float tensor, height of the columns that it feigns, as a standard deviation [arb.]
    """
    count, shape = len(clean), clean.shape[-2:]

    def tensor(values):
        return torch.as_tensor(values, dtype=torch.float32, device=clean.device)

    strength = height * sometimes(rng, 0.4, *FILM, count)
    film = speckle(torch_rng, strength, tensor(widths * log_uniform(rng, *GRAIN, count)), shape)
    of_film = noise.per_image(strength, clean).expand_as(clean)
    if not support_share:
        return film, of_film
    strength = height * np.where(rng.random(count) < support_share, log_uniform(rng, *UNREST, count), 0)
    thick, unrest = support(torch_rng, strength, tensor(rng.uniform(*SLOPE, count)), tensor(widths), shape)
    return film + thick, torch.hypot(of_film, unrest)


def speckle(torch_rng, strength, width, shape):
    """White noise seen through a probe.

    Parameters
    ----------
    torch_rng : torch.Generator on the device of ``width``
    strength : (B,) array, standard deviation [arb.]
    width : (B,) float tensor, of the probe [px]
    shape : (H, W) [px]

    Returns
    -------
    (B, H, W) float tensor of zero mean
    """

    def grain(some, white):
        return forward.convolve(white, forward.round_transfer(shape, width[some]))

    return textured(torch_rng, strength, width.device, shape, grain)


def support(torch_rng, strength, slope, width, shape):
    """A rough support seen through a probe, and how much it hides; half of the supports have holes.

    Parameters
    ----------
    torch_rng : torch.Generator on the device of ``width``
    strength : (B,) array, standard deviation where there are no holes, columns being of unit height [-]
    slope : (B,) float tensor, its amplitudes fall with this power of the frequency [-]
    width : (B,) float tensor, standard deviation of a column and of the probe [px]
    shape : (H, W) [px]

    Returns
    -------
    texture : (B, H, W) float tensor, zero where it is thinnest
    unrest : (B, H, W) float tensor, height of the columns that the texture feigns, as a standard deviation nearby
    """
    frequency = torch.hypot(*forward.frequencies(shape, width.device))
    frequency[0, 0] = math.inf

    def rough(some, white):
        return forward.convolve(white, frequency ** -slope[some, None, None] * blur(shape, width[some]))

    texture = textured(torch_rng, strength, width.device, shape, rough)
    texture = texture - texture.amin((1, 2), keepdim=True)
    holes = noise.patches(texture, torch_rng, int(torch.randint(*HOLES, (1,), generator=torch_rng, device=width.device)))
    holed = torch.rand((len(texture), 1, 1), generator=torch_rng, device=width.device) < 0.5
    texture = torch.where(holed, texture * (1 - holes), texture)
    return texture, forward.convolve(feigned(texture, width).square(), blur(shape, NEARBY * width)).clamp_min(0).sqrt()


def feigned(texture, width):
    """The height that a column at each place would have for what a texture shows there: how far it stands out nearby.

    Parameters
    ----------
    texture : (B, H, W) float tensor, periodic [arb.]
    width : (B,) float tensor, standard deviation of a column [px]
    """
    shape = texture.shape[-2:]
    return forward.convolve(texture, blur(shape, width) - blur(shape, WIDER * width)) / SEEN


def blur(shape, width):
    """Transfer function (B, H, W // 2 + 1) of Gaussians of unit sum and standard deviation ``width`` (B,) [px]."""
    ky, kx = forward.frequencies(shape, width.device)
    return torch.exp(-2 * (math.pi * width[:, None, None]) ** 2 * (ky**2 + kx**2))


def textured(torch_rng, strength, device, shape, texture):
    """Random textures (B, H, W) of given deviations, ``texture`` (images, their white noise) being asked where not 0."""
    strength = torch.as_tensor(strength, dtype=torch.float32, device=device)
    result = torch.zeros((len(strength), *shape), device=device)
    some = torch.nonzero(strength > 0)[:, 0]
    if len(some):
        grain = texture(some, torch.randn((len(some), *shape), generator=torch_rng, device=device))
        result[some] = strength[some, None, None] * grain / grain.square().mean((1, 2), keepdim=True).sqrt()
    return result
