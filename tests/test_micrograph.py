"""Files in, one calibrated image out; everything else is refused in one sentence."""

import h5py
import hyperspy.api as hs
import numpy as np
import pytest
from skimage.io import imsave

from atomwork import micrograph
from tests.broken import broken_files


@pytest.fixture
def image(rng):
    return rng.poisson(30, (40, 48)).astype(np.float32)


def saved(tmp_path, data, name="image.hspy", units="nm", scale=0.02, **axes):
    signal = hs.signals.Signal2D(data)
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = axes.get(axis.name, scale), units
    signal.save(tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(("name", "shape", "pixel_size"), [
    ("mos2", (1024, 1024), 0.126953125),  # the dm3 states 0.0126953125 nm
    ("au_nanoparticles", (2048, 2048), 0.074984),
    ("perovskite_adf", (400, 380), 0.09326),
    ("perovskite_abf", (400, 380), 0.09326),
])  # fmt: skip
def test_samples_are_real_images_with_their_scale(name, shape, pixel_size):
    loaded = micrograph.load(f"sample:{name}")
    assert loaded.image.shape == shape
    assert loaded.image.dtype == np.float32
    assert loaded.pixel_size == pytest.approx(pixel_size, rel=1e-5)
    assert name in micrograph.samples()


@pytest.mark.parametrize(("units", "scale"), [("pm", 20), ("Å", 0.2), ("nm", 0.02), ("µm", 2e-5), ("m", 2e-11)])
def test_pixel_size_is_in_angstrom_whatever_the_unit(tmp_path, image, units, scale):
    assert micrograph.load(saved(tmp_path, image, units=units, scale=scale)).pixel_size == pytest.approx(0.2)


def test_unknown_units_give_no_pixel_size(tmp_path, image):
    assert micrograph.load(saved(tmp_path, image, units="1/nm")).pixel_size is None


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.png", "a b ü.hspy"])
def test_values_survive_the_file(tmp_path, image, name):
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, image)
    elif name.endswith("hspy"):
        path = saved(tmp_path, image, name)
    else:
        imsave(path, image.astype(np.uint8), check_contrast=False)
    assert np.array_equal(micrograph.load(path).image, image)


def test_oblong_pixels_become_square(tmp_path):
    y, x = np.mgrid[:60, :40]
    gaussian = np.exp(-(((y - 30) / 8) ** 2) - ((x - 20) / 4) ** 2).astype(np.float32)
    signal = hs.signals.Signal2D(gaussian)
    for axis, scale in zip(signal.axes_manager.signal_axes, (0.02, 0.01), strict=True):  # x, y
        axis.scale, axis.units = scale, "nm"
    signal.save(tmp_path / "oblong.hspy")
    loaded = micrograph.load(tmp_path / "oblong.hspy")
    assert loaded.pixel_size == pytest.approx(0.1)
    assert loaded.image.shape == (60, 80)
    around = np.array([loaded.image[30, 40 - 8], loaded.image[30 + 8, 40]])  # round now: 8 px off along either axis
    assert np.ptp(around) < 0.06


def test_grey_saved_in_colour_warns(tmp_path, image):
    channels = np.repeat(4 * image.astype(np.uint8)[..., None], 3, -1)
    channels[..., 2] += 1  # as a lossy format leaves them; exactly equal channels are grey to every reader
    imsave(tmp_path / "grey.png", channels, check_contrast=False)
    with pytest.warns(UserWarning, match="saved in colour"):
        assert np.allclose(micrograph.load(tmp_path / "grey.png").image, 4 * image, atol=1)


def test_a_frame_of_a_series_of_stacks(tmp_path, rng):
    series = rng.random((2, 3, 20, 30)).astype(np.float32)
    path = saved(tmp_path, series)
    found = [micrograph.load(path, frame=frame).image for frame in range(6)]
    assert np.array_equal(found, series.reshape(6, 20, 30))
    assert np.array_equal(micrograph.load(path, frame=-1).image, series[1, 2])
    with pytest.raises(ValueError, match=r"shape \(2, 3, 20, 30\), not one image; choose one with frame=0…5"):
        micrograph.load(path)
    with pytest.raises(ValueError, match="holds 6 frames; give 0…5"):
        micrograph.load(path, frame=6)


def test_frames_of_a_stack_are_counted(tmp_path):
    stack = np.zeros((7, 8, 9), np.float32)
    np.save(tmp_path / "stack.npy", stack)
    for name in ("stack.tif", "stack.hspy"):
        hs.signals.Signal2D(stack).save(tmp_path / name)
    for name in ("stack.npy", "stack.tif", "stack.hspy"):
        assert micrograph.count_frames(tmp_path / name) == 7
    np.save(tmp_path / "series.npy", stack.reshape(1, 7, 8, 9))
    assert micrograph.count_frames(tmp_path / "series.npy") == 7
    np.save(tmp_path / "one.npy", stack[0])
    with pytest.raises(ValueError, match=r"one.npy holds an array of shape \(8, 9\), not a stack"):
        micrograph.count_frames(tmp_path / "one.npy")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        micrograph.count_frames(tmp_path / "none.tif")


def test_a_frame_by_its_address(tmp_path, rng):
    stack = rng.random((12, 20, 30)).astype(np.float32)
    path = saved(tmp_path, stack)
    for frame in (0, 11, -1):
        found = micrograph.load(f"{path}[{frame}]")
        assert np.array_equal(found.image, stack[frame])
        assert found.name == f"{path.name}[{frame}]"
    with pytest.raises(ValueError, match=r"choose one with frame=0…11, or as .*\[0\]"):
        micrograph.load(path)
    with pytest.raises(ValueError, match="frame='all' is no whole number"):
        micrograph.load(path, frame="all")
    with pytest.raises(FileNotFoundError, match=r"\[1\] does not exist"):
        micrograph.load(f"{path}[1]", frame=1)
    np.save(tmp_path / "run[3]", stack[5])  # a file of that name is itself
    (tmp_path / "run[3].npy").rename(tmp_path / "run[3]")
    assert micrograph.addressed(tmp_path / "run[3]") == (str(tmp_path / "run[3]"), None)


