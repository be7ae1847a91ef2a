"""Strain by columns against closed forms, its symmetries, and errors that 200 draws scatter by."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import baselines, detect, strain, strain_grid
from atomwork.columns import fit, sublattices
from atomwork.simulation import forward, structures, views
from tests.analysis import closed_forms
from tests.analysis.closed_forms import LIMIT, NAMES

SIDE, SPACING = 320.0, 11.0  # px
HEXAGONAL = SPACING * np.array([[0, 1], [np.sqrt(0.75), 0.5]])
HONEYCOMB = ((0, 0), (1 / 3, 1 / 3))


def crystal(displacement, side=SIDE, basis=HONEYCOMB, vectors=HEXAGONAL):
    """Columns displaced by what a function of present places (N, 2) gives, brighter on the first sublattice."""
    steps = np.stack(np.meshgrid(*[np.arange(-80, 81)] * 2, indexing="ij"), -1).reshape(-1, 2)
    original = np.concatenate([(steps + np.array(offset)) @ vectors for offset in basis]) + side / 2 + 0.3
    bright = np.repeat(1.0 / np.arange(1, len(basis) + 1), len(steps))
    places = original.copy()
    for _ in range(60):
        places = original + displacement(places)
    inside = ((places >= 0) & (places <= side - 1)).all(1)
    return table(places[inside], bright[inside])


def table(places, amplitude, std=0.05):
    """Columns as of a detector."""
    return pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "y_std": std, "x_std": std, "amplitude": amplitude})


def right_half(gradient):
    """Displacements of a crystal whose right half has a deformation gradient (2, 2)."""
    moved = np.eye(2) - np.linalg.inv(gradient)
    return lambda places: np.where(places[:, 1:] > SIDE / 2, (places - SIDE / 2) @ moved.T, 0.0)


LEFT, RIGHT = (40, 280, 40, 110), (slice(40, -40), slice(210, -40))


def measured(gradient, **settings):
    """The components of the right half with the left one as the reference, by name."""
    columns = crystal(right_half(np.asarray(gradient, float)))
    found = strain.from_columns(columns, shape=(320, 320), resolution=12.0, reference=LEFT, **settings)
    return {name: getattr(found, name)[RIGHT] for name in NAMES}


@pytest.mark.parametrize(("e", "small"), [(0.05, 0.047619), (-0.1, -0.111111)])
@pytest.mark.parametrize("axis", [0, 1])
def test_uniform_strain_in_both_conventions(e, small, axis):
    closed_forms.assert_uniform_strain(measured, e, small, axis)


def test_a_rotation_is_no_strain_and_shear_no_rotation():
    closed_forms.assert_rotation_and_shear(measured)


def test_a_wave_of_strain():
    """Averaged over the resolution, which takes 2 % of a wave of 320 px."""
    wave = 2 * np.pi / 320

    def shift(places):
        return np.stack([np.zeros(len(places)), 0.01 / wave * np.sin(wave * places[:, 1])], -1)

    found = strain.from_columns(
        crystal(shift), shape=(320, 320), resolution=10.0, reference=(40, 280, 78, 83), convention="small"
    )
    inner = found.exx[30:-30, 30:-30]
    assert np.abs(inner - 0.01 * np.cos(wave * np.arange(320))[30:-30]).max() < LIMIT
    assert np.abs([part[30:-30, 30:-30] for part in (found.exy, found.eyy, found.rotation)]).max() < LIMIT


def test_an_edge_dislocation():
    """Its elastic field, ten Burgers vectors away from the core."""
    side, centre = 480, 239.6
    columns = crystal(
        lambda places: closed_forms.dislocation(*(places - centre).T, SPACING).T, side, ((0, 0),), SPACING * np.eye(2)[::-1]
    )
    found = strain.from_columns(columns, shape=(side, side), resolution=11.0, reference=(20, 460, 20, 460), convention="small")
    y, x = np.indices((side, side)) - centre
    away = np.zeros((side, side), bool)
    away[40:-40, 40:-40] = True
    away &= np.hypot(y, x) > 110
    closed_forms.assert_dislocation(found, y, x, SPACING, away)


def test_turned_and_transposed_columns_have_turned_strain():
    columns = crystal(right_half(np.array([[1.02, 0.01], [-0.01, 0.99]])))
    first = strain.from_columns(columns, shape=(320, 320), resolution=12.0, reference=LEFT)
    y0, y1, x0, x1 = LEFT
    quarter = columns.assign(y=319 - columns["x"], x=columns["y"])
    turned = strain.from_columns(quarter, shape=(320, 320), resolution=12.0, reference=(320 - x1, 320 - x0, y0, y1))
    mirrored = columns.assign(y=columns["x"], x=columns["y"])
    swapped = strain.from_columns(mirrored, shape=(320, 320), resolution=12.0, reference=(x0, x1, y0, y1))
    signs = {"exx": ("eyy", 1, 1), "eyy": ("exx", 1, 1), "exy": ("exy", -1, 1), "rotation": ("rotation", 1, -1)}
    aside = np.abs(np.arange(320) - 160) > 45  # what lies across the step depends on the grid
    for name, (other, of_turned, of_swapped) in signs.items():
        expected = getattr(first, name)[40:-40, aside][:, 40:-40]
        back = np.rot90(getattr(turned, other), -1)[40:-40, aside][:, 40:-40]
        across = getattr(swapped, other).T[40:-40, aside][:, 40:-40]
        assert of_turned * back == pytest.approx(expected, abs=2e-4)
        assert of_swapped * across == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("std", "convention"), [(0.4, "finite"), (0.1, "small")])
def test_errors_are_what_200_draws_of_columns_scatter_by(std, convention, rng):
    """Fainter columns of the second sublattice, along y surer than along x, 4 % of them missing."""
    columns = crystal(lambda places: 0.0 * places, 150.0)
    columns = columns[rng.random(len(columns)) > 0.04]
    faint = np.where(columns["amplitude"] < 1, 2.0, 1.0)
    columns = columns.assign(y_std=std * faint, x_std=1.4 * std * faint)
    sites = sublattices.of_columns(columns)
    drawn = [
        strain.from_columns(
            columns.assign(**{axis: columns[axis] + rng.normal(0, columns[f"{axis}_std"]) for axis in "yx"}),
            shape=(150, 150),
            resolution=10.0,
            reference=(40, 110, 40, 110),
            convention=convention,
            sites=sites,
        )
        for _ in range(200)
    ]
    for name in NAMES:
        values = np.array([getattr(one, name)[40:110:10, 40:110:10] for one in drawn])
        stds = np.array([getattr(one, f"{name}_std")[40:110:10, 40:110:10] for one in drawn])
        # the reference's own error is not counted, which is common to all places
        values = values - values.mean((1, 2), keepdims=True)
        assert np.sqrt(values.var(0).mean() / (stds**2).mean()) == pytest.approx(1, abs=0.1), name


@pytest.mark.parametrize("peak", [10, 50, 250])
def test_errors_are_what_200_drawn_images_scatter_by(peak, rng):
    """MoS2 at three doses and two resolutions, its columns fitted in every image anew."""
    side, pixel_size = 130, 0.2
    specimen = structures.build("MoS2", side * pixel_size + 6)
    clean = forward.render(specimen, pixel_size=pixel_size, shape=(side, side)).image
    view = views.look_at(specimen, pixel_size, (side, side))
    truth = view.to_pixels(specimen.columns[["y", "x"]].to_numpy(float))
    truth = truth[((truth > 2) & (truth < side - 3)).all(1)]
    drawn, sites = {9.0: [], 15.0: []}, None
    for _ in range(200):
        columns = fit.refine(rng.poisson(peak * clean / clean.max()).astype(float), truth + rng.normal(0, 0.2, truth.shape))
        sites = sites or sublattices.of_columns(columns)
        for resolution, found in drawn.items():
            settings = {"shape": (side, side), "resolution": resolution, "reference": (30, 100, 30, 100)}
            found.append(strain.from_columns(columns, **settings, sites=sites))
    for found in drawn.values():
        for name in NAMES:
            values, stds = (
                np.array([getattr(one, what)[30:100:7, 30:100:7] for one in found]) for what in (name, f"{name}_std")
            )
            values = values - values.mean((1, 2), keepdims=True)
            assert np.sqrt(np.nanmean(values.var(0)) / np.nanmean(stds**2)) == pytest.approx(1, abs=0.1), name


def test_an_unstrained_crystal_at_low_dose_has_half_the_strain_of_others_columns(rng):
    """Ten electrons in the brightest pixel, over all of each map; published by columns: −0.0014 ± 0.0265."""
    clean = forward.render(structures.build("MoS2", 112), pixel_size=0.2, shape=(512, 512))
    image = replace(clean, image=rng.poisson(10 * clean.image / clean.image.max()).astype(np.float32))
    found = {}
    for find in (detect.detect, baselines.atomap, baselines.findfoci):
        found[find] = strain.from_columns(find(image), shape=(512, 512), reference=(200, 330, 200, 330)).hydrostatic
    ours = found.pop(detect.detect)
    assert abs(np.nanmean(ours)) < LIMIT
    assert min(np.nanstd(other) for other in found.values()) > 2 * np.nanstd(ours)


def test_columns_without_errors_have_strain_without_errors():
    columns = crystal(right_half(np.diag([1.0, 1.03])))
    known = strain.from_columns(columns, shape=(320, 320), reference=LEFT)
    bare = strain.from_columns(columns[["y", "x"]], shape=(320, 320), reference=LEFT)
    assert bare.exx[RIGHT] == pytest.approx(known.exx[RIGHT], abs=1e-5)
    assert np.isnan(bare.exx_std).all()
    assert np.isfinite(known.exx_std[RIGHT]).all()


def test_the_reference_that_is_found_lies_within_the_image(rng):
    """It is flat in a corner whose last points, of the grid's 54 every sixth pixel, lie beyond."""
    parts = rng.normal(size=(4, 54, 54))
    parts[:, -20:, -20:] = 0
    parts[:, -20:-13] = parts[:, :, -20:-13] = 1e3
    (y0, y1, x0, x1), inside = strain_grid.reference_region(None, parts, np.ones((54, 54), bool), 6, (317, 317))
    assert 220 < y0 < y1 == 317
    assert 220 < x0 < x1 == 317
    assert inside.sum() == 12 * 12


