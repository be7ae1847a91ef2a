"""Labelled frames: read from a folder or refused in a sentence; the simulated ones share nothing with each other."""

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import labelled
from atomwork.simulation import datasets


def picture(spacing=12.0, count=6, sign=1.0, seed=0):
    """A square lattice of Gaussians and its places."""
    grid = spacing * (np.stack(np.meshgrid(*[np.arange(count)] * 2, indexing="ij"), -1).reshape(-1, 2) + 1)
    axis = np.arange(int(spacing * (count + 1)))
    profile = [np.exp(-((axis - grid[:, k, None]) ** 2) / 12.0) for k in (0, 1)]
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(axis), len(axis)))
    return (5 + sign * profile[0].T @ profile[1] + noise).astype(np.float32), grid


def save(folder, name, image, table):
    np.save(folder / f"{name}.npy", image)
    pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)


def test_a_folder_is_read(tmp_path):
    for name, sign in (("b", 1.0), ("a", -1.0)):
        image, places = picture(sign=sign)
        save(tmp_path, name, image, {"x": places[:, 1], "y": places[:, 0]})
    dark, bright = labelled.read(tmp_path)
    assert (dark.name, bright.name) == ("a.npy", "b.npy")
    assert (dark.dark, bright.dark) == (True, False)
    assert bright.spacing == pytest.approx(12.0)
    assert np.array_equal(bright.columns, picture()[1])
    assert labelled.read(tmp_path, tolerance=6.0)[0].tolerance == 6.0


def test_images_without_labels_are_left_out_aloud(tmp_path):
    image, places = picture()
    save(tmp_path, "a", image, {"y": places[:, 0], "x": places[:, 1]})
    np.save(tmp_path / "b.npy", image)
    with pytest.warns(UserWarning, match="1 images in .* have no labels and are left out, the first b.npy"):
        assert len(labelled.read(tmp_path)) == 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"row": [1.0], "column": [2.0]}, "needs y and x"),
        ({"y": ["top"], "x": ["left"]}, "can't be read as labels"),
        ({"y": [3.0, 500.0], "x": [3.0, 4.0]}, "1 of 2 places in a.csv lie outside its image of 84 × 84 px"),
        ({"y": [np.nan], "x": [1.0]}, "1 of 1 places"),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path, table, sentence):
    save(tmp_path, "a", picture()[0], table)
    with pytest.raises(ValueError, match=sentence):
        labelled.read(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", picture()[0])
    with pytest.raises(FileNotFoundError, match="holds no image with labels; beside NAME"):
        labelled.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        labelled.read(tmp_path / "nowhere")


def test_an_image_in_which_nothing_is_labelled_has_no_spacing(tmp_path):
    save(tmp_path, "a", picture()[0], {"y": [], "x": []})
    frame = labelled.read(tmp_path)[0]
    assert np.isnan(frame.spacing)
    assert len(frame.columns) == 0


def test_test_and_validation_frames_have_the_same_groups_and_other_images():
    test, validation = (labelled.simulated(which, per_group=1) for which in ("test", "validation"))
    assert [f.group for f in test] == [f.group for f in validation] == list(datasets.TEST_GROUPS)
    assert not any(np.array_equal(a.image, b.image) for a in test for b in validation)


def test_a_crystal_is_seen_at_several_magnifications():
    near, far = labelled.magnifications("MoS2", (0.1, 0.2), size=128)
    assert near.spacing / far.spacing == pytest.approx(2.0, rel=0.03)
    assert near.image.shape == far.image.shape == (128, 128)
    assert len(far.columns) > 2 * len(near.columns)
    assert (near.pixel_size, near.name) == (0.1, "MoS2, 1.3 nm")
