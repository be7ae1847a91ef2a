"""Crops of labelled frames: labels stay on their columns, batches are mixed and depend on their seed alone."""

import numpy as np
import pytest
import torch

from atomwork.columns.labels import LabelledFrame
from atomwork.models import crops
from atomwork.simulation.batches import Recipe


def brightness(image, points):
    return image[tuple(np.rint(points).astype(int).T)]


def test_crops_show_their_columns_where_the_target_peaks(labelled_frame):
    for seed in range(20):
        batch = crops.crop(np.random.default_rng(seed), labelled_frame, 96)
        assert batch.image.shape == batch.target.shape == batch.weight.shape == (1, 1, 96, 96)
        assert crops.SPACING[0] * 0.9 < batch.spacing < 12.5
        inner = batch.columns[0][((batch.columns[0] > 3) & (batch.columns[0] < 60)).all(1)]
        if len(inner):
            assert np.median(brightness(batch.image[0, 0].numpy(), inner)) > 120
            assert brightness(batch.target[0, 0].numpy(), inner).min() > 0.7


def test_a_target_is_a_gaussian_for_each_column_and_nothing_else(labelled_frame):
    """Of those beyond the border, too, of which no part may come back at the other side."""
    spacing, size = 12.0, 96
    columns, optional = (points - (30, 70) for points in (labelled_frame.columns, labelled_frame.optional))
    target, weight = crops.targets(columns, optional, spacing, size)
    y, x = np.mgrid[:size, :size]

    def gaussians(points):
        return sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * (spacing / 4) ** 2)) for p in points).clip(0, 1)

    assert target[0, 0].numpy() == pytest.approx(gaussians(columns), abs=0.03)
    assert weight[0, 0].numpy() == pytest.approx((1 - 1.5 * gaussians(optional)).clip(0, 1), abs=0.05)


def test_what_a_small_frame_does_not_fill_weighs_nothing(labelled_frame):
    small = LabelledFrame(labelled_frame.image[:40, :50], labelled_frame.columns[:0], labelled_frame.optional[:0], 12.0, False)
    batch = crops.crop(np.random.default_rng(0), small, 96)
    assert 0 < batch.weight.mean() < 0.25
    assert torch.isfinite(batch.image).all()


def test_around_optional_columns_nothing_is_learned(labelled_frame):
    batch = crops.crop(np.random.default_rng(1), labelled_frame, 96)
    assert len(batch.optional[0])
    assert brightness(batch.weight[0, 0].numpy(), batch.optional[0]).max() < 0.4


def test_a_batch_may_hold_nothing_simulated(labelled_frame):
    batch = crops.MixedImages([labelled_frame], Recipe(size=64), 3, 1, range(1), own=1.0)[0]
    assert batch.names == ["own"] * 3
    assert len(batch.image) == len(batch.columns) == 3


def test_half_of_a_batch_is_simulated_and_every_batch_its_own(labelled_frame):
    def images(seed, batches):
        return crops.MixedImages([labelled_frame], Recipe(size=64), 6, seed, batches)

    first, again, other = images(1, range(3)), images(1, range(2, 3)), images(2, range(3))
    assert len(first) == 3
    assert first[0].names[3:] == ["own"] * 3
    assert "own" not in first[0].names[:3]
    assert len(first[0].columns) == len(first[0].image) == 6
    assert torch.equal(first[2].image, again[0].image)
    assert not torch.equal(first[0].image[3:], first[1].image[3:])
    assert not torch.equal(first[0].image[3:], other[0].image[3:])
