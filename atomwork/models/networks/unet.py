"""The network of AtomID-Net: a U-Net that draws a confidence map and reads the scale off its bottleneck."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

ROOT_MEAN = 0.64  # (mean √|white noise − its mean over 3 x 3 px|)² over its deviation


def standardise(image, variance=None):
    """Input channels: the image against its surroundings near and far, and its blobs against the noise.

    Two channels are (image − local mean) / local standard deviation, over about 28 and 112 px, so that
    neither the background nor the units matter and a tile looks the same as the whole frame. In two more
    the columns that those leave dim beside bright ones stand out: the mean over 3 px less that over 10 and
    the mean over 5 less that over 14, in units of the local noise, ± log(1 + |ratio|).

    Parameters
    ----------
    image : (B, 1, H, W) float tensor; H and W multiples of 16
    variance : float tensor, that of the frame of which the image is a tile, whose mean is near zero already (every tile's own
        would be rounded off otherwise); the image's own if None

    Returns
    -------
    (B, 4, H, W) float tensor; the first two channels limited to −5…10
    """
    if variance is None:
        image = image - image.mean((2, 3), keepdim=True)
        variance = image.square().mean((2, 3), keepdim=True)
    fine = box_mean(image)
    roots = (image - fine).abs().sqrt()  # few bright columns hardly move their mean
    pooled = torch.cat([F.avg_pool2d(pixels, 4) for pixels in (image, image.square(), roots)], 1)
    *near, root = stretched(box_mean(pooled, 7), 4).split(1, 1)
    far = stretched(box_mean(F.avg_pool2d(pooled[:, :2], 4), 7), 16).split(1, 1)
    channels = []
    for mean, square in (near, far):
        deviation = torch.sqrt((square - mean.square()).clamp_min(0) + 1e-3 * variance + 1e-20)
        channels.append(((image - mean) / deviation).clamp(-5, 10))
    noise = root.square() / ROOT_MEAN + 1e-3 * variance.sqrt() + 1e-10
    halves = F.avg_pool2d(image, 2)
    around = stretched(torch.cat([box_mean(halves, cells) for cells in (5, 7)], 1), 2).split(1, 1)
    for blob, size, mean in ((fine, 3, around[0]), (box_mean(fine), 5, around[1])):
        ratio = (blob - mean) * (size / noise)
        channels.append(ratio.sign() * torch.log1p(ratio.abs()))
    return torch.cat(channels, 1)


def box_sum(image, size):
    """Sum over ``size`` x ``size`` px around every pixel; on a CPU far faster than pooling."""
    height, width = image.shape[2:]
    padded = F.pad(image, (size // 2,) * 4)
    rows = sum(padded[:, :, k : k + height] for k in range(size))
    return sum(rows[..., k : k + width] for k in range(size))


def box_mean(image, size=3):
    """Mean over ``size`` x ``size`` px around every pixel, of those that the image has."""
    rows, columns = (known(length, size, image) for length in image.shape[2:])
    return box_sum(image, size) / (rows[:, None] * columns)


def known(length, size, like):
    """How many of the ``size`` px around each of a line (length,) there are."""
    place = torch.arange(length, device=like.device)
    return ((place + size // 2).clamp_max(length - 1) - (place - size // 2).clamp_min(0) + 1).to(like.dtype)


def stretched(image, times):
    """The image on pixels so many times smaller, interpolated."""
    return F.interpolate(image, scale_factor=times, mode="bilinear", align_corners=False)


def block(inputs, outputs):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU."""
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class ScaleUNet(nn.Module):
    """U-Net with a pixel-unshuffle stem and a branch for the scale.

    Parameters
    ----------
    widths : sequence of int, channels per level; level 0 works at half the image's resolution

    Notes
    -----
    The stem folds 2 x 2 pixels into channels, which quarters the cost of every layer and loses nothing.
    The branch gives, for every cell of the bottleneck, log spacing, a logit for dark columns and a weight;
    their weighted mean replaces the paper's global average pooling, so that empty regions do not vote.
    """

    def __init__(self, widths=(24, 48, 96, 128)):
        super().__init__()
        self.stride = 2 ** len(widths)
        self.stem = nn.PixelUnshuffle(2)
        self.down = nn.ModuleList(block(before, after) for before, after in pairwise((16, *widths)))
        steps = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, 2) for shallow, deep in steps)
        self.join = nn.ModuleList(block(2 * shallow, shallow) for shallow, _ in steps)
        self.head = nn.Sequential(nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))
        self.branch = nn.Sequential(nn.Conv2d(widths[-1], 64, 1), nn.ReLU(), nn.Conv2d(64, 3, 1))

    def hidden_weights(self):
        """The kernels of all convolutions but the last ones, whose outputs are the results."""
        last = {self.head[0].weight, self.branch[-1].weight}
        return [p for p in self.parameters() if p.ndim == 4 and p not in last]

    def encode(self, image, variance=None):
        """Features of all levels, the bottleneck first."""
        seen = standardise(image, variance).contiguous(memory_format=torch.channels_last)
        features, levels = self.stem(seen), []
        for level, down in enumerate(self.down):
            features = down(F.max_pool2d(features, 2) if level else features)
            levels.insert(0, features)
        return levels

    def scale(self, image):
        """The second result of `forward` alone."""
        return self.branch(self.encode(image)[0])

    def forward(self, image, variance=None):
        """Confidence logits and scale.

        Parameters
        ----------
        image : (B, 1, H, W) float tensor; H and W multiples of ``stride``
        variance : see `standardise`

        Returns
        -------
        logits : (B, 1, H, W) float tensor, of a column being centred at a pixel
        scale : (B, 3, H / stride, W / stride) float tensor: log spacing [log px], dark logit, weight logit
        """
        features, *skips = self.encode(image, variance)
        scale = self.branch(features)
        for up, join, skip in zip(self.up, self.join, skips, strict=True):
            features = join(torch.cat([up(features), skip], 1))
        return self.head(features), scale


def pool_scale(scale):
    """Log spacing and dark logit of whole images, the cells' votes weighted.

    Parameters
    ----------
    scale : (B, 3, h, w) float tensor from `ScaleUNet`

    Returns
    -------
    log_spacing, dark : (B,) float tensors
    """
    log_spacing, dark, weight = scale.flatten(2).unbind(1)
    share = weight.softmax(-1)
    return (share * log_spacing).sum(-1), (share * dark).sum(-1)
