"""Fields of view: where a place of the specimen lies in the image."""

import numpy as np
import pandas as pd
import pytest

from atomwork.simulation.views import View

TURNED = View(0.25, (40, 60), (7.0, -3.0), 33.0)


def test_places_and_pixels_are_each_others_inverse(rng):
    places = rng.uniform(-20, 20, (50, 2))
    assert TURNED.to_places(TURNED.to_pixels(places)) == pytest.approx(places)


def test_the_centre_is_the_middle_of_the_image():
    assert TURNED.to_pixels([TURNED.centre]) == pytest.approx(np.array([[19.5, 29.5]]))


def test_a_whole_box_starts_at_the_first_pixels_centre():
    view = View.whole((10.0, 12.05), 0.1)
    assert view.shape == (100, 120)
    assert view.to_pixels([[0, 0], [1.0, 2.0]]) == pytest.approx(np.array([[0, 0], [10, 20]]), abs=1e-9)


def test_the_images_x_axis_points_where_the_angle_says():
    view = View(1.0, (11, 11), (0.0, 0.0), 90.0)  # x of the image along y of the specimen
    assert view.to_pixels([[2.0, 0.0]]) == pytest.approx(np.array([[5.0, 7.0]]))


def test_a_table_keeps_what_the_image_shows_and_its_other_columns():
    places = pd.DataFrame({"y": [7.0, 60.0], "x": [-3.0, 0.0], "kind": ["here", "away"]})
    table = TURNED.table(places)
    assert table["kind"].tolist() == ["here"]
    assert table[["y", "x"]].to_numpy() == pytest.approx(np.array([[19.5, 29.5]]))


def test_looking_at_a_periodic_wave_shows_the_wave():
    size, n = (20.0, 30.0), (200, 300)
    y, x = np.meshgrid(*(np.arange(m) * s / m for m, s in zip(n, size, strict=True)), indexing="ij")
    wave = np.sin(2 * np.pi * (2 * y / size[0] + 3 * x / size[1]))
    places = TURNED.to_places(np.stack(np.meshgrid(range(40), range(60), indexing="ij"), -1))
    expected = np.sin(2 * np.pi * (2 * places[..., 0] / size[0] + 3 * places[..., 1] / size[1]))
    assert TURNED.look(wave, size) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("pixel_size", "shape"), [(0.0, (4, 4)), (0.1, (0, 4))])
def test_an_empty_view_is_refused(pixel_size, shape):
    with pytest.raises(ValueError, match="holds no pixel"):
        View(pixel_size, shape, (0, 0))
