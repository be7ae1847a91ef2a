"""The networks of CycleGAN: a residual generator and a discriminator that judges patches."""

from torch import nn

BLOCKS = 9  # residual blocks, for images of 256 px
SLOPE = 0.2  # of the discriminator's leaky ReLU below zero
FIRST = 0.02  # standard deviation of the first weights


def layer(inputs, outputs, size, *, transposed=False, **options):
    """A convolution, instance normalisation and ReLU."""
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    return [kind(inputs, outputs, size, **options), nn.InstanceNorm2d(outputs), nn.ReLU(inplace=True)]


def first_weights(network):
    """Draw the weights of all convolutions from one normal distribution."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, FIRST)
            nn.init.zeros_(module.bias)


class Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, width):
        super().__init__()
        options = {"padding": 1, "padding_mode": "reflect"}
        self.layers = nn.Sequential(*layer(width, width, 3, **options), *layer(width, width, 3, **options)[:-1])

    def forward(self, features):
        """Features of the same shape."""
        return features + self.layers(features)


class ResNetGenerator(nn.Sequential):
    """Draws images (B, 1, H, W) of grey levels −1…1 as ones of another domain; H and W multiples of 4.

    Parameters
    ----------
    width : int, channels at the full resolution
    blocks : int, residual blocks

    References
    ----------
    Zhu et al., ICCV (2017) 2223; Johnson et al., ECCV (2016) 694.
    """

    def __init__(self, width=64, blocks=BLOCKS):
        wide, mirrored = 4 * width, {"padding": 3, "padding_mode": "reflect"}
        stretching = {"transposed": True, "stride": 2, "padding": 1, "output_padding": 1}
        super().__init__(
            *layer(1, width, 7, **mirrored),
            *layer(width, 2 * width, 3, stride=2, padding=1),
            *layer(2 * width, wide, 3, stride=2, padding=1),
            *(Block(wide) for _ in range(blocks)),
            *layer(wide, 2 * width, 3, **stretching),
            *layer(2 * width, width, 3, **stretching),
            nn.Conv2d(width, 1, 7, **mirrored),
            nn.Tanh(),
        )
        first_weights(self)


class PatchDiscriminator(nn.Sequential):
    """Logits (B, 1, h, w) of patches of 70 px of images (B, 1, H, W) being real.

    Parameters
    ----------
    width : int, channels of the first layer

    References
    ----------
    Isola et al., CVPR (2017) 1125.
    """

    def __init__(self, width=64):
        layers = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for inputs, outputs, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            convolution = nn.Conv2d(inputs * width, outputs * width, 4, stride, 1)
            layers += [convolution, nn.InstanceNorm2d(outputs * width), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))
        first_weights(self)
