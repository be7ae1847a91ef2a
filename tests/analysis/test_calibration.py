"""Calibration against draws whose true probabilities are known."""

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import calibration
from atomwork.columns import labels
from atomwork.columns.labels import LabelledFrame
from atomwork.simulation import datasets


def draws(rng, truth, count=20_000):
    height = rng.uniform(0, 1, count)
    return height, rng.random(count) < truth(height)


@pytest.mark.parametrize("truth", [np.sqrt, np.square, lambda h: np.clip(3 * h - 0.5, 0, 1)])
def test_a_calibrated_height_is_the_probability_of_being_right(rng, truth):
    knots = calibration.calibrate(*draws(rng, truth))
    height, right = draws(rng, truth)
    inside = height > 0.05  # the first knot is the mean of a group
    assert np.interp(height, *knots)[inside] == pytest.approx(truth(height)[inside], abs=0.08)
    assert np.mean(np.abs(np.interp(height, *knots) - truth(height))) < 0.015
    assert calibration.expected_error(np.interp(height, *knots), right) < 0.015
    assert calibration.expected_error(height, right) > 0.1


def test_calibrations_rise_even_where_the_shares_do_not(rng):
    heights, shares = calibration.calibrate(*draws(rng, lambda h: 0.5 + 0 * h, 500))
    assert (np.diff(heights) > 0).all()
    assert (np.diff(shares) >= 0).all()
    assert np.ptp(shares) < 0.3


def test_right_probabilities_have_only_the_error_of_chance(rng):
    confidence, right = draws(rng, lambda h: h, 40_000)
    table = calibration.reliability(confidence, right)
    assert len(table) == 10
    assert table["columns"].sum() == 40_000
    apart = (table["confidence"] - table["right"]) / table["error"]
    assert np.abs(apart).max() < 4
    assert calibration.expected_error(confidence, right) < 0.01


def test_certainty_that_is_wrong_half_the_time_is_off_by_half():
    assert calibration.expected_error(np.ones(100), np.arange(100) < 50) == pytest.approx(0.5)
    assert calibration.expected_error(np.ones(100), np.ones(100)) == 0


def test_columns_are_judged_against_their_labels(monkeypatch):
    """Two of three are right, and the one at an optional place is left out."""
    table = pd.DataFrame({"y": [0.0, 10, 20, 30], "x": [0.0, 10, 20, 30], "confidence": [0.9, 0.8, 0.7, 0.2]})
    monkeypatch.setattr(calibration.detect, "locate", lambda image, model: table)
    frame = LabelledFrame(np.zeros((40, 40)), np.array([(0, 0), (10, 10)]), np.array([(20, 20)]), 4.0)
    confidence, right = calibration.judged([frame, frame])
    assert confidence.tolist() == [0.9, 0.8, 0.2] * 2
    assert right.tolist() == [True, True, False] * 2


def test_the_shipped_weight_says_how_sure_it_is():
    """On validation images from which its calibration was not read."""
    frames = [frame for batch in datasets.validation_batches(4) for frame in labels.of_batch(batch)][1::2]
    assert calibration.expected_error(*calibration.judged(frames), bins=10) < 0.03


@pytest.mark.parametrize(("values", "right", "sentence"), [
    ([0.5, 2.0], [True, False], "from 0.5 to 2; confidences lie within 0–1"),
    ([0.5], [True, False], "differ or are empty"),
    ([], [], "differ or are empty"),
    ([0.5] * 9, [True] * 9, "9 peaks are too few for a calibration of 24 knots; label 48"),
])  # fmt: skip
def test_what_can_not_be_calibrated_is_refused(values, right, sentence):
    with pytest.raises(ValueError, match=sentence):
        calibration.calibrate(values, right)
