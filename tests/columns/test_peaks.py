"""Peaks of a map whose peaks are known by construction."""

import numpy as np
import pytest

from atomwork.columns import peaks


def dots(positions, heights, width=3.0, shape=(80, 90)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(
        h * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * width**2)) for p, h in zip(positions, heights, strict=True)
    )


def test_peaks_are_found_to_a_fraction_of_a_pixel_most_confident_first():
    places, heights = np.array([(20.3, 30.4), (50.2, 60.7), (60.0, 20.0)]), (0.5, 0.9, 0.3)
    found = peaks.find(dots(places, heights), lower_bound=0.1, window_size=8)
    assert np.abs(found - places[[1, 0, 2]]).max() < 0.01


@pytest.mark.parametrize(("lower_bound", "count"), [(0.1, 3), (0.4, 2), (0.6, 1), (0.95, 0)])
def test_the_lower_bound_keeps_what_is_above_it(lower_bound, count):
    map_ = dots([(20, 30), (50, 60), (60, 20)], (0.5, 0.9, 0.3))
    assert len(peaks.find(map_, lower_bound=lower_bound, window_size=8)) == count


@pytest.mark.parametrize("angle", np.deg2rad([0, 30, 45, 90]))
def test_suppression_is_the_same_in_every_direction(angle):
    """The published square boxes suppress diagonal neighbours at 0.907 s and axial ones at 1.077 s."""
    step = np.array([np.sin(angle), np.cos(angle)])
    for distance, count in ((9.5, 1), (10.5, 2)):
        pair = np.array([(40, 40), (40, 40) + distance * step])
        map_ = dots(pair, (0.9, 0.6), width=1.2)
        assert len(peaks.find(map_, window_size=3, separation=10.0)) == count


def test_suppression_keeps_the_more_confident():
    map_ = dots([(40, 40), (40, 46)], (0.6, 0.9), width=1.2)
    assert np.allclose(peaks.find(map_, window_size=3, separation=10.0), [(40, 46)], atol=0.1)


def test_a_suppressed_peak_suppresses_nobody():
    row = [(40, 30), (40, 36), (40, 42)]  # the middle one goes, so the last one stays
    found = peaks.find(dots(row, (0.9, 0.7, 0.5), width=1.2), window_size=3, separation=8.0)
    assert np.allclose(found, [row[0], row[2]], atol=0.1)


def test_transposing_the_map_transposes_the_peaks(rng):
    map_ = dots(rng.uniform(5, 75, (12, 2)), rng.uniform(0.3, 1, 12))
    straight, turned = (peaks.find(m, window_size=6) for m in (map_, map_.T))
    assert np.allclose(straight, turned[:, ::-1])


def test_borders_and_emptiness():
    assert peaks.find(np.zeros((30, 30)), window_size=5).shape == (0, 2)
    assert len(peaks.find(dots([(0, 0), (79, 89)], (1, 1)), window_size=5)) == 2


@pytest.mark.parametrize(("centre", "count"), [((0.3, 40), 1), ((-0.3, 40), 1), ((-1.5, 40), 0), ((40, 90.8), 0)])
def test_a_column_beyond_the_border_is_not_found_on_it(centre, count):
    found = peaks.find(dots([centre], [1.0]), window_size=6)
    assert len(found) == count
    assert np.allclose(found, np.reshape([centre] * count, (-1, 2)), atol=0.05)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ValueError, match="lower_bound=2"):
        peaks.find(np.zeros((9, 9)), lower_bound=2)
    with pytest.raises(ValueError, match="window_size=0"):
        peaks.find(np.zeros((9, 9)), window_size=0)
