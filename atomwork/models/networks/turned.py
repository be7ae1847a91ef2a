"""A network that looks at an image turned as well."""

import torch
from torch import nn

MOST = 4  # quarter turns


class Turned(nn.Module):
    """The mean of what a `ScaleUNet` says of an image and of its turned copies, each turned back.

    Parameters
    ----------
    network : ScaleUNet
    views : int, how many of them, 1 to `MOST`; with all, the result turns with the image
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
    return torch.stack([turn(result, -view) for view, result in enumerate(results)]).mean(0)


def turn(image, quarters):
    """Images (B, C, H, W) turned by quarters; they lie in memory like others, so that sums over them round alike."""
    return image.rot90(quarters, (2, 3)).contiguous()
