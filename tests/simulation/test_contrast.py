"""Amplitudes and widths of columns at known places come back as they were drawn."""

import numpy as np
import pytest

from atomwork.simulation import contrast

PIXEL_SIZE = 0.2


def drawn(places, amplitude, width, shape=(80, 90)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    gaussians = [
        a * np.exp(-((y - p) ** 2 + (x - q) ** 2) / (2 * width**2)) for a, (p, q) in zip(amplitude, places, strict=True)
    ]
    return 0.3 + 0.002 * y + np.sum(gaussians, 0)


@pytest.fixture
def places():
    grid = np.stack(np.meshgrid(np.arange(8.0, 80, 11), np.arange(6.0, 90, 11), indexing="ij"), -1).reshape(-1, 2)
    return grid + np.random.default_rng(1).uniform(-2, 2, grid.shape)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("width", [2.0, 4.5])
def test_bright_and_dark_columns_are_measured(places, sign, width):
    amplitude = sign * np.random.default_rng(2).uniform(0.1, 1, len(places))
    found, breadth, residual = contrast.stand_out(drawn(places, amplitude, width), places, PIXEL_SIZE)
    assert breadth == pytest.approx(width, rel=0.02)
    assert np.abs(found - amplitude).max() < 0.02
    assert residual < 2e-3


def test_columns_beyond_the_image_explain_its_border(places):
    outside = np.concatenate([places, [(-3.0, 40.0)]])
    amplitude = np.ones(len(outside))
    image = drawn(outside, amplitude, 4.0)
    with_it, without = (contrast.stand_out(image, p, PIXEL_SIZE)[2] for p in (outside, places))
    assert with_it < 0.1 * without


def test_two_columns_in_one_place_share_their_amplitude(places):
    twice = np.concatenate([places, places[:1]])
    found, _, _ = contrast.stand_out(drawn(places, np.ones(len(places)), 3.0), twice, PIXEL_SIZE)
    assert found[[0, -1]] == pytest.approx([0.5, 0.5], abs=0.02)


def test_what_no_column_explains_is_the_residual(places):
    noise = np.random.default_rng(3).normal(0, 0.05, (80, 90))
    _, _, residual = contrast.stand_out(drawn(places, np.ones(len(places)), 3.0) + noise, places, PIXEL_SIZE)
    assert residual == pytest.approx(0.05, rel=0.05)


def test_no_column_is_refused():
    with pytest.raises(ValueError, match="at least one place"):
        contrast.stand_out(np.ones((32, 32)), np.empty((0, 2)), PIXEL_SIZE)
