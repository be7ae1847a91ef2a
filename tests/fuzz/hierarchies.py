"""HDF5 files in Berkeley's and HyperSpy's layout that state more than they hold, or lead into the holes of the library."""

from pathlib import Path

import h5py

from tests.fuzz.seeds import SMALL, Seed, velox, written


def hierarchies(folder):
    """All of them, as a list of Seed."""
    found = []
    for ending, make in ((".emd", berkeley), (".hspy", hyperspy)):
        for name, stated in STATED.items():
            found.append(written(folder, f"bomb {name}{ending}", lambda path, stated=stated, make=make: make(path, **stated)))
        for name, change in CHANGED.items():
            found.append(written(folder, f"bomb {name}{ending}", lambda path, change=change, make=make: make(path, change)))
        plain = written(folder, f"bomb{ending}", lambda path, make=make: make(path, texts)).content
        for name, patch in PATCHED.items():
            found.append(Seed(f"bomb {name}{ending}", ending, patch(plain)))
    return [*found, Seed("bomb a long text.emd", ".emd", long_text(folder))]


STATED = {
    "unwritten chunks": {"shape": (60_000, 60_000), "chunks": (1000, 1000)},
    "one huge chunk": {"shape": (60_000, 60_000), "chunks": (60_000, 60_000)},
    "unwritten": {"shape": (60_000, 60_000)},
    "a chunk per pixel": {"shape": (9000, 9000), "chunks": (1, 1)},
    "many frames": {"shape": (2**40, 30, 40), "chunks": (1, 30, 40)},
    "a needle": {"shape": (2**40, 1), "chunks": (2**20, 1)},
    "long texts": {"shape": (9000, 9000), "chunks": (1000, 1000), "dtype": h5py.string_dtype()},
    "references": {"shape": (30, 40), "dtype": h5py.ref_dtype},
    "thirty axes": {"shape": (2,) * 30, "chunks": (2,) * 30},
    "pixels elsewhere": {"shape": (20, 30), "dtype": "u1", "external": [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]},
}


def berkeley(path, change=None, **stated):
    """A file that holds `SMALL`, or a dataset as ``stated``; ``change`` adds to a group that is read as metadata."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"version_major": 0, "version_minor": 2})
        group = file.create_group("signals/grid")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", **{"dtype": "u2"} | (stated or {"data": SMALL}))
        for axis in range(len(stated.get("shape", SMALL.shape))):
            group.create_dataset(f"dim{axis + 1}", data=[0.0, 0.02])
        if change:
            change(file.require_group("microscope"))
            change(group)


def hyperspy(path, change=None, **stated):
    """Likewise."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.3"})
        group = file.create_group("Experiments/grid")
        group.create_dataset("data", **{"dtype": "u2"} | (stated or {"data": SMALL}))
        for axis, side in enumerate(stated.get("shape", SMALL.shape)):
            steps = {"scale": 0.02, "offset": 0.0, "size": side, "units": "nm", "navigate": False, "_type": "UniformDataAxis"}
            group.create_group(f"axis-{axis}").attrs.update(steps)
        for name in ("metadata", "original_metadata"):
            group.create_group(name)
        if change:
            change(group["metadata"])


def loops(group):
    """A group that holds itself, twice, so that whoever walks it takes two to the power of the depth."""
    group["a"] = group["b"] = group


def many(group):
    for number in range(9000):
        group.create_group(f"{number}")


def deep(group):
    for _ in range(3000):
        group = group.create_group("a")


def outside(group):
    group["outside"] = h5py.ExternalLink("/etc/passwd", "/")


def virtual(group):
    layout = h5py.VirtualLayout(SMALL.shape, "u2")
    layout[:] = h5py.VirtualSource("/nowhere.h5", "data", SMALL.shape)
    group.create_virtual_dataset("virtual", layout)


def axis(group):
    """An axis of more pixels than the image has."""
    axis = group.parent.get("axis-0")
    if axis:
        axis.attrs["size"] = 2**40
    else:
        group.create_group("axis-0").attrs["size"] = 2**40


def package(group):
    group.attrs["package"] = "antigravity"
    group.parent.attrs["package"] = "antigravity"


def texts(group):
    group.attrs.update({f"text{number}": "abc" for number in range(5)})


CHANGED = {
    "loops": loops,
    "many groups": many,
    "deep groups": deep,
    "links to elsewhere": outside,
    "a virtual image": virtual,
    "a long axis": axis,
    "a package to import": package,
}


def gap(content):
    """A heap of texts whose second entry takes no room, so that the library never gets on."""
    entry = content.index(b"GCOL") + 40
    return content[:entry] + b"\0" * 16 + content[entry + 16 :]


def overflow(content):
    """A heap of texts whose second entry is so long that its end lies before its begin."""
    entry = content.index(b"GCOL") + 40
    return content[: entry + 8] + b"\xff" * 8 + b"\0" * 400 + content[entry + 416 :]


def long_text(folder):
    """A Velox file whose version is a text of 1.6 GB, by the number that refers to it."""
    content = written(folder, "bomb.emd", velox).content
    with h5py.File(Path(folder) / "bomb.emd") as file:
        at = file["Version"].id.get_chunk_info(0).byte_offset
    return content[:at] + b"\0\0\0\x60" + content[at + 4 :]


def type_without_name(content):
    """An attribute of variable length that is neither text nor sequence, which ends the process."""
    return content.replace(b"\x19\x01\x01\0", b"\x19\x0d\x01\0")


PATCHED = {"a gap": gap, "an overflow": overflow, "a type without a name": type_without_name}
