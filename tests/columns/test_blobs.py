"""Blobs against scikit-image's own, and on Gaussians whose responses have closed forms."""

import numpy as np
import pytest
from skimage.feature import blob_dog, blob_doh, blob_log

from atomwork.columns import blobs

OPTIONS = {"min_sigma": 2.0, "max_sigma": 8.0, "threshold": 0.05, "overlap": 0.5}
SETS = {
    "log": (blobs.log, blob_log, {"num_sigma": 7}),
    "dog": (blobs.dog, blob_dog, {"sigma_ratio": 1.3}),
    "doh": (blobs.doh, blob_doh, {"num_sigma": 7, "min_sigma": 3.0, "max_sigma": 15.0, "threshold": 0.004}),
}


def gaussians(places, widths, heights, shape=(120, 130)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(
        h * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * w**2)) for p, w, h in zip(places, widths, heights, strict=True)
    )


def apart(rng):
    """Blobs of any width and height that don't touch."""
    places = np.stack(np.meshgrid([28, 60, 92], [28, 63, 98], indexing="ij"), -1).reshape(-1, 2) + rng.integers(-2, 3, (9, 2))
    return places, gaussians(places, rng.uniform(2, 5, 9), rng.uniform(0.5, 1, 9))


@pytest.mark.parametrize("method", SETS)
def test_they_are_those_of_scikit_image(method, rng):
    places, image = apart(rng)
    ours, theirs, scales = SETS[method]
    found, expected = ours(image, **OPTIONS | scales), theirs(image, **OPTIONS | scales)
    key = {"log": 1.0, "dog": np.sqrt(1.3), "doh": 1 / blobs.BOX_SCALE}[method]
    assert len(found) == 9
    order = [np.lexsort(v[:, :2].T) for v in (found, expected)]
    assert np.allclose(found[order[0], 2], key * expected[order[1], 2])
    assert np.abs(found[order[0], :2] - expected[order[1], :2]).max() <= (1 if method == "doh" else 0)
    assert np.linalg.norm(found[:, None, :2] - places, axis=-1).min(1).max() < 1


@pytest.mark.parametrize("width", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("method", SETS)
def test_the_width_and_the_response_are_those_of_the_column(method, width):
    """LoG: 1/2 at σ = w. DoG of ratio k: 1/(k + 1) at σ = w/√k. DoH by boxes: 0.03."""
    image = gaussians([(45, 50)], [width], [1.0])
    ours, _, scales = SETS[method]
    fine = {"log": {"num_sigma": 61}, "dog": {"sigma_ratio": 1.05}, "doh": {"num_sigma": 7}}[method]
    response = {"log": 1 / 2, "dog": 1 / 2.05, "doh": 0.03}[method]
    slack = 0.15 if method == "doh" else 0.02
    for threshold, count in (((1 - slack) * response, 1), ((1 + slack) * response, 0)):
        found = ours(image, **OPTIONS | scales | fine | {"threshold": threshold})
        assert len(found) == count
    found = ours(image, **OPTIONS | scales | fine)
    assert found[0, 2] == pytest.approx(width, rel=0.2 if method == "doh" else 0.05)


@pytest.mark.parametrize("method", SETS)
def test_dark_blobs_are_none(method):
    """Though the determinant is the same for both."""
    image = gaussians([(30, 30), (80, 90)], [3, 3], [1.0, -1.0])
    ours, _, scales = SETS[method]
    both = blob_doh(image + 1, 3, 15, 7, 0.02)[:, :2] + 1  # and an artefact of its border
    assert {(30, 30), (80, 90)} < set(map(tuple, both.tolist()))
    found = ours(image, **OPTIONS | scales | {"threshold": 0.02 if method == "doh" else 0.2})[:, :2]
    assert found.tolist() == [[30, 30]]


@pytest.mark.parametrize("method", SETS)
def test_positions_lean_to_no_side(method, rng):
    places = np.stack(np.meshgrid(np.arange(12, 190, 16), np.arange(12, 190, 16), indexing="ij"), -1).reshape(-1, 2)
    places = places + rng.uniform(-0.5, 0.5, places.shape)
    image = gaussians(places, np.full(len(places), 3.0), np.ones(len(places)), (200, 200))
    ours, _, scales = SETS[method]
    found = ours(image, **OPTIONS | scales)[:, :2]
    error = found - places[np.linalg.norm(found[:, None] - places, axis=-1).argmin(1)]
    assert len(found) == len(places)
    assert np.abs(error.mean(0)).max() < 0.3
    assert np.abs(error).max() < 1.3


def test_of_overlapping_blobs_the_largest_stays():
    """Discs of radius √2 σ: that of 5.7 px at 0 hides that of 4.2 at 4, which would have hidden that of 2.8 at 7."""
    row = np.array([[0, 7.0, 2], [0, 0, 4], [0, 4.0, 3], [0, 30, 1]])
    assert blobs.separate(row, 0.5).tolist() == [0, 1, 3]
    assert blobs.separate(row[[0, 2, 3]], 0.5).tolist() == [1, 2]
    assert blobs.separate(row, 1.0).tolist() == [0, 1, 2, 3]
    assert blobs.separate(np.array([[0, 0, 2.0], [0, 1, 2.0]]), 0.5).tolist() == [0]
    assert len(blobs.separate(np.empty((0, 3)), 0.5)) == 0


@pytest.mark.parametrize(("distance", "small"), [(0, 1.0), (1, 1.0), (2.2, 1.5), (2.9, 1.0), (3.5, 2.0), (5, 1.0), (2, 3.0)])
def test_the_shared_area_is_that_counted_on_a_grid(distance, small):
    axis = np.linspace(-3, 9, 1201)
    y, x = axis[:, None], axis
    one, other = np.hypot(y, x) <= 3, np.hypot(y, x - distance) <= small
    assert blobs.shared(np.array([distance]), 3.0, np.array([small])) == pytest.approx(
        (one & other).sum() / other.sum(), abs=0.01
    )


def test_neither_offset_nor_border_make_blobs_of_the_determinant(rng):
    """scikit-image's boxes see a step where they are cut, and nothing where the image is negative."""
    _, image = apart(rng)
    expected = blobs.doh(image, **OPTIONS | SETS["doh"][2])
    for offset in (-3.0, 20.0):
        assert np.allclose(blobs.doh(image + offset, **OPTIONS | SETS["doh"][2]), expected)
