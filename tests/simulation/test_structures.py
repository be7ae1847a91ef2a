"""Specimens as a whole: they repeat, turn, twist and stretch as they are told."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.simulation import crystals, structures
from tests.simulation import direction, places


def apart(angle, other, period):
    return abs((angle - other + period / 2) % period - period / 2)


@pytest.mark.parametrize(
    ("material", "layers"),
    [(m, 1) for m in (*crystals.CRYSTALS, "SrTiO3 [110]", "Si [111]")] + [(m, 2) for m in crystals.LAYERED],
)
def test_tiling_the_unit_gives_exactly_the_atoms(material, layers):
    whole = structures.build(material, (14, 19), thickness=12, layers=layers)
    if whole.unit is None:
        assert material == "ReS2 1T″"  # the only one here whose cell is oblique in projection
        return
    height, width = whole.size
    tall, wide = (whole.size / whole.unit.cell.lengths()[[1, 0]]).round().astype(int)
    tiled = whole.unit.repeat((wide, tall, 1))
    assert tiled.cell.lengths()[:2] == pytest.approx([width, height])
    assert height >= 14
    assert width >= 19
    box = whole.atoms.cell.lengths()
    gap, match = cKDTree(whole.atoms.positions % box % box, boxsize=box).query(tiled.positions % box % box)
    assert len(tiled) == len(whole.atoms)
    assert gap.max() < 1e-6
    assert (whole.atoms.numbers[match] == tiled.numbers).all()


@pytest.mark.parametrize("size", [0.5, (0.5, 30.0), 7.0])
def test_a_size_below_a_cell_is_one_cell(size):
    whole = structures.build("MoS2", size)
    assert (np.array(whole.size) >= size).all()
    assert whole.size[0] == pytest.approx(3.161 * np.sqrt(3) * np.ceil(np.broadcast_to(size, 2)[0] / 5.48))
    assert len(whole.columns) * 1.5 == len(whole.atoms)


def test_there_are_as_many_formula_units_as_volume():
    whole = structures.build("SrTiO3", (31, 47), thickness=3.905 * 10)
    assert whole.atoms.get_chemical_formula() == f"O{3 * 8 * 13 * 10}Sr{8 * 13 * 10}Ti{8 * 13 * 10}"
    assert whole.atoms.cell[2, 2] == pytest.approx(39.05 + 2 * structures.VACUUM)
    height = whole.atoms.positions[:, 2]
    assert height.min() >= structures.VACUUM - 1e-6
    assert height.max() <= 39.05 + structures.VACUUM


@pytest.mark.parametrize("angle", [7.0, 33.3, -120.0])
def test_rotation_turns_columns_from_x_towards_y(angle):
    whole = structures.build("SrTiO3", 60, thickness=4, rotation=angle)
    strontium = places(whole.columns[whole.columns["species"] == "Sr"])
    inner = strontium[((strontium > 1) & (strontium < 59)).all(1)]  # those at the sides may have merged across them
    turn = np.deg2rad(angle)
    back = inner @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / 3.905
    assert back == pytest.approx(back.round(), abs=1e-6)
    assert len(strontium) == pytest.approx(60**2 / 3.905**2, rel=0.03)
    assert whole.unit is None
    assert whole.size == (60, 60)


@pytest.mark.parametrize("rotation", [0.0, 17.0])
@pytest.mark.parametrize("twist", [3.0, 21.8])
def test_the_twist_is_found_again_between_the_layers(twist, rotation):
    whole = structures.build("MoS2", 60, layers=3, twist=twist, rotation=rotation, stacking="AA")
    metal = whole.atoms.positions[whole.atoms.symbols == "Mo"]
    height = metal[:, 2].round(1)
    layers = [metal[height == z][:, 1::-1] for z in np.unique(height)]
    assert len(layers) == 3
    angles = [direction(layer, 6) for layer in layers]
    for k, angle in enumerate(angles):
        assert apart(angle, angles[0] + k * twist, 60) < 1e-3
    assert whole.unit is None


def test_the_moire_of_a_twist_has_its_known_period():
    """a/(2 sin(θ/2)), e.g. 24.0 Å for graphene at 5.88°: the two lattices' difference vector in reciprocal space."""
    twist = 5.88
    whole = structures.build("graphene", 110, layers=2, twist=twist, stacking="AA")
    columns = whole.columns
    merged = places(columns[columns["n_atoms"] == 2])  # where both layers' atoms stand above each other
    period = 2.461 / (2 * np.sin(np.deg2rad(twist) / 2))
    centres = merged[cKDTree(merged).query(merged, k=7)[0][:, 6] < 2.6]  # the middles of AA areas are fully merged
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    nearest = distance[(distance > period / 2) & (distance < 1.5 * period)]
    assert np.mean(nearest) == pytest.approx(period, rel=0.02)


def test_a_twist_of_nothing_is_the_stack_itself():
    flat, twisted = (structures.build("MoS2", 20, layers=2, twist=t) for t in (0.0, 360.0))
    first, second = (np.unique(one.columns["species"]) for one in (flat, twisted))
    assert (first == second).all()


def test_rotation_turns_a_stack_as_a_whole():
    """Turned AB layers keep the share of columns of either height."""
    for stacking in ("AB", "AA′"):
        flat, turned = (structures.build("MoS2", 60, layers=2, stacking=stacking, rotation=r) for r in (0.0, 40.0))
        share = [one.columns["species"].value_counts(normalize=True).sort_index() for one in (flat, turned)]
        assert share[0].index.tolist() == share[1].index.tolist()
        assert share[0].to_numpy() == pytest.approx(share[1].to_numpy(), abs=0.01)


def test_defects_and_strain_come_with_the_specimen():
    rng = np.random.default_rng(0)
    whole = structures.build("MoS2", 30, defects={"V_S2": 3}, displacement=lambda y, x: (0 * y, 0.05 * x), rng=rng)
    plain = structures.build("MoS2", 30)
    assert len(plain.columns) - len(whole.columns) == 3
    assert whole.defects["kind"].tolist() == ["V_S2"] * 3
    expected = places(plain.columns) * (1, 1.05)
    gap, _ = cKDTree(expected).query(whole.defects[["y", "x"]].to_numpy(float))
    assert gap.max() < 1e-6


def test_the_phase_fills_the_box():
    whole = structures.build("Pt", (20, 30))
    y, x = whole.phases[0].outline.T
    area = 0.5 * abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1)))
    assert area == pytest.approx(np.prod(whole.size))
    assert set(whole.columns["phase"]) == {"Pt [110]"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 0}, "size 0 × 0 Å"),
        ({"size": (5, -2)}, "size 5 × -2 Å"),
        ({"size": np.nan}, "must be positive"),
        ({"thickness": 0}, "thickness 0 Å"),
        ({"layers": 0}, "layers 0"),
        ({"stacking": "AC"}, "choose one of AA, AA′, AB, ABC"),
        ({"defects": {"V_S": 1}}, "give rng"),
    ],
)
def test_what_no_specimen_can_be_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        structures.build(**{"material": "MoS2", "size": 10, **changes})


@pytest.mark.parametrize("stacked", [{"layers": 2}, {"stacking": "AB"}, {"twist": 5.0}])
def test_bulk_crystals_have_no_layers_to_stack(stacked):
    with pytest.raises(ValueError, match=r"SrTiO3 \[001\] has no layers to stack or twist"):
        structures.build("SrTiO3", 10.0, **stacked)
