"""A network that looks at an image turned and mirrored as well."""

import torch
from torch import nn

MOST = 8  # quarter turns of an image and of its mirror image


class Turned(nn.Module):
    """The mean of what a `ScaleUNet` says of an image and of its turned and mirrored copies, each turned back.

    Parameters
    ----------
    network : ScaleUNet
    views : int, how many of them, 1 to `MOST`: quarter turns first, then those of the mirror image. With all of them, the
        result turns with the image
    """

    def __init__(self, network, views):
        super().__init__()
        self.network, self.views, self.stride = network, views, network.stride

    def scale(self, image):
        """See `ScaleUNet.scale`."""
        return mean([self.network.scale(turn(image, view)) for view in range(self.views)])

    def forward(self, image, variance=None):
        """See `ScaleUNet.forward`."""
        results = [self.network(turn(image, view), variance) for view in range(self.views)]
        return tuple(mean(kind) for kind in zip(*results, strict=True))


def mean(results):
    """The mean of what was said of each view, turned back."""
    return torch.stack([turn_back(result, view) for view, result in enumerate(results)]).mean(0)


def turn(image, view):
    """Copy number ``view`` of images (B, C, H, W)."""
    turned = image.rot90(view % 4, (2, 3))
    return turned.flip(3) if view >= 4 else turned


def turn_back(image, view):
    """Undo `turn`."""
    straight = image.flip(3) if view >= 4 else image
    return straight.rot90(-(view % 4), (2, 3))
