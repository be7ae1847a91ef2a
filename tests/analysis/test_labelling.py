"""Series of frames of one place: drift that is known, laws of the labels, and the bar of the product."""

from dataclasses import replace

import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import fourier_shift

from atomwork.analysis import alignment, labelling
from atomwork.analysis import frames as files
from atomwork.analysis.scan import Scan
from atomwork.columns import matching
from atomwork.image import Micrograph
from atomwork.simulation.recipes import series

SPACING, WIDTH = 12.0, 2.2  # px
STEP = SPACING * np.array([[0.0, 1.0], [np.sqrt(3) / 2, 0.5]])


def crystal(size=192, missing=0.03, turn=0.0, seed=0):
    """Places of a triangular lattice around a frame, a share of them vacant."""
    index = np.stack(np.meshgrid(np.arange(-40, 41), np.arange(-40, 41)), -1).reshape(-1, 2)
    angle = np.deg2rad(7 + turn)
    axes = STEP @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    places = index @ axes + size / 2
    places = places[((places > -60) & (places < size + 60)).all(1)]
    return places[np.random.default_rng(seed).random(len(places)) >= missing]


def expected(places, drift, size=192, width=WIDTH):
    """What a frame shows whose rows are displaced by ``drift`` (2,) or (H, 2): every pixel in closed form."""
    drift = np.broadcast_to(drift, (size, 2))
    rows = np.exp(-((np.arange(size)[:, None] + drift[:, :1] - places[:, 0]) ** 2) / (2 * width**2))  # (H, N)
    image = np.empty((size, size))
    for row in range(size):
        near = rows[row] > 1e-6
        away = np.arange(size)[:, None] + drift[row, 1] - places[near, 1]
        image[row] = np.exp(-(away**2) / (2 * width**2)) @ rows[row, near]
    return 0.1 + image


def counted(image, dose, seed):
    return np.random.default_rng(seed).poisson(dose * image).astype(np.float32)


def drifts(aligned):
    """Drift of every frame against the first one (n, H, 2), whatever the reference."""
    first = aligned.scans[0]
    result = []
    for path in aligned.scans:
        rows, start = first.rows_at(path.y)
        result.append(np.stack([rows - np.arange(len(rows)), path.x - start], -1))
    return np.array(result)


TIME = np.linspace(-1, 1, 192)[:, None]
SHIFTS = np.array([[0, 0], [5.3, -7.8], [-9.45, 3.2], [14.6, 11.1]])  # px
STRETCHES = np.array([[0, 0], [1.2, -0.8], [0.5, 0.9], [-1.0, 0.4]])  # px from the middle row to the last
DRIFTS = SHIFTS[:, None] + STRETCHES[:, None] * TIME  # (4, H, 2)
DOSES = (100, 2, 30, 8)  # e⁻/px


@pytest.fixture(scope="module")
def places():
    return crystal()


@pytest.fixture(scope="module")
def frames(places):
    """Four frames of one place, the first the best, the second the noisiest."""
    return [counted(expected(places, drift), dose, k) for k, (drift, dose) in enumerate(zip(DRIFTS, DOSES, strict=True))]


@pytest.fixture(scope="module")
def labelled(frames):
    return labelling.label_series(frames, progress=False)


def shown(places, drift, margin=0.0, size=192):
    """True columns in the pixels of a frame, those within ``margin`` of its border left out."""
    pixels = Scan.along(drift).to_pixels(places)
    return pixels[((pixels >= margin - 0.5) & (pixels <= size - 0.5 - margin)).all(1)]


def test_shifts_of_a_fourier_shifted_image_are_recovered():
    """Exactly known: a shift theorem's phase ramp moves what every pixel shows by the same fraction of a pixel."""
    image = expected(crystal(), (0, 0))
    shifts = [(0, 0), (2.37, -4.81), (-3.5, 0.25), (0.08, 5.6)]
    moved = [np.fft.ifft2(fourier_shift(np.fft.fft2(image), shift)).real for shift in shifts]
    found = drifts(alignment.align(np.array(moved), progress=False))
    middle = found[:, 30:-30]
    assert middle == pytest.approx(-np.broadcast_to(np.array(shifts)[:, None], middle.shape), abs=0.05)
    assert middle.mean(1) == pytest.approx(-np.array(shifts), abs=0.015)


