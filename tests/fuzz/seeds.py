"""Small sound files of every kind that `micrograph.load` is told to read, by writers that aren't ours where there is one."""

import struct
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image
from rsciio import emd, hspy

from atomwork import micrograph
from tests.fuzz import gatan

SHAPE = (37, 53)  # numbers that a file holds nowhere by chance
SMALL = np.arange(1200, dtype=np.uint16).reshape(30, 40)


@dataclass(frozen=True)
class Seed:
    """A sound file: what it is, its ending, its bytes, and the frame to ask for where it is a stack."""

    name: str
    ending: str
    content: bytes
    frame: int | None = None


def written(folder, name, write, frame=None, ending=None):
    """The `Seed` of the file that ``write(path)`` writes, ``name`` being words and the ending."""
    path = Path(folder) / name.replace(" ", "_")
    write(path)
    return Seed(name, ending or path.suffix, path.read_bytes(), frame)


def sound(folder):
    """All of them, the same bytes each time.

    Returns
    -------
    list of Seed
    """
    rng = np.random.default_rng(7)
    image = rng.poisson(300, SHAPE).astype(np.uint16)
    stack = rng.poisson(300, (3, *SHAPE)).astype(np.uint16)
    series = rng.poisson(300, (2, 3, *SHAPE)).astype(np.uint16)  # of stacks
    return [
        *gatans(image, stack),
        *hierarchies(folder, image, stack, series),
        *tiffs(folder, image, stack, series),
        *pictures(folder, image),
        *arrays(folder, image, stack, series),
        *volumes(image, stack),
    ]


def gatans(image, stack):
    sample = micrograph.find_sample("mos2")
    real = (micrograph.package_folder(sample) / sample.path).read_bytes()
    return [
        Seed("real dm3", ".dm3", real),
        Seed("dm3 uint16", ".dm3", gatan.file(image)),
        Seed("dm4 float32", ".dm4", gatan.file(image.astype(np.float32), 4)),
        Seed("dm3 stack", ".dm3", gatan.file(stack), 1),
        Seed("dm4 stack", ".dm4", gatan.file(stack.astype(np.int32), 4), 2),
    ]


def hierarchies(folder, image, stack, series):
    def signal(data):
        names = ("time", "frame", "y", "x")[-data.ndim :]
        scales = {"name": names, "size": data.shape, "scale": [0.02] * data.ndim, "offset": [0.0] * data.ndim}
        axes = [dict(zip(scales, of_axis, strict=True)) for of_axis in zip(*scales.values(), strict=True)]
        for axis in axes:
            axis.update(units="nm", navigate=axis["name"] not in "yx", _type="UniformDataAxis", index_in_array=len(axes))
        keys = ("learning_results", "models", "original_metadata", "package_info", "tmp_parameters")
        metadata = {"General": {"title": "grid"}, "Signal": {"signal_type": ""}}
        return {"data": data, "axes": axes, "metadata": metadata, "attributes": {"_lazy": False}} | {key: {} for key in keys}

    def berkeley(path, data):
        emd.file_writer(str(path), signal(data))

    def hyperspy(path, data, **how):
        hspy.file_writer(str(path), signal(data), show_progressbar=False, **how)

    return [
        written(folder, "velox.emd", velox),
        written(folder, "velox stack.emd", lambda path: velox(path, stack), 1),
        written(folder, "berkeley.emd", lambda path: berkeley(path, image)),
        written(folder, "berkeley stack.emd", lambda path: berkeley(path, stack), 1),
        written(folder, "gzip.hspy", lambda path: hyperspy(path, image)),
        written(folder, "contiguous.hdf5", lambda path: hyperspy(path, image, compression=None)),
        written(folder, "stack.hspy", lambda path: hyperspy(path, stack), 2),
        written(folder, "series.hspy", lambda path: hyperspy(path, series), 5),
    ]


def velox(path, frames=None):
    """The real Velox file with its image cropped, or with other frames (N, H, W) for it."""
    sample = micrograph.find_sample("au_nanoparticles")
    with h5py.File(micrograph.package_folder(sample) / sample.path) as whole, h5py.File(path, "w") as small:
        for name in sorted(set(whole) - {"Data", "Thumbnail.jpg"}):
            whole.copy(name, small)
        [name] = whole["Data/Image"]
        source, target = whole[f"Data/Image/{name}"], small.create_group(f"Data/Image/{name}")
        pixels = source["Data"][: SHAPE[0], : SHAPE[1]] if frames is None else np.moveaxis(frames, 0, -1)
        target.create_dataset("Data", data=pixels, chunks=(*SHAPE, 1))
        target.create_dataset("Metadata", data=np.repeat(source["Metadata"][:], pixels.shape[-1], 1), chunks=(60000, 1))


