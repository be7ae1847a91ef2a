"""Particles, carbon and single atoms against density, distances and the shape that Wulff's construction gives."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.simulation import crystals, particles


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def crystal_part(specimen):
    return specimen.atoms[~specimen.atoms.arrays["support"]]


@pytest.mark.parametrize("density", [1.8, 2.0, 3.3])
def test_carbon_has_its_density_and_no_bond_is_too_short(density, rng):
    film = particles.amorphous_carbon((40, 55), 20, density=density, rng=rng)
    grams = film.atoms.get_masses().sum() / 0.602214 / (40 * 55 * 20)
    assert grams == pytest.approx(density, rel=1e-3)
    y, x = film.size
    places = film.atoms.positions - film.atoms.positions.min(0)
    assert cKDTree(places, boxsize=(x, y, 100)).query(places, k=2)[0].max(1).min() >= particles.CARBON_BOND
    assert np.ptp(film.atoms.positions[:, 2]) == pytest.approx(20, abs=0.1)
    assert len(film.columns) == 0
    assert film.atoms.arrays["support"].all()


def test_carbon_has_no_order(rng):
    """No direction and no height stands out: the structure factor at any long wave is that of noise."""
    film = particles.amorphous_carbon(60, 20, rng=rng)
    waves = 2 * np.pi * rng.integers(1, 12, (200, 2)) / 60
    power = abs(np.exp(1j * film.atoms.positions[:, :2] @ waves.T).sum(0)) ** 2 / len(film.atoms)
    assert power.max() < 12  # exponential of mean below 1: e⁻¹² · 200 is 0.1 %
    counts, _ = np.histogram(film.atoms.positions[:, 2], bins=10)
    assert counts.std() < 4 * np.sqrt(counts.mean())


def test_no_thickness_is_no_film(rng):
    assert len(particles.amorphous_carbon(20, 0, rng=rng).atoms) == 0


@pytest.mark.parametrize(
    ("material", "diameter"), [("Pt", 20.0), ("Pt [100]", 36.0), ("Au", 30.0), ("NiO", 30.0), ("Si", 30.0)]
)
def test_a_particle_holds_the_atoms_of_its_sphere(material, diameter, rng):
    whole = particles.nanoparticle(material, 70, diameter, rng=rng)
    cell = crystals.find(material).atoms
    expected = np.pi / 6 * diameter**3 * len(cell) / cell.get_volume()
    assert expected <= len(crystal_part(whole)) + 1
    assert len(crystal_part(whole)) == pytest.approx(expected, rel=0.25)  # a shell of the polyhedron is kept as a whole


@pytest.mark.parametrize("material", [name for name in crystals.CRYSTALS if name not in crystals.LAYERED])
def test_every_bulk_crystal_makes_a_particle(material, rng):
    whole = particles.nanoparticle(material, 60, 25, rng=rng, support_thickness=0)
    extent = np.ptp(whole.atoms.positions, axis=0)
    assert 15 < extent.min() < extent.max() < 40


def test_the_truth_is_the_particle_alone(rng):
    whole = particles.nanoparticle("Pt", 60, 24, rng=rng)
    assert set(whole.columns["species"]) == {"Pt"}
    assert whole.columns["n_atoms"].sum() == len(crystal_part(whole))
    assert whole.columns[["y", "x"]].mean().to_numpy() == pytest.approx([30, 30], abs=3)
    assert set(whole.columns["phase"]) == {whole.phases[0].name} == {"Pt [110]"}
    hull, points = whole.phases[0].outline, whole.columns[["y", "x"]].to_numpy()
    assert hull.min(0) == pytest.approx(points.min(0))
    assert hull.max(0) == pytest.approx(points.max(0))


def test_the_film_lies_below_and_does_not_touch(rng):
    whole = particles.nanoparticle("Pt", 50, 24, rng=rng, support_thickness=15)
    particle = crystal_part(whole)
    film = whole.atoms[whole.atoms.arrays["support"]]
    assert particle.positions[:, 2].min() - film.positions[:, 2].max() >= particles.RESTING
    assert film.positions[:, 2].min() >= 2.0
    assert whole.atoms.cell[2, 2] == pytest.approx(particle.positions[:, 2].max() + 2.0)
    assert set(film.symbols) == {"C"}
    bare = particles.nanoparticle("Pt", 50, 24, rng=rng, support_thickness=0)
    assert set(bare.atoms.symbols) == {"Pt"}
    assert bare.atoms.positions[:, 2].min() == pytest.approx(2.0)


def test_atoms_of_a_particle_have_the_crystals_bonds(rng):
    whole = crystal_part(particles.nanoparticle("Au", 60, 30, rng=rng))
    distance = cKDTree(whole.positions).query(whole.positions, k=2)[0][:, 1]
    assert distance == pytest.approx(2.884, abs=1e-3)


def test_facets_are_flat_and_as_far_out_as_their_energy(rng):
    """Wulff: distance of a facet from the centre over its energy is one number; within a plane's spacing here."""
    crystal = crystals.find("Pt [100]")
    facets = {(1, 1, 1): 1.0, (1, 0, 0): 1.1547}
    atoms = particles.polyhedron(crystal, 60.0, facets, rng)
    nearest = cKDTree(atoms.positions).query(atoms.positions, k=13)[0]
    surface = atoms.positions[nearest[:, 12] > 3.0] - atoms.positions.mean(0)  # fewer than twelve neighbours
    vectors, _ = crystals.orient(crystal)
    reach = {}
    for turn in np.deg2rad(np.arange(0, 90, 0.25)):
        cosine, sine = np.cos(turn), np.sin(turn)
        turned = vectors @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
        normals = particles.family((1, 1, 1), turned)
        reach[turn] = (surface @ normals.T).max()
    octahedral = min(reach.values())  # the true orientation is that in which {111} planes bound it most tightly
    cubic = surface[:, 2].max()
    assert cubic / octahedral == pytest.approx(1.1547, rel=0.06)


