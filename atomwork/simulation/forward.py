"""The fast linear image model: columns in, noise-free images out, batched in torch on CPU or GPU.

An image is the columns' impulses convolved with a point-spread function. The impulses are splatted as
narrow Gaussians at their exact sub-pixel places, and the rest of the convolution is done in Fourier
space, so that the cost does not grow with the width of the probe and positions are exact to 10⁻⁴ px.
Images wrap around: leave a margin of three widths and crop it.
"""

import math

import numpy as np
import torch
from scipy.fft import next_fast_len

from atomwork.image import Micrograph
from atomwork.simulation.elements import ATOMIC_NUMBER
from atomwork.simulation.motifs import Z_EXPONENT
from atomwork.simulation.optics import Lens, probe_intensity
from atomwork.simulation.views import look_at

SPLAT_WIDTH = 0.8  # standard deviation of the splat [px]; the narrowest column that can be drawn
SPLAT_REACH = 4  # px, five standard deviations
TAILS = 8.0  # Å around an image from where the probe's tails still reach into it


def concatenate(arrays, width=None):
    """Rows of all images as one tensor, float32."""
    shape = (0, 2) if width is None else (0,)
    return torch.from_numpy(np.concatenate([np.empty(shape), *arrays]).astype(np.float32))


def image_indices(arrays):
    """Which image every row of ``arrays`` belongs to, as one int tensor."""
    return torch.from_numpy(np.repeat(np.arange(len(arrays)), [len(a) for a in arrays]))


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


def lens_transfer(shape, pixel_size, lens, width):
    """Transfer function that turns `splat`'s impulses into the probe of a lens, widened by a Gaussian.

    Parameters
    ----------
    shape : (H, W) [px]
    pixel_size : float [Å]
    lens : Lens
    width : float, standard deviation of everything besides the lens: source, thermal motion, the atom itself [Å]

    Returns
    -------
    (1, H, W // 2 + 1) float tensor; an impulse of unit sum keeps it
    """
    extent = tuple(pixel_size * n for n in shape)
    coarse = tuple(2 * math.ceil(2 * lens.cutoff * length) + 3 for length in extent)  # |ψ|² reaches twice the aperture
    optical = np.fft.fft2(probe_intensity(lens, coarse, extent))
    whole = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    low, right = min(coarse[0], shape[0] - 1) // 2, min(coarse[1] // 2, shape[1] // 2) + 1
    whole[: low + 1, :right], whole[-low:, :right] = optical[: low + 1, :right], optical[-low:, :right]
    ky, kx = frequencies(shape)
    widening = torch.exp(-2 * math.pi**2 * ((width / pixel_size) ** 2 - SPLAT_WIDTH**2) * (ky**2 + kx**2))
    return (torch.from_numpy(whole) * widening)[None]


def render(
    specimen,
    *,
    pixel_size=0.1,
    shape=None,
    centre=None,
    angle=0.0,
    lens=None,
    source_size=0.3,
    atom_size=0.08,
    strength=None,
):
    """The high-angle dark-field image of a specimen as the sum of its atoms, each the probe times its strength.

    Incoherent and linear: what lies in front of an atom does not matter to it, a column of n atoms shines n times as
    bright. Checked against multislice in notebook 01.

    Parameters
    ----------
    specimen : Specimen
    pixel_size : float [Å]
    shape, centre, angle : the field of view, see `views.look_at`
    lens : Lens, of the probe; 200 kV and 25 mrad if None
    source_size : float, standard deviation of the effective source [Å]
    atom_size : float, standard deviation of thermal motion and of the atoms' own extent [Å]
    strength : dict, element -> strength, e.g. `imaging.cross_sections` [Å²]; Z^1.7 if None

    Returns
    -------
    Micrograph, strength per area [1/Å²]; the share of the beam on the detector [-] with cross sections

    Raises
    ------
    ValueError : an empty image
    """
    lens = lens or Lens()
    view = look_at(specimen, pixel_size, shape, centre, angle)
    margin = math.ceil(TAILS / pixel_size)
    canvas = tuple(next_fast_len(n + 2 * margin, real=True) for n in view.shape)
    pixels, weight = seen(specimen, strength, view, canvas, margin)
    impulses = splat(pixels, weight / pixel_size**2, torch.zeros(len(pixels), dtype=torch.long), 1, canvas)
    image = convolve(impulses, lens_transfer(canvas, pixel_size, lens, math.hypot(source_size, atom_size)))
    inner = image[0, margin : margin + view.shape[0], margin : margin + view.shape[1]].clamp_min(0).numpy()
    settings = {"imaging": "forward", **vars(lens), "source_size": source_size, "atom_size": atom_size}
    return Micrograph(inner, pixel_size, specimen.name, settings)


def seen(specimen, strength, view, canvas, margin):
    """Atoms on a canvas that has ``margin`` px around a view, those of a periodic specimen repeated.

    Returns
    -------
    pixels : (N, 2) float tensor, (y, x) [px]
    weight : (N,) float tensor, their strength
    """
    places, symbols = specimen.atoms.positions[:, 1::-1], np.array(specimen.atoms.symbols)
    weight = np.zeros(len(symbols))
    for symbol in np.unique(symbols):
        weight[symbols == symbol] = ATOMIC_NUMBER[symbol] ** Z_EXPONENT if strength is None else strength[symbol]
    if specimen.unit is not None:
        size, reach = np.array(specimen.size), view.radius + math.sqrt(2) * TAILS
        low, high = (np.floor((np.array(view.centre) + way * reach) / size).astype(int) for way in (-1, 1))
        cells = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
        places = (cells.reshape(-1, 1, 2) * size + places).reshape(-1, 2)
        weight = np.tile(weight, cells.size // 2)
    pixels = view.to_pixels(places) + margin
    inside = ((pixels >= 0) & (pixels < canvas)).all(1)
    return torch.from_numpy(pixels[inside]).float(), torch.from_numpy(weight[inside]).float()
