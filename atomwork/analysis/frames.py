"""A series of frames of one place: from files, and aligned to a file that HyperSpy opens."""

import os
import re
from pathlib import Path

from atomwork import micrograph
from atomwork.analysis import zspy

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
    """Write aligned frames as a stack that HyperSpy opens.

    Parameters
    ----------
    aligned : labelling.AlignedFrames
    path : path of the .zspy store, a folder
    """
    scale, units = (aligned.pixel_size, "Å") if aligned.pixel_size else (1.0, "px")
    starts = (-scale * aligned.origin).tolist()
    axes = [zspy.Axis(name, scale, start, units) for name, start in zip(("y", "x"), starts, strict=True)]
    zspy.write(path, TITLE, aligned.frames, [zspy.Axis("frame"), *axes])
