"""Crystals against published bond lengths, their formula and density, and the geometry of zone axes."""

import numpy as np
import pytest
from ase.io import write
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from atomwork.simulation import crystals, structures
from atomwork.simulation.crystals import Crystal


def bonds(atoms, first, second, cutoff):
    """All distances between two elements below a cutoff [Å], every pair once per atom of the first."""
    i, j, distance = neighbor_list("ijd", atoms, cutoff)
    symbols = np.array(atoms.get_chemical_symbols())
    return distance[(symbols[i] == first) & (symbols[j] == second)]


# published bond lengths [Å] and coordination numbers
BONDS = [
    ("MoS2", "Mo", "S", 2.41, 6),
    ("WS2", "W", "S", 2.40, 6),
    ("MoSe2", "Mo", "Se", 2.53, 6),
    ("WSe2", "W", "Se", 2.53, 6),
    ("graphene", "C", "C", 1.42, 3),
    ("SrTiO3", "Ti", "O", 1.95, 6),
    ("Si", "Si", "Si", 2.352, 4),
    ("Pt", "Pt", "Pt", 2.775, 12),
    ("Au", "Au", "Au", 2.884, 12),
    ("NiO", "Ni", "O", 2.09, 6),
    ("LiNiO2", "Ni", "O", 1.97, 6),
    ("Bi2O2Se", "O", "Bi", 2.32, 4),
]


@pytest.mark.parametrize(("name", "first", "second", "length", "neighbours"), BONDS)
def test_bonds_have_their_published_length_and_number(name, first, second, length, neighbours):
    atoms = crystals.find(name).atoms
    found = bonds(atoms, first, second, length * 1.15)
    assert found == pytest.approx(length, abs=0.02)
    assert len(found) == neighbours * sum(symbol == first for symbol in atoms.symbols)


@pytest.mark.parametrize(
    ("name", "metal", "bond"), [("TiO2", "Ti", 1.95), ("TiO2 anatase", "Ti", 1.95), ("DyScO3", "Sc", 2.09)]
)
def test_octahedra_have_six_oxygens(name, metal, bond):
    atoms = crystals.find(name).atoms
    found = bonds(atoms, metal, "O", bond * 1.15)
    assert found == pytest.approx(bond, abs=0.04)
    assert len(found) == 6 * sum(symbol == metal for symbol in atoms.symbols)


def test_rhenium_forms_diamonds_in_chains():
    """Lamfers et al. 1996: bonds within Re4 and between diamonds of a chain up to 2.90 Å, none between chains."""
    distance = bonds(crystals.find("ReS2 1T″").atoms, "Re", "Re", 3.6)
    bonded = distance < 3.0
    assert ((distance[bonded] > 2.69) & (distance[bonded] < 2.90)).all()
    assert bonded.sum() == 4 * 3  # the diamond's five bonds and one to the next, over four atoms
    assert distance[~bonded].min() > 3.3


def test_rhenium_forms_zigzag_chains_in_1t_prime():
    distance = bonds(crystals.find("ReS2 1T′").atoms, "Re", "Re", 3.15)
    assert distance == pytest.approx(2.80, abs=0.005)
    assert len(distance) == 2 * 2


def test_sulphur_of_res2_bonds_three_rhenium():
    for name in ("ReS2 1T″", "ReS2 1T′"):
        atoms = crystals.find(name).atoms
        distance = bonds(atoms, "S", "Re", 3.0)
        assert distance == pytest.approx(2.41, abs=1e-6)
        assert len(distance) == 3 * atoms.symbols.count("S")


def test_titanium_is_off_centre_in_ferroelectric_barium_titanate():
    """Kwei et al. 1993: Ti stands 0.0224 c from the middle of the Ba cell, along c."""
    atoms = crystals.find("BaTiO3").atoms
    titanium = atoms.get_scaled_positions()[atoms.symbols == "Ti"][0]
    assert titanium == pytest.approx((0.5, 0.5, 0.5224))
    assert 0.0224 * atoms.cell[2, 2] == pytest.approx(0.09, abs=0.002)
    whole = structures.build("BaTiO3", 12)  # seen along [100], c along y
    ti, ba = (whole.atoms.positions[whole.atoms.symbols == symbol, 1].min() for symbol in ("Ti", "Ba"))
    assert (ti - ba) % 4.0365 - 4.0365 / 2 == pytest.approx(0.0224 * 4.0365, abs=1e-6)


@pytest.mark.parametrize("name", crystals.CRYSTALS)
def test_atoms_of_no_crystal_touch(name):
    atoms = crystals.find(name).atoms
    assert neighbor_list("d", atoms, 3.5).min() > 1.3
    assert len(crystals.cut(crystals.find(name), (20, 20), 20)) > 10


# formula units per cell and density [g/cm³] from handbooks
DENSITIES = [("SrTiO3", 5.12), ("Si", 2.329), ("Pt", 21.45), ("Au", 19.3), ("NiO", 6.8), ("TiO2", 4.25), ("TiO2 anatase", 3.9)]
DENSITIES += [("DyScO3", 6.9), ("BaTiO3", 6.02), ("LiNiO2", 4.78), ("MoS2", 5.0), ("ReS2 1T″", 7.5), ("Bi2O2Se", 9.5)]


@pytest.mark.parametrize(("name", "density"), DENSITIES)
def test_density_is_that_of_handbooks(name, density):
    atoms = crystals.find(name).atoms
    assert atoms.get_masses().sum() / atoms.get_volume() / 0.602214 == pytest.approx(density, rel=0.02)


