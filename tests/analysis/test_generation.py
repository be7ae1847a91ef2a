"""Generated images: the drawing's places and magnification, the reference's contrast, polarity and noise."""

import numpy as np
import pytest
import torch

from atomwork.analysis import generation
from atomwork.models.atomgan import AtomGAN
from tests.analysis.test_drawings import drawn
from tests.models.test_lattice import HEXAGONAL, waves

NOISE = 3.0


class Same:
    """A network that draws what it sees."""

    side = AtomGAN(size="compact").side

    def code(self, image, vectors, domain):
        assert domain == "image"
        return torch.zeros(1, 16)

    def __call__(self, image, vectors, code):
        return image


@pytest.fixture
def copied(monkeypatch):
    monkeypatch.setattr(generation, "network", lambda _: Same())


def reference(sign, rng, shape=(200, 190)):
    """A noisy crystal of another scale, columns bright or dark, at intensities of some thousand."""
    crystal = waves(256, 0.8 * HEXAGONAL).numpy()[: shape[0], : shape[1]]
    return 4000 + sign * 20 * crystal + rng.normal(0, NOISE, shape)


@pytest.mark.parametrize("sign", [1, -1])
def test_places_follow_the_drawing_and_noise_the_reference(sign, copied, rng):
    levels, _, _ = drawn(2, 3)
    recorded = reference(sign, rng)
    made, again = (generation.generate(levels, recorded, seed=seed) for seed in (1, 1))
    other = generation.generate(levels, recorded, seed=2)
    assert made.shape == levels.shape
    assert np.array_equal(made, again)
    assert (other - made).std() == pytest.approx(np.sqrt(2) * NOISE, rel=0.15)
    assert np.median(made) == pytest.approx(4000, abs=30)
    assert np.corrcoef((0.5 * (made + other)).ravel(), levels.ravel())[0, 1] * sign > 0.8


def test_a_small_reference_has_noise_for_a_large_drawing(copied, rng):
    levels, _, _ = drawn(3, 3)
    first, second = (generation.generate(levels, reference(1, rng, (90, 100)), seed=seed) for seed in (1, 2))
    assert (second - first).std() == pytest.approx(np.sqrt(2) * NOISE, rel=0.3)


def test_a_reference_of_few_columns_is_refused(copied, rng):
    with pytest.raises(ValueError, match=r"reference of 40 × 40 px shows too few columns .* give one of \d+ × \d+ px"):
        generation.generate(drawn(2, 3)[0], reference(1, rng, (40, 40)))


@pytest.mark.parametrize(("centres", "every", "created"), [(0.0, 1, 1), (0.8, 1, 0), (0.8, 4, 0), (0.8, 40, 4)])
def test_columns_that_move_appear_or_vanish_are_counted(centres, every, created, rng):
    """Bright metals and chalcogens too faint to be seen, each metal 0.4 px off; one more, in a ring's centre, two less.

    What interference shows at every centre of a ring, or at one in four, is no column that was created; at one in forty it is.
    """
    y, x = np.mgrid[:160, :160]
    metals = np.array([(9 + 14 * k, 10 + 16 * j + 8 * (k % 2)) for k in range(11) for j in range(9)], float)
    chalcogens = metals + (0, 8) + (4.6, 0)
    there = np.delete(metals + (0.4, 0), [40, 52], 0)
    dots = [*((1.0, p) for p in [*there, (88.3, 98.0)]), *((centres, p) for p in metals[::every] + (9.4, 0))]
    made = sum(level * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / 8) for level, p in dots)
    both, kinds = np.concatenate([metals, chalcogens]), np.repeat([42, 16], len(metals))
    result = generation.kept(100 * made + rng.normal(0, 1, made.shape), both, kinds, 9.2)
    assert (result.created, result.lost) == (created, 2)
    assert result.rms == pytest.approx(0.4 / 9.2, rel=0.1)
    drawn = np.concatenate([metals[[40, 52]], [(88.3, 98.0)]])
    result = generation.kept(100 * made + rng.normal(0, 1, made.shape), both, kinds, 9.2, drawn)
    assert (result.created, result.lost) == (max(created - 1, 0), 0)
    assert 50 < result.columns < len(metals)
