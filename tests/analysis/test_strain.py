"""Strain by geometric phase against closed forms, its symmetries, and errors that 200 draws scatter by."""

import dask.array
import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atomwork.analysis import fringes, strain
from atomwork.columns import bragg_noise, deformation
from atomwork.image import Micrograph
from tests.analysis import closed_forms
from tests.analysis.closed_forms import LIMIT, NAMES

SIDE, PERIOD = 320, 10.0  # px
G = np.array([[0.1, 0.0], [-0.05, 0.1 * np.sqrt(0.75)]])  # 1/px, hexagonal
PLACES = np.indices((SIDE, SIDE)).astype(float)


def crystal(displacement=0.0, places=PLACES, g=G):
    """A crystal whose columns have been displaced by (2, H, W) px to where they are: (H, W) image."""
    there = places - displacement
    return 60 + sum(20 * np.cos(2 * np.pi * np.tensordot(order, there, 1)) for order in (*g, g[0] + g[1]))


def half_deformed(gradient):
    """A crystal whose right half has a deformation gradient (2, 2)."""
    centre = SIDE / 2
    moved = np.tensordot(np.eye(2) - np.linalg.inv(gradient), PLACES - centre, 1)
    return crystal(np.where(PLACES[1] > centre, moved, 0.0))


LEFT, RIGHT = (50, SIDE - 50, 50, 110), (slice(70, -70), slice(210, -70))


def measured(gradient, **settings):
    """The components of the right half with the left one as the reference, by name."""
    found = strain.gpa(half_deformed(np.asarray(gradient, float)), *G, resolution=9.0, reference=LEFT, **settings)
    return {name: getattr(found, name)[RIGHT] for name in NAMES}


@pytest.mark.parametrize(("e", "small"), [(0.05, 0.047619), (-0.1, -0.111111)])
@pytest.mark.parametrize("axis", [0, 1])
def test_uniform_strain_in_both_conventions(e, small, axis):
    closed_forms.assert_uniform_strain(measured, e, small, axis)


def test_a_rotation_is_no_strain_and_shear_no_rotation():
    closed_forms.assert_rotation_and_shear(measured)


def test_a_wave_of_strain():
    """Averaged over the resolution, which takes 2 % of a wave of 240 px."""
    wave = 2 * np.pi / 240
    shift = np.stack([np.zeros_like(PLACES[0]), 0.01 / wave * np.sin(wave * PLACES[1])])
    found = strain.gpa(crystal(shift), *G, resolution=7.0, reference=(40, SIDE - 40, 58, 63), convention="small")
    expected = 0.01 * np.cos(wave * PLACES[1])
    inner = np.isfinite(found.exx)
    assert np.abs(found.exx - expected)[inner].max() < LIMIT
    assert np.abs([found.exy[inner], found.eyy[inner], found.rotation[inner]]).max() < LIMIT


def test_an_edge_dislocation():
    """Its elastic field, ten Burgers vectors away from the core."""
    places = np.indices((480, 480)) - 239.6
    g = np.array([[0.0, 0.1], [0.1, 0.0]])
    image = crystal(closed_forms.dislocation(*places, PERIOD), places, g)
    found = strain.gpa(image, *g, resolution=7.5, reference=(20, 460, 20, 460), convention="small")
    closed_forms.assert_dislocation(found, *places, PERIOD, (np.hypot(*places) > 100) & np.isfinite(found.exx))


def test_a_turned_image_and_a_transposed_one_have_turned_strain():
    gradient = np.array([[1.02, 0.01], [-0.01, 0.99]])
    image = half_deformed(gradient)
    first = strain.gpa(image, *G, resolution=9.0, reference=LEFT)
    y0, y1, x0, x1 = LEFT
    turned = strain.gpa(np.rot90(image), *(G[:, ::-1] * [-1, 1]), resolution=9.0, reference=(SIDE - x1, SIDE - x0, y0, y1))
    swapped = strain.gpa(image.T, *G[:, ::-1], resolution=9.0, reference=(x0, x1, y0, y1))
    signs = {"exx": ("eyy", 1, 1), "eyy": ("exx", 1, 1), "exy": ("exy", -1, 1), "rotation": ("rotation", 1, -1)}
    for name, (other, of_turned, of_swapped) in signs.items():
        expected = getattr(first, name)[60:-60, 60:-60]
        assert of_turned * np.rot90(getattr(turned, other), -1)[60:-60, 60:-60] == pytest.approx(expected, abs=1e-4)
        assert of_swapped * getattr(swapped, other).T[60:-60, 60:-60] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("dose", [0.2, 1.0, 20.0])
@pytest.mark.parametrize("resolution", [8.0, 14.0])
def test_errors_are_what_200_draws_scatter_by(dose, resolution, rng):
    """Sharp columns, whose shot noise follows them, so that the two fringes' errors depend on each other."""
    side = 160
    places = np.indices((side, side)).astype(float)
    # what a column of 1.5 px standard deviation leaves of each order
    orders = [(n, m) for n in range(-4, 5) for m in range(-4, 5) if (n, m) > (0, 0)]
    waves = np.array(orders) @ G
    heights = np.exp(-2 * (np.pi * 1.5 * np.linalg.norm(waves, axis=1)) ** 2)
    parts = (a * np.cos(2 * np.pi * np.tensordot(k, places, 1)) for a, k in zip(heights, waves, strict=True))
    clean = 10 * dose * np.maximum(1 + 2 * sum(parts), 0)
    drawn = [known_reference(rng.poisson(clean).astype(float), resolution) for _ in range(200)]
    for name in NAMES:
        values, stds = (np.array([one[part] for one in drawn]) for part in (name, f"{name}_std"))
        assert np.sqrt(values.var(0).mean() / (stds**2).mean()) == pytest.approx(1, abs=0.1), name


