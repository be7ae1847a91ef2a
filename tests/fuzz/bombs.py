"""Files that are well-formed, and state more than any file of their size holds, or than reading it should take."""

import struct

import numpy as np

from tests.fuzz import gatan
from tests.fuzz.hierarchies import hierarchies
from tests.fuzz.rasters import rasters
from tests.fuzz.seeds import SMALL, Seed, mrc

MOST = 2**31 - 1


def bombs(folder):
    """All of them, as a list of Seed."""
    return [*gatans(3, MOST), *gatans(4, 2**62), *hierarchies(folder), *rasters(folder), *arrays(), *volumes()]


def named(kind, ending, contents):
    return [Seed(f"bomb {kind}: {name}", ending, content) for name, content in contents.items()]


def gatans(version, most):
    def file(name, content, **changed):
        return gatan.file(SMALL, version, extra=[(name, content)], **changed)

    def described(*numbers, content=b""):
        return file("Bomb", gatan.info(version, *numbers) + content)

    def deep(levels):
        empty = gatan.tag("group", [], version)
        opened = empty.removesuffix(gatan.size(0, version)) + gatan.size(1, version)
        return file("group", []).replace(empty, opened * levels + empty)

    def repeated(content):
        """With so many tags in every group of five, such as the one that holds the pixels."""
        return content.replace(b"\1\0" + gatan.size(5, version), b"\1\0" + gatan.size(most, version))

    root, one = gatan.file(SMALL, version), b"\1\0" + gatan.size(1, version)
    nothing = np.zeros(0, np.uint8)
    tag = len(gatan.tag("Data", gatan.array(nothing, version), version))
    contents = {
        "an array of empty records": described(20, 15, 0, 0, most),
        "an array of empty texts": described(20, 18, 0, most),
        "an array of empty arrays": described(20, 20, 10, 0, most),
        "a long text": described(18, 3_000_000, content=b"a" * 3_000_000),
        "a long record": described(15, 0, 400_000, content=gatan.size(0, version) + gatan.size(3, version) * 800_000),
        "a long array": file("Bomb", gatan.array(np.ones(12_000_000, np.uint8), version)),
        "an array longer than the file": described(20, 3, most),
        "more tags than bytes": root.replace(one, b"\1\0" + gatan.size(most, version), 1),
        "groups in groups": deep(2000),
        "an image larger than the file": gatan.file(SMALL, version, shape=(MOST, MOST)),
        "an image of less than nothing": gatan.file(SMALL, version, shape=(0, 40)),
        "an image without sides": gatan.file(SMALL, version, shape=()),
        "pixels beyond the file": gatan.file(SMALL, version, data=gatan.array(SMALL, version, most)),
        "pixels that lead back to their tag": repeated(gatan.file(SMALL, version, data=gatan.array(nothing, version, -tag))),
    }
    return named(f"dm{version}", f".dm{version}", contents)


def npy(described, content=b""):
    """The bytes of a .npy whose header says whatever ``described`` does."""
    header = described.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content


def arrays():
    def header(shape, descr="'<u2'"):
        return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"

    contents = {
        "60 000 squared": npy(header((60_000, 60_000)), SMALL.tobytes()),
        "the largest": npy(header((MOST, MOST)), SMALL.tobytes()),
        "a negative side": npy(header((-1, 40)), SMALL.tobytes()),
        "more axes than numpy has": npy(header((1,) * 63 + SMALL.shape), SMALL.tobytes()),
        "wide elements": npy(header((30, 40), "'|V2147483647'"), SMALL.tobytes()),
        "texts": npy(header((30, 40), "'<U1000'"), SMALL.tobytes()),
        "records": npy(header((30, 20), "[('a', '<u2'), ('b', '<u2')]"), SMALL.tobytes()),
        "records of one colour": npy(header((30, 40), "[('R', '<u2')]"), SMALL.tobytes()),
        "times": npy(header((10, 30), "'<M8[s]'"), SMALL.tobytes()),
        "objects": npy(header((30, 40), "'|O'"), SMALL.tobytes()),
        "values beyond single precision": npy(header((10, 30), "'<f8'"), np.linspace(0, 1e300, 300).tobytes()),
        "values below single precision": npy(header((10, 30), "'<f8'"), np.linspace(0, 1e-300, 300).tobytes()),
        "brackets": npy("(" * 5000),
        "code": npy("__import__('os').system('true')"),
        "an archive": b"PK\5\6" + b"\0" * 18,
    }
    return named("npy", ".npy", contents)


def volumes():
    def stating(*sides, mode=1, extended=0, cell=(8.0, 6.0, 1.0)):
        content = bytearray(mrc(SMALL.astype(np.int16), mode))
        struct.pack_into("<4i", content, 0, *sides, mode)
        struct.pack_into("<3f", content, 40, *cell)
        struct.pack_into("<i", content, 92, extended)
        return bytes(content)

    contents = {
        "60 000 squared": stating(60_000, 60_000, 1),
        "the largest": stating(MOST, MOST, MOST),
        "a negative side": stating(-40, 30, 1),
        "two negative sides": stating(-40, -30, 1),
        "no side": stating(0, 0, 0),
        "a needle": stating(1, 1, MOST),
        "a long header": stating(40, 30, 1, extended=MOST),
        "a header of less than nothing": stating(40, 30, 1, extended=-5000),
        "an unknown mode": stating(40, 30, 1, mode=77),
        "a mode of packed bits": stating(40, 30, 1, mode=101),
        "pixels longer than wide": stating(40, 30, 1, cell=(1e-20, 6.0, 1.0)),
    }
    return named("mrc", ".mrc", contents)
