"""Images with their scale, from any microscope file."""

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import h5py
import hyperspy.api as hs
import numpy as np
from scipy.ndimage import zoom
from tifffile import TiffFile, TiffPageSeries

from atomwork import reading
from atomwork.image import Micrograph

ANGSTROMS = {"pm": 1e-2, "Å": 1.0, "A": 1.0, "angstrom": 1.0, "nm": 10.0, "µm": 1e4, "um": 1e4, "μm": 1e4, "mm": 1e7, "m": 1e10}
SQUARE = 1e-3  # relative difference of the samplings along y and x up to which pixels count as square
PARTS = 2**12  # in which a frame may be stored; 1 s
OBLONG = 20  # times as long as wide that a pixel may be
RESAMPLED = 2**25  # pixels up to which an image is resampled, in 4 s
GREY = 0.02  # share of the range by which the channels of a grey image saved in colour may differ
KINDS = (".dm3", ".dm4", ".emd", ".ser", ".mrc", ".tif", ".tiff", ".hspy", ".h5", ".hdf5", ".png", ".bmp", ".npy")
AMBIGUOUS = {".h5", ".hdf5"}  # endings that several readers claim; HyperSpy's own is meant


@dataclass(frozen=True)
class Sample:
    """A real image that an installed package ships: where it lies, what it shows, how to get the package."""

    package: str
    path: str
    description: str
    install: str
    pixel_size: float | None = None


_TEMUL = "pip install --no-deps temul-toolkit==0.1.9 (or: make run)"
_ATOMAP = "pip install atomap==0.4.2 (or: make run)"
_SAMPLES = {
    "mos2": Sample(
        "temul",
        "example_data/experimental/example_Se_implanted_MoS2.dm3",
        "HAADF of a Se-implanted MoS2 monolayer, 1024², Gatan dm3",
        _TEMUL,
    ),
    "au_nanoparticles": Sample(
        "temul", "example_data/experimental/example_Au_nanoparticle.emd", "Au nanoparticles, 2048², Velox emd", _TEMUL
    ),
    # the two perovskite files state the sampling without a unit; it is nm
    "perovskite_adf": Sample(
        "atomap", "tests/datasets/test_ADF_cropped.hdf5", "ADF of a perovskite, 400 × 380", _ATOMAP, 0.09326
    ),
    "perovskite_abf": Sample("atomap", "tests/datasets/test_ABF_cropped.hdf5", "ABF of the same place", _ATOMAP, 0.09326),
    "tilt_series": Sample(
        "etspy", "tests/test_data/HAADF.mrc", "HAADF tilt series of a needle, 77 × 256²", "pip install --no-deps etspy==1.3.0"
    ),
}


def samples():
    """The real images that installed packages ship.

    Returns
    -------
    dict of str to str : what ``sample:NAME`` shows
    """
    return {name: sample.description for name, sample in _SAMPLES.items()}


def load(source, frame=None):
    """Read one image, in 2 GB of memory; of a stack of more than 256 MB, the frame that is asked for alone.

    Parameters
    ----------
    source : path of any file that HyperSpy reads or of a .npy array, or ``sample:NAME``, see `samples`
    frame : int, which image of a stack; where that has several axes beside the image's, the last of them runs first

    Returns
    -------
    Micrograph

    Raises
    ------
    FileNotFoundError : no such file or sample
    ValueError : unreadable, too large, a stack without ``frame``, colour, complex, empty, constant, NaN
    """
    source = str(source)
    sample = find_sample(source.removeprefix("sample:")) if source.startswith("sample:") else None
    path = package_folder(sample) / sample.path if sample else Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; give the path of an image file or one of {sample_names()}.")
    image, scales, metadata = read(path, frame)
    name = path.name if sample is None else source
    image = single_image(image, frame, name)
    pixels = np.array(scales[-2:], float)  # None becomes NaN
    if sample is not None and sample.pixel_size:
        pixels[:] = sample.pixel_size
    return Micrograph(*squared(image, pixels, name), name, metadata)


def sample_names():
    """The samples as a user writes them, for messages."""
    return ", ".join(f"sample:{name}" for name in _SAMPLES)


def find_sample(name):
    """The `Sample` of that name, its package known to be installed."""
    if name not in _SAMPLES:
        raise FileNotFoundError(f"sample:{name} does not exist; choose one of {sample_names()}.")
    sample = _SAMPLES[name]
    if find_spec(sample.package) is None:
        raise FileNotFoundError(f"sample:{name} needs the package {sample.package}, which is not installed; {sample.install}")
    return sample