def test_a_frame_of_a_stack(tmp_path, rng):
    stack = rng.random((3, 20, 30)).astype(np.float32)
    path = saved(tmp_path, stack)
    assert np.array_equal(micrograph.load(path, frame=1).image, stack[1])
    with pytest.raises(ValueError, match=r"frame=0…2"):
        micrograph.load(path)
    with pytest.raises(ValueError, match=r"frame=3 is outside .* 3 frames"):
        micrograph.load(path, frame=3)


@pytest.mark.filterwarnings("ignore")  # readers warn on their way down
def test_every_bad_input_has_its_sentence(tmp_path, rng):
    for name, sentence in broken_files(tmp_path, rng).items():
        with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
            micrograph.load(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize(("array", "sentence"), [
    (np.arange(6.0).reshape(2, 3) * 1e300, "values up to 5e[+]300, beyond 1.7e[+]38; divide"),
    (np.arange(6.0).reshape(2, 3) * 1e-300, "constant"),  # no two of them differ as float32
    (2**40 + np.arange(6).reshape(2, 3), "constant"),
    (np.array([[b"a", b"b"]]), "not numbers"),
    (np.zeros((2, 3), "M8[s]"), "not numbers"),
    (np.zeros((2, 3), [("height", "f4"), ("phase", "f4")]), "records of .*height"),
    (np.zeros((2, 3), [("R", "f4"), ("G", "f4"), ("B", "f4")]), "records of .*R"),
    (np.zeros((3, 0)), "is empty"),
])  # fmt: skip
def test_an_array_that_is_no_image_is_refused(tmp_path, array, sentence):
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(ValueError, match=rf"array.npy .*{sentence}"):
        micrograph.load(tmp_path / "array.npy")


@pytest.mark.parametrize("colours", [(), (3,)])
def test_an_image_too_large_to_analyse_is_refused_unread(tmp_path, colours):
    np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (10_001, 10_000, *colours))  # a hole on the disk
    with pytest.raises(ValueError, match="10001 × 10000 pixels, more than 100000000; crop or bin"):
        micrograph.load(tmp_path / "large.npy")


@pytest.mark.parametrize("scale", [0.5, 1e-30])
def test_pixels_far_from_square_are_refused(tmp_path, image, scale):
    signal = hs.signals.Signal2D(image)
    for axis, sampling in zip(signal.axes_manager.signal_axes, (scale, 0.02), strict=True):  # x, y
        axis.scale, axis.units = sampling, "nm"
    signal.save(tmp_path / "needles.hspy")
    with pytest.raises(ValueError, match="more than 20 times as long as wide; correct its scale"):
        micrograph.load(tmp_path / "needles.hspy")


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # HyperSpy numbers the pixels by it
@pytest.mark.parametrize("scale", [0.0, np.inf, np.nan])
def test_a_scale_that_is_none_gives_no_pixel_size(tmp_path, image, scale):
    loaded = micrograph.load(saved(tmp_path, image, scale=scale))
    assert loaded.pixel_size is None
    assert np.array_equal(loaded.image, image)


def test_a_frame_stored_in_too_many_pieces_is_refused(tmp_path):
    with h5py.File(saved(tmp_path, np.eye(30, 40, dtype=np.float32)), "a") as file:
        group = next(iter(file["Experiments"].values()))
        del group["data"]
        group.create_dataset("data", (30, 40), "u1", chunks=(60_000, 60_000), maxshape=(None, None))
    with pytest.raises(ValueError, match="pieces of 3600000000 bytes"):
        micrograph.load(tmp_path / "image.hspy")


def test_what_a_reader_says_is_cut_to_one_line_without_its_folder(tmp_path, monkeypatch):
    def fails(path, **_):
        raise RuntimeError(f"{path} is broken\x07 at\nbyte 7")

    monkeypatch.setattr(micrograph.hs, "load", fails)
    (tmp_path / "a.ser").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^a.ser can't be read as .ser \(RuntimeError: a.ser is broken  at\); export it"):
        micrograph.load(tmp_path / "a.ser")


def test_a_file_that_ends_in_its_header_ends_too_soon(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(ValueError, match=r"^a.tif can't be read as .tif \(it ends too soon\); export it again\.$"):
        micrograph.load(tmp_path / "a.tif")


@pytest.mark.parametrize("raised", [SystemExit(), MemoryError(), RecursionError(), OverflowError("too large")])
def test_whatever_a_reader_raises_is_told(tmp_path, monkeypatch, raised):
    def fails(*_, **__):
        raise raised

    monkeypatch.setattr(micrograph.hs, "load", fails)
    (tmp_path / "a.ser").write_bytes(b"")
    with pytest.raises(ValueError, match=rf"a.ser can't be read as .ser \({type(raised).__name__}"):
        micrograph.load(tmp_path / "a.ser")


def test_an_interrupt_is_left_alone(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(micrograph.hs, "load", interrupted)
    (tmp_path / "a.ser").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        micrograph.load(tmp_path / "a.ser")


def test_a_sample_whose_package_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(micrograph, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install"):
        micrograph.load("sample:mos2")


def test_an_unknown_sample_names_the_known_ones():
    with pytest.raises(FileNotFoundError, match="sample:perovskite_adf"):
        micrograph.load("sample:nothing")
