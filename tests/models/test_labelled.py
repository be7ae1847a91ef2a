"""Crops of labelled frames: labels stay on their columns, batches are mixed and depend on their seed alone."""

import numpy as np
import pytest
import torch

from atomwork.models import labelled
from atomwork.simulation.batches import Recipe


@pytest.fixture
def frame(rng):
    """Columns of some pixels' width, not as wide as high, so that no symmetry hides a mistake."""
    points = rng.uniform(8, (150 - 8, 230 - 8), (90, 2))
    y, x = np.mgrid[:150, :230]
    image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / 4.5) for p in points)
    return labelled.LabelledFrame(100 + 50 * image, points[:70], points[70:], 12.0, False)


def brightness(image, points):
    return image[tuple(np.rint(points).astype(int).T)]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_labels_turn_with_their_frame(frame, quarters, mirrored):
    turned = frame.turned(quarters, mirrored)
    assert turned.image.shape == ((150, 230) if quarters % 2 == 0 else (230, 150))
    for name in ("columns", "optional"):
        before, after = (brightness(f.image, getattr(f, name)) for f in (frame, turned))
        assert after == pytest.approx(before)


def test_the_eight_views_of_a_frame_differ(frame):
    views = [frame.turned(k, m).image for k in range(4) for m in (False, True)]
    assert len({view.tobytes() for view in views}) == 8


def test_crops_show_their_columns_where_the_target_peaks(frame):
    for seed in range(20):
        batch = labelled.crop(np.random.default_rng(seed), frame, 96)
        assert batch.image.shape == batch.target.shape == batch.weight.shape == (1, 1, 96, 96)
        assert labelled.SPACING[0] * 0.9 < batch.spacing < 12.5
        inner = batch.columns[0][((batch.columns[0] > 3) & (batch.columns[0] < 60)).all(1)]
        if len(inner):
            assert np.median(brightness(batch.image[0, 0].numpy(), inner)) > 120
            assert brightness(batch.target[0, 0].numpy(), inner).min() > 0.7


def test_what_a_small_frame_does_not_fill_weighs_nothing(frame):
    small = labelled.LabelledFrame(frame.image[:40, :50], frame.columns[:0], frame.optional[:0], 12.0, False)
    batch = labelled.crop(np.random.default_rng(0), small, 96)
    assert 0 < batch.weight.mean() < 0.25
    assert torch.isfinite(batch.image).all()


def test_around_optional_columns_nothing_is_learned(frame):
    batch = labelled.crop(np.random.default_rng(1), frame, 96)
    assert len(batch.optional[0])
    assert brightness(batch.weight[0, 0].numpy(), batch.optional[0]).max() < 0.4


def test_half_of_a_batch_is_simulated_and_every_batch_its_own(frame):
    def images(seed, batches):
        return labelled.MixedImages([frame], Recipe(size=64), 6, seed, batches)

    first, again, other = images(1, range(3)), images(1, range(2, 3)), images(2, range(3))
    assert len(first) == 3
    assert first[0].names[3:] == ["own"] * 3
    assert "own" not in first[0].names[:3]
    assert len(first[0].columns) == len(first[0].image) == 6
    assert torch.equal(first[2].image, again[0].image)
    assert not torch.equal(first[0].image[3:], first[1].image[3:])
    assert not torch.equal(first[0].image[3:], other[0].image[3:])
