"""The benchmark's sweeps: what changes from point to point, and what does not."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.simulation import structures
from atomwork.simulation.recipes import wei
from atomwork.simulation.views import View
from tests.simulation.recipes import sequence

BEST = {"dose": 6e4, "background": 0.0, "jitter": 0.0, "source_size": 0.2}


def drawn(structure, **sweep):
    """An image of a structure at the one value of a sweep, everything else at its best."""
    (quality, value), *_ = sweep.items()
    dataset = wei.dataset(2, sweeps={quality: (value,)}, default=BEST)
    return dataset.draw(wei.STRUCTURES.index(structure), sequence(1))


def test_every_point_is_one_value_of_one_quality():
    table = wei.points(wei.dataset().parameters)
    assert len(table) == 2 * sum(map(len, wei.SWEEPS.values())) == wei.IMAGES / 20
    assert not table.duplicated(["structure", "quality", "value"]).any()
    for row in table.to_dict("records"):
        assert row[row["quality"]] == row["value"]
        assert all(row[q] == default for q, default in wei.DEFAULT.items() if q != row["quality"])


def test_the_table_is_the_same_from_a_store():
    parameters = wei.dataset().parameters
    assert wei.points(json.loads(json.dumps(parameters, sort_keys=True))).equals(wei.points(parameters))


def test_images_are_drawn_as_declared_and_go_round_the_points():
    sweeps = {"dose": (5.0,), "jitter": (1.0,)}
    dataset = wei.dataset(8, sweeps=sweeps)
    images, table = [dataset.draw(k, sequence(k)) for k in range(8)], wei.points(dataset.parameters)
    assert np.bincount([image["point"] for image in images]).tolist() == [dataset.parameters["n_per_point"]] * 4 == [2] * 4
    for image in images:
        assert image.keys() == dataset.arrays.keys()
        for name, array in dataset.arrays.items():
            assert (image[name].shape, image[name].dtype) == (array.shape, array.dtype), name
        row = table.iloc[image["point"]]
        assert wei.STRUCTURES[image["structure"]] == row["structure"]
        assert list(wei.DEFAULT)[image["quality"]] == row["quality"]
        assert image["value"] == np.float32(row["value"])


@pytest.mark.parametrize(("structure", "numbers", "spacing"), [("SrTiO3 [100]", (38, 22), 2.7613), ("WS2", (74,), 3.1532)])
def test_columns_stand_where_the_image_is_bright(structure, numbers, spacing):
    """Nearest neighbours: Sr and Ti half a cell's diagonal apart, W one lattice constant."""
    image = drawn(structure, gradient=0.0)
    columns = image["columns"][np.isin(image["columns"][:, 2], numbers)]
    distance = cKDTree(columns[:, :2]).query(columns[:, :2], k=2)[0][:, 1]
    assert distance * image["pixel_size"] == pytest.approx(spacing, abs=1e-3)
    inner = columns[((columns[:, :2] > 6) & (columns[:, :2] < wei.SIZE - 7)).all(1), :2]
    for y, x in inner:
        row, column = round(float(y)), round(float(x))
        patch = image["image"][row - 5 : row + 6, column - 5 : column + 6]
        top = np.array(np.unravel_index(patch.argmax(), patch.shape)) - 5 + (row, column)
        assert np.hypot(*(top - (y, x))) < 1


@pytest.mark.parametrize("pixel_size", [0.03, 0.15, 0.8])
@pytest.mark.parametrize(("structure", "per_area"), [("SrTiO3 [100]", 4 / 3.905**2), ("WS2", 2 / (3.1532**2 * np.sqrt(0.75)))])
def test_the_table_holds_every_column_of_the_field(structure, per_area, pixel_size):
    """As many as the cells that fit, but for those that the border cuts."""
    columns = drawn(structure, pixel_size=pixel_size)["columns"][:, 0]
    side = (wei.SIZE - 1) * pixel_size
    assert np.isfinite(columns).sum() == pytest.approx(per_area * side**2, abs=2 * 4 * np.sqrt(per_area) * side * 0.5)


def test_large_pixels_show_points_of_the_same_image():
    """Every second pixel of an image of half the pixel size."""
    specimen = structures.build("WS2", 0.1)
    coarse, fine = View(0.6, (64, 64), (1.0, 2.0), 20.0), View(0.3, (127, 127), (1.0, 2.0), 20.0)
    one, other = wei.sampled(specimen, coarse, 0.4), wei.sampled(specimen, fine, 0.4)
    assert one.shape == (64, 64)
    assert np.abs(one - other[::2, ::2]).max() < 1e-3 * one.max()


def test_a_wedge_falls_to_its_share():
    slope = wei.wedge(View(0.1, (40, 60), (0.0, 0.0)), 0.8, 0.3)
    assert (slope.min(), slope.max()) == pytest.approx((0.2, 1.0))
    assert np.abs(np.diff(slope, 2, axis=1)).max() < 1e-6
    assert np.array_equal(wei.wedge(View(0.1, (4, 6), (0.0, 0.0)), 0.0, 0.3), np.ones((4, 6), np.float32))


def test_doses_and_backgrounds_are_those_of_the_sweep():
    """The brightest pixel expects the dose, of which a background of 4 leaves a column at most a fifth."""
    assert drawn("WS2", dose=1e4)["image"].max() == pytest.approx(1e4, rel=0.05)
    lit = drawn("WS2", background=4.0)["image"].astype(float)
    assert lit.max() == pytest.approx(6e4, rel=0.02)
    assert np.median(np.ptp(lit.reshape(16, 16, 16, 16), axis=(1, 3))) < 0.4 * 6e4


def test_the_same_sequence_gives_the_same_bytes_and_another_index_another_image():
    draw, seed = wei.dataset().draw, sequence(20)
    first, again, other = draw(20, seed), draw(20, seed), draw(110, sequence(110))
    assert all(values.tobytes() == again[name].tobytes() for name, values in first.items())
    assert first["point"] == other["point"]
    assert not np.array_equal(first["image"], other["image"])


def test_what_cannot_be_swept_is_refused():
    with pytest.raises(ValueError, match="qualities 'tilt' are unknown; choose from pixel_size"):
        wei.dataset(2, sweeps={"tilt": (1.0,)})
