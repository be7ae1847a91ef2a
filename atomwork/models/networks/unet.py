"""The network of AtomID-Net: a U-Net that draws a confidence map and reads the scale off its bottleneck."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn


def standardise(image):
    """Input channels: the image against its surroundings near and far.

    Each channel is (image − local mean) / local standard deviation, over about 28 and 112 px, so that
    neither the background nor the units matter and a tile looks the same as the whole frame.

    Parameters
    ----------
    image : (B, 1, H, W) float tensor; H and W multiples of 16

    Returns
    -------
    (B, 2, H, W) float tensor, limited to −5…10
    """
    centred = image - image.mean((2, 3), keepdim=True)
    floor = 1e-3 * centred.square().mean((2, 3), keepdim=True) + 1e-20
    channels = []
    for cell in (4, 16):
        mean, square = (local_mean(v, cell) for v in (centred, centred.square()))
        deviation = torch.sqrt((square - mean.square()).clamp_min(0) + floor)
        channels.append(((centred - mean) / deviation).clamp(-5, 10))
    return torch.cat(channels, 1)


def local_mean(image, cell):
    """Mean over about 7 x 7 cells of ``cell`` px, interpolated."""
    coarse = F.avg_pool2d(F.avg_pool2d(image, cell), 7, stride=1, padding=3, count_include_pad=False)
    return F.interpolate(coarse, scale_factor=cell, mode="bilinear", align_corners=False)


def block(inputs, outputs):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU."""
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
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
        self.down = nn.ModuleList(block(before, after) for before, after in pairwise((8, *widths)))
        steps = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, 2) for shallow, deep in steps)
        self.join = nn.ModuleList(block(2 * shallow, shallow) for shallow, _ in steps)
        self.head = nn.Sequential(nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))
        self.branch = nn.Sequential(nn.Conv2d(widths[-1], 64, 1), nn.ReLU(), nn.Conv2d(64, 3, 1))

    def encode(self, image):
        """Features of all levels, the bottleneck first."""
        features, levels = self.stem(standardise(image)), []
        for level, down in enumerate(self.down):
            features = down(F.max_pool2d(features, 2) if level else features)
            levels.insert(0, features)
        return levels

    def scale(self, image):
        """The second result of `forward` alone."""
        return self.branch(self.encode(image)[0])

    def forward(self, image):
        """Confidence logits and scale.

        Parameters
        ----------
        image : (B, 1, H, W) float tensor; H and W multiples of ``stride``

        Returns
        -------
        logits : (B, 1, H, W) float tensor, of a column being centred at a pixel
        scale : (B, 3, H / stride, W / stride) float tensor: log spacing [log px], dark logit, weight logit
        """
        features, *skips = self.encode(image)
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
