"""Junctions, grain boundaries and twins against the lattices that they are made of."""

import itertools

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from atomwork.simulation import grains, interfaces, structures
from atomwork.simulation.cuts import facing
from tests.simulation import direction, places

FRONTS = list(itertools.product(("zigzag", "armchair"), ("bridge", "hollow")))


def area(outline):
    y, x = outline.T
    return 0.5 * abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1)))


def line_at(boundary, y):
    """Where a front lies at a height y."""
    segment = np.searchsorted(boundary.points[:, 0], y, side="right") - 1
    return boundary.points[np.clip(segment, 0, len(boundary.points) - 1), 1]


@pytest.mark.parametrize(("front", "registry"), FRONTS)
@pytest.mark.parametrize("materials", [("MoS2", "WS2"), ("WSe2", "MoS2")])
def test_a_junction_has_the_mean_lattice_of_both(front, registry, materials):
    whole = interfaces.heterojunction(*materials, 40, front=front, registry=registry)
    mean = np.mean([structures.build(name, 10).unit.cell[0, 0] for name in materials])
    repeat = np.array([mean, np.sqrt(3) * mean] if front == "zigzag" else [np.sqrt(3) * mean, mean])
    assert np.array(whole.size) / repeat == pytest.approx((np.array(whole.size) / repeat).round())
    metal = whole.atoms[whole.atoms.numbers > 40]
    assert neighbor_list("d", metal, 1.2 * mean) == pytest.approx(mean)  # every pair, across the sides too
    assert len(neighbor_list("d", metal, 1.2 * mean)) == 6 * len(metal)  # no row of metal is broken
    assert len(metal) == 2 * np.prod((np.array(whole.size) / repeat).round())


@pytest.mark.parametrize(("front", "registry"), FRONTS)
@pytest.mark.parametrize("roughness", [0.0, 0.5])
def test_each_metal_keeps_to_its_side(front, registry, roughness):
    rng = np.random.default_rng(1)
    whole = interfaces.heterojunction("MoS2", "WS2", 50, front=front, registry=registry, roughness=roughness, rng=rng)
    columns = whole.columns[whole.columns["species"] != "S"]
    beyond = columns["x"].to_numpy() > line_at(whole.boundaries[0], columns["y"].to_numpy() + 1e-6)
    assert set(columns["species"][beyond]) == {"W"}
    assert set(columns["species"][~beyond]) == {"Mo"}
    assert (columns["phase"] == np.where(beyond, "WS2", "MoS2")).all()


@pytest.mark.parametrize("front", ["zigzag", "armchair"])
@pytest.mark.parametrize("roughness", [0.0, 0.5])
def test_chalcogens_bridge_the_front_or_are_missing(front, roughness):
    """In the box's inner half the only S sites that are empty are those between both metals."""
    size = (50, 60)
    bridged, hollow = (
        interfaces.heterojunction(
            "MoS2", "WS2", size, front=front, registry=registry, roughness=roughness, rng=np.random.default_rng(5)
        )
        for registry in ("bridge", "hollow")
    )
    metals, sulphur = (bridged.columns[(bridged.columns["species"] == "S") == flag] for flag in (False, True))
    assert len(metals) == len(sulphur)
    inner = sulphur[abs(sulphur["x"] - bridged.size[1] / 2) < bridged.size[1] / 4]
    box = np.array(bridged.size)
    _, three = cKDTree(places(metals) % box % box, boxsize=box).query(places(inner) % box % box, k=3)
    kinds = (metals["species"].to_numpy()[three] == "W").sum(1)
    mixed = places(inner)[(kinds > 0) & (kinds < 3)]
    left = cKDTree(places(hollow.columns[hollow.columns["species"] == "S"]))
    assert left.query(mixed)[0].min() > 1
    assert left.query(places(inner)[(kinds == 0) | (kinds == 3)])[0].max() < 1e-6
    assert len(bridged.columns) - len(hollow.columns) == len(mixed)
    repeats = round(bridged.size[0] / (3.1571 if front == "zigzag" else 3.1571 * np.sqrt(3)))
    if not roughness:
        assert len(mixed) == repeats * (1 if front == "zigzag" else 2)


def test_a_straight_front_lies_in_the_middle_half_way_between_the_rows():
    for front, row in (("zigzag", np.sqrt(3) / 2), ("armchair", 0.5)):
        whole = interfaces.heterojunction("MoS2", "WS2", 40, front=front)
        columns = whole.columns
        mo, w = (columns.loc[columns["species"] == metal, "x"] for metal in ("Mo", "W"))
        assert whole.boundaries[0].points[:, 1] == pytest.approx(whole.size[1] / 2)
        assert (mo.max() + w.min()) / 2 == pytest.approx(whole.size[1] / 2)
        assert w.min() - mo.max() == pytest.approx(row * 3.1571, abs=1e-4)
        assert mo.min() == pytest.approx(whole.size[1] - w.max())  # the other front is the box's side
        assert whole.boundaries[0].kind == f"{front} front"
        assert np.ptp(whole.boundaries[0].points[:, 0]) == pytest.approx(whole.size[0])


