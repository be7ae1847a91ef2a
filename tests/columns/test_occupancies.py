"""Odd sites: what is missing by construction is found and nothing else; a hole is no vacancy."""

import numpy as np
import pytest

from atomwork.columns import fronts, occupancies, sites
from tests.columns.junctions import SHAPE, drawn, layout, stepped


def inner(places, which):
    """Numbers of sites of a sort well inside the image, the metals being before the chalcogens."""
    inside = ((places.places > 25) & (places.places < np.array(SHAPE) - 25)).all(1)
    return np.flatnonzero(inside & ((np.arange(len(inside)) < len(places.metals)) == (which == "metal")))


@pytest.mark.parametrize("sign", [1, -1])
def test_missing_and_odd_columns_are_found_and_nothing_else(sign, rng):
    places = layout()
    side = stepped(places)
    gone, half = inner(places, "metal")[[2, -3]], inner(places, "chalcogen")[[5, 20, -1]]
    occupancy = np.ones(len(places.places))
    occupancy[gone], occupancy[half] = 0, [0.5, 0.5, 0]
    more = inner(places, "metal")[len(inner(places, "metal")) // 2]
    occupancy[more] = 1.6
    image = sign * drawn(places, side, occupancy=occupancy, rng=rng)
    found = occupancies.find(image, fronts.explained(image, places, side))
    assert np.flatnonzero(found.odd).tolist() == sorted([*gone, *half, more])
    # neighbouring spots reach the hollow centres too, so that a column's contrast is not quite its height
    assert found.excess[gone] == pytest.approx(-1, abs=0.12)
    assert found.excess[half] == pytest.approx([-0.5, -0.5, -1], abs=0.2)
    assert found.found.occupancy[[*gone, *half, more]] == pytest.approx([0, 0, 0.5, 0.5, 0, 1.6], abs=0.2)
    assert found.crystal[((places.places > 0) & (places.places < SHAPE)).all(1)].all()


def test_noise_alone_has_no_odd_columns(rng):
    places = layout()
    side = stepped(places)
    image = drawn(places, side, rng=rng)
    found = occupancies.find(image, fronts.explained(image, places, side))
    assert not found.odd.any()
    assert found.judged.sum() > 100


def test_a_slow_background_is_not_odd(rng):
    places = layout()
    side = stepped(places)
    y, x = np.indices(SHAPE)
    image = drawn(places, side, rng=rng) + 15 * np.sin(x / 40) + 0.1 * y
    assert not occupancies.find(image, fronts.explained(image, places, side)).odd.any()


def test_a_hole_is_no_crystal_and_has_no_vacancies(rng):
    places = layout()
    side = np.zeros(len(places.metals), int)
    hole = np.hypot(*(places.places - [80, 90]).T) < 25
    image = drawn(places, side, occupancy=1.0 - hole, rng=rng)
    found = occupancies.find(image, fronts.explained(image, places, side))
    assert not found.odd.any()
    assert not found.crystal[hole].any()
    assert found.crystal[np.hypot(*(places.places - [80, 90]).T) > 25 + 2.1 * places.spacing].all()


def test_columns_that_would_not_be_missed_are_not_judged(rng):
    places = layout()
    side = np.zeros(len(places.metals), int)
    occupancy = np.where(np.arange(len(places.places)) < len(places.metals), 1.0, 0.01)  # chalcogens far below the noise
    image = drawn(places, side, occupancy=occupancy, rng=rng)
    found = occupancies.find(image, fronts.explained(image, places, side))
    assert not found.judged[len(places.metals) :].any()
    assert found.judged[: len(places.metals)].sum() > 30


def test_chalcogens_that_a_hollow_front_lacks_are_not_vacancies(rng):
    places = layout()
    side = stepped(places)
    image = drawn(places, side, hollow=True, rng=rng)
    found = occupancies.find(image, fronts.explained(image, places, side))
    assert not found.odd.any()
    assert not found.judged[found.found.kinds == sites.BRIDGING].any()
