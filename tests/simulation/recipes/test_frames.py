"""The detector's frames: what is asked for stands in the specimen, and the two sets share nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.simulation.recipes import frames, scans, subjects


def rows(table):
    return table[~np.isnan(table[:, 0])]


def drawn(which, name, count, seed=3):
    dataset = frames.dataset(which)
    first = dataset.parameters["subjects"].index(name) * dataset.block
    return [dataset.draw(k, np.random.SeedSequence(seed, spawn_key=(k,))) for k in range(first, first + count)]


@pytest.fixture(scope="module")
def monolayer():
    return drawn("validation", "NbSe2", 4)


def test_every_column_that_counts_is_one_of_the_specimen(monolayer):
    for frame in monolayer:
        counted, columns = rows(frame["counted"]), rows(frame["columns"])[:, :2]
        assert len(counted) > 20
        distance, _ = cKDTree(columns).query(counted)
        assert np.quantile(distance, 0.95) < 0.05 * frame["spacing"] + 1  # a slow detector moves the image by 1 px at most


def test_spacing_and_pixels_agree_with_the_crystal(monolayer):
    """Nb and Se columns of the honeycomb stand a/√3 apart."""
    for frame in monolayer:
        pixel_size = frame["settings"][0]
        if len(rows(frame["counted"])) == len(rows(frame["columns"])):
            assert frame["spacing"] == pytest.approx(3.44 / np.sqrt(3) / pixel_size, rel=0.02)
        assert frames.PIXEL_SIZE[0] <= pixel_size <= frames.PIXEL_SIZE[1]


def test_columns_stand_where_the_image_is_bright(monolayer):
    for frame in monolayer:
        pixels = np.rint(rows(frame["counted"])).astype(int).clip(0, frames.SIZE - 1)
        assert np.median(frame["image"][tuple(pixels.T)]) > np.median(frame["image"])


def test_a_frame_depends_on_its_own_seed_alone(monolayer):
    again = drawn("validation", "NbSe2", 2)[1]
    assert all(np.array_equal(again[name], monolayer[1][name], equal_nan=True) for name in again)
    other = drawn("validation", "NbSe2", 1, seed=4)[0]
    assert not np.array_equal(other["image"], monolayer[0]["image"])


def test_frames_of_a_subject_differ_in_view_and_dose(monolayer):
    assert len({tuple(frame["settings"]) for frame in monolayer}) == len(monolayer)


def test_a_view_fits_into_the_sides_of_a_specimen_that_allows_just_one():
    """The middle of a square specimen, whatever the rounding."""
    side = 47.3
    subject, specimen = SimpleNamespace(repeats=False), SimpleNamespace(size=(side, side))
    scan = SimpleNamespace(spacing=100.0, subject=subject, specimen=specimen)
    centres = [frames.look(np.random.default_rng(seed), scan).centre for seed in range(100)]
    assert np.array(centres) == pytest.approx(side / 2, abs=1e-9)


def test_faint_columns_are_optional_not_forgotten(monolayer):
    for frame in monolayer:
        both = np.concatenate([rows(frame["counted"]), rows(frame["optional"])])
        distance, _ = cKDTree(both).query(rows(frame["columns"])[:, :2])
        assert np.quantile(distance, 0.95) < 0.3 * frame["spacing"] + 1


def test_the_two_sets_share_no_material():
    names = [{name.split(",")[0].split(" ×")[0].split(" with")[0].split(" [")[0] for name in s} for s in scans.SETS.values()]
    assert not names[0] & names[1]


def test_every_group_is_in_both_sets():
    assert {s.group for s in subjects.TEST.values()} == {s.group for s in subjects.VALIDATION.values()}


def test_the_test_set_makes_a_thousand_frames_with_the_drawn_ones():
    assert 300 + frames.dataset("test").n_images >= 1000


@pytest.mark.parametrize("subject", [*subjects.TEST.values(), *subjects.VALIDATION.values()])
def test_every_specimen_can_be_built(subject):
    specimen = subject.build(np.random.default_rng(0))
    assert len(specimen.columns) > 10
    assert subject.repeats <= (specimen.unit is not None)  # only what has a cell goes on across its sides


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="frames 'training' are unknown; choose one of test, validation"):
        frames.dataset("training")