def known_reference(image, resolution):
    """The components in the middle of an image, relative to a reference that has no error itself."""
    found = fringes.measure(image, G, resolution)
    floor, gain = bragg_noise.variance(image, G, resolution)
    middle = [slice(count // 3, -(count // 3)) for count in found.slope.shape[2:]]
    slope, noise = (part[(..., *middle)] for part in (found.slope, floor * found.white + gain * found.shot))
    slope, noise = (np.moveaxis(part, (0, 1), (-2, -1)) for part in (slope, noise))
    return deformation.of_waves(G + slope / (2 * np.pi), noise / (2 * np.pi) ** 2, G, "finite")


def test_noise_is_told_from_the_lattice_and_split_into_what_follows_intensity_and_what_does_not(rng):
    image = crystal()
    counted = 3.0 * rng.poisson(image) + 40
    floor, gain = bragg_noise.variance(counted, G, 9.0)
    assert gain == pytest.approx(3, rel=0.03)
    assert floor + gain * counted.mean() == pytest.approx(9 * image.mean(), rel=0.02)
    floor, gain = bragg_noise.variance(image + rng.normal(0, 5, image.shape), G, 9.0)
    assert floor == pytest.approx(25, rel=0.05)
    assert gain == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("g", [[G[0] + G[1], G[0] - G[1]], [G[0], 3 * G[1]], [G[0] + G[1], 2 * G[0] - G[1]], 2 * G])
def test_noise_is_no_other_for_vectors_that_span_a_part_of_the_peaks(g, rng):
    counted = rng.poisson(crystal())
    floor, gain = bragg_noise.variance(counted, np.array(g), 9.0)
    assert gain == pytest.approx(1, rel=0.03)
    assert floor + gain * counted.mean() == pytest.approx(counted.mean(), rel=0.02)


def test_vectors_and_the_reference_are_found(rng):
    """The half that isn't bent is the reference."""
    bend = np.where(PLACES[1] > 160, 1e-4 * (PLACES[1] - 160) ** 2, 0)
    image = rng.poisson(crystal(np.stack([bend, np.zeros_like(bend)]))).astype(float)
    found = strain.gpa(image)
    cell = abs(np.linalg.det(found.g))
    assert cell == pytest.approx(abs(np.linalg.det(G)), rel=0.01)
    assert found.reference[3] < 180
    assert np.nanmedian(np.abs(found.eyy[:, :120])) < 2e-3


def test_tiles_and_arrays_that_are_read_by_parts_make_no_difference(monkeypatch):
    image = half_deformed(np.diag([1.01, 0.98]))
    whole = strain.gpa(image, *G, resolution=8.0, reference=LEFT)
    monkeypatch.setattr(fringes, "TILE", 96)
    for given in (image, dask.array.from_array(image, 100)):
        tiled = strain.gpa(given, *G, resolution=8.0, reference=LEFT)
        for name in ("exx", "rotation", "exy_std"):
            assert np.nanmax(np.abs(getattr(tiled, name) - getattr(whole, name))) < 1e-4


@pytest.mark.parametrize(("change", "message"), [
    ({"g2": (0.2, 0.001)}, "parallel"),
    ({"g2": (0.0, 0.6)}, "Nyquist"),
    ({"reference": (0, 400, 0, 50)}, "outside the image of 320 × 320 px"),
    ({"reference": (0, 5, 0, 5)}, "has no lattice"),
    ({"resolution": 3.0}, "finer than 0.65 of the fringes' period"),
    ({"resolution": 80.0}, "no place 3.5 resolutions of 80 px"),
    ({"convention": "exact"}, "choose from finite, small"),
])  # fmt: skip
def test_each_wrong_setting_has_its_sentence(change, message):
    settings = {"g1": G[0], "g2": G[1], "resolution": 9.0} | change
    with pytest.raises(ValueError, match=message):
        strain.gpa(crystal(), **settings)


def test_a_map_opens_in_hyperspy_with_its_axes(tmp_path):
    image = Micrograph(half_deformed(np.diag([1.0, 1.03])), 0.2, "half")
    found = strain.gpa(image, *G, resolution=8.0, reference=LEFT)
    found.write(tmp_path / "strain.zspy", "strain of half")
    opened = hs.load(tmp_path / "strain.zspy")
    assert opened.metadata.General.title == "strain of half"
    about = opened.metadata.atomwork
    assert about.components[0] == "exx"
    assert about.reference == list(LEFT)
    assert about.resolution == pytest.approx(1.6)
    assert [(axis.name, axis.scale, axis.units) for axis in opened.axes_manager.signal_axes] == [
        ("x", 0.2, "Å"),
        ("y", 0.2, "Å"),
    ]
    for number, name in enumerate(about.components):
        assert np.array_equal(opened.data[number], getattr(found, name), equal_nan=True)


def test_images_without_a_lattice_are_refused(rng):
    with pytest.raises(ValueError, match="no Bragg peak"):
        strain.gpa(gaussian_filter(rng.normal(size=(256, 256)), 2.5))  # as if of carbon
    with pytest.raises(ValueError, match="no Bragg peak"):
        strain.gpa(rng.normal(size=(128, 128)))
    with pytest.raises(ValueError, match="nowhere sure"):
        strain.gpa(rng.normal(size=(128, 128)), *G, resolution=8.0)
