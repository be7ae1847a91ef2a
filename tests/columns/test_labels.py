"""Labelled frames: what is told of them, and that labels stay on their columns."""

import numpy as np
import pandas as pd
import pytest

from atomwork.columns import labels
from atomwork.columns.labels import LabelledFrame
from atomwork.simulation import batches


def brightness(image, points):
    return image[tuple(np.rint(points).astype(int).T)]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_labels_turn_with_their_frame(labelled_frame, quarters, mirrored):
    turned = labelled_frame.turned(quarters, mirrored)
    assert turned.image.shape == ((150, 230) if quarters % 2 == 0 else (230, 150))
    for name in ("columns", "optional"):
        before, after = (brightness(f.image, getattr(f, name)) for f in (labelled_frame, turned))
        assert after == pytest.approx(before)


def test_the_eight_views_of_a_frame_differ(labelled_frame):
    views = [labelled_frame.turned(k, m).image for k in range(4) for m in (False, True)]
    assert len({view.tobytes() for view in views}) == 8


def test_a_part_keeps_the_columns_that_lie_in_it(labelled_frame):
    part = labelled_frame.cut((40, 60), (70, 100))
    assert part.image.shape == (70, 100)
    assert brightness(part.image, part.columns) == pytest.approx(brightness(labelled_frame.image, part.columns + (40, 60)))
    inside = ((labelled_frame.columns >= (40, 60)) & (labelled_frame.columns <= (109, 159))).all(1)
    assert len(part.columns) == inside.sum() > 5


def test_columns_centred_just_beyond_a_part_are_optional(labelled_frame):
    corner, size = labelled_frame.columns[len(labelled_frame.columns) // 2].astype(int) + (2, 0), (60, 60)
    part = labelled_frame.cut(corner, size)
    whole = np.concatenate([labelled_frame.columns, labelled_frame.optional]) - corner
    away = np.maximum(-whole, whole - (np.array(size) - 1)).max(1)
    assert (part.optional < 0).any()
    assert len(part.columns) + len(part.optional) == (away <= part.tolerance).sum()
    assert part.agreement(whole[away <= part.tolerance]).f1 == 1


def test_a_table_tells_columns_spacing_and_polarity(labelled_frame):
    points = np.concatenate([labelled_frame.columns, labelled_frame.optional])
    table = pd.DataFrame(points, columns=["y", "x"]).assign(visible=np.arange(len(points)) < len(labelled_frame.columns))
    for image, dark in ((labelled_frame.image, False), (-labelled_frame.image, True)):
        told = LabelledFrame.of(image, table, dose=3.0)
        assert np.array_equal(told.columns, labelled_frame.columns)
        assert np.array_equal(told.optional, labelled_frame.optional)
        assert (told.dark, told.dose) == (dark, 3.0)
        assert len(LabelledFrame.of(image, points).columns) == len(points)
    grid = np.stack(np.meshgrid(range(0, 150, 9), range(0, 230, 9), indexing="ij"), -1).reshape(-1, 2)
    assert LabelledFrame.of(labelled_frame.image, grid).spacing == pytest.approx(9)
    with pytest.raises(ValueError, match="frame 7 has 1 labelled columns; label two at least"):
        LabelledFrame.of(labelled_frame.image, points[:1], name="frame 7")


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
