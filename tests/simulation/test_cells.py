"""Random unit cells against crystallography: their symmetry, their columns' distances, what a projection shows."""

import numpy as np
import pytest
from ase.spacegroup import crystal
from scipy.spatial import cKDTree

from atomwork.simulation import cells, motifs

DRAWERS = (cells.random_motif, cells.symmetric_motif, cells.any_motif)


def onto(fractions, others):
    """Largest distance of a fraction to the nearest of the others, across the cell's borders [-]."""
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 1, 2)
    return cKDTree((others + shifts).reshape(-1, 2)).query(fractions)[0].max()


@pytest.mark.parametrize("draw", DRAWERS, ids=lambda d: d.__name__)
def test_random_cells_keep_their_columns_apart(draw):
    for seed in range(50):
        motif = draw(np.random.default_rng(seed))
        assert motifs.nearest_distance(motif) > cells.CLOSEST
        assert motif.brightness.max() == 1
        assert len(motif.brightness) == len(motif.fractions)


@pytest.mark.parametrize("number", [1, 2, 14, 62, 88, 100, 113, 149, 176, 194])
def test_an_orbit_is_the_projection_of_the_crystal(number):
    angles = {"alpha": 90, "beta": 90, "gamma": 120 if number > 142 else 90}
    lengths = (5.0, 5.0 if number > 74 else 6.0, 7.0)
    point = np.array([0.113, 0.247, 0.381])
    atoms = crystal("C", [point], spacegroup=number, cellpar=[*lengths, *angles.values()])
    orbit = cells.orbit(point[:2], *cells.projected_operations(number))
    projected = atoms.get_scaled_positions()[:, :2]
    assert onto(orbit, projected) < 1e-3
    assert onto(projected, orbit) < 1e-3


def test_the_orbit_of_a_fourfold_axis_is_one_column():
    operations = cells.projected_operations(75)
    assert len(cells.orbit(np.array([0.5, 0.5]), *operations)) == 1
    assert len(cells.orbit(np.array([0.5, 0.0]), *operations)) == 2
    assert len(cells.orbit(np.array([0.1, 0.2]), *operations)) == 4


def test_operations_of_a_group_form_a_group():
    for number in range(1, 195, 7):
        matrices, shifts = cells.projected_operations(number)
        orbit = cells.orbit(np.array([0.123, 0.371]), matrices, shifts)
        for matrix, shift in zip(matrices, shifts, strict=True):
            assert onto(orbit @ matrix.T + shift - np.floor(orbit @ matrix.T + shift), orbit) < 1e-3


def test_every_plane_system_and_faint_sublattices_are_drawn():
    drawn = [cells.symmetric_motif(np.random.default_rng(seed)) for seed in range(200)]
    assert {motif.name.split()[1] for motif in drawn} == set(cells.SPACE_GROUPS)
    assert min(motif.brightness.min() for motif in drawn) < 0.05


def test_symmetry_keeps_lengths():
    """The cell that a system is given suits its operations: a column's surroundings repeat at its images."""
    for seed in range(60):
        motif = cells.symmetric_cell(np.random.default_rng(seed), ["square", "hexagonal", "rectangular"][seed % 3], 1)
        shifts = np.stack(np.meshgrid(range(-2, 3), range(-2, 3)), -1).reshape(-1, 1, 2)
        points = ((motif.fractions + shifts) @ motif.cell).reshape(-1, 2)
        count = min(6, len(points) - 1)
        distances = cKDTree(points).query(motif.fractions @ motif.cell, k=count)[0]
        assert np.allclose(distances, distances[0], atol=2e-3)
