"""Realism: nothing between images of one kind, known decibels and shifts between images that differ by construction."""

import numpy as np
import pytest

from atomwork.analysis import realism

SPACING = 9.0


def crystals(rng, count=16, noise=0.2, height=1.0, spread=0.0):
    """Square lattices with columns of a height and some spread, moved at random, with white noise."""
    made = []
    for _ in range(count):
        y, x = np.indices((96, 96)) + rng.uniform(0, SPACING, 2)[:, None, None]
        tall = height * (1 + spread * np.sign(np.cos(np.pi * (y + x) / SPACING)))
        image = tall * np.exp(2 * (np.cos(2 * np.pi * y / SPACING) + np.cos(2 * np.pi * x / SPACING)) - 4)
        made.append(image + rng.normal(0, noise, image.shape))
    return made


def test_images_of_one_kind_can_not_be_told_apart(rng):
    found = realism.score(crystals(rng), crystals(rng), SPACING)
    assert found.spectrum < 1
    assert found.brightness < 0.1
    assert found.told_apart == pytest.approx(0.5, abs=0.1)
    assert found.p_value > 0.01


def test_less_noise_is_told_at_once(rng):
    found = realism.score(crystals(rng, noise=0.05), crystals(rng), SPACING)
    assert found.told_apart > 0.9
    assert found.p_value < 0.001
    assert found.spectrum > 3


def test_contrast_offset_and_polarity_do_not_matter(rng):
    made = [500 - 70 * image for image in crystals(rng)]
    found = realism.score(made, crystals(rng), SPACING)
    assert found.spectrum < 1
    assert found.told_apart == pytest.approx(0.5, abs=0.1)


def test_decibels_are_those_of_a_filter(rng):
    """White noise, of one set the upper half of frequencies is doubled in amplitude."""
    white = rng.normal(size=(2, 24, 128, 128))
    y, x = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)
    high = np.hypot(y, x) >= 0.25
    made = np.fft.ifft2(np.fft.fft2(white[0]) * np.where(high, 2, 1)).real
    variance = 1 + 3 * high.mean()
    rings = np.arange(1, 32) * 2 / 128  # the lower edges
    decibels = 10 * np.log10(np.where(rings >= 0.25, 4, 1) / variance)
    found = realism.score(made, white[1], SPACING)
    assert found.spectrum == pytest.approx(np.sqrt((decibels**2).mean()), rel=0.05)


def test_columns_of_other_brightness_are_as_far_as_they_differ(rng):
    even, uneven = crystals(rng, noise=0.01), crystals(rng, noise=0.01, spread=0.3)
    found = realism.score(uneven, even, SPACING)
    height = np.mean([realism.brightness(realism.normalised(image), SPACING).mean() for image in even])
    assert found.brightness == pytest.approx(0.3 * height, rel=0.25)


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="0 generated and 1 real images"):
        realism.score([], [np.eye(64)], SPACING)
    with pytest.raises(ValueError, match="hold no patch of 40 px"):
        realism.score([np.eye(32)] * 2, [np.eye(32)] * 2, 16)
    with pytest.raises(ValueError, match=r"of shapes \[\(32, 32\), \(64, 64\)\]"):
        realism.score([np.eye(32)] * 2, [np.eye(64)] * 2, SPACING)
