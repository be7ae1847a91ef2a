"""Sites of a dichalcogenide: who is beside whom, and which kinds two crystals make."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.columns import sites
from tests.columns.junctions import CELLS, SHAPE, layout, stepped


@pytest.mark.parametrize(("metal", "chalcogen"), [(0, 1), (2, 0), (1, 2)])
def test_chalcogens_have_three_metals_and_metals_six(metal, chalcogen):
    places = sites.lay_out(SHAPE, CELLS, metal, chalcogen)
    reach = places.metals[places.three] - places.chalcogens[:, None]
    assert np.hypot(*np.moveaxis(reach, -1, 0)) == pytest.approx(places.spacing)
    inside = ((places.metals > 0) & (places.metals < SHAPE)).all(1)
    assert (places.six[inside] >= 0).all()
    away = places.metals[places.six[inside]] - places.metals[inside][:, None]
    assert np.hypot(*np.moveaxis(away, -1, 0)) == pytest.approx(np.sqrt(3) * places.spacing)


def test_hollows_are_the_third_centres():
    places = layout()
    distance, _ = cKDTree(places.places).query(places.hollows, 6)
    inner = ((places.hollows > 20) & (places.hollows < np.array(SHAPE) - 20)).all(1)
    assert distance[inner] == pytest.approx(places.spacing)  # three metals and three chalcogens


def test_chalcogens_between_two_crystals_bridge():
    places = layout()
    side = stepped(places)
    kinds = places.kinds(side)
    assert (kinds[: len(side)] == side).all()
    second = side[places.three].sum(1)
    for expected, number in zip((2, 4, 4, 3), range(4), strict=True):
        assert (kinds[len(side) :][second == number] == expected).all()
    assert np.ptp(second) == 3


def test_a_crystal_grows_by_the_other_ones_outermost_row():
    places = layout()
    side = stepped(places)
    grown = places.grown(side, 1)
    new = grown != side
    assert new.any()
    assert (grown[new] == 1).all()
    beside = ((side[places.six] == 1) & (places.six >= 0)).any(1)
    assert (new == (beside & (side == 0))).all()


def test_displaced_sites_are_where_the_field_has_them():
    y, x = np.indices(SHAPE)
    moved = np.stack([0.02 * x, -0.01 * y], -1)
    places, still = sites.lay_out(SHAPE, CELLS, 0, 1, moved), layout()
    inside = ((still.metals > 0) & (still.metals < np.array(SHAPE) - 1)).all(1)
    expected = still.metals + np.stack([0.02 * still.metals[:, 1], -0.01 * still.metals[:, 0]], -1)
    assert places.metals[inside] == pytest.approx(expected[inside])
