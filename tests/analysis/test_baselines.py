"""The rival detectors on lattices whose columns are known, and the settings that they are given."""

import numpy as np
import pytest
from atomap.atom_finding_refining import do_pca_on_signal
from hyperspy.signals import Signal2D
from scipy.ndimage import gaussian_filter

from atomwork import micrograph
from atomwork.analysis import atomap_steps, baselines
from atomwork.columns import matching, neighbours

METHODS = [baselines.atomap, baselines.findfoci, baselines.log, baselines.dog, baselines.doh]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
NAMES = ["y", "x", "y_std", "x_std", "amplitude", "background", "width", "confidence"]


def lattice(spacing=14.0, shape=(160, 180), width=0.2, skew=0.3, seed=1):
    """Electrons of an oblique lattice that goes on beyond the border, and its columns."""
    rng = np.random.default_rng(seed)
    steps = spacing * np.array([[1.0, skew], [-skew, 1.0]]) / np.hypot(1, skew)
    truth = np.stack(np.meshgrid(np.arange(-40, 40), np.arange(-40, 40)), -1).reshape(-1, 2) @ steps + 0.37
    truth = truth[((truth > -spacing) & (truth < np.array(shape) + spacing)).all(1)]
    profile = [np.exp(-((np.arange(n) - truth[:, k, None]) ** 2) / (2 * (width * spacing) ** 2)) for k, n in enumerate(shape)]
    return rng.poisson(200 * (0.1 + profile[0].T @ profile[1])).astype(np.float32), truth


def score(found, truth, spacing=14.0, shape=(160, 180)):
    """Agreement farther than a spacing from the border; what lies across that line is optional."""
    found, truth = matching.as_points(found), matching.as_points(truth)
    inner, outer = (((v > s * spacing) & (v < np.array(shape) - s * spacing)).all(1) for v, s in ((truth, 1), (found, 0.7)))
    return matching.match(found[outer], truth[inner], tolerance=spacing / 4, optional=truth[~inner])


@every_method
@pytest.mark.parametrize("spacing", [9.0, 14.0, 22.0])
def test_a_clear_lattice_is_found_without_a_parameter(method, spacing):
    image, truth = lattice(spacing)
    assert score(method(image), truth, spacing).f1 > 0.99


@every_method
@pytest.mark.parametrize(("gain", "offset"), [(3.0, 1e5), (-1.0, 500.0)])
def test_neither_gain_nor_offset_matter_and_dark_columns_are_found_when_told(method, gain, offset):
    image, truth = lattice()
    plain, changed = method(image), method(gain * image.astype(float) + offset, dark=gain < 0)
    assert score(changed, plain).f1 == 1
    assert score(changed, plain).rms < 1e-3
    assert score(changed, truth).f1 > 0.99
    assert changed.attrs["dark"] == (gain < 0)
    if gain < 0:
        assert score(method(gain * image + offset), truth).f1 < 0.5


@every_method
def test_columns_have_everything_the_contract_names(method):
    image, _ = lattice()
    found = method(micrograph.Micrograph(image, 0.2, "mine"))
    assert list(found.columns) == NAMES
    assert (found.dtypes == "float64").all()
    assert found[["y", "x"]].notna().to_numpy().all()
    assert found[["y_std", "x_std", "confidence"]].isna().to_numpy().all()
    assert (np.diff(found["y"]) >= 0).all()
    assert (found.attrs["pixel_size"], found.attrs["source"]) == (0.2, "mine")
    assert found.attrs["spacing"] == pytest.approx(14, abs=0.5)
    assert method(image).attrs["source"] == "array"


@every_method
def test_turning_the_image_turns_the_columns(method):
    image, _ = lattice()
    straight, turned = method(image), method(image.T.copy())
    assert score(straight, turned[["x", "y"]].to_numpy()).f1 == 1
    assert score(straight, turned[["x", "y"]].to_numpy()).rms < (0.15 if method is baselines.atomap else 0.01)


@every_method
def test_a_hot_pixel_sets_no_scale(method):
    image, truth = lattice()
    image[80, 97] = 20_000
    options = {"threshold_rel": 0} if method is baselines.atomap else {}  # Atomap's threshold is a share of the maximum
    found = method(image, **options)
    assert score(found, truth).recall > 0.95
    assert score(found, truth).precision > 0.9


@pytest.mark.parametrize("method", METHODS[1:], ids=lambda method: method.__name__)
def test_a_confidence_map_keeps_its_scale(method):
    """Doubt that is stretched to 0–1 would become columns; Atomap's only threshold is a share of the highest peak."""
    image, truth = lattice()
    confidence = image / image.max()
    assert score(method(confidence, limits=(0, 1)), truth).f1 > 0.99
    assert len(method(0.1 * confidence, limits=(0, 1))) == 0
    assert len(method(0.1 * confidence)) == len(method(confidence))


@every_method
def test_nothing_is_found_twice_and_the_input_stays_as_it_was(method):
    image, _ = lattice()
    before = image.copy()
    first, second = method(image), method(image)
    assert first.equals(second)
    assert (image == before).all()
    assert neighbours.nearest_distance(first[["y", "x"]]).min() > 5


@every_method
@pytest.mark.parametrize(("image", "sentence"), [
    (np.zeros((8, 8)), "8 × 8 px"),
    (np.ones((64, 64)), "constant"),
    (np.full((64, 64), np.nan), "NaN"),
    (np.zeros((3, 64, 64)), r"shape \(3, 64, 64\)"),
])  # fmt: skip
def test_what_is_no_image_is_refused(method, image, sentence):
    with pytest.raises(ValueError, match=sentence):
        method(image)


