"""What 16 bits may cost: little of the map, nothing of how finely it tells neighbouring pixels apart."""

import copy

import numpy as np
import pytest
import torch

from atomwork import weights
from atomwork.models.detector import AtomIDNet
from atomwork.models.networks import halved
from atomwork.models.networks.halved import Halved
from atomwork.models.networks.unet import pool_scale
from atomwork.simulation import batches


@pytest.fixture(scope="module")
def network():
    """The shipped network for inference."""
    return AtomIDNet.from_weights(*weights.load("atomid")).inference_network()


@pytest.fixture(scope="module")
def image():
    recipe = batches.Recipe(size=256, spacing=(8.0, 10.0), dose=(20.0, 200.0))
    return batches.seeded_batch(np.random.SeedSequence(5), recipe, 4).image


def ties(logits):
    """Share of pixels as high as the one beside them."""
    return (logits[..., 1:] == logits[..., :-1]).float().mean().item()


def test_the_map_and_the_spacing_stay_within_a_percent(network, image):
    with torch.inference_mode():
        whole, quick = network(image), Halved(copy.deepcopy(network))(image)
    assert all(result.dtype == torch.float32 for result in quick)
    difference = (torch.sigmoid(whole[0]) - torch.sigmoid(quick[0])).abs()
    assert difference.max() < 0.1
    assert difference.mean() < 1e-3
    assert pool_scale(quick[1])[0] == pytest.approx(pool_scale(whole[1])[0], abs=0.01)


@pytest.mark.skipif(not halved.in_hardware(), reason="this processor does not compute in bf16")
def test_neighbouring_pixels_are_told_apart_though_the_convolutions_are_short(network, image):
    with torch.inference_mode():
        whole, quick = network(image)[0], Halved(copy.deepcopy(network))(image)[0]
        with torch.autocast("cpu", torch.bfloat16):
            short = network(image)[0]
    assert not torch.equal(whole, quick)  # it did run in bf16
    assert ties(short) > 0.01 > 1e-4 > ties(quick)


def test_a_torch_that_does_not_tell_what_the_processor_can_do_is_not_asked_for_it(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not halved.in_hardware()


def test_elsewhere_nothing_changes(network, image, monkeypatch):
    monkeypatch.setattr(halved, "in_hardware", lambda: False)
    quick = Halved(copy.deepcopy(network))
    with torch.inference_mode():
        for plain, same in zip(network(image), quick(image), strict=True):
            assert torch.equal(plain, same)
        assert torch.equal(network.scale(image), quick.scale(image))
