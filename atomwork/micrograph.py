"""Images with their scale, from any microscope file."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hyperspy.api as hs
import numpy as np
from scipy.ndimage import zoom

from atomwork.image import Micrograph

ANGSTROMS = {"pm": 1e-2, "Å": 1.0, "A": 1.0, "angstrom": 1.0, "nm": 10.0, "µm": 1e4, "um": 1e4, "μm": 1e4, "mm": 1e7, "m": 1e10}
SQUARE = 1e-3  # relative difference of the samplings along y and x up to which pixels count as square
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
    """Read one image.

    Parameters
    ----------
    source : path of any file that HyperSpy reads or of a .npy array, or ``sample:NAME``, see `samples`
    frame : int, which image of a stack

    Returns
    -------
    Micrograph

    Raises
    ------
    FileNotFoundError : no such file or sample
    ValueError : unreadable, a stack without ``frame``, colour, complex, empty, constant, NaN
    """
    source = str(source)
    sample = find_sample(source.removeprefix("sample:")) if source.startswith("sample:") else None
    path = package_folder(sample) / sample.path if sample else Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; give the path of an image file or one of {sample_names()}.")
    image, scales, metadata = read(path)
    name = path.name if sample is None else source
    image = single_image(image, frame, name)
    pixels = np.array(scales[-2:], float)  # None becomes NaN
    if sample is not None and sample.pixel_size:
        pixels[:] = sample.pixel_size
    return Micrograph(*squared(image, pixels), name, metadata)


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


def read(path):
    """Array, scale of every axis [Å or None] and metadata of a file.

    Raises
    ------
    ValueError : the file can't be read, or holds several images of different kinds
    """
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False), (None, None), {}
        signals = hs.load(path, file_format="HSPY") if path.suffix.lower() in AMBIGUOUS else hs.load(path)
    except Exception as error:  # readers raise whatever their parser trips over
        reason = str(error).strip().splitlines()
        raise ValueError(
            f"{path.name} can't be read as {path.suffix or 'a file without ending'} "
            f"({reason[0] if reason else type(error).__name__}); export it again or convert it to tif."
        ) from error
    images = [s for s in (signals if isinstance(signals, list) else [signals]) if s.data.ndim >= 2]
    if len(images) != 1:
        titles = [s.metadata.General.title or "untitled" for s in images]
        raise ValueError(
            f"{path.name} holds {len(images)} images ({', '.join(titles)}); export the one you want to a file of its own."
        )
    signal = images[0]
    axes = list(signal.axes_manager.navigation_axes)[::-1] + list(signal.axes_manager.signal_axes)[::-1]
    scales = [ANGSTROMS[str(a.units)] * abs(a.scale) if str(a.units) in ANGSTROMS else None for a in axes]
    return signal.data, scales, signal.metadata.as_dictionary()


def single_image(image, frame, name):
    """The (H, W) float32 image that an array holds; see `load` for what is refused."""
    if image.dtype.names:  # HyperSpy's rgb: one field per channel
        image = np.stack([image[c] for c in image.dtype.names if c != "A"], -1)
        image = grey(image, name)
    if image.ndim == 3 and frame is None and image.shape[-1] in (3, 4) and image.dtype == np.uint8:
        image = grey(image[..., :3], name)
    if image.ndim == 3 and frame is not None:
        if not -len(image) <= frame < len(image):
            raise ValueError(f"frame={frame} is outside {name}, which holds {len(image)} frames; give 0…{len(image) - 1}.")
        image = image[frame]
    if image.ndim != 2:
        asked = f"; choose one with frame=0…{len(image) - 1}" if image.ndim == 3 else "; save the image you want as a file"
        raise ValueError(f"{name} holds an array of shape {image.shape}, not one image{asked}.")
    if image.size == 0:
        raise ValueError(f"{name} is empty (shape {image.shape}); export it again.")
    if np.iscomplexobj(image):
        raise ValueError(f"{name} is complex ({image.dtype}); save its modulus or phase as a real image.")
    image = np.asarray(image, np.float64)
    broken = np.count_nonzero(~np.isfinite(image))
    if broken:
        raise ValueError(f"{name} holds {broken} NaN or infinite pixels; replace or crop them first.")
    if np.ptp(image) == 0:
        raise ValueError(f"{name} is constant ({image.flat[0]:g} everywhere); there is nothing to analyse.")
    return image


def grey(channels, name):
    """The one image that a grey picture saved in colour holds, (H, W, 3) -> (H, W)."""
    channels = channels.astype(float)
    difference = np.ptp(channels, axis=-1).max() / max(np.ptp(channels), 1e-12)
    if difference > GREY:
        raise ValueError(
            f"{name} is a colour picture (its channels differ by up to {difference:.0%} of the range), "
            "which is not an intensity; export the image in grey."
        )
    warnings.warn(f"{name} is saved in colour; its channels were averaged to one grey image.", UserWarning, stacklevel=4)
    return channels.mean(-1)


def squared(image, pixels):
    """The image as float32 with square pixels, and their side [Å] or None.

    ``pixels`` (2,) holds the sampling along y and x [Å], NaN where the file gives none.
    """
    if np.isnan(pixels).any():
        return image.astype(np.float32), None
    side = float(pixels.min())
    if pixels.max() > side * (1 + SQUARE):
        image = zoom(image, pixels / side, order=3, mode="nearest", grid_mode=True)
    return image.astype(np.float32), side
