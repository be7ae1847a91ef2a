"""Gain and offset from an image's noise."""

import numpy as np
import pytest

from atomwork.columns.counting import noise_model


@pytest.fixture
def scene():
    y, x = np.mgrid[:300, :300]
    return 30 + 25 * np.cos(y / 7) * np.cos(x / 8)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (40.0, 0.0), (0.01, 5.0), (7000.0, 3e6)])
def test_counts_on_any_scale_are_brought_back_to_electrons(rng, scene, gain, offset):
    found, shift = noise_model(gain * rng.poisson(scene) + offset)
    assert found == pytest.approx(gain, rel=0.08)
    assert shift / gain == pytest.approx(-offset / gain, abs=2.5)


def test_readout_noise_makes_room_for_itself(rng, scene):
    found, shift = noise_model(rng.poisson(scene) + rng.normal(0, 5, scene.shape))
    assert found == pytest.approx(1, rel=0.15)
    assert shift == pytest.approx(25, rel=0.25)  # so that intensity + shift is the variance


def test_noise_that_does_not_grow_weighs_all_pixels_alike(rng, scene):
    gain, shift = noise_model(scene + rng.normal(0, 2, scene.shape))
    electrons = (scene + shift) / gain
    assert np.ptp(electrons) / electrons.mean() < 0.05
    assert electrons.mean() * gain**2 == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("seen", [0.5, 0.02, 1e-4])
def test_pixels_cut_off_at_the_black_end_are_no_failure(rng, scene, seen):
    counts = rng.poisson(scene).astype(float)
    gain, shift = noise_model(np.maximum(counts, np.quantile(counts, 1 - seen)))
    assert np.isfinite([gain, shift]).all()
    assert gain > 0


def test_no_noise_at_all_is_no_failure(scene):
    gain, shift = noise_model(np.round(scene / 60))
    assert np.isfinite([gain, shift]).all()
    assert gain > 0