def test_settings_out_of_range_are_refused():
    image, _ = lattice()
    for options, sentence in (
        ({"limits": (1, 1)}, "limits=1, 1 span no range"),
        ({"refine": "fit"}, "refine='fit' is unknown"),
        ({"pca": 0}, "pca=0"),
        ({"subtract_background": -1}, "subtract_background=-1"),
        ({"separation": 0.5}, "(?i)separation"),
    ):
        with pytest.raises(ValueError, match=sentence):
            baselines.atomap(image, **options)
    with pytest.raises(ValueError, match="min_size=0"):
        baselines.findfoci(image, min_size=0)


def test_findfoci_tells_heights_in_the_intensity_of_the_image():
    """A column of 200 electrons on 20; the blur takes w²/(w² + σ²) of its height."""
    image, _ = lattice(spacing=20.0)
    lowered = 200 * 4**2 / (4**2 + 1)
    for gain in (1.0, -1.0):
        found = baselines.findfoci(gain * image, background_parameter=0.0, dark=gain < 0)
        top = found["background"] + found["amplitude"]
        assert top.median() == pytest.approx(gain * (20 + lowered), rel=0.05)
        assert (np.sign(found["amplitude"]) == gain).all()
        assert found["background"].median() == pytest.approx(gain * 20, abs=15)


@pytest.mark.parametrize("method", [baselines.log, baselines.dog, baselines.doh])
def test_blobs_tell_the_width_of_the_columns(method):
    image, _ = lattice(spacing=24.0, width=0.15)
    assert method(image)["width"].median() == pytest.approx(3.6, rel=0.25)


def test_atomap_refines_by_its_gaussian():
    """Better positions, and the width and height that were drawn, somewhat less for the neighbours that its window cuts."""
    image, truth = lattice(shape=(70, 80))
    found = {refine: baselines.atomap(image, refine=refine) for refine in baselines.REFINEMENTS}
    rms = {refine: score(table, truth, shape=(70, 80)).rms for refine, table in found.items()}
    assert rms["gaussian"] < 0.1 < rms["centre of mass"] < 0.25 < rms[None]
    assert found["gaussian"]["width"].median() == pytest.approx(2.8, rel=0.2)
    assert found["gaussian"]["amplitude"].median() == pytest.approx(200, rel=0.15)
    assert found[None]["width"].isna().all()
    dark = baselines.atomap(-image, refine="gaussian", dark=True)
    assert dark["amplitude"].median() == pytest.approx(-200, rel=0.15)


def test_atomap_sees_columns_up_to_the_border():
    """Atomap itself leaves out a frame as wide as its separation."""
    y, x = np.mgrid[:64, :64]
    truth = np.stack(np.meshgrid([3.2, 20, 40, 60.4], [3.4, 20, 40, 60.1], indexing="ij"), -1).reshape(-1, 2)
    image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 1.5**2)) for p in truth)
    for separation in (None, 12):
        result = matching.match(baselines.atomap(image, separation=separation), truth, tolerance=0.5)
        assert result.f1 == 1


def test_atomap_takes_few_columns():
    y, x = np.mgrid[:64, :64]
    for places in ([(30, 20)], [(30, 20), (44, 45)]):
        image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / 8) for p in places)
        found = baselines.atomap(image, separation=6)
        assert matching.match(found, np.array(places), tolerance=0.3).f1 == 1
        assert np.isnan(found.attrs["spacing"])


def test_a_separation_keeps_columns_apart_and_a_threshold_keeps_them_high():
    image, truth = lattice()
    sparse = baselines.atomap(image, separation=16, refine=None)
    assert len(sparse) < 0.8 * len(truth)
    weak = np.where(np.arange(image.shape[1]) < 90, image, 20 + 0.3 * (image - 20))
    few = baselines.atomap(gaussian_filter(weak, 1), threshold_rel=0.6)
    assert few["x"].max() < 95
    assert len(few) > 0.3 * len(truth)


def test_a_slope_is_taken_off_before_atomap_looks():
    image, truth = lattice()
    sloped = image + 12 * np.arange(image.shape[1])
    plain, flat = (baselines.atomap(sloped, subtract_background=v, threshold_rel=0.3) for v in (None, 21))
    assert score(flat, truth).f1 > max(0.95, score(plain, truth).f1)


def test_the_components_are_those_that_atomap_approximates(rng):
    """A part of low rank survives, noise goes; Atomap's random projection comes near on a few components."""
    y, x = np.mgrid[:60, :50]
    clean = 3 + np.sin(y / 3) * np.cos(x / 4)
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    exact = atomap_steps.prepare(noisy, 2, None)
    assert np.std(exact - clean) < 0.3 * np.std(noisy - clean)
    assert np.allclose(exact, do_pca_on_signal(Signal2D(noisy.copy()), pca_components=2).data, atol=1e-3)
    assert np.allclose(atomap_steps.prepare(noisy, 500, None), noisy)


@pytest.mark.parametrize("spacing", [6.0, 11.0, 25.0])
@pytest.mark.parametrize("skew", [0.0, 0.3])
def test_the_shortest_period_is_that_of_the_lattice(spacing, skew):
    image, _ = lattice(spacing, skew=skew)
    assert atomap_steps.shortest_period(image.astype(float)) == pytest.approx(spacing, abs=0.8)


@pytest.mark.parametrize(("faint", "period"), [(0.5, 20 / np.sqrt(2)), (0.2, 20)])
def test_a_second_sublattice_shortens_the_period_if_it_is_bright_enough(faint, period):
    """Between the sublattices the autocorrelation is 2a/(1 + a²) as high as at the period, both less their mean."""
    image, _ = lattice(20.0, skew=0.0, width=0.12, seed=2)
    both = image + faint * np.roll(image, (10, 10), axis=(0, 1))
    assert atomap_steps.shortest_period(both) == pytest.approx(period, abs=0.8)
