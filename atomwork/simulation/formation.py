"""Named ways from a noise-free image to a recorded one, each as its paper has it, over the noise of `noise`.

As there, every image is a (B, H, W) tensor, every strength a number or of shape (B,); a function draws from the
``torch.Generator`` it is given, for which `generators` is one way, and runs where its input lies.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from atomwork.simulation import noise

REACH = 4.0  # standard deviations from which a Gaussian blur is cut off
WAVES = 3  # half-waves across the image of the fastest part of a smooth background


def generators(sequence, device="cpu"):
    """The two sources of chance of one simulated image: for its scene and, independently, for its noise.

    Parameters
    ----------
    sequence : numpy.random.SeedSequence, or int for one; it stays as it is, so that it gives the same generators again
    device : torch.device or str, where the noise is drawn

    Returns
    -------
    numpy.random.Generator, torch.Generator on the device
    """
    sequence = sequence if isinstance(sequence, np.random.SeedSequence) else np.random.SeedSequence(sequence)
    # not sequence.spawn, which gives other children every time it is called
    scene, pixels = (np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, child)) for child in (0, 1))
    return np.random.default_rng(scene), torch.Generator(device).manual_seed(int(pixels.generate_state(1)[0]))


def atomgan(image, *, rng, alpha, blur):
    """AtomGAN's images: blurred, stored as grey levels, and with Poisson noise of those levels added.

    Parameters
    ----------
    image : (B, H, W) float tensor, intensity [arb.]
    rng : torch.Generator on the image's device
    alpha : float or (B,), weight of the Poisson part [-]; the paper's is 0.40…0.70
    blur : float or (B,), standard deviation of the blur [px]; the paper's is 1…2

    Returns
    -------
    (B, H, W) float tensor, GB + alpha·Poisson(GB) with GB the grey levels 0…255 of the blurred image, so that its mean
        is (1 + alpha)·GB and its variance alpha²·GB

    References
    ----------
    Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410.
    """
    levels = noise.eight_bit(gaussian_blur(image, blur), 1.0, 0.0)
    return levels + noise.per_image(alpha, image) * noise.poisson(levels, rng)


def temimagenet(image, *, rng, dose, background, jitter, readout=0.0):
    """TEMImageNet's images: a smooth background, displaced scan lines and counted electrons.

    Parameters
    ----------
    image : (B, H, W) float tensor, non-negative: strength ⊗ probe ⊗ source, e.g. of `forward.render` [arb.]
    rng : torch.Generator on the image's device
    dose : float or (B,), expected electrons in the brightest pixel, background included [e⁻/px]
    background : float or (B,), see `with_background` [-]
    jitter : float or (B,), standard deviation of the scan lines' displacement [px]
    readout : float or (B,), Gaussian noise of the detector [e⁻]

    Returns
    -------
    (B, H, W) float tensor, electrons [e⁻]

    References
    ----------
    Lin et al., Sci. Rep. 11 (2021) 5386.
    """
    lit = with_background(image, rng=rng, height=background)
    return noise.degrade(lit, rng=rng, dose=dose, jitter=jitter, readout=readout)


def with_background(image, *, rng, height):
    """Add a smooth random background that reaches from 0 to ``height``, in units of the image's brightest pixel.

    Parameters
    ----------
    image : (B, H, W) float tensor, intensity [arb.]
    rng : torch.Generator on the image's device
    height : float or (B,), highest background over the brightest pixel [-]; 0 leaves the image as it is

    Returns
    -------
    (B, H, W) float tensor
    """
    field = noise.smooth_field(image, rng, WAVES)
    low, high = field.amin((1, 2), keepdim=True), field.amax((1, 2), keepdim=True)
    highest = noise.per_image(height, image) * image.amax((1, 2), keepdim=True)
    return image + highest * (field - low) / (high - low).clamp_min(1e-12)  # one pixel has no range


def gaussian_blur(image, width):
    """Blur by a Gaussian; beyond its border an image goes on as its outermost pixels do.

    Parameters
    ----------
    image : (B, H, W) float tensor
    width : float or (B,), standard deviation [px]; 0 leaves the image as it is

    Returns
    -------
    (B, H, W) float tensor
    """
    width = noise.per_image(width, image).expand(len(image), 1, 1)
    reach = math.ceil(REACH * float(width.max()))
    offsets = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offsets / width.clamp_min(1e-3)) ** 2)  # (B, 1, K); the middle alone where the width is 0
    kernel = (kernel / kernel.sum(-1, keepdim=True))[:, None]  # (B, 1, 1, K)
    padded = F.pad(image[None], (reach,) * 4, mode="replicate")  # (1, B, H + 2 reach, W + 2 reach)
    rows = F.conv2d(padded, kernel, groups=len(image))
    return F.conv2d(rows, kernel.mT, groups=len(image))[0]