def package_folder(sample):
    """Where the package of a `Sample` is installed; the package itself is never imported."""
    return Path(find_spec(sample.package).submodule_search_locations[0])


def read(path, frame=None):
    """Array, scale of every axis [Å or None] and metadata of a file.

    Of a stack too large to be read whole, ``frame`` alone is read; without it, the array tells no more than its shape.

    Raises
    ------
    ValueError : the file can't be read, or holds several images of different kinds
    """
    with told(path):
        if path.suffix.lower() == ".npy":
            return np.lib.format.open_memmap(path, mode="r"), (None, None), {}  # loads no pickle
        large = reading.stated(path) > reading.WHOLE
        signals = hs.load(path, lazy=large, file_format="HSPY" if path.suffix.lower() in AMBIGUOUS else None)
        signals = signals if isinstance(signals, list) else [signals]
        files = [file for s in signals for file in opened(s.data)] if large else []
    try:
        with told(path):
            images = [s for s in signals if s.data.ndim >= 2]
            titles = ", ".join(shown(s.metadata.General.title) or "untitled" for s in images)
        if len(images) != 1:
            found = f"{len(images)} images ({titles})" if images else "no image"
            raise ValueError(f"{path.name} holds {found}; export the one you want to a file of its own.")
        with told(path):
            return described(images[0], path, frame, large)
    finally:
        for file in files:
            file.close()
        for signal in signals:  # lies in circles of references, and would keep its pixels until they are searched for
            signal.data = np.empty(0)


def described(signal, path, frame, large):
    """What `read` returns of the one image in a file; a ``large`` one was loaded lazily."""
    axes = list(signal.axes_manager.navigation_axes)[::-1] + list(signal.axes_manager.signal_axes)[::-1]
    scales = [float(ANGSTROMS[str(a.units)] * abs(a.scale)) if str(a.units) in ANGSTROMS else None for a in axes]
    data, metadata = signal.data, signal.metadata.as_dictionary()
    if not large:
        return data, scales, metadata
    at = place(data.shape[:-2], frame)
    if data.ndim > 2 and at:
        if data.dtype.names:
            raise ValueError(f"a stack in colour takes more than {reading.WHOLE} bytes")
        data = page(path, at) if path.suffix.lower() in (".tif", ".tiff") else data[at]
    return computed(data) if data.ndim == 2 else data, scales, computed(metadata)


def place(shape, frame):
    """Indices of a frame in a stack of some shape, of which the last axis runs first; None if it holds no such frame."""
    count = math.prod(shape)
    return np.unravel_index(frame % count, shape) if frame is not None and -count <= frame < count else None


def opened(lazy):
    """The files that a lazy array is read from."""
    for task in lazy.dask.values():
        for held in (task, *getattr(task, "args", ())):
            if isinstance(held, h5py.Dataset):
                yield held.file
            elif isinstance(held, TiffPageSeries):
                yield held.parent


def page(path, at):
    """One frame (H, W) of a stack in a tif file, by its indices there."""
    with TiffFile(path) as tiff:
        [series] = tiff.series
        if series.dataoffset is not None:
            return np.array(series.asarray(out="memmap")[at])
        if len(series) != math.prod(series.shape[:-2]):
            raise ValueError(f"its {math.prod(series.shape[:-2])} frames lie in {len(series)} pages")
        number = int(np.ravel_multi_index(at, series.shape[:-2]))
        reading.strips(series[number], path.stat().st_size)
        return series.asarray(key=number)


def computed(lazy):
    """A lazy array, or all that lie in a dictionary, read from the file."""
    if isinstance(lazy, dict):
        return {key: computed(value) for key, value in lazy.items()}
    if not hasattr(lazy, "npartitions"):
        return lazy
    if lazy.npartitions > PARTS:
        raise ValueError(f"an image is stored in {lazy.npartitions} pieces, more than {PARTS}")
    return lazy.compute(scheduler="synchronous")


@contextmanager
def told(path):
    """Whatever a parser trips over, in one sentence: readers raise what they like, down to an exit."""
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = str(error).replace(str(path.absolute()), path.name).replace(str(path), path.name).strip().splitlines()
        kind = "" if isinstance(error, ValueError | OSError) and lines else f"{type(error).__name__}: "
        reason = (kind + shown(lines[0] if lines else "")).rstrip(": ")
        ending = path.suffix or "a file without ending"
        raise ValueError(f"{path.name} can't be read as {ending} ({reason}); export it again or convert it to tif.") from error


