"""Files in, one calibrated image out; everything else is refused in one sentence."""

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


def test_a_sample_whose_package_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(micrograph, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install"):
        micrograph.load("sample:mos2")


def test_an_unknown_sample_names_the_known_ones():
    with pytest.raises(FileNotFoundError, match="sample:perovskite_adf"):
        micrograph.load("sample:nothing")