@pytest.mark.parametrize("material", ["Si", "SrTiO3 [111]", "TiO2 [1-10]", "LiNiO2 [001]", "DyScO3 [101]"])
def test_orienting_turns_the_cell_onto_its_zone_axis(material):
    crystal = crystals.find(material)
    vectors, _ = crystals.orient(crystal)
    assert vectors @ vectors.T == pytest.approx(crystal.atoms.cell @ crystal.atoms.cell.T)
    assert np.linalg.det(vectors) == pytest.approx(np.linalg.det(crystal.atoms.cell))
    along = np.array(crystal.zone) @ vectors
    assert along == pytest.approx((0, 0, np.linalg.norm(along)), abs=1e-9)


def test_zone_axes_show_their_known_rectangles():
    """a√2 × a along [110], √(3/2) a·2 along [111] of a cubic cell; two spacings of a dumbbell row in Si."""
    assert sorted(crystals.orient(crystals.find("SrTiO3 [110]"))[1]) == pytest.approx([3.905, 3.905 * 2**0.5])
    assert sorted(crystals.orient(crystals.find("SrTiO3 [111]"))[1]) == pytest.approx([3.905 * 2**0.5, 3.905 * 6**0.5])
    assert crystals.orient(crystals.find("DyScO3 [101]"))[1] is None


def test_silicon_dumbbells_are_136_pm_apart():
    columns = structures.build("Si", 20).columns
    distance = cKDTree(columns[["y", "x"]]).query(columns[["y", "x"]], k=2)[0][:, 1]
    assert np.median(distance) == pytest.approx(5.431 / 4, abs=1e-3)


@pytest.mark.parametrize("thickness", [5.0, 40.0])
def test_atoms_of_a_cut_fill_its_volume(thickness):
    crystal = crystals.find("SrTiO3")
    atoms = crystals.cut(crystal, (3.905 * 6, 3.905 * 4), thickness, origin=(1.1, 0.7))
    layers = np.unique(atoms.positions[:, 2].round(3))
    assert len(atoms) == 24 * sum(2 if (2 * z / 3.905).round() % 2 == 0 else 3 for z in layers)  # SrO + TiO2 planes
    assert np.diff(layers) == pytest.approx(3.905 / 2, abs=2e-3)
    assert layers[-1] < thickness


def test_stackings_place_layers_as_named():
    """Which elements stand above each other tells the stacking; see Toh et al., Chem. Commun. 53 (2017) 3054."""

    def kinds(material, layers, stacking):
        columns = structures.build(material, 12, layers=layers, stacking=stacking).columns
        return set(zip(columns["species"], columns["n_atoms"], strict=True))

    assert kinds("MoS2", 2, "AA") == {("Mo", 2), ("S", 4)}
    assert kinds("MoS2", 2, "AA′") == {("Mo S", 3)}  # 2H
    assert kinds("MoS2", 3, "AA′") == {("Mo S", 4), ("Mo S", 5)}
    assert kinds("MoS2", 2, "AB") == kinds("MoS2", 2, "ABC") == {("Mo", 1), ("Mo S", 3), ("S", 2)}
    assert kinds("MoS2", 3, "ABC") == {("Mo S", 3)}  # 3R: no hollow stays open
    assert kinds("graphene", 2, "AB") == {("C", 2), ("C", 1)}
    assert kinds("graphene", 3, "AB") == {("C", 3), ("C", 2), ("C", 1)}  # Bernal
    assert kinds("graphene", 3, "ABC") == {("C", 2)}


@pytest.mark.parametrize("name", ["SrTiO3", "Si [110]", "TiO2 anatase [100]"])
def test_a_cif_file_is_the_crystal_that_was_written(tmp_path, name):
    crystal = crystals.find(name)
    path = tmp_path / "mine.cif"
    write(path, crystal.atoms)
    mine = structures.build(f"{path} [{' '.join(map(str, crystal.zone))}]", 15).columns
    named = structures.build(name, 15).columns
    gap, match = cKDTree(named[["y", "x"]]).query(mine[["y", "x"]])
    assert len(mine) == len(named)
    assert gap.max() < 1e-3
    assert (named["species"].to_numpy()[match] == mine["species"].to_numpy()).all()
    assert mine["phase"].unique() == [crystals.find(f"{path} [{' '.join(map(str, crystal.zone))}]").name]


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ("unobtainium", "material 'unobtainium' is unknown; choose one of MoS2, "),
        ("nowhere.cif", "nowhere.cif does not exist"),
        ("SrTiO3 [110", "is unknown"),
        ("SrTiO3 [11]", "needs three indices"),
        ("SrTiO3 [000]", "not all zero"),
        ("MoS2 [110]", "is a layer seen along"),
    ],
)
def test_what_is_no_material_is_refused(material, words):
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        crystals.find(material)


def test_a_broken_cif_is_refused(tmp_path):
    path = tmp_path / "broken.cif"
    path.write_text("data_x\n_cell_length_a 3.9\nloop_\n_atom_site_label\n", encoding="utf-8")
    with pytest.raises(ValueError, match="read as a CIF file"):
        crystals.find(path)


def test_a_layer_is_cut_about_its_middle():
    crystal = Crystal("slab", crystals.layer((3, 3, 90), 8.0, ("C", 0, 0, -1.0), ("O", 0, 0, 2.0)), layered=True)
    atoms = crystals.cut(crystal, (6, 6), 8.0)
    assert len(atoms) == 8
    assert set(atoms.positions[:, 2].round(6)) == {3.0, 6.0}
