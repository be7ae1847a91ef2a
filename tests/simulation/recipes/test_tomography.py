"""Slices and sinograms against closed forms and against back projection."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from skimage.transform import iradon

from atomwork.simulation.recipes import tomography
from atomwork.simulation.recipes.tomography import DISC, KINDS, N_ANGLES, ROOM, SIZE, Recipe
from tests.simulation.recipes import sequence

ONE = Recipe(shapes=(1, 1), hole=0.0, texture=(0.0, 0.0), level=(0.5, 0.5), stretch=(1.0, 1.0), radius=(0.4, 0.4))


@cache
def drawn(index):
    return tomography.dataset().draw(index, sequence(index))


@pytest.mark.parametrize("index", range(6))
def test_slices_are_drawn_as_declared(index):
    dataset, image = tomography.dataset(), drawn(index)
    assert image.keys() == dataset.arrays.keys()
    for name, array in dataset.arrays.items():
        assert (image[name].shape, image[name].dtype) == (array.shape, array.dtype), name
    assert image["kind"] == index % len(KINDS)
    assert (image["image"].min(), image["image"].max()) >= (0, 0.1)
    assert image["image"].max() <= 1
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    assert not image["image"][np.hypot(y, x) > DISC + 1].any()
    vertices = image["vertices"][image["vertices"] > 0]
    low, high = (3, 60) if KINDS[image["kind"]] == "polygons" else (4, 9)
    assert ((vertices >= low) & (vertices <= high)).all()


@pytest.mark.parametrize("index", range(6))
def test_every_projection_holds_the_same_mass(index):
    image = drawn(index)
    masses = image["sinogram"].sum(0)
    assert image["sinogram"].shape == (SIZE, N_ANGLES)
    assert masses == pytest.approx(image["image"].sum(dtype=float), rel=2e-3)


@pytest.mark.parametrize("index", range(2))
def test_projections_along_the_axes_are_sums_of_columns_and_rows(index):
    image = drawn(index)
    picture, sinogram = image["image"].astype(float), image["sinogram"]
    assert np.allclose(sinogram[:, 0], picture.sum(0), atol=1e-3)
    # a quarter turn about the middle of the image takes row y to SIZE − y
    assert np.allclose(sinogram[1:, N_ANGLES // 2], picture.sum(1)[:0:-1], atol=0.02)
    assert tomography.angles()[N_ANGLES // 2] == 90


@pytest.mark.parametrize("index", range(2))
def test_back_projection_finds_the_slice_again(index):
    image = drawn(index)
    found = iradon(image["sinogram"], tomography.angles(), circle=True)
    assert np.corrcoef(found.ravel(), image["image"].ravel())[0, 1] > 0.95


def test_smooth_polygons_and_round_particles_have_the_area_of_a_circle():
    """60 vertices on a circle, and an ellipse of equal axes; 0.5 π r² of mass."""
    radius, mass = 0.4 * DISC, 0.5 * np.pi * (0.4 * DISC) ** 2
    many = replace(ONE, vertices=(60, 60), roughness=(0.0, 0.0))
    image, vertices = tomography.polygons(1, np.random.default_rng(1), many)
    assert vertices.tolist() == [60]
    assert image.sum() == pytest.approx(mass, rel=0.01)
    away = np.stack(np.mgrid[:SIZE, :SIZE], -1) - SIZE / 2
    distance = tomography.shape(away, 0, np.random.default_rng(1), ONE)
    assert np.allclose(distance, np.hypot(*np.moveaxis(away, -1, 0)))
    assert 0.5 * tomography.inside(distance / radius, radius).sum() == pytest.approx(mass, rel=1e-3)


@pytest.mark.parametrize("facets", [3, 4, 9])
def test_facets_are_straight_and_lie_inside_their_ellipse(facets):
    """A convex polygon with its corners on the circle: the area is that of its triangles."""
    away = np.stack(np.mgrid[:SIZE, :SIZE], -1) - SIZE / 2
    distance = tomography.shape(away, facets, np.random.default_rng(facets), ONE)
    polygon = distance <= 80
    assert (np.hypot(*np.moveaxis(away, -1, 0))[polygon] <= 80 + 1e-6).all()
    assert (distance >= np.hypot(*np.moveaxis(away, -1, 0)) * (1 - 1e-9)).all()
    directions = 2 * np.pi * (np.arange(facets) + drawn_jitter(facets)) / facets
    gaps = np.diff(directions, append=directions[0] + 2 * np.pi)
    assert polygon.sum() == pytest.approx(80**2 / 2 * np.sin(gaps).sum(), rel=0.01)


def drawn_jitter(facets):
    """What `shape` draws third, after the turn and the stretch."""
    rng = np.random.default_rng(facets)
    rng.random(2)
    return rng.uniform(-0.2, 0.2, facets)


def test_the_same_sequence_gives_the_same_bytes_and_another_index_another_slice():
    draw, seed = tomography.dataset().draw, sequence(1)
    again, other = draw(1, seed), drawn(3)
    assert all(values.tobytes() == again[name].tobytes() for name, values in draw(1, seed).items())
    assert not np.array_equal(again["image"], other["image"])


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match=rf"shapes \(1, 9\) must be from 1 to {ROOM}"):
        Recipe(shapes=(1, 9))
    with pytest.raises(ValueError, match=r"facets \(2, 4\) at least 3; change the recipe\."):
        Recipe(facets=(2, 4))
