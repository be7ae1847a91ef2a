"""What drawings say: all of a specimen that was drawn, at any magnification."""

import numpy as np
import pytest

from atomwork.analysis import defect_scores, drawings
from atomwork.columns import matching
from atomwork.simulation import drawing
from atomwork.simulation.recipes import atomgan
from atomwork.simulation.recipes.tables import heaviest


def drawn(seed, n_defects):
    """A drawing of the recipe, the view it shows, and its truth."""
    specimen, view = atomgan.scene(np.random.default_rng([77, seed]), n_defects)
    levels = drawing.draw(specimen, view, heaviest(specimen.columns))
    columns, points = (view.table(table)[["y", "x"]].to_numpy(float) for table in (specimen.columns, specimen.defects))
    return levels, view, defect_scores.Truth(columns, points, view.to_pixels(specimen.boundaries[0].points))


@pytest.mark.parametrize("seed", range(6))
def test_all_that_was_drawn_is_read(seed):
    levels, view, truth = drawn(seed, 4)
    found = drawings.read(levels, drawings.SPACING / view.pixel_size)
    scores = defect_scores.scored(found, truth)
    assert (scores.hits, scores.false, scores.missed) == (4, 0, 0)
    assert scores.front_rms < 0.1
    assert scores.area_error < 0.005
    assert found.points["confidence"].min() > 0.6


def test_points_and_columns_are_where_they_were_drawn():
    levels, view, truth = drawn(9, 5)
    found = drawings.read(levels, drawings.SPACING / view.pixel_size)
    assert matching.match(found.points, truth.points, tolerance=3.0).rms < 0.3  # px
    off_line = defect_scores.without(truth.columns, defect_scores.dense(truth.front, levels.shape), 1.3 * found.spacing)
    inside = ((off_line > 3) & (off_line < np.array(levels.shape) - 4)).all(1)
    paired = matching.match(found.columns, off_line[inside], tolerance=0.3 * found.spacing)
    assert len(paired.pairs) > 0.97 * inside.sum()
    assert paired.rms < 0.6  # px


def test_faint_and_blurred_drawings_are_read_as_well(rng):
    levels, view, truth = drawn(11, 4)
    spoiled = np.clip(0.97 * levels + rng.normal(0, 6, levels.shape), 0, 255)
    scores = defect_scores.scored(drawings.read(spoiled, drawings.SPACING / view.pixel_size), truth)
    assert (scores.hits, scores.false, scores.missed) == (4, 0, 0)


def test_what_is_too_near_the_border_is_left_out_whole():
    levels = np.zeros((80, 80))
    drawing.mark(levels, np.array([[12.5, 40.0], [40.0, 40.0]]), [], drawings.SPACING / 10)
    found = drawings.read(levels, 10.0)  # the first one lies 1.25 of 1.6 spacings within the drawing
    assert found.points[["y", "x"]].to_numpy() == pytest.approx(np.array([[40, 40]]), abs=0.5)


def test_an_empty_drawing_says_nothing():
    found = drawings.read(np.zeros((64, 80)), 9.0)
    assert len(found.points) == len(found.fronts) == len(found.columns) == 0
