"""Phases beside their fronts: areas in closed form, whatever the front's form, direction and where it ends."""

import numpy as np
import pytest

from atomwork.analysis import phases


def test_a_straight_front_cuts_a_frame_as_geometry_has_it():
    table = phases.areas([np.array([[-20, 29.5], [300, 29.5]])], (200, 100))
    assert table["phase"].tolist() == [1, 2]  # the larger one is the first
    assert table["area"].tolist() == pytest.approx([200 * 70, 200 * 30])
    assert table["share"].sum() == pytest.approx(1)


def test_an_oblique_front():
    # from the upper left corner to the middle of the lower side
    table = phases.areas([np.array([[-0.5, -0.5], [99.5, 49.5]])], (100, 100), pixel_size=0.2)
    assert table["share"].tolist() == pytest.approx([0.75, 0.25])
    assert table["area_nm2"].sum() == pytest.approx((100 * 0.02) ** 2)


def test_the_triangles_of_a_stepped_front_fill_the_polygons_pixels(rng):
    x = np.repeat(60 + np.cumsum(rng.integers(-4, 5, 26)), 2)
    front = np.stack([np.repeat(np.linspace(-8.2, 137.3, 27), 2)[1:-1], x], 1)
    parts = phases.polygons([front], (128, 128))
    assert len(parts) == 2
    y, columns = np.indices((128, 128))
    left = columns < np.interp(y, front[:, 0] + 1e-9 * np.arange(52), front[:, 1])
    areas = sorted(phases.triangle_areas(phases.triangles(part)).sum() for part in parts)
    assert areas == pytest.approx(sorted([left.sum(), (~left).sum()]), abs=70)  # half a pixel along the front
    assert sum(areas) == pytest.approx(128**2)
    assert all(phases.triangle_areas(phases.triangles(part)).sum() == pytest.approx(part.area) for part in parts)


def test_two_fronts_enclose_the_second_phase():
    stripes = [np.array([[-1, x], [100, x]]) for x in (19.5, 49.5)]
    assert phases.areas(stripes, (100, 100))["share"].tolist() == pytest.approx([0.7, 0.3])


def test_labels_name_the_phases():
    labels = np.full((100, 100), 2)
    labels[:, 60:] = 5
    table = phases.areas([np.array([[-1, 62.5], [100, 62.5]])], (100, 100), labels=labels)
    assert table["phase"].tolist() == [2, 5]
    assert table["share"].tolist() == pytest.approx([0.63, 0.37])
    with pytest.raises(ValueError, match=r"labels of \(3, 3\) px are not of an image of \(100, 100\) px"):
        phases.areas([], (100, 100), labels=labels[:3, :3])


@pytest.mark.parametrize(("front", "count"), [([[3, 50], [97, 50]], 2), ([[30, 50], [97, 50]], 1), ([[30, 300], [97, 300]], 1)])
def test_only_a_front_that_all_but_reaches_the_border_cuts(front, count):
    parts = phases.polygons([np.array(front)], (100, 100))
    assert len(parts) == count
    assert sum(part.area for part in parts) == pytest.approx(100**2)


@pytest.mark.parametrize("change", [np.flipud, lambda front: 99 - front, lambda front: front[:, ::-1]])
def test_areas_do_not_depend_on_direction_or_axes(change):
    front = np.array([[-1, 20], [40, 35], [45, 25], [101, 70]], float)
    share = phases.areas([front], (100, 100))["share"]
    assert phases.areas([change(front)], (100, 100))["share"].tolist() == pytest.approx(share.tolist())


def test_without_a_front_there_is_one_phase():
    assert phases.areas([], (30, 40))["area"].tolist() == [1200]
