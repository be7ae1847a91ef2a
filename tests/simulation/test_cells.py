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


# a space group whose crystals, seen along c, have the plane group's symmetry
PROJECTED = {
    "p1": 1, "p2": 2, "pm": 3, "pg": 4, "cm": 5, "p2mm": 25, "p2mg": 28, "p2gg": 32, "c2mm": 35, "p4": 75, "p4mm": 99,
    "p4gm": 100, "p3": 143, "p3m1": 156, "p31m": 157, "p6": 168, "p6mm": 183,
}  # fmt: skip
SYSTEM = {group: system for system, groups in cells.PLANE_GROUPS.items() for group in groups}


def orbit(point, group):
    return cells.orbit(np.array(point), *cells.operations(SYSTEM[group], group))


def test_there_are_seventeen_plane_groups():
    assert SYSTEM.keys() == PROJECTED.keys()


@pytest.mark.parametrize("point", [(0.113, 0.247), (0.2, 0.2), (0.5, 0.5), (0.0, 0.3), (1 / 3, 2 / 3)])
@pytest.mark.parametrize("name", PROJECTED)
def test_an_orbit_is_the_projection_of_the_crystal(name, point):
    number = PROJECTED[name]
    lengths = (5.0, 5.0 if number > 74 else 6.0, 7.0)
    atoms = crystal("C", [(*point, 0.381)], spacegroup=number, cellpar=[*lengths, 90, 90, 120 if number > 142 else 90])
    images = orbit(point, name)
    projected = atoms.get_scaled_positions()[:, :2]
    assert onto(images, projected) < 1e-3
    assert onto(projected, images) < 1e-3


def test_special_places_have_fewer_images():
    count = [len(orbit(point, "p4mm")) for point in ((0.5, 0.5), (0.5, 0.0), (0.3, 0.3), (0.1, 0.3))]
    assert count == [1, 2, 4, 8]


def test_every_plane_system_and_faint_sublattices_are_drawn():
    drawn = [cells.symmetric_motif(np.random.default_rng(seed)) for seed in range(200)]
    assert {motif.name.split()[1] for motif in drawn} == set(cells.PLANE_GROUPS)
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
