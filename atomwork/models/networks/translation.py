"""The networks of AtomGAN: one generator for every direction, an encoder of how an image of a domain looks, a discriminator.

They are those of StarGAN v2 for grey levels, without its mapping network; a bridged generator also hands the features of
its way down to its way up.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2  # of the leaky ReLU below zero
BRIGHTEST = 1.5  # grey level that no drawn image exceeds
SMALLEST = 4  # px, side of the features that an image becomes one vector from
ODD_FIELD = 32  # px, side of what is judged by what the lattice does not repeat alone
EVEN = 2**-0.5  # keeps the variance of the sum of two branches


@dataclass(frozen=True)
class Size:
    """How wide and deep the networks are.

    Attributes
    ----------
    widths : channels of the generator's levels, each of half the resolution of the one before
    field : int, side of the images that encoder and discriminator take as a whole, a power of two [px]
    code : int, numbers that say how an image of a domain looks
    bridged : bool, the generator's ways down and up are connected at every level
    unrepeated : bool, all networks also see what of an image its lattice does not repeat, and a second judge that alone
    """

    widths: tuple
    field: int
    code: int
    bridged: bool
    unrepeated: bool

    @property
    def seen(self):
        """Channels that the networks see of an image."""
        return 1 + self.unrepeated


SIZES = {
    "paper": Size((64, 128, 256, 512, 512), field=256, code=32, bridged=False, unrepeated=False),
    "compact": Size((24, 48, 96, 128), field=64, code=16, bridged=True, unrepeated=True),
}


class AdaptiveNorm(nn.Module):
    """Instance normalisation whose scale and offset are read off a code.

    References
    ----------
    Huang & Belongie, ICCV (2017) 1501.
    """

    def __init__(self, channels, code):
        super().__init__()
        self.normal, self.linear = nn.InstanceNorm2d(channels), nn.Linear(code, 2 * channels)

    def forward(self, features, code):
        """(1 + γ) · normalised features (B, C, H, W) + β, with γ and β from the code (B, N)."""
        gamma, beta = self.linear(code)[:, :, None, None].chunk(2, 1)
        return (1 + gamma) * self.normal(features) + beta


class PlainNorm(nn.InstanceNorm2d):
    """Instance normalisation with scales and offsets of its own, which no code changes."""

    def __init__(self, channels):
        super().__init__(channels, affine=True)

    def forward(self, features, _):
        """The normalised features."""
        return super().forward(features)


class Unchanged(nn.Module):
    """No normalisation."""

    def forward(self, features, _):
        """The features."""
        return features


def conv(inputs, outputs, size, **options):
    """A convolution that keeps the side of what it sees; borders are mirrored, so that none is drawn."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, padding_mode="reflect" if size > 1 else "zeros", **options)


def halved(features):
    """The features at half the resolution."""
    return F.avg_pool2d(features, 2)


def doubled(features):
    """The features at twice the resolution."""
    return F.interpolate(features, scale_factor=2)


def same(features):
    """The features."""
    return features


