"""Point defects against counting: what each kind changes, how many there are, where they may be."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.simulation import point_defects, structures
from atomwork.simulation.specimen import SAME_COLUMN, nearest_copy


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def monolayer():
    return structures.build("MoS2", 50)


@pytest.fixture(scope="module")
def thick():
    return structures.build("SrTiO3", 40, thickness=3.905 * 6)


def difference(before, after):
    """What the atoms' count and the columns' number changed by."""
    count = Counter(after.atoms.get_chemical_symbols())
    count.subtract(before.atoms.get_chemical_symbols())
    return {symbol: n for symbol, n in count.items() if n}, len(after.columns) - len(before.columns)


def column_at(specimen, defect):
    """The column at a noted place; None if there is none."""
    box = np.array(specimen.size)
    columns = specimen.columns
    away = np.hypot(*nearest_copy(columns[["y", "x"]].to_numpy() - (defect["y"], defect["x"]), box).T)
    return columns.iloc[away.argmin()] if away.min() < SAME_COLUMN else None


# per defect: change of the formula, change of the number of columns, (species, n_atoms) at the place
IN_MOS2 = {
    "V_S": ({"S": -1}, 0, ("S", 1)),
    "V_S2": ({"S": -2}, -1, None),
    "V_Mo": ({"Mo": -1}, -1, None),
    "Mo_S": ({"S": -1, "Mo": 1}, 0, ("Mo S", 2)),
    "Mo_S2": ({"S": -2, "Mo": 1}, 0, ("Mo", 1)),
    "S2_Mo": ({"Mo": -1, "S": 2}, 0, ("S", 2)),
    "W_Mo": ({"Mo": -1, "W": 1}, 0, ("W", 1)),
    "Se_S": ({"S": -1, "Se": 1}, 0, ("Se S", 2)),
    "Se2_S2": ({"S": -2, "Se": 2}, 0, ("Se", 2)),
    "C_i": ({"C": 1}, 1, ("C", 1)),
    "Mo_i": ({"Mo": 1}, 1, ("Mo", 1)),
}
IN_SRTIO3 = {
    "V_Sr": ({"Sr": -1}, 0, ("Sr", 5)),
    "V_Sr:0.5": ({"Sr": -3}, 0, ("Sr", 3)),
    "V_Sr:0.01": ({"Sr": -1}, 0, ("Sr", 5)),
    "V_Sr:1": ({"Sr": -6}, -1, None),
    "Ti_Sr:1": ({"Sr": -6, "Ti": 6}, 0, ("Ti", 6)),
    "Sr_Ti": ({"Ti": -1, "Sr": 1}, 0, ("Sr Ti O", 12)),
    "V_Ti:1": ({"Ti": -6}, 0, ("O", 6)),
}


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("kind", [*IN_MOS2, *IN_SRTIO3])
def test_a_defect_changes_what_its_notation_says(kind, number, monolayer, thick, rng):
    before, expected = (monolayer, IN_MOS2[kind]) if kind in IN_MOS2 else (thick, IN_SRTIO3[kind])
    after = point_defects.introduce(before, {kind: number}, rng=rng)
    formula, columns = difference(before, after)
    assert formula == {symbol: n * number for symbol, n in expected[0].items()}
    assert columns == expected[1] * number
    assert after.defects["kind"].tolist() == [kind] * number
    for _, defect in after.defects.iterrows():
        found = column_at(after, defect)
        assert (None if found is None else (found["species"], found["n_atoms"])) == expected[2]
    assert after.unit is before.unit
    assert len(before.defects) == 0  # the first one is as it was


def test_two_sulphurs_take_the_heights_of_their_planes(monolayer, rng):
    after = point_defects.introduce(monolayer, {"S2_Mo": 1}, rng=rng)
    height = after.atoms.positions[after.atoms.symbols == "S", 2]
    assert len(np.unique(height.round(6))) == 2


def test_one_metal_for_two_sulphurs_stands_in_the_middle(monolayer, rng):
    after = point_defects.introduce(monolayer, {"Mo_S2": 3}, rng=rng)
    assert np.ptp(after.atoms.positions[after.atoms.symbols == "Mo", 2]) < 1e-6


def test_sulphur_leaves_from_either_side(monolayer, rng):
    after = point_defects.introduce(monolayer, {"V_S": 40}, rng=rng)
    height = after.atoms.positions[after.atoms.symbols == "S", 2].round(3)
    _, count = np.unique(height, return_counts=True)
    assert abs(np.diff(count)[0]) < 25  # 40 fair coins differ by 0 ± 6.3


def test_two_sulphurs_that_leave_a_bilayer_are_of_one_layer(rng):
    bilayer = structures.build("MoS2", 30, layers=2, stacking="AA")
    after = point_defects.introduce(bilayer, {"V_S2": 10}, rng=rng)
    kept = np.isclose(cKDTree(after.atoms.positions).query(bilayer.atoms.positions)[0], 0)
    gone = bilayer.atoms[~kept]
    layer = gone.positions[:, 2] > bilayer.atoms.cell[2, 2] / 2
    place = gone.positions[:, :2].round(3)
    for here in np.unique(place, axis=0):
        pair = (place == here).all(1)
        assert pair.sum() == 2
        assert len(set(layer[pair])) == 1


def test_hollows_of_a_honeycomb_are_the_middles_of_its_rings(monolayer):
    _, places = point_defects.hollows(monolayer.atoms)
    assert len(places) == sum(monolayer.atoms.symbols == "Mo")  # one ring a cell
    away = cKDTree(monolayer.columns[["y", "x"]]).query(places)[0]
    assert away.max() == pytest.approx(3.161 / np.sqrt(3), abs=1e-6) == away.min()


def test_a_vacancy_is_no_hollow_of_the_lattice(monolayer, rng):
    emptied = point_defects.introduce(monolayer, {"V_S2": 30}, rng=rng)
    _, places = point_defects.hollows(monolayer.atoms)
    filled = point_defects.introduce(emptied, {"C_i": 50}, rng=rng)
    found = filled.defects.loc[filled.defects["kind"] == "C_i", ["y", "x"]].to_numpy(float)
    box = np.array(monolayer.size)
    assert cKDTree(places % box % box, boxsize=box).query(found % box % box)[0].max() < 1e-6


def test_kinds_are_done_in_order_and_never_share_a_column(monolayer, rng):
    kinds = {"V_S": 30, "W_Mo": 20, "Mo_S2": 30, "V_Mo": 20, "C_i": 20, "V_S2": 30}
    after = point_defects.introduce(monolayer, kinds, rng=rng)
    assert after.defects["kind"].tolist() == [kind for kind, number in kinds.items() for _ in range(number)]
    places, box = after.defects[["y", "x"]].to_numpy(float), np.array(after.size)
    assert len(cKDTree(places % box % box, boxsize=box).query_pairs(1.0)) == 0


def test_a_second_call_leaves_the_first_ones_sites_alone(monolayer, rng):
    sites = sum(monolayer.atoms.symbols == "Mo")
    after = point_defects.introduce(monolayer, {"W_Mo": sites - 3}, rng=rng)
    with pytest.raises(ValueError, match=r"4 × V_Mo asked for, but only 3 sites are free"):
        point_defects.introduce(after, {"V_Mo": 4}, rng=rng)


def test_shares_count_the_sites(monolayer, rng):
    sites = sum(monolayer.atoms.symbols == "Mo")
    for share in (0.0, 0.05, 0.5):
        after = point_defects.introduce(monolayer, {"W_Mo": share}, rng=rng)
        assert len(after.defects) == round(share * sites)


def test_defects_keep_their_distance_also_across_the_sides(monolayer, rng):
    after = point_defects.introduce(monolayer, {"V_S": 6, "W_Mo": 6}, rng=rng, apart=9.0)
    places, box = after.defects[["y", "x"]].to_numpy(float), np.array(after.size)
    assert len(places) == 12
    assert len(cKDTree(places % box % box, boxsize=box).query_pairs(9.0)) == 0


def test_defects_stay_in_their_region(monolayer, rng):
    region = (10.0, 20.0, 25.0, 45.0)
    after = point_defects.introduce(monolayer, {"V_S": 20, "C_i": 5}, rng=rng, region=region)
    assert after.defects["y"].between(10, 25).all()
    assert after.defects["x"].between(20, 45).all()


def test_the_whole_box_as_region_leaves_no_site_out(monolayer, rng):
    sites = sum(monolayer.atoms.symbols == "Mo")
    everything = (0, 0, *monolayer.size)
    assert len(point_defects.introduce(monolayer, {"W_Mo": sites}, rng=rng, region=everything).defects) == sites


def test_sites_are_drawn_evenly(monolayer):
    """The mean of many places is the middle of the sites, within four standard errors."""
    rng = np.random.default_rng(1)
    rows = [point_defects.introduce(monolayer, {"V_S": 20}, rng=rng).defects for _ in range(20)]
    places = np.concatenate([one[["y", "x"]].to_numpy(float) for one in rows])
    sites = monolayer.columns.loc[monolayer.columns["species"] == "S", ["y", "x"]]
    error = sites.std().to_numpy() / np.sqrt(len(places))
    assert (abs(places.mean(0) - sites.mean().to_numpy()) < 4 * error).all()


def test_the_seed_decides(monolayer):
    first, again, other = (
        point_defects.introduce(monolayer, {"V_S": 9}, rng=np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert (first.atoms.positions == again.atoms.positions).all()
    assert not first.defects.equals(other.defects)


@pytest.mark.parametrize("distance", [0.05, 0.2])
def test_a_shift_moves_one_element_of_a_column_by_its_distance(thick, distance, rng):
    after = point_defects.shift(thick, "Ti", 5, distance, rng=rng, apart=5.0)
    moved = np.linalg.norm(after.atoms.positions - thick.atoms.positions, axis=1)
    assert sorted(set(moved.round(9))) == [0, distance]
    assert set(after.atoms.symbols[moved > 0]) == {"Ti"}
    assert (moved > 0).sum() == 5 * 6
    assert np.ptp(after.atoms.positions[:, 2] - thick.atoms.positions[:, 2]) == 0
    assert after.defects["kind"].tolist() == ["d_Ti"] * 5
    titanium = after.atoms.positions[moved > 0][:, 1::-1]
    assert cKDTree(titanium).query(after.defects[["y", "x"]].to_numpy(float))[0].max() < 1e-9


def test_shifts_have_every_direction(thick, rng):
    after = point_defects.shift(thick, "Sr", 60, 0.1, rng=rng)
    step = (after.atoms.positions - thick.atoms.positions)[:, :2]
    step = step[np.linalg.norm(step, axis=1) > 0] / 0.1
    assert np.linalg.norm(step.mean(0)) < 4 / np.sqrt(60)


def test_a_new_atom_has_its_neighbours_phase(rng):
    whole = structures.build("MoS2", 30)
    whole.atoms.set_array("phase", (whole.atoms.positions[:, 0] > 15).astype(int))
    after = point_defects.introduce(whole, {"W_Mo": 10, "S2_Mo": 5}, rng=rng)
    new = after.atoms.symbols == "W"
    assert (after.atoms.arrays["phase"][new] == (after.atoms.positions[new, 0] > 15)).all()


def test_a_support_keeps_its_atoms(rng):
    whole = structures.build("graphene", 20)
    whole.atoms.set_array("support", whole.atoms.positions[:, 0] > 10)
    after = point_defects.introduce(whole, {"V_C": 10}, rng=rng)
    assert after.atoms.arrays["support"].sum() == whole.atoms.arrays["support"].sum()
    assert after.defects["x"].max() < 10.1


@pytest.mark.parametrize(
    ("defects", "words"),
    [
        ({"vacancy": 1}, "defect 'vacancy' can't be read; write it like V_S, V_S2"),
        ({"V2_S": 1}, "'V2_S' has a number where none can be"),
        ({"V_i": 1}, "'V_i' has a number where none can be"),
        ({"Mo2_i": 1}, "'Mo2_i' has a number where none can be"),
        ({"V_S2:0.5": 1}, "'V_S2:0.5' has a number where none can be"),
        ({"Qq_S": 1}, "'Qq' in 'Qq_S' is no chemical element"),
        ({"S3_Mo": 1}, "'S3_Mo' puts 3 atoms in place of 1"),
        ({"V_S:1.5": 1}, "share 1.5 in 'V_S:1.5' must be above 0 and at most 1"),
        ({"V_S:0": 1}, "share 0 in"),
        ({"V_S": 10**5}, "100000 × V_S asked for, but only 320 sites are free"),
        ({"V_Bi": 1}, "1 × V_Bi asked for, but only 0 sites are free"),
        ({"V_S": 1.0}, "V_S: 1.0 is neither a whole number of defects nor a share of the sites below 1"),
        ({"V_S": -1}, "V_S: -1 is neither"),
    ],
)
def test_what_is_no_defect_is_refused(defects, words, monolayer, rng):
    with pytest.raises(ValueError, match=words):
        point_defects.introduce(monolayer, defects, rng=rng)


def test_limits_of_place_are_named(monolayer, rng):
    with pytest.raises(ValueError, match=r"only \d+ sites at least 20 Å apart in the region are free"):
        point_defects.introduce(monolayer, {"V_S": 50}, rng=rng, apart=20.0, region=(0, 0, 30, 30))
    with pytest.raises(ValueError, match=r"region \(9, 0, 9, 5\) is empty"):
        point_defects.introduce(monolayer, {"V_S": 1}, rng=rng, region=(9, 0, 9, 5))
    with pytest.raises(ValueError, match="V_S goes to random sites; give rng"):
        point_defects.introduce(monolayer, {"V_S": 1}, rng=None)
    with pytest.raises(ValueError, match="needs bonds above and below"):
        point_defects.introduce(structures.build("graphene", 20), {"N2_C": 1}, rng=rng)
    with pytest.raises(ValueError, match="distance=0 Å is no shift"):
        point_defects.shift(monolayer, "Mo", 1, 0, rng=rng)
    with pytest.raises(ValueError, match="'Zz' in 'd_Zz' is no chemical element"):
        point_defects.shift(monolayer, "Zz", 1, 0.1, rng=rng)
