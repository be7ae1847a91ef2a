"""Labelled frames: what counts as a hit, and how batches become frames."""

import numpy as np
import pytest

from atomwork.columns import labels
from atomwork.columns.labels import LabelledFrame
from atomwork.simulation import batches


@pytest.mark.parametrize(("spacing", "tolerance"), [(20.0, 5.0), (np.nan, 2.0)])
def test_hits_lie_within_a_quarter_of_the_spacing(spacing, tolerance):
    frame = LabelledFrame(np.zeros((9, 9)), np.array([(0.0, 0.0)]), np.array([(40.0, 40.0)]), spacing)
    assert frame.tolerance == tolerance
    near, far = frame.agreement([(0, 0.99 * tolerance)]), frame.agreement([(0, 1.01 * tolerance)])
    assert (near.f1, far.f1) == (1, 0)
    assert frame.agreement([(0, 0), (40, 40)]).f1 == 1


def test_what_is_found_beyond_the_outermost_pixels_is_neither_right_nor_wrong():
    frame = LabelledFrame(np.zeros((40, 30)), np.array([(0.2, 10.0), (20.0, 28.9)]), spacing=8.0)
    found = np.array([(-0.3, 10.0), (20.0, 29.3), (39.4, 15.0), (10.0, -0.4)])
    result = frame.agreement(found)  # the first two are hits across the border, the others beyond it
    assert (len(result.pairs), result.n_found, result.n_truth) == (2, 2, 2)
    assert frame.agreement([*found, (39.0, 20.0), (10.0, 0.0)]).n_found == 4


def test_batches_are_lists_of_frames():
    batch = batches.seeded_batch(np.random.SeedSequence(1), batches.Recipe(size=64), 3)
    frames = labels.of_batch(batch, "some group")
    assert [f.name for f in frames] == batch.names
    assert {f.group for f in frames} == {"some group"}
    for k, frame in enumerate(frames):
        assert np.array_equal(frame.image, batch.image[k, 0])
        assert np.array_equal(frame.columns, batch.columns[k])
        assert np.array_equal(frame.optional, batch.optional[k])
        expected = batch.spacing[k].item(), batch.dose[k].item()
        assert (frame.spacing, frame.dose) == pytest.approx(expected, nan_ok=True)