class Residual(nn.Module):
    """Two convolutions beside a short cut, each after a normalisation and a leaky ReLU.

    Parameters
    ----------
    inputs, outputs : int, channels
    norm : function of a number of channels to a normalisation of features and code
    before, after : functions that change the resolution before or after the first convolution, as the block does
    narrow : bool, the first convolution keeps the number of channels, else the second does
    """

    def __init__(self, inputs, outputs, norm, *, before=same, after=same, narrow=True):
        super().__init__()
        middle = inputs if narrow else outputs
        self.norms = nn.ModuleList([norm(inputs), norm(middle)])
        self.convs = nn.ModuleList([conv(inputs, middle, 3), conv(middle, outputs, 3)])
        self.short = conv(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        self.before, self.after = before, after

    def forward(self, features, code=None):
        """Features (B, outputs, h, w) of features (B, inputs, H, W)."""
        changed = self.before(F.leaky_relu(self.norms[0](features, code), SLOPE))
        changed = self.after(self.convs[0](changed))
        changed = self.convs[1](F.leaky_relu(self.norms[1](changed, code), SLOPE))
        # at the lower of the two resolutions: a convolution of single pixels commutes with either change
        return EVEN * (changed + self.before(self.short(self.after(features))))


def first_weights(network):
    """Let the convolutions of a network begin with He's variance, and linear layers of a code without offsets."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Generator(nn.Module):
    """Draws an image as one of another domain, as that domain's code says.

    Parameters
    ----------
    size : Size
    """

    def __init__(self, size):
        super().__init__()
        steps, deep = list(pairwise(size.widths)), size.widths[-1]

        def coded(channels):
            return AdaptiveNorm(channels, size.code)

        self.first = conv(size.seen, size.widths[0], 1)
        self.down = nn.ModuleList(Residual(*step, PlainNorm, after=halved) for step in steps)
        self.deep = nn.ModuleList(Residual(deep, deep, norm) for norm in (PlainNorm, PlainNorm, coded, coded))
        self.up = nn.ModuleList(Residual(*step[::-1], coded, before=doubled, narrow=False) for step in steps[::-1])
        bridges = [conv(width, width, 1, bias=False) for width, _ in steps[::-1]] if size.bridged else []
        self.bridges = nn.ModuleList(bridges)
        self.last = nn.Sequential(
            nn.InstanceNorm2d(size.widths[0], affine=True), nn.LeakyReLU(SLOPE), conv(size.widths[0], 1, 1)
        )
        first_weights(self)

    def forward(self, image, code):
        """The image in the other domain.

        Parameters
        ----------
        image : (B, 1 or 2, H, W) float tensor, grey levels of about −1…1, and what the lattice does not repeat if the size
            has it; H and W multiples of the size's stride
        code : (B, N) float tensor of `Encoder`

        Returns
        -------
        (B, 1, H, W) float tensor
        """
        features, levels = self.first(image), []
        for down in self.down:
            levels.insert(0, features)
            features = down(features)
        for block in self.deep:
            features = block(features, code)
        for step, up in enumerate(self.up):
            features = up(features, code)
            if len(self.bridges):
                features = EVEN * (features + self.bridges[step](levels[step]))
        return BRIGHTEST * torch.tanh(self.last(features) / BRIGHTEST)


class Trunk(nn.Sequential):
    """What encoder and discriminator begin with: an image becomes one vector, a larger one several.

    Parameters
    ----------
    size : Size
    channels : int, of the image
    field : int, side of the image that becomes one vector, a power of two [px]
    """

    def __init__(self, size, channels, field):
        blocks = (field // SMALLEST).bit_length() - 1
        widths = [*size.widths[:blocks], *size.widths[-1:] * (blocks + 1)][: blocks + 1]
        super().__init__(
            conv(channels, widths[0], 1),
            *(Residual(*step, lambda _: Unchanged(), after=halved) for step in pairwise(widths)),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(widths[-1], widths[-1], SMALLEST),
            nn.LeakyReLU(SLOPE),
        )
        self.width = widths[-1]

    def forward(self, image):
        """Vectors (B, P, width) of images (B, channels, H, W), one for each of P places that the field fits at."""
        return super().forward(image).flatten(2).mT


class Encoder(nn.Module):
    """How an image of a domain looks, as a code.

    Parameters
    ----------
    size : Size
    domains : int
    """

    def __init__(self, size, domains):
        super().__init__()
        self.trunk = Trunk(size, size.seen, size.field)
        self.heads = nn.ModuleList(nn.Linear(self.trunk.width, size.code) for _ in range(domains))
        first_weights(self)

    def forward(self, image, domain):
        """Codes (B, N) of images (B, 1 or 2, H, W) of domains (B,) int."""
        features = self.trunk(image).mean(1)
        return torch.stack([head(features) for head in self.heads], 1)[torch.arange(len(image)), domain]


class Judge(nn.Module):
    """Whether an image is a real one of a domain, see `Discriminator`."""

    def __init__(self, size, domains, channels, field):
        super().__init__()
        self.trunk = Trunk(size, channels, field)
        self.head = nn.Linear(self.trunk.width, domains)

    def forward(self, image, domain):
        """Logits (B, P), one for each place that the field fits at, of images (B, channels, H, W) of domains (B,) int."""
        return self.head(self.trunk(image))[torch.arange(len(image)), :, domain]


class Discriminator(nn.Module):
    """Whether images are real ones of a domain, by all that is seen and by what the lattice does not repeat alone.

    Parameters
    ----------
    size : Size
    domains : int
    """

    def __init__(self, size, domains):
        super().__init__()
        self.whole = Judge(size, domains, size.seen, size.field)
        self.odd = Judge(size, domains, 1, min(ODD_FIELD, size.field)) if size.unrepeated else None
        first_weights(self)

    def forward(self, image, domain):
        """Logits (B, P) of either judge, or of the one there is, of images (B, 1 or 2, H, W) of domains (B,) int: list."""
        return [self.whole(image, domain)] + ([self.odd(image[:, 1:], domain)] if self.odd is not None else [])
