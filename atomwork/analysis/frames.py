"""A series of frames of one place: from files, and aligned to a file that HyperSpy opens."""

import os
import re
import shutil
from pathlib import Path

import zarr

from atomwork import micrograph

TITLE = "aligned frames"


def read(source):
    """The frames of a series.

    Parameters
    ----------
    source : a folder of image files, which come in the order of the numbers in their names; the path of a stack; or a
        sequence of paths, see `micrograph.load`

    Returns
    -------
    list of Micrograph

    Raises
    ------
    FileNotFoundError : nothing is there
    ValueError : an empty folder, a file that holds one image, or an image that `micrograph.load` refuses
    """
    if not isinstance(source, str | os.PathLike):
        return [micrograph.load(path) for path in source]
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{source} does not exist; give a folder of frames, a stack or a list of image files.")
    if path.is_dir() and path.suffix.lower() != ".zspy":
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        if not files:
            raise ValueError(f"{source} holds no files; give the folder that holds the frames.")
        return [micrograph.load(file) for file in sorted(files, key=in_order)]
    image, _, _ = micrograph.read(path)
    if image.ndim != 3:
        raise ValueError(f"{source} holds an array of shape {image.shape}, not a stack (n, H, W); give a folder or a list.")
    return [micrograph.load(path, frame=number) for number in range(len(image))]


def in_order(path):
    """Sort key that puts frame 10 behind frame 9."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", path.name)]


def write(aligned, path):
    """Write aligned frames as a stack that HyperSpy opens, under a temporary name that is then changed.

    Parameters
    ----------
    aligned : labelling.AlignedFrames
    path : path of the .zspy store, a folder

    Notes
    -----
    The layout is that of HyperSpy's ZSpy 3.3, laid out here since RosettaSciIO's own writer (0.15) needs Zarr 2.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    store = zarr.create_group(temporary, zarr_format=2, attributes={"file_format": "ZSpy", "file_format_version": "3.3"})
    signal = store.create_group(f"Experiments/{TITLE}")
    data = signal.create_array("data", shape=aligned.frames.shape, chunks=(1, *aligned.frames.shape[1:]), dtype="float32")
    data[:] = aligned.frames
    scale, units = (aligned.pixel_size, "Å") if aligned.pixel_size else (1.0, "px")
    starts = (0.0, *(-scale * aligned.origin).tolist())
    for number, (name, size, start) in enumerate(zip(("frame", "y", "x"), data.shape, starts, strict=True)):
        axis = {"name": name, "size": size, "offset": start, "scale": scale if number else 1.0, "navigate": not number}
        known = {"_type": "UniformDataAxis", "units": units if number else "_None_", "is_binned": False}
        signal.create_group(f"axis-{number}", attributes=axis | known)
    signal.create_group("metadata/General", attributes={"title": TITLE})
    signal.create_group("metadata/Signal", attributes={"signal_type": ""})
    for name in ("original_metadata", "learning_results", "attributes"):
        signal.create_group(name)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(temporary, path)