def test_a_hole_has_no_strain_and_what_surrounds_it_has():
    columns = crystal(lambda places: 0.0 * places)
    columns = columns[np.hypot(columns["y"] - 160, columns["x"] - 160) > 60]
    found = strain.from_columns(columns, shape=(320, 320), resolution=12.0)
    assert np.isnan(found.exx[130:190, 130:190]).all()
    assert np.nanmax(np.abs(found.exx)) < LIMIT
    assert np.isfinite(found.exx[155:165, 60:90]).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"reference": (0, 400, 0, 50)}, "outside the image of 320 × 320 px"),
    ({"reference": (0, 2, 0, 2)}, "has no lattice"),
    ({"resolution": 2.0}, "nowhere are there columns enough within a resolution of 2 px"),
    ({"convention": "exact"}, "choose from finite, small"),
])  # fmt: skip
def test_each_wrong_setting_has_its_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        strain.from_columns(crystal(lambda places: 0.0 * places), **{"shape": (320, 320)} | change)


def test_three_columns_and_columns_without_a_lattice_are_refused(rng):
    with pytest.raises(ValueError, match="3 columns tell no lattice; give 40 or more"):
        strain.from_columns(table(np.eye(3)[:, :2] * 9, np.ones(3)))
    with pytest.raises(ValueError, match="400 columns have no lattice in common"):
        strain.from_columns(table(rng.uniform(0, 300, (400, 2)), np.ones(400)))
