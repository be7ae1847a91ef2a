"""Unpaired crops: one scale, lattices that go along, nothing paired, the same batch for whoever asks."""

import numpy as np
import pytest
import torch

from atomwork.models import unpaired
from atomwork.models.networks.lattice import unrepeated
from tests.models.test_lattice import HEXAGONAL, waves


@pytest.fixture(scope="module")
def domains():
    """A crystal twice as fine in the one domain as in the other, with other grey levels."""
    fine = 100 + 9 * waves(256, 0.7 * HEXAGONAL).numpy()
    coarse = np.clip(60 + 30 * waves(256, 1.6 * HEXAGONAL).numpy(), 0, 150)
    coarse[:, 120:128] = 255  # a line
    return [unpaired.images(fine[None]), unpaired.drawings(coarse[None].astype(np.uint8))]


def test_lattices_are_found_below_lines(domains):
    for domain, factor in zip(domains, (0.7, 1.6), strict=True):
        lengths = domain.vectors[0].norm(dim=1).numpy()
        assert lengths == pytest.approx(np.linalg.norm(factor * HEXAGONAL, axis=1), rel=0.01)


def test_all_crops_have_one_scale_and_their_lattice(domains):
    batch = unpaired.UnpairedCrops(domains, 6, seed=3, batches=[0])[0]
    assert batch.image.shape == (2, 6, 1, 96, 96)
    lengths = batch.vectors.norm(dim=3).mean(2)
    assert ((lengths / unpaired.SPACING - 1).abs() < unpaired.ZOOM + 0.02).all()
    crystal, lattice = batch.image[0], batch.vectors[0]
    left = unrepeated(crystal, lattice)
    assert (left.std((1, 2, 3)) < 0.1 * crystal.std((1, 2, 3))).all()
    wrong = unrepeated(crystal, 1.3 * lattice)
    assert (wrong.std((1, 2, 3)) > 0.5 * crystal.std((1, 2, 3))).all()


def test_grey_levels_do_not_depend_on_the_scale_of_intensity():
    image = np.random.default_rng(1).normal(size=(64, 64))
    assert torch.allclose(unpaired.normalised(image), unpaired.normalised(1e6 + 4e3 * image), atol=1e-2)
    assert unpaired.normalised(image).std().item() == pytest.approx(1 / unpaired.SPREAD, rel=0.02)


def test_batches_are_the_same_for_whoever_asks(domains):
    series = unpaired.UnpairedCrops(domains, 2, seed=3, batches=range(5))
    later = unpaired.UnpairedCrops(domains, 2, seed=3, batches=range(4, 9))
    assert torch.equal(series[4].image, later[0].image)
    assert not torch.equal(series[4].image, series[3].image)
    assert not torch.equal(series[4].image, unpaired.UnpairedCrops(domains, 2, seed=4, batches=range(5))[4].image)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_crop_keeps_its_lattice(quarters, mirrored):
    crystal, vectors = waves(96, HEXAGONAL)[None], torch.tensor(HEXAGONAL).float()
    image, turned = unpaired.turned(crystal, vectors, quarters, mirrored)
    assert unrepeated(image[None], turned[None]).std() < 0.02 * crystal.std()
