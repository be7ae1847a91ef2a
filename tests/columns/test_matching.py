"""Scores of constructed pairs, and the relations that hold among scores."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from atomwork.columns import matching


@pytest.fixture
def grid():
    return np.stack(np.meshgrid(np.arange(5) * 10.0, np.arange(6) * 10.0, indexing="ij"), -1).reshape(-1, 2)


def test_a_lattice_matches_itself(grid):
    result = matching.match(grid, grid, tolerance=2.5)
    assert (result.f1, result.precision, result.recall, result.jaccard) == (1, 1, 1, 1)
    assert result.rms == result.chamfer == 0


def test_a_shift_by_half_the_spacing_scores_zero_here_and_one_in_the_thesis(grid):
    shifted = grid + (0, 4.99)
    assert matching.match(shifted, grid, tolerance=2.5).f1 == 0
    assert matching.f1_mutual_nearest(shifted, grid) == 1


def test_counts_and_distances(grid):
    found = np.concatenate([grid[:20] + (0.3, 0.4), [(100.0, 100.0)]])  # 20 of 30 found, 0.5 px off, and a false one
    result = matching.match(found, grid, tolerance=2.5)
    assert result.precision == pytest.approx(20 / 21)
    assert result.recall == pytest.approx(20 / 30)
    assert result.f1 == pytest.approx(2 * 20 / 51)
    assert result.jaccard == pytest.approx(20 / 31)
    assert result.rms == pytest.approx(0.5)


def test_a_column_pairs_only_once(grid):
    twice = np.concatenate([grid, grid + 0.1])
    assert matching.match(twice, grid, tolerance=2.5).precision == 0.5


def test_as_many_pairs_as_possible_come_before_near_ones():
    found, truth = np.array([(0, 0.0), (0, 2.0)]), np.array([(0, 1.9), (0, 3.9)])
    result = matching.match(found, truth, tolerance=2.0)  # nearest first would leave one alone
    assert len(result.pairs) == 2


def test_optional_places_neither_help_nor_hurt(grid):
    truth, optional = grid[:25], grid[25:]
    with_optional = matching.match(grid, truth, tolerance=2.5, optional=optional)
    without = matching.match(truth, truth, tolerance=2.5, optional=optional)
    assert with_optional.f1 == without.f1 == 1
    assert matching.match(grid, truth, tolerance=2.5).precision == pytest.approx(25 / 30)


def test_pairs_are_indices_into_what_was_given(grid):
    """Also behind a column that was found at an optional place."""
    result = matching.match(grid, grid[5:], tolerance=2.5, optional=grid[:5])
    assert result.n_found == len(grid) - 5
    assert (result.pairs == np.stack([np.arange(5, len(grid)), np.arange(len(grid) - 5)], -1)).all()


def test_emptiness_has_a_score():
    nothing, one = np.empty((0, 2)), np.ones((1, 2))
    assert matching.match(nothing, nothing, tolerance=1).f1 == 1
    assert matching.match(one, nothing, tolerance=1).f1 == matching.match(nothing, one, tolerance=1).f1 == 0
    assert np.isnan(matching.match(nothing, one, tolerance=1).rms)
    assert matching.f1_mutual_nearest(nothing, nothing) == 1


def test_tables_are_taken_by_their_names(grid):
    table = pd.DataFrame(grid[:, ::-1], columns=["x", "y"])
    assert matching.match(table, grid, tolerance=1).f1 == 1


def test_a_tolerance_must_be_positive(grid):
    with pytest.raises(ValueError, match="tolerance=0"):
        matching.match(grid, grid, tolerance=0)


points = st.lists(st.tuples(*[st.floats(0, 20, allow_subnormal=False)] * 2), max_size=8).map(
    lambda rows: np.array(rows).reshape(-1, 2)
)


@given(points, points, st.floats(0.5, 8))
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_exhaustive_assignment(found, truth, tolerance):
    """As many pairs as a dense assignment finds, within its distance, symmetric, and F1 = 2J/(1+J)."""
    result, mirrored = (matching.match(a, b, tolerance=tolerance) for a, b in ((found, truth), (truth, found)))
    distance = np.linalg.norm(found[:, None] - truth[None], axis=-1)
    cost = np.where(distance <= tolerance, distance - 1e6, 0)
    rows, columns = linear_sum_assignment(cost)
    best = cost[rows, columns] < 0
    assert len(result.pairs) == len(mirrored.pairs) == best.sum()
    assert result.distances.sum() == pytest.approx(distance[rows, columns][best].sum(), abs=1e-6)
    assert result.f1 == pytest.approx(2 * result.jaccard / (1 + result.jaccard))
