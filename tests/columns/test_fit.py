"""The fit against the Cramér-Rao limit, its own error bars and exact images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atomwork.columns import fit


def lattice(rng, count=12, spacing=22.0, width=3.5, amplitude=1.0, background=0.05, ratio=1.0, angle=0.0):
    """True positions (count², 2) and the noise-free image of a jittered square lattice."""
    side = np.arange(count) * spacing + spacing
    positions = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (count**2, 2))
    y, x = np.mgrid[: int((count + 1) * spacing), : int((count + 1) * spacing)].astype(float)
    image = np.full(y.shape, float(background))
    for y0, x0 in positions:
        along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        image += amplitude * np.exp(-(along**2 * ratio**-1 + across**2 * ratio) / (2 * width**2))
    return positions, image


def cramer_rao(width, peak, background):
    """Standard deviation per axis [px] (Mortensen et al. 2010, with pixels of unit side)."""
    variance = width**2 + 1 / 12
    electrons = peak * 2 * np.pi * width**2
    tau = 2 * np.pi * variance * background / electrons
    return np.sqrt(variance / electrons * (1 + 4 * tau + np.sqrt(2 * tau / (1 + 4 * tau))))


@pytest.mark.parametrize("peak", [20, 50, 200, 1000])
def test_positions_reach_the_cramer_rao_limit_and_say_so(rng, peak):
    truth, image = lattice(rng, count=22, amplitude=peak, background=0.05 * peak)
    found = fit.refine(rng.poisson(image), truth + rng.normal(0, 0.7, truth.shape))
    error = found[["y", "x"]].to_numpy() - truth
    stated = found[["y_std", "x_std"]].to_numpy()
    assert np.sqrt(np.mean(error**2)) < 1.10 * cramer_rao(3.5, peak, 0.05 * peak)
    # 968 draws estimate their own spread to 2.3 %
    assert np.std(error / stated) == pytest.approx(1, abs=0.07)


def test_overlapping_columns_state_the_joint_error(rng):
    """At four widths the error of a lone column would be 15 % too small."""
    ratios = []
    for _ in range(3):
        truth, image = lattice(rng, count=16, spacing=14.0, amplitude=50, background=2.5)
        found = fit.refine(rng.poisson(image), truth + rng.normal(0, 0.5, truth.shape))
        ratios.append((found[["y", "x"]].to_numpy() - truth) / found[["y_std", "x_std"]].to_numpy())
    assert np.std(ratios) == pytest.approx(1, abs=0.08)


def test_known_positions_are_measurements_beside_the_image(rng):
    """1/σ² = 1/σ_image² + 1/σ_given² for the stated errors, and for the true ones."""
    truth, image = lattice(rng, count=22, amplitude=2, background=0.5)
    counts, given = rng.poisson(image), truth + rng.normal(0, 0.4, truth.shape)
    alone, together = fit.refine(counts, given), fit.refine(counts, given, position_std=0.4)
    expected = 1 / np.sqrt(1 / alone["y_std"] ** 2 + 1 / 0.4**2)
    assert (together["y_std"] / expected).median() == pytest.approx(1, abs=0.05)
    error = together[["y", "x"]].to_numpy() - truth
    assert np.nanstd(error / together[["y_std", "x_std"]].to_numpy()) == pytest.approx(1, abs=0.1)


def test_a_fit_that_contradicts_the_known_position_is_refused(rng):
    truth, image = lattice(rng, count=6, amplitude=200, background=10)
    beside, counts = truth + (4.0, 0.0), rng.poisson(image)
    assert np.abs(fit.refine(counts, beside)[["y", "x"]].to_numpy() - truth).max() < 0.2
    refused = fit.refine(counts, beside, position_std=1.0)
    assert refused[["y_std", "x_std"]].isna().all(axis=None)
    assert (refused[["y", "x"]].to_numpy() == beside).all()


def test_a_dumbbell_is_told_apart(rng):
    y, x = np.mgrid[:60, :60]
    truth = np.array([(30.2, 25.1), (30.2, 33.6)])  # 2.8 widths apart
    image = 5 + sum(400 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18) for a, b in truth)
    found = fit.refine(rng.poisson(image), truth + 0.5, spacing=9)
    assert np.abs(found[["y", "x"]].to_numpy() - truth).max() < 5 * found["x_std"].max() < 0.6


def test_a_noise_free_image_is_recovered_exactly(rng):
    truth, image = lattice(rng, amplitude=300, background=20)
    found = fit.refine(image, truth + rng.normal(0, 0.5, truth.shape))
    assert np.abs(found[["y", "x"]].to_numpy() - truth).max() < 1e-2
    assert found["amplitude"].to_numpy() == pytest.approx(300, rel=0.01)
    assert found["background"].to_numpy() == pytest.approx(20, rel=0.05)
    assert found["width"].to_numpy() == pytest.approx(3.5, rel=0.01)


@pytest.mark.parametrize("elliptical", [False, True])
@pytest.mark.parametrize("width", [2.0, 4.0, 8.0])
def test_columns_of_many_pixels_keep_place_height_and_width(rng, width, elliptical):
    """Pixels are added up in blocks of 1, 2 and 5; what their size adds to the width is taken off again."""
    truth, image = lattice(rng, count=5, spacing=6 * width, width=width, amplitude=300, background=20)
    found = fit.refine(image[: -(int(width) + 1)], truth + rng.normal(0, 0.1 * width, truth.shape), elliptical=elliptical)
    assert np.abs(found[["y", "x"]].to_numpy() - truth).max() < 5e-3 * width
    assert found["amplitude"].to_numpy() == pytest.approx(300, rel=0.01)
    assert found["background"].to_numpy() == pytest.approx(20, rel=0.05)
    assert found["width"].to_numpy() == pytest.approx(width, rel=0.01)


def test_adding_pixels_up_hardly_widens_the_errors(rng, monkeypatch):
    truth, image = lattice(rng, count=12, width=3.5, amplitude=50, background=5)
    counts = rng.poisson(image)
    coarse = fit.refine(counts, truth)
    monkeypatch.setattr(fit, "NARROWEST", 10.0)
    fine = fit.refine(counts, truth)
    assert (coarse["y_std"] / fine["y_std"]).median() == pytest.approx(1.0, abs=0.03)
    apart = (coarse[["y", "x"]] - fine[["y", "x"]]) / fine[["y_std", "x_std"]].to_numpy()
    assert np.std(apart.to_numpy()) < 0.4


@pytest.mark.parametrize("width", [1.4, 3.5])
def test_columns_fitted_band_by_band_are_those_fitted_together(rng, monkeypatch, width):
    """In any order, with what is whole or refused in either."""
    truth, image = lattice(rng, count=16, spacing=6.2 * width, width=width, amplitude=50, background=5)
    counts, given = rng.poisson(image), rng.permutation(np.r_[truth, [(3.0, 3.0)]])
    together = fit.refine(counts, given)
    monkeypatch.setattr(fit, "BAND", 40)
    apart = fit.refine(counts, given)
    assert (apart["y_std"].isna() == together["y_std"].isna()).all()
    assert (apart["y_std"] / together["y_std"]).dropna().median() == pytest.approx(1, abs=0.01)
    moved = (apart[["y", "x"]] - together[["y", "x"]]) / together[["y_std", "x_std"]].to_numpy()
    assert np.nanmax(np.abs(moved.to_numpy())) < 0.5
    assert np.nanstd(moved.to_numpy()) < 0.1
    assert apart.attrs["dispersion"] == pytest.approx(together.attrs["dispersion"], rel=0.05)


def test_dark_columns_are_fitted_like_bright_ones(rng):
    truth, image = lattice(rng, amplitude=-60, background=100)
    found = fit.refine(rng.poisson(image), truth + rng.normal(0, 0.5, truth.shape))
    assert (found["amplitude"] < 0).all()
    error = found[["y", "x"]].to_numpy() - truth
    assert np.std(error / found[["y_std", "x_std"]].to_numpy()) == pytest.approx(1, abs=0.15)


@given(st.floats(1e-4, 1e4), st.floats(-1e5, 1e5))
@settings(max_examples=12, deadline=None)
def test_gain_and_offset_of_the_file_change_nothing(gain, offset):
    rng = np.random.default_rng(3)
    truth, image = lattice(rng, count=7, amplitude=80, background=8)
    counts = rng.poisson(image).astype(float)
    plain, scaled = fit.refine(counts, truth), fit.refine(gain * counts + gain * offset, truth)
    names = ["y", "x", "y_std", "x_std", "width"]
    assert np.allclose(plain[names], scaled[names], rtol=0.02, atol=0.01)
    assert np.allclose(gain * plain["amplitude"], scaled["amplitude"], rtol=0.02)


def test_readout_noise_is_part_of_the_error(rng):
    truth, image = lattice(rng, count=16, amplitude=60, background=5)
    recorded = rng.poisson(image) + rng.normal(0, 8, image.shape)
    found = fit.refine(recorded, truth + rng.normal(0, 0.5, truth.shape))
    error = found[["y", "x"]].to_numpy() - truth
    assert np.std(error / found[["y_std", "x_std"]].to_numpy()) == pytest.approx(1, abs=0.1)


def test_ellipses_are_measured_on_request(rng):
    truth, image = lattice(rng, amplitude=500, background=10, ratio=1.5, angle=np.deg2rad(30))
    found = fit.refine(rng.poisson(image), truth, elliptical=True)
    assert found["width_major"].median() == pytest.approx(3.5 * np.sqrt(1.5), rel=0.02)
    assert found["width_minor"].median() == pytest.approx(3.5 / np.sqrt(1.5), rel=0.02)
    assert np.rad2deg(found["angle"].median()) == pytest.approx(30, abs=2)


def test_transposing_the_image_transposes_the_columns(rng):
    truth, image = lattice(rng, count=6, amplitude=50, background=5)
    counts = rng.poisson(image)
    straight, turned = fit.refine(counts, truth), fit.refine(counts.T, truth[:, ::-1])
    assert np.allclose(straight[["y", "x", "y_std"]], turned[["x", "y", "x_std"]], atol=1e-3)


def test_columns_cut_by_the_border_are_fitted(rng):
    truth, image = lattice(rng, amplitude=200, background=10)
    cropped, moved = image[20:, 21:], truth - (20, 21)  # the first row's centres lie 2 px inside
    seen = (moved > 0).all(1)
    found = fit.refine(rng.poisson(cropped), moved[seen])
    assert (np.abs(found[["y", "x"]].to_numpy() - moved[seen]) < 6 * found[["y_std", "x_std"]].to_numpy() + 0.02).all()


def test_where_there_is_no_column_there_is_no_error_bar(rng):
    truth, image = lattice(rng, count=8, amplitude=100, background=10)
    image[:, 100:] = 10  # a hole
    inside, hole = truth[truth[:, 1] < 85], truth[truth[:, 1] > 115]
    found = fit.refine(rng.poisson(image), np.concatenate([inside, hole]))
    assert found["y_std"].iloc[: len(inside)].notna().all()
    error = found["y_std"].iloc[len(inside) :]
    assert (error.isna() | (error > 5 * found["y_std"].iloc[: len(inside)].max())).all()


def test_edge_cases_have_an_answer(rng):
    truth, image = lattice(rng, count=3, amplitude=100, background=10)
    assert list(fit.refine(image, np.empty((0, 2))).columns[:4]) == ["y", "x", "y_std", "x_std"]
    assert len(fit.refine(rng.poisson(image), truth[:1], width=3.0)) == 1
    with pytest.raises(ValueError, match="single column"):
        fit.refine(image, truth[:1])
    with pytest.raises(ValueError, match=r"shape \(3, 4, 4\)"):
        fit.refine(np.zeros((3, 4, 4)), truth)


def test_a_picture_of_the_columns_leaves_their_background(rng):
    truth, image = lattice(rng, amplitude=40, background=3)
    found = fit.refine(image, truth)
    left = image - fit.picture(found, image.shape)
    assert left[11:-11, 11:-11] == pytest.approx(3, abs=0.05)
    nothing = fit.picture(found.assign(y_std=np.nan), image.shape)
    assert nothing.shape == image.shape
    assert not nothing.any()
