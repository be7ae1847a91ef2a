"""Crystals as drawn against the cells they come from."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.columns.neighbours import nearest_distance
from atomwork.simulation import cells, motifs, scenes

ALL_MOTIFS = [*motifs.TRAINING_MOTIFS, *motifs.VALIDATION_MOTIFS, *motifs.TEST_MOTIFS]


@pytest.mark.parametrize(("name", "angstrom"), [
    ("TaS2", 3.314 / np.sqrt(3)),
    ("BN", 1.446),
    ("KTaO3 [001]", 3.989 / 2),
    ("Ge [110]", 5.658 / 4),
    ("Ag [100]", 2.889),
])  # fmt: skip
def test_nearest_columns_are_where_crystallography_puts_them(name, angstrom):
    chosen = next(m for m in motifs.TRAINING_MOTIFS if m.name == name)
    assert motifs.nearest_distance(chosen) == pytest.approx(angstrom, rel=2e-3)


@pytest.mark.parametrize("motif", ALL_MOTIFS, ids=lambda m: m.name)
def test_density_of_columns_is_that_of_the_cell(motif):
    positions, site = scenes.lay_out(motif, 10.0, 0.7, np.array([3.0, 5.0]), (600, 500))
    area = abs(np.linalg.det(motif.cell)) * 100
    assert len(positions) == pytest.approx(len(motif.fractions) * 600 * 500 / area, rel=0.04)
    assert set(site) == set(range(len(motif.fractions)))


def test_rotation_and_scale_keep_distances():
    tas2 = motifs.TRAINING_MOTIFS[0]
    for angle in (0.0, 0.4, 2.0):
        positions, site = scenes.lay_out(tas2, 7.0, angle, np.zeros(2), (300, 300))
        inner = ((positions > 40) & (positions < 260)).all(1) & (site == 0)
        distance = cKDTree(positions[site == 0]).query(positions[inner], k=7)[0][:, 1:]
        assert np.allclose(distance, 7 * 3.314)


def test_brightness_is_that_of_the_atomic_numbers():
    tas2 = motifs.TRAINING_MOTIFS[0]
    assert tas2.brightness[1] / tas2.brightness[0] == pytest.approx(2 * (16 / 73) ** 1.7)


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_every_family_is_drawn_inside_the_image(family):
    for seed in range(8):
        scene = scenes.draw(np.random.default_rng(seed), (200, 150), 12.0, family)
        assert (scene.positions >= -0.5).all()  # what lies outside would come in again at the other side
        assert (scene.positions < np.array([199.5, 149.5])).all()
        assert len(scene.positions) == len(scene.brightness)
        assert (scene.brightness > 0).all()
        assert family != "empty" or len(scene.positions) == 0


def test_the_nearest_distance_is_the_one_asked_for():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        positions, _, _ = scenes.crystal(rng, cells.Cells(), 15.0, (300, 300))
        assert nearest_distance(positions).min() == pytest.approx(15.0, rel=1e-6)


def test_holes_leave_nothing_inside():
    positions = np.stack(np.meshgrid(np.arange(0, 200, 4.0), np.arange(0, 200, 4.0)), -1).reshape(-1, 2)
    kept = scenes.cut(np.random.default_rng(1), positions, (200, 200), holes=1, edge=False)
    gone = positions[~kept]
    assert len(gone)
    centre = gone.mean(0)
    assert np.hypot(*(positions[kept] - centre).T).min() > 4


def test_strain_moves_columns_smoothly_by_a_few_per_cent():
    grid = np.stack(np.meshgrid(np.arange(0, 400, 20.0), np.arange(0, 400, 20.0)), -1).reshape(-1, 2)
    for seed in range(5):
        moved = scenes.strain(np.random.default_rng(seed), grid, 20.0, (400, 400))
        assert nearest_distance(moved) == pytest.approx(20, rel=0.4)


def test_adatoms_lie_where_there_is_room_and_only_where_they_are_asked_for():
    """With a share of 0 not a random number more is drawn: the fixed sets stay as they are."""
    shape, spacing, found = (300, 300), 15.0, 0
    for seed in range(12):
        plain, none, some = (
            scenes.draw(np.random.default_rng(seed), shape, spacing, "lattice", **k)
            for k in ({}, {"adatoms": 0.0}, {"adatoms": 1.0})
        )
        assert (plain.positions == none.positions).all()
        assert len(some.positions) <= 1.2 * len(plain.positions)
        positions, brightness, _ = scenes.crystal(np.random.default_rng(seed), cells.Cells(), spacing, shape)
        more, levels = scenes.with_adatoms(np.random.default_rng(seed), positions, brightness, spacing, shape)
        added = more[len(positions) :]
        assert (more[: len(positions)] == positions).all()
        assert len(levels) == len(more)
        if len(added):
            assert cKDTree(positions).query(added)[0].min() >= scenes.ROOM * spacing
        if len(added) > 1:
            assert cKDTree(added).query(added, k=2)[0][:, 1].min() >= spacing
        found += len(added)
    assert found > 20


def test_nothing_is_added_to_nothing():
    positions, brightness = scenes.with_adatoms(np.random.default_rng(0), np.empty((0, 2)), np.empty(0), 10.0, (100, 100))
    assert len(positions) == len(brightness) == 0
