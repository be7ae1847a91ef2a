"""Fronts metal by metal: by construction, at either contrast, bridged and hollow, with steps; the line between them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.columns import fronts, junction
from tests.columns.junctions import CELLS, SHAPE, drawn, layout, stepped


def wrong(found, places, side):
    """Number of metals in the image on the wrong side, whichever crystal is called the first."""
    inside = ((places.metals > 0) & (places.metals < np.array(SHAPE) - 1)).all(1)
    _, which = cKDTree(found.sites.metals).query(places.metals[inside])
    differ = int((found.side[which] != side[inside]).sum())
    return min(differ, inside.sum() - differ)


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_every_metal_is_found_on_its_side(hollow, sign, rng):
    places = layout()
    side = stepped(places)
    image = sign * drawn(places, side, hollow=hollow, rng=rng)
    halves = junction.find(image, CELLS)
    assert halves.metal == 0
    best, other = fronts.find(image, CELLS, halves)
    assert wrong(best, places, side) == 0
    assert best.sites.chalcogens[0] == pytest.approx(places.chalcogens[0])
    assert best.cost < other.cost
    assert np.std(best.left) < 0.6  # the noise


def test_turning_a_metal_changes_what_is_left_as_it_says(rng):
    places = layout()
    side = stepped(places)
    image = drawn(places, side, rng=rng)
    found = fronts.explained(image, places, places.grown(side, 0))
    turning = fronts.Turning(found)
    at = turning.at_the_front()
    turned = sum(turning.tried(metal) for metal in at)
    assert turned >= 1
    again = fronts.with_profiles(image, places, turning.side, found.occupancy, found.profiles)
    assert turning.left == pytest.approx(again.left.ravel(), abs=1e-9)
    assert (turning.second == turning.side[places.three].sum(1)).all()
    assert (turning.side != found.side).sum() == turned
    assert again.cost < found.cost


def test_the_line_is_half_way_between_the_metals_of_either_side():
    places = layout()
    row = np.rint(CELLS.steps(places.metals)[:, 0]).astype(int)
    side = (row > np.median(row)).astype(int)
    labels, lines = fronts.between(places.metals, side, SHAPE, places.spacing)
    assert len(lines) == 1
    normal = np.linalg.inv(CELLS.vectors)[:, 0]  # steps along the first vector
    across = (lines[0] - CELLS.corner) @ normal
    inner = ((lines[0] > 12) & (lines[0] < np.array(SHAPE) - 12)).all(1)
    assert across[inner] == pytest.approx(np.median(row) + 0.5, abs=0.06)
    pixels = np.round(places.metals[((places.metals > 3) & (places.metals < np.array(SHAPE) - 4)).all(1)]).astype(int)
    inside = ((places.metals > 3) & (places.metals < np.array(SHAPE) - 4)).all(1)
    assert (labels[tuple(pixels.T)] == side[inside] + 1).all()
    assert fronts.between(places.metals, np.zeros_like(side), SHAPE, places.spacing)[1] == []


def test_the_other_crystal_is_not_along_the_border():
    """A row at the border, of which little is seen, is on the side of what is further inside; a front that ends there stays."""
    places = layout()
    side = stepped(places)
    assert (fronts.from_inside(places, side, SHAPE) == side).mean() > 0.98
    seen = ((places.metals > -places.spacing) & (places.metals < np.array(SHAPE) - 1 + places.spacing)).all(1)
    depth = np.minimum(places.metals, np.array(SHAPE) - 1 - places.metals).min(1)
    for value in (0, 1):
        strip = np.where(depth < 0.8 * places.spacing, value, side)
        assert (strip != side)[seen].sum() > 20
        assert (fronts.from_inside(places, strip, SHAPE) != side)[seen].sum() <= 4  # where the front meets the border


def test_a_few_metals_are_no_crystal():
    places = layout()
    side = stepped(places)
    few, many = side.copy(), side.copy()
    beside = np.hypot(*(places.metals - places.metals[side == 0].mean(0)).T).argsort()
    few[beside[:3]], many[beside[:12]] = 1, 1
    assert (fronts.without_islands(places, few) == side).all()
    assert (fronts.without_islands(places, many) == many).all()