def test_drift_within_frames_is_recovered(frames):
    """Rows that shift and stretch the noisiest frame too, to a few hundredths of the spacing."""
    aligned = alignment.align(np.array(frames), progress=False)
    error = (drifts(aligned) - DRIFTS)[:, 15:-15]
    assert aligned.reference == 0
    assert np.abs(error).max() < 0.05 * SPACING
    assert np.sqrt(np.mean(error**2)) < 0.012 * SPACING


def test_vacancies_tell_lattice_vectors_apart(places):
    """A drift of 1.4 lattice vectors comes nearer to the lattice when shortened by one or two, but not to the crystal."""
    turn = crystal(turn=0.0, missing=0.0)
    vector = turn[np.argsort(np.hypot(*(turn - turn[0]).T))[1]] - turn[0]
    pair = [counted(expected(places, k * 1.4 * vector), 30, k) for k in (0, 1)]
    found = drifts(alignment.align(np.array(pair), progress=False))[1]
    assert found[40:-40].mean(0) == pytest.approx(1.4 * vector, abs=0.1)


def test_a_perfect_crystal_is_moved_as_little_as_possible():
    perfect = crystal(missing=0.0)
    vector = perfect[np.argsort(np.hypot(*(perfect - perfect[0]).T))[1]] - perfect[0]
    pair = [counted(expected(perfect, k * 1.2 * vector), 100, k) for k in (0, 1)]
    found = drifts(alignment.align(np.array(pair), progress=False))[1]
    assert found.mean(0) == pytest.approx(0.2 * vector, abs=0.1)


def test_the_reference_is_the_frame_that_places_columns_best(places):
    """Of equally sharp frames that with more electrons, of equally bright ones the sharper."""
    sharp, blurred = (expected(places, (0, 0), width=width) for width in (WIDTH, 1.4 * WIDTH))
    for better, worse in (((sharp, 40), (sharp, 10)), ((sharp, 40), (blurred, 40))):
        pair = [counted(*worse, 1), counted(*better, 2)]
        assert alignment.align(np.array(pair), progress=False).reference == 1


def test_labels_of_every_frame_are_in_its_own_pixels(labelled, places):
    """The noisiest frame, too: within 0.05 spacings, and hardly one column missed or too many."""
    _, labels = labelled
    for frame, drift in enumerate(DRIFTS):
        own = labels[labels["frame"] == frame]
        truth, near = shown(places, drift, margin=SPACING / 2), shown(places, drift, margin=-1)
        result = matching.match(own, truth, tolerance=SPACING / 4, optional=near)
        assert result.rms < 0.05 * SPACING
        assert result.recall >= 0.99
        assert result.precision >= 0.99
        assert own["y"].between(-0.5, 191.5).all()
        assert own["x"].between(-0.5, 191.5).all()


def test_a_column_has_one_number_in_all_frames(labelled, places):
    _, labels = labelled
    assert not labels.duplicated(["frame", "column"]).any()
    seen = labels.assign(place=[
        np.argmin(np.hypot(*(places - Scan.along(DRIFTS[row.frame]).to_places(np.array([[row.y, row.x]]))).T))
        for row in labels.itertuples()
    ])  # fmt: skip
    assert (seen.groupby("column")["place"].nunique() == 1).mean() > 0.99


def test_errors_are_as_large_as_they_are_said_to_be(labelled, places):
    _, labels = labelled
    own = labels[labels["frame"] == 1]
    truth = shown(places, DRIFTS[1])
    pairs = matching.match(own, truth, tolerance=SPACING / 4).pairs
    error = own[["y", "x"]].to_numpy()[pairs[:, 0]] - truth[pairs[:, 1]]
    stated = own[["y_std", "x_std"]].to_numpy()[pairs[:, 0]]
    assert 0.6 < np.sqrt(np.nanmean((error / stated) ** 2)) < 1.6


def test_columns_have_what_the_contract_names(labelled):
    aligned, labels = labelled
    names = ["frame", "column", "y", "x", "y_std", "x_std", "amplitude", "background", "width", "confidence", "visible"]
    assert list(labels.columns) == names
    assert labels.attrs["spacing"] == pytest.approx(SPACING, rel=0.02)
    assert labels.attrs["pixel_size"] is None
    assert labels.attrs["reference"] == aligned.reference == 0
    brightness = labels.groupby("frame")["amplitude"].median() / np.array(DOSES)
    assert brightness.to_numpy() == pytest.approx(brightness[0], rel=0.1)
    assert labels.groupby("frame")["background"].median().to_numpy() == pytest.approx(0.1 * np.array(DOSES), rel=0.5)