def test_a_particle_is_thickest_in_its_middle(rng):
    whole = particles.nanoparticle("Pt", 60, 36, rng=rng)
    columns = whole.columns
    away = np.hypot(columns["y"] - 30, columns["x"] - 30)
    assert columns["n_atoms"][away < 6].mean() > 1.5 * columns["n_atoms"][away > 15].mean()
    assert columns["n_atoms"].max() * 2.775 == pytest.approx(36, rel=0.2)


def test_planes_of_a_family_are_those_of_one_spacing():
    cubic = crystals.find("SrTiO3").atoms.cell.array
    assert [len(particles.family(plane, cubic)) for plane in ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0))] == [6, 12, 8, 24]
    tetragonal = crystals.find("TiO2 anatase").atoms.cell.array
    assert len(particles.family((0, 0, 1), tetragonal)) == 2
    assert len(particles.family((1, 0, 1), tetragonal)) == 8
    hexagonal = crystals.find("LiNiO2").atoms.cell.array
    assert len(particles.family((1, 0, 0), hexagonal)) == 6
    assert np.linalg.norm(particles.family((1, 0, 1), hexagonal), axis=1) == pytest.approx(1)


def test_isolated_atoms_keep_their_distance_also_across_the_sides(rng):
    whole = particles.single_atoms("Pt", (40, 50), 45, closest=4.0, support_thickness=5, rng=rng)
    columns = whole.columns
    assert len(columns) == 45
    assert set(columns["species"]) == {"Pt"}
    assert set(columns["n_atoms"]) == {1}
    box = np.array(whole.size)
    assert len(cKDTree(columns[["y", "x"]].to_numpy() % box % box, boxsize=box).query_pairs(4.0)) == 0
    height = whole.atoms.positions[:, 2]
    heavy = ~whole.atoms.arrays["support"]
    assert height[heavy].min() >= height[~heavy].max() + particles.RESTING


def test_the_seed_decides():
    for make in (
        lambda rng: particles.nanoparticle("Pt", 40, 16, rng=rng, support_thickness=4),
        lambda rng: particles.single_atoms("Au", 30, 12, support_thickness=4, rng=rng),
    ):
        first, again, other = (make(np.random.default_rng(seed)).atoms for seed in (1, 1, 2))
        assert (first.positions == again.positions).all()
        assert len(first) != len(other) or not (first.positions == other.positions).all()


def test_particles_are_turned_at_random():
    """The direction of the rows, modulo the 180° of a row, covers the circle: the mean of 16 unit vectors is short."""
    turns = []
    for seed in range(16):
        points = particles.nanoparticle("Pt", 40, 14, rng=np.random.default_rng(seed), support_thickness=0).columns
        points = points[["y", "x"]].to_numpy()
        distance, nearest = cKDTree(points).query(points, k=2)
        y, x = (points[nearest[:, 1]] - points)[distance[:, 1] < 2.5].T
        turns.append(np.angle(np.exp(2j * np.arctan2(y, x)).mean()))
    assert abs(np.exp(1j * np.array(turns)).mean()) < 0.75
    assert np.ptp(turns) > 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"material": "MoS2"}, "MoS2 is a layer; a particle needs a bulk crystal"),
        ({"diameter": 0}, "diameter=0 Å must be above 0 and below the box's 40 Å"),
        ({"diameter": 41}, "diameter=41 Å must be"),
        (
            {"diameter": 39, "material": "Pt [110]", "facets": {(1, 0, 0): 1.0}},
            "of 39 Å doesn't fit 40 × 40 Å; enlarge the box",
        ),
        ({"facets": {(1, 0, 0): 1.0, (0, 0, 0): 1.0}}, r"facet \(0, 0, 0\) is no plane"),
        ({"facets": {(1, 0, 0): 1.0}, "material": "LiNiO2"}, r"facets \(1, 0, 0\) close no compact shape"),
        ({"support_thickness": -1}, "thickness -1 Å are no film's"),
        ({"density": 5}, "density=5 g/cm³ must be above 0 and at most diamond's 3.5"),
    ],
)
def test_what_is_no_particle_is_refused(arguments, words, rng):
    with pytest.raises(ValueError, match=words):
        particles.nanoparticle(**{"material": "Pt", "size": 40, "diameter": 20, "rng": rng, **arguments})


def test_what_are_no_atoms_on_carbon_is_refused(rng):
    with pytest.raises(ValueError, match="'Qq' is no chemical element"):
        particles.single_atoms("Qq", 30, 3, rng=rng)
    with pytest.raises(ValueError, match=r"500 atoms 5.0 Å apart don't fit the box, \d+ did"):
        particles.single_atoms("Pt", 30, 500, closest=5.0, rng=rng)
    with pytest.raises(ValueError, match="number=0 leaves nothing to see"):
        particles.single_atoms("Pt", 30, 0, rng=rng)
