"""Drawings: grey levels say what is where."""

from itertools import pairwise

import numpy as np
import pytest

from atomwork.simulation import drawing, interfaces, point_defects, structures
from atomwork.simulation.views import View


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(4)
    specimen = interfaces.heterojunction("MoS2", "WS2", 60.0, rng=rng)
    specimen = point_defects.introduce(specimen, {"V_S2": 4}, rng=rng, region=(20, 20, 40, 40), apart=4.0)
    view = View(0.2, (200, 200), tuple(np.array(specimen.size) / 2), 30.0)
    numbers = np.where(specimen.columns["species"] == "W", 74, np.where(specimen.columns["species"] == "Mo", 42, 16))
    return specimen, view, numbers, drawing.draw(specimen, view, numbers)


def at(image, pixels):
    return image[tuple(np.rint(np.asarray(pixels)).astype(int).T)]


def test_levels_grow_with_the_atomic_number_and_stay_below_lines_and_defects():
    levels = drawing.grey_level([1, 16, 42, 74, 92])
    assert (np.diff(levels) > 0).all()
    assert levels[-1] < drawing.LINE_LEVEL - 20 < drawing.DEFECT_LEVEL - 40


def test_every_atom_away_from_line_and_defects_has_its_elements_level(drawn):
    specimen, view, numbers, image = drawn
    table = view.table(specimen.columns.assign(number=numbers))
    pixels = table[["y", "x"]].to_numpy()
    line = view.to_pixels(specimen.boundaries[0].points)
    free = at(drawing.distance_to_line(view.shape, line, 8), pixels) == np.inf
    assert free.sum() > 100
    assert at(image, pixels[free]) == pytest.approx(drawing.grey_level(table["number"][free]), abs=1)


def test_defects_are_the_brightest_spots_and_as_many_as_there_are(drawn):
    specimen, view, _, image = drawn
    found = view.table(specimen.defects)
    assert len(found) == 4
    assert (at(image, found[["y", "x"]]) == drawing.DEFECT_LEVEL).all()


def test_the_line_follows_the_front(drawn):
    specimen, view, _, image = drawn
    points = view.to_pixels(specimen.boundaries[0].points)
    along = np.concatenate([np.linspace(a, b, 9) for a, b in pairwise(points)])
    along = along[view.contains(along, 2)]
    assert len(along) > 50
    assert np.isin(at(image, along), (drawing.LINE_LEVEL, drawing.DEFECT_LEVEL)).mean() > 0.98


def test_empty_space_is_black():
    specimen = structures.build("graphene", 20.0)
    view = View(0.2, (50, 50), (200.0, 200.0))
    assert not drawing.draw(specimen, view, np.full(len(specimen.columns), 6)).any()


def test_distance_to_a_line_is_that_to_its_nearest_point():
    distance = drawing.distance_to_line((9, 12), np.array([[2.0, 3.0], [2.0, 7.0], [5.0, 7.0]]), 4.5)
    assert [distance[k] for k in ((4, 4), (0, 5), (3, 10), (2, 5), (6, 8))] == pytest.approx([2, 2, 3, 0, np.sqrt(2)])
    assert distance[8, 0] == np.inf


def test_a_line_outside_the_image_leaves_it_empty():
    assert np.isinf(drawing.distance_to_line((5, 5), np.array([[20.0, 20.0], [30.0, 20.0]]), 2)).all()