def test_aligned_frames_show_one_place_on_one_grid(labelled, frames):
    aligned, _ = labelled
    y, x = aligned.origin
    assert aligned.frames[0][y : y + 192, x : x + 192] == pytest.approx(frames[0], abs=1e-3)
    assert aligned.average.shape == aligned.frames.shape[1:]
    both = np.isfinite(aligned.frames).all(0)
    smooth = [np.corrcoef(frame[both], aligned.average[both])[0, 1] for frame in aligned.frames]
    assert smooth[0] > 0.95
    assert smooth[2] > 0.9


def test_only_what_stands_above_a_frames_noise_is_called_visible(places):
    """The same column shows at 100 e⁻/px and does not at 0.3."""
    pair = [counted(expected(places, (0, 0)), dose, k) for k, dose in enumerate((100, 0.3))]
    _, labels = labelling.label_series(pair, progress=False)
    shares = labels.groupby("frame")["visible"].mean()
    assert shares[0] > 0.99
    assert shares[1] < 0.01


def test_the_order_of_the_frames_does_not_matter(labelled, frames):
    _, labels = labelled
    order = [2, 0, 3, 1]
    _, others = labelling.label_series([frames[k] for k in order], progress=False)
    for new, old in enumerate(order):
        one, other = labels[labels["frame"] == old], others[others["frame"] == new]
        result = matching.match(one, other, tolerance=1.0)
        assert result.f1 > 0.99
        assert result.rms < 0.02


def test_gain_and_offset_of_single_frames_do_not_matter(labelled, frames):
    _, labels = labelled
    scaled = [gain * frame + offset for frame, gain, offset in zip(frames, (1, 7, 0.1, 3), (0, 50, 1e3, -9), strict=True)]
    _, others = labelling.label_series(scaled, progress=False)
    for frame in range(4):
        result = matching.match(labels[labels["frame"] == frame], others[others["frame"] == frame], tolerance=1.0)
        assert result.f1 > 0.99
        assert result.rms < 0.02
    assert others.loc[others["frame"] == 1, "amplitude"].median() == pytest.approx(
        7 * labels.loc[labels["frame"] == 1, "amplitude"].median(), rel=0.02
    )


def test_a_common_window_only_moves_the_labels(labelled, frames):
    """Cut 10 rows and 16 pixels off every frame: labels away from the borders move by as much."""
    _, labels = labelled
    _, others = labelling.label_series([frame[10:, 16:] for frame in frames], progress=False)
    inner = labels[labels["y"].between(30, 170) & labels["x"].between(36, 170)]
    for frame in range(4):
        one, other = inner[inner["frame"] == frame], others[others["frame"] == frame]
        moved = other[["y", "x"]].to_numpy() + (10, 16)
        result = matching.match(one, moved, tolerance=1.0)
        assert result.recall < 1.01
        assert len(result.pairs) > 0.99 * len(one)
        assert result.rms < 0.05


def test_micrographs_give_their_scale_and_names(frames):
    named = [Micrograph(frame, 0.25, f"f{k}") for k, frame in enumerate(frames[:2])]
    aligned, labels = labelling.label_series(named, progress=False)
    assert labels.attrs["pixel_size"] == aligned.pixel_size == 0.25
    assert labels.attrs["source"] == "2 frames, f0 the best"
    assert aligned.quality["name"].tolist() == ["f0", "f1"]


@pytest.mark.parametrize("dose", [400, 20])
def test_a_frame_of_another_place_is_refused(frames, dose):
    """Named is the odd one, also when it is the sharpest."""
    other = counted(expected(crystal(turn=17, seed=5), (0, 0)), dose, 9)
    with pytest.raises(ValueError, match=r"frame 2.* shows another place than .*below 0.2; leave it out, or raise max_drift"):
        labelling.label_series([*frames[:2], other, *frames[2:]], progress=False)