def tiffs(folder, image, stack, series):
    kinds = {
        "plain": (image, {}),
        "deflated": (image, {"compression": "zlib", "predictor": True}),
        "lzw": (image, {"compression": "lzw"}),
        "tiled": (image, {"tile": (16, 32), "compression": "zlib"}),
        "strips": (image, {"rowsperstrip": 5}),
        "float": (image.astype(np.float32), {"resolution": (5e8, 5e8), "resolutionunit": "CENTIMETER"}),
        "double": (image.astype(np.float64), {"byteorder": ">"}),
        "big-endian": (image.astype(">u2"), {"byteorder": ">"}),
        "large": (image, {"bigtiff": True}),
        "imagej": (image, {"imagej": True, "metadata": {"unit": "nm"}, "resolution": (50, 50)}),
        "colour": (np.repeat((image % 256).astype(np.uint8)[..., None], 3, -1), {"photometric": "rgb"}),
    }
    stacks = {
        "pages": (stack, {"photometric": "minisblack"}),
        "deflated pages": (stack, {"photometric": "minisblack", "compression": "zlib"}),
        "imagej stack": (stack, {"imagej": True}),
        "imagej hyperstack": (series, {"imagej": True, "metadata": {"axes": "TZYX"}}),
        "deflated hyperstack": (series, {"photometric": "minisblack", "compression": "zlib", "metadata": {"axes": "TCYX"}}),
    }
    found = [
        written(folder, f"{name}.tif", lambda path, data=data, how=how: tifffile.imwrite(path, data, **how))
        for name, (data, how) in kinds.items()
    ]
    for name, (data, how) in stacks.items():
        found.append(written(folder, f"{name}.tiff", lambda path, data=data, how=how: tifffile.imwrite(path, data, **how), 1))
    return found


def pictures(folder, image):
    grey = Image.fromarray((image % 256).astype(np.uint8))
    kinds = {
        "deep.png": Image.fromarray(image),
        "grey.png": grey,
        "colour.png": grey.convert("RGB"),
        "transparent.png": grey.convert("RGBA"),
        "palette.png": grey.convert("P"),
        "bits.png": grey.convert("1"),
        "grey.bmp": grey,
        "colour.bmp": grey.convert("RGB"),
    }
    return [written(folder, name, picture.save) for name, picture in kinds.items()]


def arrays(folder, image, stack, series):
    kinds = {
        "float": image.astype("<f4"),
        "swapped": image.astype(">f4"),
        "columns": np.asfortranarray(image),
        "double": image.astype(float),
        "bytes": (image % 256).astype(np.uint8),
        "signed": image.astype(np.int64),
        "half": image.astype(np.float16),
    }
    found = [written(folder, f"{name}.npy", lambda path, data=data: np.save(path, data)) for name, data in kinds.items()]
    for name, data, asked in (("stack", stack, 0), ("series", series, 4)):
        found.append(written(folder, f"{name}.npy", lambda path, data=data: np.save(path, data), asked))
    return found


def mrc(image, mode, extended=b""):
    """The bytes of an mrc file (MRC2014) of 0.2 Å per pixel that holds ``image`` (H, W) or (N, H, W)."""
    sides = (image.shape if image.ndim == 3 else (1, *image.shape))[::-1]
    cell = [0.2 * side for side in sides]
    header = struct.pack("<10i6f3i3f2i", *sides, mode, 0, 0, 0, *sides, *cell, 90, 90, 90, 1, 2, 3, 0, 0, 0, 0, len(extended))
    header = header.ljust(208, b"\0") + b"MAP \x44\x44\0\0"
    return header.ljust(1024, b"\0") + extended + image.tobytes()


def volumes(image, stack):
    return [
        Seed("mrc uint16", ".mrc", mrc(image, 6)),
        Seed("mrc float32", ".mrc", mrc(image.astype(np.float32), 2, b"\0" * 512)),
        Seed("mrc stack", ".mrc", mrc(stack.astype(np.int16), 1), 1),
    ]
