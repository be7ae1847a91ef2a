"""What of an image its lattice does not repeat: defects, fronts, and the noise that another image is to be given."""

import math

import torch
import torch.nn.functional as F

WIDE = 3  # frequencies across a ring of a spectrum


def neighbours(vectors):
    """The six shortest translations of lattices: (B, 6, 2) of vectors (B, 2, 2) as rows (y, x)."""
    first, second = vectors.unbind(1)
    third = torch.where(((first * second).sum(1) > 0)[:, None], first - second, first + second)
    return torch.stack([first, -first, second, -second, third, -third], 1)


def unrepeated(image, vectors):
    """Images less the median of what stands one translation away, in six directions.

    A column that is missing or odd stands alone in it, with its full contrast and without ghosts at its neighbours. Where a
    translation leads out of the image the others count.

    Parameters
    ----------
    image : (B, 1, H, W) float tensor
    vectors : (B, 2, 2) float tensor, the shortest vectors of each image's lattice as rows, (y, x) [px]

    Returns
    -------
    (B, 1, H, W) float tensor; zero where no translation stays within the image
    """
    count, _, height, width = image.shape
    y = torch.arange(height, device=image.device, dtype=torch.float32)[:, None].expand(height, width)
    x = torch.arange(width, device=image.device, dtype=torch.float32).expand(height, width)
    shift = neighbours(vectors).flatten(0, 1)[:, :, None, None]  # (6B, 2, 1, 1)
    y, x = y + shift[:, 0], x + shift[:, 1]  # (6B, H, W)
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
    beside = F.grid_sample(image.float().repeat_interleave(6, 0), grid, mode="bicubic", align_corners=True)
    outside = (y < 0) | (y > height - 1) | (x < 0) | (x > width - 1)
    beside = beside.masked_fill(outside[:, None], torch.nan).unflatten(0, (count, 6))
    # of an even number of values `nanmedian` takes the lower of the middle two
    middle = 0.5 * (beside.nanmedian(1).values - (-beside).nanmedian(1).values)
    return torch.where(middle.isnan(), 0.0, image - middle.nan_to_num())


def noise_like(image, vectors, chance):
    """Noise of the spectrum that images have besides their lattices.

    Parameters
    ----------
    image : (B, 1, H, W) float tensor
    vectors : (B, 2, 2) float tensor, see `unrepeated`
    chance : torch.Generator on the images' device

    Returns
    -------
    (B, 1, H, W) float tensor
    """
    left = unrepeated(image, vectors)
    power = torch.fft.fft2(left).abs().square()
    ring = rings(image.shape[-2:], image.device)
    # a ring's median is not moved by the few frequencies of a front, and is as much below what independent neighbours would
    # leave in the mean as their noise adds
    medians = torch.stack([power[:, 0, ring == k].median(1).values for k in range(int(ring.max()) + 1)], 1)
    amplitude = (medians / math.log(2)).sqrt()[:, ring][:, None] / math.sqrt(left[0].numel())
    white = torch.randn(image.shape, generator=chance, device=image.device)
    return torch.fft.ifft2(torch.fft.fft2(white) * amplitude).real


def rings(shape, device):
    """The ring of a spectrum, `WIDE` frequencies across, on which each frequency lies: (H, W) int tensor."""
    y, x = (torch.fft.fftfreq(length, device=device) for length in shape)
    return (torch.hypot(y[:, None], x) * min(shape) / WIDE).long()