def test_what_differs_from_the_unit_is_the_right_crystal():
    whole = interfaces.heterojunction("MoS2", "WS2", 40)
    tall, wide = (whole.size / whole.unit.cell.lengths()[[1, 0]]).round().astype(int)
    tiled, box = whole.unit.repeat((wide, tall, 1)), whole.atoms.cell.lengths()
    gap, match = cKDTree(whole.atoms.positions % box % box, boxsize=box).query(tiled.positions % box % box)
    assert gap.max() < 1e-6
    assert len(tiled) == len(whole.atoms)
    changed = whole.atoms.numbers[match] != tiled.numbers
    assert set(whole.atoms.symbols[match][changed]) == {"W"}
    assert set(tiled.symbols[changed]) == {"Mo"}


def test_phases_of_a_junction_share_the_box():
    rng = np.random.default_rng(2)
    whole = interfaces.heterojunction("MoSe2", "WS2", 60, roughness=0.6, rng=rng)
    assert sum(area(phase.outline) for phase in whole.phases) == pytest.approx(np.prod(whole.size))
    assert [phase.name for phase in whole.phases] == ["MoSe2", "WS2"]
    assert set(whole.columns.loc[whole.columns["phase"] == "MoSe2", "species"]) == {"Mo", "Se"}
    assert set(whole.columns.loc[whole.columns["phase"] == "WS2", "species"]) == {"W", "S"}
    assert np.ptp(whole.boundaries[0].points[:, 1]) > 2


def test_a_rough_front_closes_at_the_sides_and_kinks_as_often_as_asked():
    rng = np.random.default_rng(0)
    walks = [interfaces.walk(200, 0.3, 50, rng) for _ in range(50)]
    assert all(one[-1] == 0 for one in walks)
    kinks = np.mean([np.count_nonzero(np.diff(one, prepend=0)) for one in walks])
    assert kinks == pytest.approx(0.3 * 200, rel=0.05)
    assert abs(interfaces.walk(500, 1.0, 3, rng)).max() == 3


def test_the_front_goes_through_both_layers_of_a_bilayer():
    whole = interfaces.heterojunction("MoS2", "WS2", 40, layers=2)
    height = whole.atoms.positions[:, 2]
    for layer in (height < height.mean(), height > height.mean()):
        x = whole.atoms.positions[layer, 0]
        symbols = np.array(whole.atoms.get_chemical_symbols())[layer]
        assert x[symbols == "Mo"].max() < whole.size[1] / 2 < x[symbols == "W"].min()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"left": "graphene"}, "'graphene' has no junction here; choose from MoS2, WS2"),
        ({"right": "MoS2"}, "MoS2 bridged to itself has no front"),
        ({"front": "diagonal"}, "front 'diagonal' is unknown; choose zigzag or armchair"),
        ({"registry": "top"}, "registry 'top' is unknown; choose bridge or hollow"),
        ({"roughness": 1.5}, "roughness=1.5 must be a chance"),
        ({"roughness": 0.5}, "a rough front is random; give rng"),
        ({"size": -1}, "must be positive"),
    ],
)
def test_what_is_no_junction_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        interfaces.heterojunction(**{"left": "MoS2", "right": "WS2", "size": 20, **arguments})


@pytest.mark.parametrize("angle", [0.0, 25.0])
@pytest.mark.parametrize(("material", "species", "fold", "turn"), [("SrTiO3", "Sr", 4, 22.6), ("MoS2", "Mo", 6, 13.0)])
def test_the_misorientation_is_found_again(material, species, fold, turn, angle):
    whole = interfaces.grain_boundary(material, 70, turn, angle=angle, thickness=4)
    columns = whole.columns
    columns = columns[(columns["species"] == species) & columns["x"].between(2, 68) & columns["y"].between(2, 68)]
    found = [direction(places(columns[columns["phase"].str.endswith(grain)]), fold) for grain in ("grain A", "grain B")]
    difference = (found[1] - found[0] - turn + 180 / fold) % (360 / fold) - 180 / fold
    assert abs(difference) < 0.1
    middle = (np.mean(found) - angle + 90 / fold) % (180 / fold) - 90 / fold  # half-way lies the boundary
    assert abs(middle) < 0.1


