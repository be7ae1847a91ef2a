"""Voids and edges: what is inside is gone, what is outside is untouched, columns are never split."""

import numpy as np
import pytest

from atomwork.simulation import cuts, point_defects, structures
from atomwork.simulation.specimen import nearest_copy


@pytest.fixture(scope="module")
def whole():
    return structures.build("SrTiO3", 60, thickness=10)


def area(outline):
    y, x = outline.T
    return 0.5 * abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1)))


def key(specimen):
    """Every column as one row, to compare tables by."""
    return {(round(c.y, 3), round(c.x, 3), c.species, c.n_atoms) for c in specimen.columns.itertuples()}


@pytest.mark.parametrize("centre", [(30.0, 30.0), (2.0, 58.0)])
def test_a_smooth_void_is_a_disc(whole, centre):
    after = cuts.void(whole, centre, 11.0, rng=np.random.default_rng(0), roughness=0.0)
    gone = key(whole) - key(after)
    assert key(after) < key(whole)
    for one, inside in ((gone, True), (key(after), False)):
        away = nearest_copy(np.array([column[:2] for column in one]) - centre, np.array(whole.size))
        assert (np.hypot(*away.T) < 11.0).all() == inside
        assert (np.hypot(*away.T) > 11.0).all() != inside
    assert after.defects.to_numpy().tolist() == [["void", *centre]]
    assert len(gone) == pytest.approx(np.pi * 11**2 * len(whole.columns) / np.prod(whole.size), rel=0.1)


def test_the_rim_is_closed_and_as_rough_as_asked():
    rng = np.random.default_rng(0)
    whole = structures.build("Pt [100]", 90, thickness=3)
    rims = [cuts.void(whole, (45, 45), 30.0, rng=rng, roughness=0.1).boundaries[0] for _ in range(20)]
    radius = [np.hypot(*(rim.points[:-1] - 45).T) / 30 for rim in rims]
    assert np.std(np.concatenate(radius)) == pytest.approx(0.1, rel=0.05)
    assert np.mean(np.concatenate(radius)) == pytest.approx(1, abs=0.01)
    assert {rim.kind for rim in rims} == {"void"}
    assert (rims[0].points[0] == rims[0].points[-1]).all()


def test_the_rim_parts_what_is_gone_from_what_is_left():
    """Areas: as many columns are gone as the rim's polygon would hold."""
    rng = np.random.default_rng(2)
    whole = structures.build("graphene", 90)
    after = cuts.void(whole, (45, 45), 25.0, rng=rng, roughness=0.2)
    gone = len(whole.columns) - len(after.columns)
    assert gone == pytest.approx(area(after.boundaries[0].points[:-1]) * len(whole.columns) / np.prod(whole.size), rel=0.03)


def test_an_edge_takes_the_half_plane_it_faces(whole):
    rng = np.random.default_rng(0)
    size = np.array(whole.size)
    for angle, gone in ((0, lambda y, x: y > size[0] / 2 + 5), (90, lambda y, x: x < size[1] / 2 - 5)):
        after = cuts.edge(whole, angle, 5.0, rng=rng)
        expected = {column for column in key(whole) if not gone(*column[:2])}
        assert key(after) == expected
        assert [boundary.kind for boundary in after.boundaries] == ["edge"]
        axis = 0 if angle == 0 else 1
        assert after.boundaries[0].points[:, axis] == pytest.approx(size[axis] / 2 + (5 if angle == 0 else -5))


@pytest.mark.parametrize("angle", [20.0, 135.0, -60.0])
def test_edges_from_both_sides_leave_nothing_twice(whole, angle):
    """An edge and the one that faces it share the crystal between them."""
    rng = np.random.default_rng(0)
    first, second = (cuts.edge(whole, angle + turn, 0.317, rng=rng) for turn in (0, 180))
    strip = key(first) & key(second)
    assert key(first) | key(second) == key(whole)
    along, across = cuts.facing(angle)
    assert along @ across == pytest.approx(0, abs=1e-15)
    for column in strip:
        assert abs((np.array(column[:2]) - np.array(whole.size) / 2) @ across) <= 0.32


def test_a_rough_edge_strays_as_asked():
    rng = np.random.default_rng(0)
    whole = structures.build("Pt [100]", 100, thickness=3)
    points = [cuts.edge(whole, 0, 0.0, rng=rng, roughness=2.0).boundaries[0].points for _ in range(30)]
    away = np.concatenate(points)[:, 0] - whole.size[0] / 2
    assert np.sqrt(np.mean(away**2)) == pytest.approx(2.0, rel=0.2)


def test_what_was_noted_goes_with_its_place():
    rng = np.random.default_rng(0)
    whole = point_defects.introduce(structures.build("MoS2", 50), {"V_S": 60}, rng=rng)
    after = cuts.void(whole, (25, 25), 12, rng=rng, roughness=0)
    noted = whole.defects[["y", "x"]].to_numpy(float)
    left = (np.hypot(*(noted - 25).T) >= 12).sum()
    assert 0 < left < 60
    assert after.defects["kind"].tolist() == ["V_S"] * left + ["void"]
    beyond = cuts.edge(after, 0, -20, rng=rng)
    assert [boundary.kind for boundary in beyond.boundaries] == ["edge"]
    assert "void" not in set(beyond.defects["kind"])


def test_columns_go_as_a_whole():
    whole = structures.build("BaTiO3", 40, thickness=12)  # Ti and O of one column stand apart by 0.13 Å
    after = cuts.void(whole, (20, 20), 9, rng=np.random.default_rng(0))
    assert key(after) < key(whole)


def test_the_seed_decides(whole):
    first, again, other = (cuts.void(whole, (30, 30), 12, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (first.boundaries[0].points == again.boundaries[0].points).all()
    assert (first.boundaries[0].points != other.boundaries[0].points).any()


@pytest.mark.parametrize(
    ("centre", "radius", "roughness", "words"),
    [
        ((30, 30), 0, 0.1, "radius=0 Å must be above 0 and at most half of the box, 31.2 Å"),
        ((30, 30), 40, 0.1, "radius=40 Å must be"),
        ((30, 30), 10, 0.7, "roughness=0.7 must be from 0 to 0.5"),
        ((-1, 30), 10, 0.1, r"centre \(-1.0, 30.0\) lies outside the box of 62.5 × 62.5 Å"),
        ((30.3, 30.3), 0.1, 0.1, "takes no column"),
    ],
)
def test_what_is_no_void_is_refused(whole, centre, radius, roughness, words):
    with pytest.raises(ValueError, match=words):
        cuts.void(whole, centre, radius, rng=np.random.default_rng(0), roughness=roughness)


def test_what_is_no_edge_is_refused(whole):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="takes no column; move it"):
        cuts.edge(whole, 0, 50, rng=rng)
    with pytest.raises(ValueError, match=f"takes all {len(whole.columns)} columns"):
        cuts.edge(whole, 0, -50, rng=rng)
    with pytest.raises(ValueError, match="roughness=-1 Å must not be negative"):
        cuts.edge(whole, 0, 0, rng=rng, roughness=-1)
