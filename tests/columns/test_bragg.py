"""Lattices found in spectra: known ones, turned and mirrored ones, real ones, and what has none."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atomwork import micrograph
from atomwork.columns import bragg
from atomwork.simulation import forward, structures
from atomwork.simulation.recipes import atomgan


def drawn(vectors, *, size=(192, 208), basis=((0, 0, 1),), dose=None, missing=0.0, rng=None):
    """Gaussian columns on a lattice of ``vectors`` [px], ``basis`` (u, v, brightness), as expected or counted electrons."""
    vectors = np.asarray(vectors, float)
    steps = np.arange(-60, 61)
    cells = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    y, x = np.mgrid[: size[0], : size[1]]
    width = 0.18 * min(np.linalg.norm(vectors, axis=1))
    image = np.full(size, 0.1)
    for u, v, brightness in basis:
        places = (cells + (u, v)) @ vectors + np.array(size) / 2
        places = places[((places > -10) & (places < np.array(size) + 10)).all(1)]
        if missing:
            places = places[rng.random(len(places)) >= missing]
        for y0, x0 in places:
            image += brightness * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * width**2))
    return image if dose is None else rng.poisson(dose * image).astype(float)


def turned(length, angle, ratio, between):
    """Two vectors [px]: the first so long and at an angle, the second ``ratio`` times as long and ``between`` degrees on."""
    first, second = np.radians(angle), np.radians(angle + between)
    return length * np.array([[np.sin(first), np.cos(first)], [ratio * np.sin(second), ratio * np.cos(second)]])


def same_lattice(first, second):
    """Largest distance of the vectors of one from lattice points of the other, over the shorter vector."""
    steps = first @ np.linalg.inv(second)
    return np.abs((steps - np.rint(steps)) @ second).max() / np.linalg.norm(second, axis=1).min()


@pytest.mark.parametrize(
    ("length", "angle", "ratio", "between"), [(7.3, 20, 1, 60), (12.7, 100, 1, 90), (16.1, 5, 1.4, 75), (21, 77, 1.2, 110)]
)
def test_a_known_lattice_is_found(length, angle, ratio, between):
    vectors = turned(length, angle, ratio, between)
    found = bragg.find(drawn(vectors, basis=((0, 0, 1), (1 / 3, 0.4, 0.3))))
    assert same_lattice(found.vectors, vectors) < 1e-3
    assert abs(np.linalg.det(found.vectors)) == pytest.approx(abs(np.linalg.det(vectors)), rel=1e-3)  # not a part of it
    assert np.allclose(found.g @ found.vectors.T, np.rint(found.g @ found.vectors.T), atol=1e-9)
    assert found.explained > 0.95


def test_noise_and_missing_columns_leave_it(rng):
    vectors = turned(11.5, 33, 1.1, 70)
    found = bragg.find(drawn(vectors, dose=5, missing=0.1, rng=rng))
    assert same_lattice(found.vectors, vectors) < 3e-3


@pytest.mark.parametrize("change", [np.rot90, np.transpose, np.flipud])
def test_it_turns_with_the_image(rng, change):
    image = drawn(turned(12, 25, 1.3, 80), size=(192, 192), dose=50, rng=rng)
    before, after = (np.sort(np.abs(bragg.find(picture).vectors), axis=None) for picture in (image, change(image)))
    assert np.allclose(before, after, rtol=1e-4)


def test_units_do_not_matter(rng):
    image = drawn(turned(12, 25, 1.3, 80), dose=50, rng=rng)
    assert np.allclose(bragg.find(image).g, bragg.find(1e4 * image - 3e7).g, rtol=1e-6)


def test_errors_are_those_of_repeated_draws(rng):
    clean = drawn(turned(14.3, 11, 1.1, 76))
    draws = [bragg.find(rng.poisson(20 * clean)) for _ in range(25)]
    scatter = np.std([draw.g for draw in draws], axis=0)
    stated = np.sqrt(np.mean([draw.g_std**2 for draw in draws], axis=0))
    assert 0.6 < np.sqrt((scatter**2).mean() / (stated**2).mean()) < 1.5


def test_the_lattice_constant_of_a_crystal(rng):
    sheet = structures.build("WSe2", 80, rng=rng)
    vectors = bragg.find(forward.render(sheet, pixel_size=0.3).image).vectors
    a = 0.3 * np.linalg.norm(vectors, axis=1)
    assert a == pytest.approx([3.282, 3.282], rel=1e-3)  # Schutte, De Boer & Jellinek, J. Solid State Chem. 70 (1987) 207


@pytest.mark.parametrize("index", [14, 36, 77])
def test_the_common_lattice_of_two_crystals(index):
    """The halves of these junctions shift, split or weaken each other's peaks."""
    drawn = atomgan.dataset(96).draw(index, np.random.SeedSequence(202, spawn_key=(index,)))
    a = drawn["settings"][0] * np.linalg.norm(bragg.find(drawn["image"].astype(float)).vectors, axis=1)
    assert a == pytest.approx([3.157, 3.157], rel=2e-3)  # the mean of MoS2's 3.160 and WS2's 3.153 Å


def test_real_crystals():
    sheet = micrograph.load("sample:mos2")
    a = np.linalg.norm(bragg.find(sheet.image).vectors, axis=1) * sheet.pixel_size
    assert a == pytest.approx([2.96, 2.96], rel=0.02)  # the file's pixel size is some 5 % short, and the scan sheared
    perovskite = micrograph.load("sample:perovskite_adf")
    found = bragg.find(perovskite.image)
    sides = np.linalg.norm(found.vectors, axis=1)
    assert sides[1] / sides[0] == pytest.approx(np.sqrt(2), rel=0.02)  # a cubic cell along [110]
    other = micrograph.load("sample:perovskite_abf")  # of the same place
    assert np.allclose(np.linalg.norm(bragg.find(other.image).vectors, axis=1), sides, rtol=2e-3)


def test_what_has_no_lattice_is_refused(rng):
    smooth = gaussian_filter(rng.normal(size=(192, 192)), 3)
    sentence = r"no Bragg peak of an image of 192 × 192 px stands 30 times above .*more dose"
    for image in (rng.poisson(5, (192, 192)), smooth, np.ones((192, 192))):
        with pytest.raises(ValueError, match=sentence):
            bragg.find(image)
    fringes = rng.poisson(20 * (1 + np.cos(0.7 * np.arange(192))) * np.ones((192, 1)))
    with pytest.raises(ValueError, match=r"lie on one line through the origin: fringes"):
        bragg.find(fringes)


def test_reduction_keeps_the_lattice(rng):
    for _ in range(50):
        basis = rng.normal(size=(2, 2))
        short = bragg.reduced(np.array([[2, 5], [1, 3]]) @ basis)
        assert same_lattice(short, basis) < 1e-6
        assert np.linalg.norm(short[0]) <= np.linalg.norm(short[1])
        assert abs(short[0] @ short[1]) <= 0.5 * (short[0] @ short[0]) * (1 + 1e-6)