@pytest.mark.parametrize("angle", [0.0, 90.0, 37.0])
@pytest.mark.parametrize("seed", [None, 1])
def test_grains_meet_at_the_line_and_keep_their_distance(angle, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    whole = interfaces.grain_boundary("MoS2", (50, 60), 21.0, angle=angle, rng=rng, closest=0.7)
    columns, (along, across) = whole.columns, facing(angle)
    away = (places(columns) - np.array(whole.size) / 2) @ across
    grain_a = (columns["phase"] == "MoS2 grain A").to_numpy()
    assert away[grain_a].max() < 1e-3
    assert away[~grain_a].min() > 0
    gap, _ = cKDTree(places(columns)[grain_a]).query(places(columns)[~grain_a])
    assert 0.7 * 3.161 / np.sqrt(3) <= gap.min() < 3.161
    density = len(columns) / np.prod(whole.size)
    assert density == pytest.approx(2 / (3.161**2 * np.sqrt(3) / 2), rel=0.03)
    line = whole.boundaries[0]
    assert line.kind == "grain boundary"
    assert abs((line.points - np.array(whole.size) / 2) @ across).max() < 1e-9
    assert np.linalg.norm(line.points[1] - line.points[0]) == pytest.approx(np.ptp(line.points @ along))
    assert sum(area(phase.outline) for phase in whole.phases) == pytest.approx(50 * 60)
    assert whole.unit is None


def test_the_seed_places_the_grains():
    first, again, other = (
        interfaces.grain_boundary("MoS2", 30, 20.0, rng=np.random.default_rng(seed)).atoms.positions for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert first.shape != other.shape or not (first == other).all()


def test_one_crystal_has_no_grain_boundary():
    with pytest.raises(ValueError, match=r"misorientation=0\.0° leaves one crystal"):
        interfaces.grain_boundary("Si", 30, 0.0)


@pytest.mark.parametrize(
    ("material", "angle", "rotation"),
    [("MoS2", 0.0, 0.0), ("MoS2", 180.0, 0.0), ("MoS2", 20.0, 20.0), ("Si", 35.2644, 0.0), ("SrTiO3", 13.0, 0.0)],
)
def test_a_twin_is_its_own_mirror_image(material, angle, rotation):
    whole = interfaces.twin(material, (40, 50), angle=angle, rotation=rotation, thickness=8)
    columns, (_, across) = whole.columns, facing(angle)
    point, middle = places(columns), np.array(whole.size) / 2
    away = (point - middle) @ across
    image = point - 2 * away[:, None] * across
    inner = ((image > 2) & (image < np.array(whole.size) - 2) & (point > 2) & (point < np.array(whole.size) - 2)).all(1)
    gap, match = cKDTree(point).query(image[inner])
    assert inner.sum() > 100
    assert gap.max() < 1e-6
    for name in ("species", "n_atoms"):
        assert (columns[name].to_numpy()[match] == columns[name].to_numpy()[inner]).all()
    assert (away[(columns["phase"].str.endswith("grain A")).to_numpy()] < 1e-3).all()
    assert whole.boundaries[0].kind == "twin boundary"


def test_like_atoms_of_a_twin_face_each_other_at_a_distance_they_can_have():
    for angle, element, nearest in ((0.0, "Mo", 3.161), (180.0, "S", 3.161)):
        whole = interfaces.twin("MoS2", 40, angle=angle)
        y = whole.atoms.positions[whole.atoms.symbols == element, 1] - 20
        assert 2 * abs(y).min() == pytest.approx(0.85 * nearest)


def test_the_coherent_twin_of_silicon_keeps_every_bond():
    """The {111} mirror cuts bonds of 2.35 Å in their middles: all atoms have four neighbours, as in lonsdaleite."""
    whole = interfaces.twin("Si", 60, angle=35.2644, thickness=24)
    positions = whole.atoms.positions
    inner = ((positions > (8, 8, 8)) & (positions < (52, 52, 20))).all(1)
    distance = cKDTree(positions).query(positions[inner], k=6)[0][:, 1:]
    assert distance[:, :4] == pytest.approx(2.352, abs=0.01)
    assert distance[:, 4].min() > 3


def test_the_coherent_twin_of_platinum_is_close_packed():
    whole = interfaces.twin("Pt", 60, angle=35.2644, thickness=30)
    positions = whole.atoms.positions
    inner = ((positions > (8, 8, 8)) & (positions < (52, 52, 24))).all(1)
    distance = cKDTree(positions).query(positions[inner], k=14)[0][:, 1:]
    assert distance[:, :12] == pytest.approx(2.775, abs=0.01)
    assert distance[:, 12].min() > 3


@pytest.mark.parametrize(
    ("material", "angle"), [("MoS2", 90.0), ("SrTiO3", 45.0), ("Si", 0.0), ("Si", 90.0), ("graphene", 0.0), ("Pt [100]", 90.0)]
)
def test_a_mirror_line_of_the_crystal_makes_no_twin(material, angle):
    with pytest.raises(ValueError, match=f"a line at {angle}° is a mirror of {material.split()[0]}"):
        interfaces.twin(material, 40, angle=angle, thickness=8)


def test_grains_move_and_mirror_as_a_whole():
    crystal = interfaces.crystals.find("BaTiO3")
    grain = grains.grow(crystal, np.array([20.0, 20.0]), 12, 1, 10.0, np.zeros(2))
    across = facing(30.0)[1]
    twice = grain.mirrored(np.array([3.0, 4.0]), across).mirrored(np.array([3.0, 4.0]), across)
    assert twice.atoms.positions == pytest.approx(grain.atoms.positions)
    part = grain.where(grain.places[:, 0] > 10)
    assert len(part.atoms) == np.isin(grain.labels, np.flatnonzero(grain.places[:, 0] > 10)).sum()
    assert part.labels.max() + 1 == len(part.places)
    moved = part.moved(np.ones((len(part.places), 2)))
    assert moved.atoms.positions[:, :2] == pytest.approx(part.atoms.positions[:, :2] + 1)
