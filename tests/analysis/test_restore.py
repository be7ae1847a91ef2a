"""Restoration: nearer to what was there, by how much Wiener's filter promises, and the counts are kept."""

import numpy as np
import pytest

from atomwork.analysis import restore
from atomwork.columns.gaussian import paint
from atomwork.simulation import forward, structures

SPACING = 9.1


@pytest.fixture(scope="module")
def clean():
    image = forward.render(structures.build("MoS2", 60), pixel_size=0.2, shape=(256, 256)).image
    return image / image.max()


def rms(image):
    return float(np.sqrt(np.mean(np.square(image))))


@pytest.mark.parametrize("peak", [8, 20, 100])
def test_noise_goes_and_the_counts_stay(clean, rng, peak):
    truth = peak * clean
    counts = rng.poisson(truth).astype(np.float32)
    found = restore.restore(counts, task="denoise")
    assert rms(found - truth) < rms(counts - truth) / 3
    assert found.mean() == pytest.approx(counts.mean(), rel=5e-3)


def test_grey_levels_and_offset_make_no_difference(clean, rng):
    counts = rng.poisson(30 * clean).astype(np.float32)
    plain = restore.restore(counts, task="denoise")
    scaled = restore.restore(7 * counts + 1000, task="denoise")
    assert (scaled - 1000) / 7 == pytest.approx(plain, abs=0.05 * float(plain.std()))


def test_denoising_turns_with_the_image(clean, rng):
    counts = rng.poisson(30 * clean).astype(np.float32)
    turned = restore.restore(np.rot90(counts), task="denoise")
    assert np.rot90(turned, -1) == pytest.approx(restore.restore(counts, task="denoise"), abs=0.02 * float(counts.std()))


def test_what_is_taken_off_is_noise(clean, rng):
    truth = 50 * clean
    counts = rng.poisson(truth).astype(np.float32)
    taken = counts - restore.restore(counts, task="denoise")
    assert taken.std() == pytest.approx(np.sqrt(truth.mean()), rel=0.05)
    assert abs(np.corrcoef(taken.ravel(), truth.ravel())[0, 1]) < 0.05


def test_a_background_is_taken_off_and_the_columns_are_left(rng):
    y, x = np.indices((200, 220)).astype(float)
    slow = 40 + 0.2 * y + 15 * np.exp(-((y - 100) ** 2 + (x - 60) ** 2) / (2 * 50**2))
    places = np.stack(np.meshgrid(np.arange(8, 200, 12.0), np.arange(8, 220, 12.0), indexing="ij"), -1).reshape(-1, 2)
    columns = np.zeros(slow.shape, np.float32)
    parameters = np.column_stack([places, np.full(len(places), 100.0), np.zeros(len(places)), np.full(len(places), 2.0**-2)])
    paint(columns, parameters, places.astype(np.int64), 12, 1.0)
    found = restore.restore(columns + slow, task="background", spacing=12.0)
    inner = (slice(20, -20),) * 2
    assert (found - columns)[inner].std() < 0.15 * slow[inner].std()
    assert np.abs((found - columns)[inner]).max() < 0.1 * 100


def test_tasks_and_numbers_that_are_none_have_their_sentence(clean):
    with pytest.raises(ValueError, match="task='dream' is none; choose one of denoise, background"):
        restore.restore(clean, task="dream")
    with pytest.raises(ValueError, match="spacing=None px must be positive"):
        restore.restore(clean, task="background")
    with pytest.raises(ValueError, match="strength=0 must be positive"):
        restore.restore(clean, task="denoise", strength=0)
