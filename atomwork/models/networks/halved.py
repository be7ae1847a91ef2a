"""Inference in 16 bits where the processor computes in them."""

import torch
from torch import nn


def in_hardware():
    """Whether the processor is known to multiply in bf16, which halves a network's time; elsewhere it is only emulated."""
    known = getattr(torch.cpu, "get_capabilities", dict)()  # earlier versions of torch don't tell
    return any(known.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


class Halved(nn.Module):
    """A `ScaleUNet` for inference whose convolutions run in bf16 where `in_hardware`.

    Parameters
    ----------
    network : ScaleUNet, whose last layers are replaced by ones that stay at 32 bits

    Notes
    -----
    With the three digits of bf16 in the results neighbouring pixels of a peak would tie, and a spacing be off by up to 1 %.
    """

    def __init__(self, network):
        super().__init__()
        self.network, self.stride = network, network.stride
        network.head, network.branch = Whole(*network.head), Whole(*network.branch)

    def scale(self, image):
        """See `ScaleUNet.scale`; at 32 bits, for all that follows depends on it."""
        return self.network.scale(image)

    def forward(self, image, variance=None):
        """See `ScaleUNet.forward`."""
        with torch.autocast("cpu", torch.bfloat16, enabled=in_hardware()):
            return self.network(image, variance)


class Whole(nn.Sequential):
    """Layers that compute in 32 bits under autocast as well."""

    def forward(self, features):
        """The layers' result, float32."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(features.float())