def test_a_frame_of_noise_is_refused(frames):
    empty = np.random.default_rng(3).poisson(5, frames[0].shape)
    with pytest.raises(ValueError, match="frame 1 shows another place than frame 0, the sharpest"):
        labelling.label_series([frames[0], empty, frames[2]], progress=False)


LOOKS = np.random.default_rng(0).poisson(5, (2, 80, 80)).astype(np.float32)


@pytest.mark.parametrize(("given", "sentence"), [
    (LOOKS[0], "single image"),
    (Micrograph(LOOKS[0], 0.2, "one"), "single image"),
    (LOOKS[:1], "holds 1 images"),
    ([LOOKS[0], LOOKS[1, :70]], r"frame 1 has shape \(70, 80\) and frame 0 \(80, 80\)"),
    (LOOKS[:, :40], "40 × 80 px; alignment needs 64"),
    ([LOOKS[0], LOOKS[1] * np.nan], "frame 1 holds NaN"),
    ([LOOKS[0], np.ones((80, 80))], "frame 1 is constant"),
    ([Micrograph(LOOKS[0], 0.2, "a"), Micrograph(LOOKS[1], 0.3, "b")], "frame 0 has pixels of 0.2 Å and frame 1 of 0.3 Å"),
])  # fmt: skip
def test_what_is_no_series_is_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        labelling.label_series(given, progress=False)


def test_a_series_is_read_from_a_folder_a_list_or_a_stack(tmp_path):
    """Frame 10 comes behind frame 9, and hidden files are left out."""
    images = np.random.default_rng(1).poisson(5, (11, 70, 80)).astype(np.float32)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(images):
        np.save(folder / f"frame_{number}.npy", image)
    (folder / ".hidden").touch()
    np.save(tmp_path / "stack.npy", images)
    for source in (folder, [folder / f"frame_{k}.npy" for k in range(11)], tmp_path / "stack.npy"):
        assert np.array_equal([frame.image for frame in files.read(source)], images)


def test_what_holds_no_series_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", LOOKS[0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"array of shape \(80, 80\), not a stack"):
        files.read(tmp_path / "one.npy")
    with pytest.raises(ValueError, match="holds no files"):
        files.read(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="does not exist; give a folder of frames, a stack or a list"):
        files.read(tmp_path / "nothing")


@pytest.mark.parametrize("pixel_size", [None, 0.25])
def test_hyperspy_opens_the_aligned_frames(labelled, tmp_path, pixel_size):
    """With its own reader: the values, and the reference frame's first pixel at the origin of the axes."""
    aligned = replace(labelled[0], pixel_size=pixel_size)
    for _ in range(2):
        files.write(aligned, tmp_path / "aligned.zspy")
    opened = hs.load(tmp_path / "aligned.zspy")
    assert np.array_equal(opened.data, aligned.frames, equal_nan=True)
    x, y = opened.axes_manager.signal_axes
    assert [y.value2index(0.0), x.value2index(0.0)] == aligned.origin.tolist()
    assert (x.scale, x.units) == ((0.25, "Å") if pixel_size else (1.0, "px"))
    assert [path.name for path in tmp_path.iterdir()] == ["aligned.zspy"]


def test_scans_carry_pixels_to_places_and_back():
    path = Scan.along(DRIFTS[3])
    pixels = np.random.default_rng(0).uniform(-5, 196, (100, 2))
    assert path.to_pixels(path.to_places(pixels)) == pytest.approx(pixels, abs=1e-9)


@pytest.mark.parametrize(("material", "pixel_size", "seed"), [("MoS2", 0.2, 11), ("SrTiO3", 0.22, 12)])
def test_the_noisiest_of_ten_simulated_frames_is_labelled_nearly_perfectly(material, pixel_size, seed):
    """2 e⁻/px in the brightest pixel, rows that drift and stray; alone it would lack half of its columns."""
    drawn = series.record(series.Recipe(material, pixel_size, 288), seed)
    _, labels = labelling.label_series(drawn.frames, progress=False)
    noisiest = int(np.argmin([frame.metadata["dose"] for frame in drawn.frames]))
    asked, optional = drawn.asked(noisiest)
    own = labels[labels["frame"] == noisiest]
    result = matching.match(own, asked, tolerance=drawn.spacing / 4, optional=optional[["y", "x"]].to_numpy())
    assert result.rms <= 0.05 * drawn.spacing
    assert result.recall >= 0.995
    assert result.precision >= 0.98
