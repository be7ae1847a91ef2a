"""Scores of defects: closed forms for points, shifted and missing fronts, and areas."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import defect_scores
from atomwork.analysis.defects import DefectMap

SPACING = 8.0
GRID = np.stack(np.meshgrid(np.arange(4, 100, 8.0), np.arange(4, 100, 8.0), indexing="ij"), -1).reshape(-1, 2)
FRONT = np.array([[-20.0, 39.5], [130.0, 39.5]])


def found(points, fronts=(FRONT,)):
    table = pd.DataFrame(np.reshape(points, (-1, 2)), columns=["y", "x"]).assign(kind="V", confidence=1.0)
    return DefectMap((100, 100), table, list(fronts), pd.DataFrame(GRID, columns=["y", "x"]), SPACING, "construction")


def truth(points, front=FRONT):
    return defect_scores.Truth(GRID, np.reshape(np.asarray(points, float), (-1, 2)), np.reshape(front, (-1, 2)))


def test_each_point_counts_once():
    vacant = GRID[[5, 40, 77]]
    scores = defect_scores.scored(found([vacant[0] + 1, vacant[1] + [0, 3], GRID[100], [0.0, 99.0]]), truth(vacant))
    assert (scores.hits, scores.false, scores.missed) == (2, 2, 1)
    assert scores.confusion.tolist() == [[len(GRID) - 3 - 1, 1], [1, 2]]  # one false point stands at no column


def test_nothing_to_find_and_nothing_found():
    scores = defect_scores.scored(found([]), truth([]))
    assert (scores.hits, scores.false, scores.missed) == (0, 0, 0)
    assert scores.confusion.tolist() == [[len(GRID), 0], [0, 0]]


@pytest.mark.parametrize("shift", [0.0, 2.0, -3.5])
def test_a_shifted_front_is_as_far_off_as_it_was_shifted(shift):
    scores = defect_scores.scored(found([], [FRONT + [0, shift]]), truth([]))
    assert scores.front_rms == pytest.approx(abs(shift) / SPACING, abs=1e-3)
    assert scores.area_error == pytest.approx(abs(shift) / 100)


def test_half_a_front_is_not_the_front():
    half = defect_scores.scored(found([], [np.array([[-20.0, 39.5], [50.0, 39.5]])]), truth([]))
    # the lower 49 px of the truth are 0 … 49 px from its end: half of ∫x² / 99
    assert half.front_rms * SPACING == pytest.approx(np.sqrt(0.5 * 49**3 / 3 / 99), rel=0.02)


def test_a_front_that_is_missing_or_made_up_is_infinitely_far():
    assert defect_scores.scored(found([], []), truth([])).front_rms == np.inf
    assert defect_scores.scored(found([]), truth([], [])).front_rms == np.inf
    assert np.isnan(defect_scores.scored(found([], []), truth([], [])).front_rms)


def test_phases_may_be_named_either_way_round():
    mirrored = defect_scores.scored(found([], [FRONT * [1, -1] + [0, 99]]), truth([]))
    assert mirrored.area_error == pytest.approx(0)
    assert replace(mirrored, front_rms=0.0).area_error == mirrored.area_error


def test_many_images_are_pooled_point_by_point():
    right = defect_scores.scored(found(GRID[[5, 40]], [FRONT + [0, 1]]), truth(GRID[[5, 40]]))
    wrong = defect_scores.scored(found([GRID[7]], []), truth(GRID[[9]]))
    row = defect_scores.pooled([right, wrong])
    assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert row["fronts_found"] == 0.5
    assert row["front_rms"] == pytest.approx(1 / SPACING, abs=1e-3)
    assert row["area_error"] > 0.3
    assert row["within_2_percent"] == 0.5
