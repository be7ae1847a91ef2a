"""The truth about a specimen against its atoms: columns follow them wherever they go."""

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers
from scipy.spatial import cKDTree

from atomwork.simulation import specimen, structures
from atomwork.simulation.specimen import Boundary, Phase, Specimen

BOX = (20.0, 30.0)  # H, W


def placed(*atoms):
    """A specimen from (symbol, y, x, z)."""
    positions = [(x, y, z) for _, y, x, z in atoms]
    return Specimen("hand-made", Atoms([a[0] for a in atoms], positions, cell=[BOX[1], BOX[0], 10], pbc=True))


def test_a_column_is_its_atoms_weighed_by_scattering():
    columns = placed(("Ti", 5.0, 6.0, 1.0), ("O", 5.2, 6.0, 3.0), ("O", 5.0, 6.0, 5.0), ("Sr", 9, 9, 1)).columns
    assert list(columns["species"]) == ["Ti O", "Sr"]
    assert list(columns["n_atoms"]) == [3, 1]
    z = np.array([22, 8, 8, 38.0]) ** 1.7
    assert columns["strength"].to_numpy() == pytest.approx([z[:3].sum(), z[3]])
    assert columns["y"][0] == pytest.approx(5 + 0.2 * z[1] / z[:3].sum())
    assert columns["x"][0] == pytest.approx(6)


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.29])
def test_a_column_on_the_side_of_the_box_stays_together(gap):
    columns = placed(("Pt", BOX[0] - gap / 2, 3, 1), ("Pt", gap / 2, 3, 4), ("Pt", 4, BOX[1] - gap / 2, 1)).columns
    assert sorted(columns["n_atoms"]) == [1, 2]
    pair = columns[columns["n_atoms"] == 2].iloc[0]
    assert min(pair["y"] % BOX[0], -pair["y"] % BOX[0]) == pytest.approx(0, abs=1e-9)
    assert pair["x"] == pytest.approx(3)


def test_atoms_further_apart_are_two_columns():
    assert len(placed(("Pt", 4, 4, 1), ("Pt", 4, 4 + specimen.SAME_COLUMN + 0.01, 4)).columns) == 2


@pytest.mark.parametrize("step", [(0.0, 1.3), (-7.7, 2.2), (100.1, -55.5)])
def test_columns_move_with_the_atoms(step):
    whole = structures.build("SrTiO3 [110]", 16, thickness=12)
    atoms = whole.atoms.copy()
    atoms.positions[:, 1::-1] += step
    atoms.wrap()
    moved, box = whole.with_atoms(atoms).columns, np.array(whole.size)
    expected = (whole.columns[["y", "x"]].to_numpy() + step) % box % box
    gap, match = cKDTree(expected, boxsize=box).query(moved[["y", "x"]].to_numpy() % box % box)
    assert len(moved) == len(expected)
    assert gap.max() < 1e-6
    for name in ("species", "n_atoms"):
        assert (whole.columns[name].to_numpy()[match] == moved[name].to_numpy()).all()


def test_columns_do_not_depend_on_the_order_of_atoms():
    whole = structures.build("Si", 16, thickness=12)
    mixed = whole.with_atoms(whole.atoms[np.random.default_rng(0).permutation(len(whole.atoms))])
    gap, _ = cKDTree(whole.columns[["y", "x"]]).query(mixed.columns[["y", "x"]])
    assert gap.max() < 1e-6
    assert mixed.columns["strength"].sum() == pytest.approx((whole.atoms.numbers**1.7).sum())


def test_a_support_has_no_columns():
    whole = placed(("Pt", 4, 4, 5), ("C", 4.1, 4, 1), ("C", 9, 9, 1))
    whole.atoms.set_array("support", np.array([False, True, True]))
    assert list(whole.columns["species"]) == ["Pt"]
    labels, places = specimen.column_places(whole.atoms)
    assert labels.tolist() == [0, -1, -1]
    assert places == pytest.approx(np.array([[4, 4]]))


def test_a_specimen_without_atoms_has_an_empty_table():
    nothing = Specimen("nothing", Atoms(cell=[5, 5, 5], pbc=True))
    assert list(nothing.columns) == ["y", "x", "species", "n_atoms", "strength", "phase"]
    assert len(nothing.columns) == 0
    assert "0 atoms in 0 columns" in repr(nothing)
    assert specimen.column_places(nothing.atoms)[0].shape == (0,)


def test_columns_name_their_phase():
    whole = placed(("Mo", 4, 4, 5), ("W", 9, 9, 5))
    whole.atoms.set_array("phase", np.array([0, 1]))
    square = np.array([(0, 0), (0, 1), (1, 1)])
    columns = whole.with_atoms(whole.atoms, phases=(Phase("left", square), Phase("right", square))).columns
    assert dict(zip(columns["species"], columns["phase"], strict=True)) == {"Mo": "left", "W": "right"}


def test_scattering_follows_the_atomic_number():
    assert specimen.scattering_strength([1, atomic_numbers["W"]]) == pytest.approx([1, 74**1.7])


def test_strain_stretches_the_lattice_by_exactly_its_amount():
    whole = structures.build("SrTiO3", 30, thickness=8)
    strained = specimen.displace(whole, lambda y, x: (0.02 * y, -0.01 * x + 0.005 * y))
    before, after = (one.columns[["y", "x"]].to_numpy() for one in (whole, strained))
    gap, _ = cKDTree(before @ np.array([[1.02, 0.005], [0, 0.99]])).query(after)
    assert gap.max() < 1e-6
    assert strained.unit is None


def test_defects_boundaries_and_phases_move_with_the_atoms():
    square = np.array([(0.0, 0.0), (0.0, 9.0), (9.0, 9.0)])
    whole = placed(("Mo", 4, 5, 5)).with_defects([("V_S", 4.0, 5.0)], boundaries=(Boundary("edge", square),))
    moved = specimen.displace(whole.with_atoms(whole.atoms, phases=(Phase("p", square),)), lambda y, x: (0 * y + 1, 0.1 * x))
    assert moved.columns[["y", "x"]].to_numpy() == pytest.approx(np.array([[5, 5.5]]))
    assert moved.defects[["y", "x"]].to_numpy(float) == pytest.approx(np.array([[5, 5.5]]))
    expected = square * (1, 1.1) + (1, 0)
    assert moved.boundaries[0].points == pytest.approx(expected)
    assert moved.phases[0].outline == pytest.approx(expected)
    assert whole.columns[["y", "x"]].to_numpy() == pytest.approx(np.array([[4, 5]]))  # the first one is as it was


@pytest.mark.parametrize("field", [lambda y, x: (np.nan * y, x), lambda y, x: (0.0, 1.0), lambda y, x: (y[:1], x[:1])])
def test_a_displacement_that_is_none_is_refused(field):
    with pytest.raises(ValueError, match="displacement gives an array of shape"):
        specimen.displace(structures.build("Si", 12, thickness=8), field)


def test_defects_add_up():
    whole = placed(("Mo", 4, 5, 5)).with_defects([("V_S", 1.0, 2.0)]).with_defects([("W_Mo", 3.0, 4.0)])
    assert whole.defects.to_numpy().tolist() == [["V_S", 1, 2], ["W_Mo", 3, 4]]
