"""Data sets: the same seed gives the same bytes, and nothing is shared between training, validation and test."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from atomwork.columns import peaks
from atomwork.simulation import batches, cells, crystals, datasets, motifs, scenes, truth
from atomwork.simulation.recipes import subjects


@pytest.fixture(scope="module")
def batch():
    recipe = batches.Recipe(spacing=(8.0, 20.0), dose=(50.0, 500.0))
    return batches.seeded_batch(np.random.SeedSequence(3), recipe, 24)


def test_shapes_and_ranges(batch):
    assert batch.image.shape == batch.target.shape == batch.weight.shape == (24, 1, 128, 128)
    for values in (batch.target, batch.weight):
        assert values.min() >= 0
        assert values.max() <= 1
    assert torch.isfinite(batch.image).all()
    assert len(batch.columns) == len(batch.optional) == len(batch.names) == 24


def test_target_peaks_at_the_columns_that_count(batch):
    for k in range(24):
        columns = batch.columns[k]
        if len(columns):
            on_map = batch.target[k, 0].numpy()[tuple(np.rint(columns).astype(int).T)]
            assert on_map.min() > 0.6  # at most 0.7 px from a peak of at least 1.4 px of width
            inner = ((columns > 4) & (columns < 123)).all(1)
            found = peaks.find(batch.target[k, 0].numpy(), lower_bound=0.6, window_size=0.4 * batch.spacing[k].item())
            assert len(found) >= inner.sum() * 0.9


def test_a_column_centred_just_beyond_the_border_may_be_found(batch):
    beyond = 0
    for k in range(24):
        target, known = batch.target[k, 0].numpy(), np.concatenate([batch.columns[k], batch.optional[k]])
        rim = np.array([(y, x) for y, x in np.argwhere(target > 0.8) if {y, x} & {0, 127}])
        if len(rim):
            assert cKDTree(known).query(rim)[0].max() < batch.spacing[k] / 2  # Gaussians that overlap peak between columns
        beyond += ((batch.optional[k] < 0) | (batch.optional[k] > 127)).any(1).sum()
        assert ((batch.columns[k] >= 0) & (batch.columns[k] <= 127)).all()
    assert beyond > 24


def test_images_without_columns_have_no_spacing(batch):
    for k, name in enumerate(batch.names):
        if name == "empty":
            assert torch.isnan(batch.spacing[k])
            assert batch.target[k].max() == 0
    assert torch.isfinite(batch.spacing[[len(c) > 0 for c in batch.columns]]).all()


def test_columns_are_bright_or_dark_as_the_truth_says():
    recipe = batches.Recipe(
        families={"lattice": 1}, dark_share=0.5, spacing=(14.0, 20.0), dose=(900.0, 1000.0), width=(0.15, 0.2)
    )
    batch = batches.seeded_batch(np.random.SeedSequence(1), recipe, 24)
    for k in range(24):
        image = batch.image[k, 0].numpy()
        if len(batch.columns[k]) > 5:
            at_columns = image[tuple(np.rint(batch.columns[k]).astype(int).T)].mean()
            assert (at_columns < image.mean()) == bool(batch.dark[k])


@pytest.mark.parametrize("factor", [2, 3])
def test_a_reduced_batch_shows_its_columns_where_its_target_peaks(factor):
    recipe = batches.Recipe(families={"lattice": 1}, spacing=(8.0, 12.0), dose=(900.0, 1000.0), dark_share=0.0, cuts=False)
    fine = batches.seeded_batch(np.random.SeedSequence(4), recipe.finer(factor), 6)
    coarse = batches.reduced(fine, factor)
    assert coarse.image.shape == coarse.target.shape == coarse.weight.shape == (6, 1, 128, 128)
    assert torch.allclose(coarse.spacing, fine.spacing / factor)
    for moved, right in ((0.0, True), (0.25, False)):
        places = [columns + moved for columns in coarse.columns]
        drawn = truth.draw_targets(places, [np.empty((0, 2))] * 6, coarse.spacing.numpy(), np.full(6, 2.0), (128, 128), "cpu")
        inner = slice(12, -12)  # columns beyond the border shine into the image
        assert torch.allclose(coarse.target[:, 0, inner, inner], drawn[0][:, inner, inner], atol=0.03) == right
    for image, columns in zip(coarse.image[:, 0].numpy(), coarse.columns, strict=True):
        if len(columns) > 5:
            assert image[tuple(np.rint(columns).astype(int).T)].mean() > image.mean()


def test_every_batch_has_one_of_the_reductions_and_the_same_size():
    recipe = batches.Recipe(size=64, families={"lattice": 1}, width=(0.2, 0.2), reductions=(1, 2))
    images = [batches.seeded_batch(np.random.SeedSequence(k), recipe, 1).image for k in range(12)]
    assert {image.shape for image in images} == {(1, 1, 64, 64)}
    whole = [bool((image == image.round()).all()) for image in images]  # counts or grey levels, unless reduced
    assert 0 < sum(whole) < 12


def test_a_sequence_can_be_used_twice():
    sequence = np.random.SeedSequence(8)
    first, second = (batches.seeded_batch(sequence, batches.Recipe(size=64), 2).image for _ in range(2))
    assert torch.equal(first, second)


def test_the_same_seed_gives_the_same_bytes():
    recipe = datasets.RECIPES["simulated"]
    first, second, other = (datasets.TrainingImages(recipe, 2, seed, range(5, 9))[1].image for seed in (4, 4, 5))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_batch_k_is_the_same_wherever_a_run_resumes():
    recipe = datasets.RECIPES["simulated"]
    whole, rest = datasets.TrainingImages(recipe, 2, 4, range(9)), datasets.TrainingImages(recipe, 2, 4, range(7, 9))
    assert torch.equal(whole[8].image, rest[1].image)


def test_no_crystal_is_shared():
    names = [{m.name for m in group} for group in (motifs.TRAINING_MOTIFS, motifs.VALIDATION_MOTIFS, motifs.TEST_MOTIFS)]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    compounds = [{name.split()[0] for name in group} for group in names]
    tested = {name.split()[0] for name in crystals.CRYSTALS}
    shown = {name.split()[0].rstrip(",") for name in subjects.VALIDATION}
    assert not (compounds[0] | compounds[1]) & (tested | compounds[2])
    assert not shown & (compounds[0] | tested | compounds[2])
    trained = {*range(*cells.INDEPENDENT), cells.INDEPENDENT[1], *range(*cells.MANY), cells.MANY[1]}
    assert not trained & {*datasets.TEST_INDEPENDENT, *datasets.VALIDATION_INDEPENDENT}
    assert not {*datasets.TEST_INDEPENDENT} & {*datasets.VALIDATION_INDEPENDENT}
    assert datasets.VALIDATION_SEED != datasets.TEST_SEED


def test_the_test_set_is_fixed_and_has_every_group():
    groups = [group for group, _ in datasets.grouped_images(1)]
    assert groups == list(datasets.TEST_GROUPS)
    first, second = (next(datasets.grouped_images(1))[1].image for _ in range(2))
    assert torch.equal(first, second)


def test_every_family_is_among_training_images():
    drawn = [batches.draw_scenes(np.random.default_rng(k), batches.Recipe(), 16)[0] for k in range(8)]
    assert {scene.family for some in drawn for scene in some} == set(scenes.FAMILIES)


def test_a_batch_without_any_column_is_a_batch():
    for seed in range(4):
        batch = batches.seeded_batch(np.random.SeedSequence(seed), batches.Recipe(families={"empty": 1}), 1)
        assert len(batch.columns[0]) == len(batch.optional[0]) == batch.target.sum() == 0
        assert batch.spacing.isnan().all()
