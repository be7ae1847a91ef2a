"""Turned views of an image: what is averaged is turned back."""

import pytest
import torch

from atomwork.models.networks.turned import MOST, Turned, turn
from atomwork.models.networks.unet import ScaleUNet


@pytest.fixture
def image():
    return torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def network():
    torch.manual_seed(3)
    return ScaleUNet((4, 8)).eval()


def test_every_view_is_another_and_is_turned_back(image):
    views = [turn(image, view) for view in range(MOST)]
    assert len({view.contiguous().numpy().tobytes() for view in views}) == MOST
    for number, view in enumerate(views):
        assert torch.equal(turn(view, -number), image)
        assert view.is_contiguous()  # else sums over it round otherwise than over an image that came turned


@torch.inference_mode()
def test_one_view_is_the_network_itself(image, network):
    for ours, plain in zip(Turned(network, 1)(image), network(image), strict=True):
        assert torch.equal(ours, plain)


@torch.inference_mode()
def test_with_all_views_the_result_turns_with_the_image(image, network):
    whole, straight = Turned(network, MOST), network(image)[0]
    for number in range(MOST):
        for turned, plain in zip(whole(turn(image, number)), whole(image), strict=True):
            assert torch.allclose(turned, turn(plain, number), atol=1e-5)
    assert not torch.allclose(turn(network(turn(image, 1))[0], -1), straight, atol=1e-3)  # which it doesn't by itself
