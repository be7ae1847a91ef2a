"""Distances and brightness classes of known lattices."""

import numpy as np
import pytest

from atomwork.columns import neighbours


def test_distance_is_within_the_own_kind():
    points, kind = np.array([(0, 0), (0, 1), (0, 3), (0, 7)]), np.array([0, 1, 0, 1])
    assert neighbours.nearest_distance(points).tolist() == [1, 1, 2, 4]
    assert neighbours.nearest_distance(points, kind).tolist() == [3, 6, 3, 6]


def test_a_lone_column_has_no_neighbour():
    assert np.isnan(neighbours.nearest_distance([(0, 0)])).all()
    assert neighbours.nearest_distance(np.empty((0, 2))).shape == (0,)


def test_two_populations_are_told_apart_and_one_is_left_whole(rng):
    bright, faint = rng.normal(10, 1, 300), rng.normal(4, 0.5, 250)
    labels = neighbours.brightness_classes(np.concatenate([bright, faint]))
    assert np.mean(labels[:300] == 0) > 0.99
    assert np.mean(labels[300:] == 1) > 0.99
    assert neighbours.brightness_classes(bright).max() == 0


@pytest.mark.parametrize("amplitude", [[], [3.0], [np.nan] * 20, [5.0] * 40, [-5.0] * 20 + [-1.0] * 20])
def test_any_input_has_labels(amplitude):
    assert len(neighbours.brightness_classes(amplitude)) == len(amplitude)
