"""Images with their scale, from any microscope file."""

import math
import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import h5py
import hyperspy.api as hs
import numpy as np
from tifffile import TiffFile, TiffPageSeries

from atomwork import pixels, reading
from atomwork.image import Micrograph

ANGSTROMS = {"pm": 1e-2, "Å": 1.0, "A": 1.0, "angstrom": 1.0, "nm": 10.0, "µm": 1e4, "um": 1e4, "μm": 1e4, "mm": 1e7, "m": 1e10}
FRAME = re.compile(r"(.+)\[(-?\d+)\]")
PARTS = 2**12  # in which a frame may be stored; 1 s
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
    source : path of any file that HyperSpy reads or of a .npy array, ``PATH[12]`` for frame 12 of it, or ``sample:NAME``
    frame : int, which image of a stack; where that has several axes beside the image's, the last of them runs first

    Returns
    -------
    Micrograph

    Raises
    ------
    FileNotFoundError : no such file or sample
    ValueError : unreadable, too large, a stack without ``frame``, colour, complex, empty, constant, NaN
    """
    if frame is not None and not isinstance(frame, int | np.integer):
        raise ValueError(f"frame={frame!r} is no whole number; give 0 for the first frame of a stack.")
    given, (source, frame) = str(source), addressed(source, frame)
    sample = find_sample(source.removeprefix("sample:")) if source.startswith("sample:") else None
    path = package_folder(sample) / sample.path if sample else Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; give the path of an image file or one of {sample_names()}.")
    image, scales, metadata = read(path, frame)
    name = path.name if sample is None else source
    image = pixels.single_image(image, frame, name)
    sides = np.array(scales[-2:], float)  # None becomes NaN
    if sample is not None and sample.pixel_size:
        sides[:] = sample.pixel_size
    return Micrograph(*pixels.squared(image, sides, name), name + given.removeprefix(source), metadata)


def addressed(source, frame=None):
    """The path and the frame that a source means.

    Parameters
    ----------
    source : path, or ``PATH[12]`` for frame 12 of a stack, unless there is a file of that name
    frame : int or None

    Returns
    -------
    str, int or None
    """
    source = str(source)
    named = FRAME.fullmatch(source) if frame is None else None
    if named is None or Path(source).expanduser().is_file():
        return source, frame
    return named[1], int(named[2])


def count_frames(source):
    """How many frames a stack (…, H, W) holds, in any file that `load` takes.

    Raises
    ------
    FileNotFoundError : no such file
    ValueError : it can't be read, or holds no stack
    """
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; give the path of a stack of frames.")
    shape = read(path)[0].shape
    if len(shape) < 3:
        raise ValueError(f"{path.name} holds an array of shape {shape}, not a stack (T, H, W); export the movie as one stack.")
    return math.prod(shape[:-2])


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
            titles = ", ".join(pixels.shown(s.metadata.General.title) or "untitled" for s in images)
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
    at = pixels.place(data.shape[:-2], frame)
    if data.ndim > 2 and at:
        if data.dtype.names:
            raise ValueError(f"a stack in colour takes more than {reading.WHOLE} bytes")
        data = page(path, at) if path.suffix.lower() in (".tif", ".tiff") else data[at]
    return computed(data) if data.ndim == 2 else data, scales, computed(metadata)


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
        said = "it ends too soon" if isinstance(error, struct.error) else str(error)
        lines = said.replace(str(path.absolute()), path.name).replace(str(path), path.name).strip().splitlines()
        kind = "" if isinstance(error, ValueError | OSError | struct.error) and lines else f"{type(error).__name__}: "
        reason = (kind + pixels.shown(lines[0] if lines else "")).rstrip(": ")
        ending = path.suffix or "a file without ending"
        remedy = "export it again" if ending.startswith(".tif") else "export it again or convert it to tif"
        raise ValueError(f"{path.name} can't be read as {ending} ({reason}); {remedy}.") from error
