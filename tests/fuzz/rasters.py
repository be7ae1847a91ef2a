"""Pictures and tifs that state more than they hold."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

from tests.fuzz.seeds import SMALL, Seed, written

MOST = 2**31 - 1


def rasters(folder):
    """All of them, as a list of Seed."""
    kinds = {".tif": tiffs(), ".png": pngs(), ".bmp": bitmaps(), ".gif": gifs()}
    found = [
        Seed(f"bomb {ending}: {name}", ending, content) for ending, kind in kinds.items() for name, content in kind.items()
    ]
    return [*found, written(folder, "bomb zeros.tif", zeros)]


def tiff(*pictures, **how):
    whole = io.BytesIO()
    with tifffile.TiffWriter(whole) as writer:
        for picture in pictures:
            writer.write(picture, metadata=None, photometric="minisblack", **how)
    return whole.getvalue()


def entries(content):
    """Where the entries of the first page of a little-endian tif lie, by the numbers of their tags, and what follows them."""
    at = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, at)[0]
    return {struct.unpack_from("<H", content, at + 2 + 12 * k)[0]: at + 2 + 12 * k for k in range(count)}, at + 2 + 12 * count


def tiffs():
    plain, tiled, deflated = tiff(SMALL), tiff(SMALL, tile=(16, 16)), tiff(SMALL, compression="zlib")

    def stating(content=plain, **changed):
        new, (places, _) = bytearray(content), entries(content)
        for name, number in changed.items():
            struct.pack_into("<HII", new, places[tifffile.TIFF.TAGS[name]] + 2, 4, 1, number)
        return bytes(new)

    def counted(name, count):
        new, (places, _) = bytearray(plain), entries(plain)
        struct.pack_into("<I", new, places[tifffile.TIFF.TAGS[name]] + 4, count)
        return bytes(new)

    return {
        "an image larger than the file": stating(ImageWidth=60_000, ImageLength=60_000, RowsPerStrip=60_000),
        "the largest image": stating(ImageWidth=2**32 - 1, ImageLength=2**32 - 1),
        "deflated to nothing": stating(deflated, ImageWidth=60_000, ImageLength=60_000, RowsPerStrip=60_000),
        "a row per strip": stating(ImageWidth=40, ImageLength=2**31, RowsPerStrip=1),
        "many channels": stating(SamplesPerPixel=65_535),
        "wide pixels": stating(BitsPerSample=65_535),
        "large tiles": stating(tiled, TileWidth=2**31 - 16, TileLength=2**31 - 16),
        "a large strip": stating(deflated, StripByteCounts=2**32 - 1),
        "many strips": counted("StripOffsets", 2**32 - 1),
        "many strip sizes": counted("StripByteCounts", 2**30),
        "many images": tiff(SMALL, description=f"ImageJ=1.54f\nimages={MOST}\nslices={MOST}\n"),
        "a page that follows itself": looped(1),
        "pages that follow each other": looped(150),
    }


def looped(pages):
    """A tif of so many pages, behind the last of which comes the last but 30th."""
    content = bytearray(tiff(*[SMALL[:2, :2]] * pages))
    at, offsets = 4, []
    while follows := struct.unpack_from("<I", content, at)[0]:
        offsets.append(follows)
        at = follows + 2 + 12 * struct.unpack_from("<H", content, follows)[0]
    struct.pack_into("<I", content, at, offsets[-30:][0])
    return bytes(content)


def zeros(path):
    """An image of 20 000 squared that takes little space."""
    strips = iter([zlib.compress(bytes(1000 * 20_000))] * 20)
    tifffile.imwrite(path, strips, shape=(20_000, 20_000), dtype=np.uint8, rowsperstrip=1000, compression="zlib")


def chunk(kind, content, length=None):
    length = len(content) if length is None else length
    return struct.pack(">I", length) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth=8, colour=0, pixels=b"", *more, length=None):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels, length), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pngs():
    nothing, some = zlib.compress(b""), zlib.compress(b"\0" * 41 * 30)
    page = io.BytesIO()
    Image.fromarray(np.zeros((30, 40), np.uint8)).convert("RGB").save(page, "EPS")
    return {
        "60 000 squared": png(60_000, 60_000, pixels=nothing),
        "the largest": png(MOST, MOST, 16, 6, nothing),
        "16 000 squared in colour": png(16_000, 16_000, 16, 2, nothing),
        "96 million": png(12_000, 8000, pixels=zlib.compress(bytes(12_001 * 8000), 1)),
        "one row": png(MOST, 1, pixels=nothing),
        "many frames": png(40, 30, 8, 0, some, chunk(b"acTL", struct.pack(">II", MOST, 0))),
        "frames of zeros": animated(9000, 40),
        "a comment": png(40, 30, 8, 0, some, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 100_000_000))),
        "a chunk longer than the file": png(40, 30, 8, 0, some, length=2**32 - 1),
        "zeros": png(12_000, 12_000, 8, 0, zlib.compress(b"\0" * 12_001 * 12_000, 1)),
        "a page for a printer": page.getvalue(),
        "a brush": struct.pack(">IIIII4sI", 2**31, 2, 2, 2, 1, b"GIMP", 1),
    }


def animated(side, frames):
    """A png of so many frames of zeros."""
    zeros = zlib.compress(bytes((side + 1) * side), 1)
    parts, number = [chunk(b"acTL", struct.pack(">II", frames, 0))], 0
    for frame in range(frames):
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 1, 0, 0)))
        number += 1
        if frame:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + zeros))
            number += 1
    return png(side, side, 8, 0, zeros, *parts[:2]).removesuffix(chunk(b"IEND", b"")) + b"".join(
        [*parts[2:], chunk(b"IEND", b"")]
    )


def bitmaps():
    header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 1078, 0, 1078, 40, 60_000, 60_000, 1, 8, 0, 0, 1, 1, 256, 0)
    return {"60 000 squared": header + b"\0" * 1024}


def gifs():
    size = struct.pack("<HH", 60_000, 60_000)
    return {"60 000 squared": b"GIF89a" + size + b"\0\0\0,\0\0\0\0" + size + b"\0\2\0;"}
