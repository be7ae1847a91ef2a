"""Radial profiles: those that an image was made of, and what a site lacks of its own."""

import numpy as np
import pytest

from atomwork.columns import radial

SPACING, SHAPE = 9.0, (120, 130)


@pytest.fixture
def sites(rng):
    """Sites of two kinds on a hexagonal lattice that reach into an image, and the pixels that they reach."""
    steps = np.stack(np.meshgrid(np.arange(-20, 30), np.arange(-20, 30), indexing="ij"), -1).reshape(-1, 2)
    places = steps @ np.array([[13.5, 0.0], [6.75, 11.7]])
    places = places[((places > -14) & (places < np.array(SHAPE) + 14)).all(1)]
    places, kinds = np.concatenate([places, places + [6.75, 3.9]]), np.repeat([0, 1], len(places))
    return places, kinds, radial.overlap(SHAPE, places, SPACING)


def image_of(places, kinds, heights, gone=()):
    """Gaussian spots of a height for each kind on a background of 5."""
    y, x = np.indices(SHAPE)
    kept = [k for k in range(len(places)) if k not in gone]
    return 5 + sum(
        heights[kinds[k]] * np.exp(-((y - places[k, 0]) ** 2 + (x - places[k, 1]) ** 2) / (2 * 2.6**2)) for k in kept
    )


def test_pairs_are_those_within_reach(sites):
    places, _, near = sites
    y, x = np.divmod(near.pixel, SHAPE[1])
    assert near.distance == pytest.approx(np.hypot(y - places[near.site, 0], x - places[near.site, 1]))
    y, x = np.indices(SHAPE).reshape(2, -1)
    for k in (0, len(places) // 2):
        expected = (np.hypot(y - places[k, 0], x - places[k, 1]) < radial.REACH * SPACING).sum()
        assert (near.site == k).sum() == expected


def test_splines_add_up_to_one():
    numbers, values = radial.splines(np.linspace(0, 7.9, 50), 1.0, 20)
    assert values.sum(1) == pytest.approx(1)
    assert (numbers >= 0).all()


@pytest.mark.parametrize("heights", [(30, 12), (-30, -12), (4, -20)])
def test_an_image_of_profiles_is_explained(heights, sites):
    places, kinds, near = sites
    image = image_of(places, kinds, heights)
    profiles = radial.fit(image, near, kinds, count=2)
    assert np.abs(profiles.model(near, kinds) - image).max() < 0.01 * np.ptp(image)


def test_a_missing_column_is_minus_its_own_profile(sites, rng):
    places, kinds, near = sites
    inner = np.flatnonzero(((places > 30) & (places < 90)).all(1))
    gone = [int(inner[3]), int(inner[-2])]
    assert kinds[gone].tolist() == [0, 1]
    noise = 0.5
    image = image_of(places, kinds, (30, 12), gone) + rng.normal(0, noise, SHAPE)
    occupancy = np.ones(len(places))
    occupancy[gone] = 0
    profiles = radial.fit(image, near, kinds, count=2, occupancy=occupancy)
    left = image - profiles.model(near, kinds)
    free = np.isin(np.arange(len(places)), inner)
    found, std = radial.strengths(left, near, profiles.of(near, kinds), free)
    assert found[gone] == pytest.approx([-1, -1], abs=0.1)
    others = np.setdiff1d(inner, gone)
    assert np.abs(found[others]).max() < 0.3
    assert (found[~free] == 0).all()
    assert 0.5 < np.std(found[others] / (noise * std[others])) < 2