def shown(text, letters=120):
    """A text from a file, as a message can hold it."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()
    return text if len(text) <= letters else text[:letters] + "…"


def single_image(image, frame, name):
    """The (H, W) image of real numbers that an array holds; see `load` for what is refused."""
    if image.size == 0:
        raise ValueError(f"{name} is empty (shape {image.shape}); export it again.")
    if image.dtype.names:
        image = grey(channels(image, name), name)
    if image.ndim == 3 and frame is None and image.shape[-1] in (3, 4) and image.dtype == np.uint8:
        image = grey(np.moveaxis(image[..., :3], -1, 0), name)
    count = math.prod(image.shape[:-2])
    if image.ndim > 2 and frame is not None:
        at = place(image.shape[:-2], frame)
        if at is None:
            raise ValueError(f"frame={frame} is outside {name}, which holds {count} frames; give 0…{count - 1}.")
        image = image[at]
    if image.ndim != 2:
        asked = f"; choose one with frame=0…{count - 1}" if image.ndim > 2 else "; save the image you want as a file"
        raise ValueError(f"{name} holds an array of shape {image.shape}, not one image{asked}.")
    limit(image.shape, name)
    if np.iscomplexobj(image):
        raise ValueError(f"{name} is complex ({image.dtype}); save its modulus or phase as a real image.")
    if image.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {shown(image.dtype)}, not numbers; export it as an image of integers or floats.")
    return measured(image, name)


def limit(shape, name):
    """Refuse an image of more pixels than are held."""
    if math.prod(shape) > reading.LARGEST:
        raise ValueError(f"{name} has {' × '.join(map(str, shape))} pixels, more than {reading.LARGEST}; crop or bin it.")


def channels(records, name):
    """The channels (3, …) of a picture in HyperSpy's form, a record of R, G, B for each pixel."""
    names = set(records.dtype.names)
    if not {"R", "G", "B"} <= names <= set("RGBA") or {records.dtype[c].str[1:] for c in names} - {"u1", "u2"}:
        raise ValueError(f"{name} holds records of {shown(records.dtype)}, not numbers; save the image you want as an array.")
    return np.stack([records[channel] for channel in "RGB"])


def measured(image, name):
    """The image (H, W), found to be finite and to vary, in the numbers of single precision that analysis takes."""
    if broken := np.count_nonzero(~np.isfinite(image)):
        raise ValueError(f"{name} holds {broken} NaN or infinite pixels; replace or crop them first.")
    low, high = float(image.min()), float(image.max())
    most = float(np.finfo(np.float32).max) / 2
    if max(-low, high) > most:
        raise ValueError(f"{name} holds values up to {max(-low, high):.2g}, beyond {most:.2g}; divide them before you save it.")
    if np.float32(low) == np.float32(high):
        raise ValueError(f"{name} is constant ({low:g}, to 7 digits); there is nothing to analyse, give another image.")
    return image


def grey(channels, name):
    """The one image that a grey picture saved in colour holds, (3, H, W) -> (H, W)."""
    limit(channels.shape[1:], name)
    difference = np.ptp(channels, axis=0).max() / max(np.ptp(channels), 1e-12)
    if difference > GREY:
        raise ValueError(
            f"{name} is a colour picture (its channels differ by up to {difference:.0%} of the range), "
            "which is not an intensity; export the image in grey."
        )
    warnings.warn(f"{name} is saved in colour; its channels were averaged to one grey image.", UserWarning, stacklevel=4)
    return channels.mean(0, dtype=np.float32)


def squared(image, pixels, name):
    """The image as float32 with square pixels, and their side [Å] or None.

    ``pixels`` (2,) holds the sampling along y and x [Å], NaN where the file gives none.
    """
    if not (np.isfinite(pixels).all() and pixels.min() > 0):
        return image.astype(np.float32), None
    side = float(pixels.min())
    if pixels.max() > side * (1 + SQUARE):
        if pixels.max() > side * OBLONG or image.size * pixels.max() / side > RESAMPLED:
            raise ValueError(
                f"{name} states pixels of {pixels[0]:.3g} × {pixels[1]:.3g} Å, which make more than {RESAMPLED} squares or are "
                f"more than {OBLONG} times as long as wide; correct its scale or save it with square pixels."
            )
        image = zoom(np.asarray(image, np.float64), pixels / side, order=3, mode="nearest", grid_mode=True)
    return image.astype(np.float32), side
