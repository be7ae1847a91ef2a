"""Unpaired crops: one scale, lattices that go along, nothing paired, the same batch for whoever asks."""

import numpy as np
import pytest
import torch

from atomwork.models import unpaired
from atomwork.models.networks.lattice import unrepeated
from atomwork.simulation.drawing import DEFECT_LEVEL
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


def test_no_test_image_is_learned_from_and_no_image_is_in_both_parts(monkeypatch):
    monkeypatch.setattr(unpaired, "lattices", lambda levels, _: torch.zeros(len(levels), 2, 2))
    numbers = np.arange(10)
    levels = np.tile(numbers[:, None, None], (1, 4, 4)).astype(np.uint8)
    levels[:, 0, 0] += 1
    arrays = {"image": levels, "drawing": levels, "is_test": np.isin(numbers, [2, 8, 9])}
    learned, held_back = unpaired.split(arrays, 4, 3)
    seen = [(part[1].image[:, 1, 1] * 255 / unpaired.DRAWN).round().int().tolist() for part in (learned, held_back)]
    assert seen == [[0, 1, 3, 4], [5, 6, 7]]
    with pytest.raises(
        ValueError, match=r"5 images to learn from and 3 to validate on are more than the 7 .*lower n_images to 4"
    ):
        unpaired.split(arrays, 5, 3)


def test_crops_have_defects_more_often_than_chance():
    """One image in eight has a dark spot; of crops that strike, most do."""
    crystals = np.stack([100 + 9 * waves(128, 0.7 * HEXAGONAL).numpy() for _ in range(8)])
    crystals += np.random.default_rng(3).normal(0, 0.5, crystals.shape)
    y, x = np.indices((128, 128))
    crystals[5] -= 40 * np.exp(-((y - 60) ** 2 + (x - 66) ** 2) / 20)
    domain = unpaired.images(crystals)
    batches = unpaired.UnpairedCrops([domain, domain], 8, 1, range(3), side=96)
    spots = [abs(unrepeated(batches[k].image[0], batches[k].vectors[0])).amax((1, 2, 3)) > 1 for k in range(3)]
    assert torch.cat(spots).float().mean() > 0.3


@pytest.mark.parametrize("processes", [1, 2])
def test_every_epoch_goes_on_where_the_last_one_ended(domains, processes):
    """And processes share the endless series, each batch in one of them."""
    stream = unpaired.UnpairedStream(domains, domains, batch_size=2, max_steps=5, steps_per_epoch=2)

    class Trainer:
        current_epoch, strategy = 0, type("S", (), {"root_device": "cpu"})
        global_rank, world_size = 0, processes

    stream.trainer = Trainer()
    whole = unpaired.UnpairedCrops(domains, 2 // processes, 0, range(5 * processes), side=64)
    for Trainer.global_rank in range(processes):
        batches = []
        for Trainer.current_epoch in range(3):
            batches += list(stream.train_dataloader())
        assert len(batches) == 5
        own = range(Trainer.global_rank, 5 * processes, processes)
        assert all(torch.equal(batch.image, whole[k].image) for k, batch in zip(own, batches, strict=True))
        unseen = list(stream.val_dataloader())
        assert len(unseen) == 4 // processes
        assert not any(torch.equal(batch.image[:, :1], batches[0].image[:, :1]) for batch in unseen)


def test_marks_go_along_with_their_crops(domains):
    """Marks that are the image itself stay so, whichever way a crop is turned and scaled; other domains' are unknown."""
    crystal, drawn = domains
    levels = crystal.image.float() * DEFECT_LEVEL / unpaired.DRAWN
    batch = unpaired.UnpairedCrops([crystal.taught(levels.numpy()), drawn], 6, seed=3, batches=[0])[0]
    assert batch.marks.shape == batch.image.shape
    assert torch.allclose(batch.marks[0], batch.image[0], atol=2e-3)
    assert batch.marks[1].isnan().all()
    assert unpaired.UnpairedCrops(domains, 6, seed=3, batches=[0])[0].marks is None


def test_images_to_learn_from_and_to_validate_on_are_taught(monkeypatch):
    monkeypatch.setattr(unpaired, "lattices", lambda levels, _: torch.zeros(len(levels), 2, 2))
    levels = np.random.default_rng(2).integers(0, 255, (4, 8, 8)).astype(np.uint8)
    arrays = {"image": levels, "drawing": levels, "is_test": np.array([False, True, False, False])}
    parts = unpaired.split(arrays, 2, 1, teach=lambda images: 255.0 - images)
    for (images, drawings), rows in zip(parts, ([0, 2], [3]), strict=True):
        assert torch.allclose(
            images.marks.float(), torch.from_numpy(unpaired.DRAWN * (1 - levels[rows] / 255)).float(), atol=1e-3
        )
        assert drawings.marks is None
