"""Stacks of images as stores that HyperSpy opens.

The layout is that of HyperSpy's ZSpy 3.3, laid out here since RosettaSciIO's own writer (0.15) needs Zarr 2.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import zarr


@dataclass(frozen=True)
class Axis:
    """An axis of a stack.

    Attributes
    ----------
    name : str
    scale, offset : float, distance of neighbours and place of the first one [units]
    units : str, or None for one that is stepped through
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    units: str | None = None


def write(path, title, stack, axes, about=None):
    """Write a stack of images under a temporary name that is then changed.

    Parameters
    ----------
    path : path of the .zspy store, a folder
    title : str
    stack : (N, H, W) float array
    axes : three `Axis`
    about : dict of what HyperSpy shows as ``metadata.atomwork``
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    store = zarr.create_group(temporary, zarr_format=2, attributes={"file_format": "ZSpy", "file_format_version": "3.3"})
    signal = store.create_group(f"Experiments/{title}")
    data = signal.create_array("data", shape=stack.shape, chunks=(1, *stack.shape[1:]), dtype="float32")
    data[:] = stack
    for number, (axis, size) in enumerate(zip(axes, data.shape, strict=True)):
        known = {"name": axis.name, "size": size, "offset": axis.offset, "scale": axis.scale, "navigate": axis.units is None}
        known |= {"_type": "UniformDataAxis", "units": axis.units or "_None_", "is_binned": False}
        signal.create_group(f"axis-{number}", attributes=known)
    signal.create_group("metadata/General", attributes={"title": title})
    signal.create_group("metadata/Signal", attributes={"signal_type": ""})
    if about:
        signal.create_group("metadata/atomwork", attributes=about)
    for name in ("original_metadata", "learning_results", "attributes"):
        signal.create_group(name)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(temporary, path)
