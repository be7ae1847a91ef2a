"""Detection on images whose columns are known, and on real ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import zoom
from scipy.spatial import cKDTree
from scipy.special import expit
from skimage import data

from atomwork import micrograph, weights
from atomwork.analysis import confidence, detect
from atomwork.columns import fit, matching, neighbours, residual
from atomwork.models.networks import halved
from atomwork.simulation import datasets
from atomwork.simulation.recipes import series
from tests.columns.test_residual import two_sublattices


def hexagonal(spacing=14.0, size=320, width=0.2, dose=60.0, seed=1):
    """Counts and true positions of a hexagonal lattice."""
    step = spacing * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    grid = np.stack(np.meshgrid(np.arange(-60, 60), np.arange(-60, 60)), -1).reshape(-1, 2) @ step + size / 2
    truth = grid[((grid > -1) & (grid < size)).all(1)]
    axis = np.arange(size)
    profile = [np.exp(-((axis[None] - grid[:, k, None]) ** 2) / (2 * (width * spacing) ** 2)) for k in (0, 1)]
    expected = 0.1 + profile[0].T @ profile[1]
    return np.random.default_rng(seed).poisson(dose * expected).astype(np.float32), truth


def score(found, truth, spacing, size):
    """Agreement; columns cut by the border are optional."""
    whole = ((truth > 3) & (truth < size - 4)).all(1)
    return matching.match(found, truth[whole], tolerance=spacing / 4, optional=truth[~whole])


@pytest.mark.parametrize("spacing", [6.0, 10.0, 20.0, 38.0])
def test_any_magnification_without_a_parameter(spacing):
    image, truth = hexagonal(spacing, size=512)
    found = detect.detect(image)
    assert score(found, truth, spacing, 512).f1 > 0.97
    assert found.attrs["spacing"] == pytest.approx(spacing, rel=0.15)


def test_columns_have_everything_the_contract_names():
    image, _ = hexagonal()
    found = detect.detect(micrograph.Micrograph(image, 0.2, "mine"))
    names = ["y", "x", "y_std", "x_std", "amplitude", "background", "width", "confidence"]
    assert list(found.columns) == names
    inner = found["y"].between(10, 310) & found["x"].between(10, 310)
    assert found[inner].notna().to_numpy().all()
    assert found["confidence"].between(0.1, 1).all()
    assert found.attrs["pixel_size"] == 0.2
    assert found.attrs["source"] == "mine"


def test_positions_are_as_good_as_their_error_bars():
    image, truth = hexagonal(dose=200)
    found = detect.detect(image)
    pairs = matching.match(found, truth, tolerance=3.5).pairs
    error = (found[["y", "x"]].to_numpy()[pairs[:, 0]] - truth[pairs[:, 1]]) / found[["y_std", "x_std"]].to_numpy()[pairs[:, 0]]
    assert np.nanstd(error) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 1e6), (-1.0, 500.0)])
def test_neither_offset_nor_contrast_matter(gain, offset):
    """Shifted by a million counts, or inverted: the same columns."""
    image, truth = hexagonal(width=0.16)
    found = detect.detect(gain * image + offset)
    assert score(found, truth, 14, 320).f1 > 0.97
    assert found.attrs["dark"] == (gain < 0)


def test_turning_the_image_turns_the_columns():
    image, _ = hexagonal()
    straight, turned = detect.detect(image), detect.detect(np.rot90(image).copy())
    back = np.stack([turned["x"], image.shape[0] - 1 - turned["y"]], -1)
    assert matching.match(straight, back, tolerance=0.5).f1 > 0.97


def test_with_all_views_it_turns_them_exactly():
    image, _ = hexagonal(spacing=7.0, dose=4.0)
    straight, turned = (detect.detect(seen, views=8, refine=False) for seen in (image, np.rot90(image).copy()))
    back = np.stack([turned["x"], image.shape[0] - 1 - turned["y"]], -1)
    assert len(straight) > 1000
    assert matching.match(straight, back, tolerance=0.01).f1 == 1
    one_view = detect.detect(image, refine=False)
    assert matching.match(straight, one_view, tolerance=0.01).f1 < 1  # seen once, noise decides


@pytest.mark.parametrize("views", [0, 9])
def test_more_views_than_there_are_are_refused(views):
    with pytest.raises(ValueError, match=f"views={views} is outside 1–8"):
        detect.detect(hexagonal()[0], views=views)


def test_the_fit_finds_again_what_the_network_found():
    """On hard images as well: a fit that wanders off would cost columns."""
    counts = np.zeros((2, 3))
    for batch in datasets.validation_batches(2):
        for image, *truth, spacing in zip(batch.image, batch.columns, batch.optional, batch.spacing.tolist(), strict=True):
            seen = replace(confidence.confidence_map(image[0].numpy()), judge=None)  # which finds more
            for refine in (False, True):
                found = detect.columns(image[0].numpy(), seen, refine=refine)
                tolerance = spacing / 4 if spacing == spacing else 2.0
                result = matching.match(found, truth[0], tolerance=tolerance, optional=truth[1])
                counts[int(refine)] += len(result.pairs), result.n_found, result.n_truth
    network, fitted = 2 * counts[:, 0] / counts[:, 1:].sum(1)
    assert fitted >= network > 0.9


def test_a_misread_spacing_does_not_multiply_the_columns():
    """Where noise is taken for a lattice, windows would be smaller than what the network draws for one column."""
    image, truth = hexagonal()
    seen = confidence.confidence_map(image)
    speckled = seen.confidence * np.random.default_rng(4).uniform(0.95, 1, seen.confidence.shape).astype(np.float32)
    misread = replace(seen, confidence=speckled, spacing=2.0)
    assert score(detect.columns(image, misread, refine=False), truth, 14, 320).f1 > 0.9


def test_the_lattice_neither_fills_a_vacancy_nor_removes_an_atom_beside_it(rng):
    """What the judge knows of the lattice may not undo what the image shows."""
    _, truth = hexagonal(size=512)
    inner = ((truth > 30) & (truth < 480)).all(1)
    gone = rng.choice(np.flatnonzero(inner), 40, replace=False)
    hollow = truth[rng.choice(np.flatnonzero(inner), 12, replace=False)] + (0, 14 / np.sqrt(3))
    left = np.delete(truth, gone, axis=0)
    hollow = hollow[cKDTree(left).query(hollow)[0] > 7.5]
    points, axis = np.concatenate([left, hollow]), np.arange(512)
    profile = [np.exp(-((axis - points[:, k, None]) ** 2) / (2 * 2.5**2)) for k in (0, 1)]
    image = rng.poisson(40 * (0.1 + profile[0].T @ profile[1])).astype(np.float32)
    seen = confidence.confidence_map(image)
    found, unjudged = (cKDTree(detect.columns(image, s)[["y", "x"]]) for s in (seen, replace(seen, judge=None)))
    assert found.query(truth[gone])[0].min() > 14 / 3
    assert len(hollow) > 3
    assert (found.query(hollow)[0] < 3.5).sum() >= (unjudged.query(hollow)[0] < 3.5).sum() > 0
    assert (found.query(left)[0] < 3.5).mean() > 0.99


def test_what_is_kept_is_rather_a_column_than_not():
    """At the published lower bound; a higher one asks for more."""
    image, _ = hexagonal(dose=0.7)
    seen = confidence.confidence_map(image)
    default, sure = (detect.columns(image, seen, lower_bound=b) for b in (0.1, 0.5))
    assert default["confidence"].min() >= 0.5
    assert sure["confidence"].min() >= 0.9  # odds nine times as high
    assert len(sure) < len(default)


def test_an_empty_image_has_no_columns(rng):
    for image in (rng.poisson(20, (256, 256)), rng.normal(0, 1, (300, 200))):
        assert len(detect.detect(image)) <= 3  # of some 700 that a lattice of that look would have


def test_nothing_is_found_in_a_hole():
    image, truth = hexagonal(size=400)
    y, x = np.mgrid[:400, :400]
    hole = np.hypot(y - 200, x - 200)
    image[hole < 70] = np.random.default_rng(2).poisson(6, np.sum(hole < 70))
    found = detect.detect(image)
    assert np.hypot(found["y"] - 200, found["x"] - 200).min() > 60
    outside = np.hypot(*(truth - 200).T) > 80
    assert matching.match(found, truth[outside], tolerance=3.5, optional=truth[~outside]).f1 > 0.97


def test_the_two_published_parameters_do_what_they_say():
    image, _ = hexagonal()
    seen = confidence.confidence_map(image)
    few = detect.columns(image, seen, lower_bound=0.8, refine=False)
    some, sparse = (detect.columns(image, seen, window_size=w, refine=False) for w in (None, 20))
    assert len(few) < len(some)
    assert set(map(tuple, few[["y", "x"]].to_numpy())) < set(map(tuple, some[["y", "x"]].to_numpy()))
    assert neighbours.nearest_distance(sparse[["y", "x"]]).min() >= 20
    assert some["y_std"].isna().all()


def test_confidences_are_the_calibrated_heights_of_the_map():
    image, _ = hexagonal()
    seen = confidence.confidence_map(image)
    heights = detect.columns(image, replace(seen, calibration=None), refine=False)["confidence"]
    knots = [0.0, 0.5, 1.0], [0.2, 0.9, 1.0]
    calibrated = detect.columns(image, replace(seen, calibration=knots), refine=False)["confidence"]
    assert calibrated.to_numpy() == pytest.approx(np.interp(heights, *knots))


def test_a_weight_that_is_trained_again_is_read_again(tmp_path):
    image, _ = hexagonal()
    tensors, settings = weights.load("atomid")
    counts = []
    for shift in (0.0, -20.0):
        weights.save(tmp_path / "own.safetensors", tensors, {**settings, "map_shift": settings["map_shift"] + shift})
        counts.append(len(detect.detect(image, model=tmp_path / "own.safetensors", refine=False)))
    assert counts[0] > 100
    assert counts[1] == 0


def test_tiles_give_what_the_whole_image_gives(monkeypatch):
    """Even where part of the frame is far brighter than the rest."""
    image, _ = hexagonal(spacing=10.0, size=900)
    image[:300, :300] += np.random.default_rng(0).poisson(300, (300, 300))
    whole, columns = confidence.confidence_map(image), detect.detect(image, refine=False)
    monkeypatch.setattr(confidence, "TILE", 512)
    assert np.abs(confidence.confidence_map(image).confidence - whole.confidence).max() < 1e-3
    pd.testing.assert_frame_equal(detect.detect(image, refine=False), columns, atol=1e-3)
    monkeypatch.setattr(confidence, "OVERLAP", 64)
    assert np.abs(confidence.confidence_map(image).confidence - whole.confidence).max() > 1e-2


@pytest.mark.parametrize(("image", "sentence"), [
    (np.zeros((8, 8)), "8 × 8 px"),
    (np.ones((64, 64)), "constant"),
    (np.full((64, 64), np.nan), "NaN"),
    (np.zeros((3, 64, 64)), r"shape \(3, 64, 64\)"),
])  # fmt: skip
def test_what_is_no_image_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        detect.detect(image)


def lattice_constant_by_fft(image, pixel_size):
    """Mean lattice constant [Å] of a hexagonal crystal from its three innermost pairs of Bragg peaks."""
    size = len(image)
    window = np.hanning(size)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2((image - image.mean()) * window * window[:, None])))
    y, x = np.mgrid[:size, :size] - size // 2
    spectrum[(np.hypot(y, x) < 20) | (x < 0)] = 0  # the other half is its mirror image
    lengths = []
    for _ in range(3):
        peak = np.array(np.unravel_index(spectrum.argmax(), spectrum.shape))
        around = tuple(slice(p - 4, p + 5) for p in peak)
        share = spectrum[around] ** 2 / np.sum(spectrum[around] ** 2)
        lengths.append(np.hypot(np.sum(share * y[around]), np.sum(share * x[around])))
        spectrum[around] = 0
    return np.mean(2 / np.sqrt(3) * size * pixel_size / np.array(lengths))


def test_mos2_has_the_lattice_of_its_bragg_peaks():
    """The file's own scale makes the real monolayer's 3.16 Å 3.00 Å, by the Bragg peaks and by the columns alike."""
    recorded = micrograph.load("sample:mos2")
    found = detect.detect(recorded)
    bright = found[neighbours.brightness_classes(found["amplitude"]) == 0]
    points = bright[["y", "x"]].to_numpy()
    six = recorded.pixel_size * cKDTree(points).query(points, k=7)[0][:, 1:].mean(1)
    assert np.median(six) == pytest.approx(lattice_constant_by_fft(recorded.image, recorded.pixel_size), rel=0.01)


def test_an_image_and_its_enlargement_have_the_same_columns():
    image = micrograph.load("sample:perovskite_adf").image
    once, larger = detect.detect(image), detect.detect(zoom(image, 1.5, order=3, grid_mode=True, mode="nearest"))
    back = (larger[["y", "x"]].to_numpy() + 0.5) / 1.5 - 0.5
    assert matching.match(once, back, tolerance=3).f1 > 0.9


def test_an_image_of_another_kind_is_doubted_aloud():
    picture = data.camera().astype(np.float32)
    with pytest.warns(detect.Unfamiliar, match=r"only \d+% of the \d+ columns found are expected to be right") as caught:
        found = detect.detect(micrograph.Micrograph(picture, None, "cameraman"))
    assert str(caught[0].message).startswith("cameraman: ")
    assert found.attrs["expected_precision"] == pytest.approx(found["confidence"].mean())
    assert found.attrs["expected_precision"] < detect.DOUBTFUL


@pytest.mark.parametrize("sample", ["mos2", "perovskite_adf", "perovskite_abf"])
def test_real_images_of_columns_are_not_doubted(sample):
    found = detect.detect(micrograph.load(f"sample:{sample}"))  # a warning would fail the test
    assert found.attrs["expected_precision"] > 0.85
    assert detect.doubt(found) is None


def test_nothing_is_expected_of_a_weight_that_is_not_calibrated():
    image, _ = hexagonal()
    seen = replace(confidence.confidence_map(image), calibration=None, judge=None)
    found = detect.columns(image, seen)
    assert found.attrs["expected_precision"] is None
    assert detect.doubt(found) is None


@pytest.fixture(scope="module")
def flanks():
    """MoS2 under a wide probe: a frame in which sulphur stands in the flanks of molybdenum, and its places."""
    drawn = series.record(series.Recipe("MoS2", 0.1162), 82_100)
    return drawn.frames[drawn.sharpest].image, *drawn.asked(drawn.sharpest), drawn.spacing


def test_columns_in_the_flanks_of_brighter_ones_are_found_in_what_those_leave(flanks):
    image, asked, optional, spacing = flanks
    told = {"tolerance": spacing / 4, "optional": optional[["y", "x"]].to_numpy()}
    first = matching.match(detect.columns(image, confidence.confidence_map(image)), asked, **told)
    found = detect.detect(image)
    both = matching.match(found, asked, **told)
    assert first.recall < 0.7
    assert both.recall > 0.98
    assert both.precision > 0.98
    assert found.attrs["spacing"] == pytest.approx(spacing, rel=0.05)
    assert found.attrs["dispersion"] < 1.3


def test_a_look_holds_all_that_detect_reads(flanks):
    image = flanks[0]
    assert np.array_equal(detect.columns(image, detect.look(image)), detect.detect(image), equal_nan=True)


def test_a_faint_sublattice_missed_whole_is_found_by_the_peaks_it_leaves():
    """Where no fitted column shows it: the dispersion is that of noise, and does not fall."""
    image, bright, faint = two_sublattices(faint=0.08, dose=400.0)
    truth = np.concatenate([bright, faint])
    first = detect.columns(image, confidence.confidence_map(image))
    found = detect.detect(image)
    assert first.attrs["dispersion"] < residual.UNEXPLAINED
    assert matching.match(first, truth, tolerance=4).recall < 0.6
    assert matching.match(found, truth, tolerance=4).f1 > 0.99


@pytest.mark.skipif(not halved.in_hardware(), reason="this processor does not compute in bf16")
def test_what_a_quick_map_does_not_explain_is_looked_at_at_32_bits(monkeypatch):
    image, *_ = two_sublattices(faint=0.08, dose=400.0)
    quick, exact = (confidence.confidence_map(image, quick=quick).confidence for quick in (True, False))
    found = detect.detect(image)
    monkeypatch.setattr(halved, "in_hardware", lambda: False)
    monkeypatch.setattr(detect, "in_hardware", lambda: False)
    assert (confidence.confidence_map(image).confidence == exact).all()
    assert (quick != exact).any()
    pd.testing.assert_frame_equal(detect.detect(image), found)


def test_what_is_explained_is_not_looked_at_again():
    image, _ = hexagonal()
    assert detect.look(image).again is None


def test_a_second_look_that_does_not_explain_the_image_does_not_count(rng):
    """Discs are no Gaussians: at a high dose their fits leave rims, brighter than noise and no columns."""
    places = np.mgrid[16:249:16, 16:249:16].reshape(2, -1).T + rng.normal(0, 0.3, (225, 2))
    y, x = np.mgrid[:256, :256]
    discs = sum(expit((5 - np.hypot(y - row, x - column)) / 0.4) for row, column in places)
    image = rng.poisson(200 + 2000 * discs).astype(np.float32)
    seen = confidence.confidence_map(image, quick=False)
    first = detect.columns(image, seen)
    again = replace(seen, again=confidence.confidence_map(image - fit.picture(first, image.shape), quick=False))
    assert first.attrs["dispersion"] > 100
    assert len(detect.columns(image, again)) > len(first)
    assert detect.look(image).again is None
    assert np.array_equal(detect.detect(image), first, equal_nan=True)


def test_peaks_of_two_maps_are_united():
    places, heights = detect.united(
        np.array([[5.0, 5], [20, 5]]), np.array([0.2, 0.9]), np.array([[6.0, 5], [9, 30]]), np.array([0.7, 0.3]), 3
    )
    assert places.tolist() == [[5, 5], [20, 5], [9, 30]]
    assert heights.tolist() == [0.7, 0.9, 0.3]
    alone, none = detect.united(np.empty((0, 2)), np.empty(0), places, heights, 3), (np.empty((0, 2)), np.empty(0))
    assert np.array_equal(alone[0], places)
    assert np.array_equal(detect.united(places, heights, *none, 3)[1], heights)
