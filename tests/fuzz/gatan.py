"""Gatan's dm3 and dm4, written tag by tag, so that a test can state in one whatever it likes."""

import struct

import numpy as np

CODES = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7, "u1": 10}  # of an element of an array
DATA_TYPES = {"int16": 1, "float32": 2, "uint8": 6, "int32": 7, "uint16": 10, "uint32": 11, "float64": 12}  # of an image


def size(number, version):
    """A length as dm3 (4 bytes) or dm4 (8 bytes) writes it."""
    return struct.pack(">i" if version == 3 else ">q", number)


def group(tags, version):
    """The bytes of a group of ``tags``, a list of (name, content)."""
    return b"\1\0" + size(len(tags), version) + b"".join(tag(name, content, version) for name, content in tags)


def tag(name, content, version):
    """The bytes of one tag: a group where ``content`` is a list, else the bytes that `array` and its like give."""
    code, body = (b"\x14", group(content, version)) if isinstance(content, list) else (b"\x15", content)
    length = size(len(body), version) if version == 4 else b""
    return code + struct.pack(">h", len(name)) + name.encode() + length + body


def info(version, *numbers):
    """How a tag begins to describe its content."""
    return b"%%%%" + b"".join(size(number, version) for number in (len(numbers), *numbers))


def value(number, version, kind="i4"):
    """The content of a tag that holds one number."""
    return info(version, CODES[kind]) + np.array(number, f"<{kind}").tobytes()


def array(numbers, version, stated=None):
    """The content of a tag that holds an array, little-endian, whose length it may state wrongly."""
    numbers = np.ascontiguousarray(numbers)
    length = numbers.size if stated is None else stated
    return info(version, 20, CODES[numbers.dtype.str[1:]], length) + numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()


def text(string, version):
    """The content of a tag that holds a text."""
    return array(np.frombuffer(string.encode("utf-16-le"), "<u2"), version)


def file(image, version=3, extra=(), shape=None, data=None):
    """The bytes of a file of one image, 0.02 nm per pixel.

    ``shape`` and ``data`` put something else where its sides and its pixels stand, ``extra`` adds tags at the root.
    """
    dimension = [("Origin", value(0, version, "f4")), ("Scale", value(0.02, version, "f4")), ("Units", text("nm", version))]
    brightness = [("Origin", value(0, version, "f4")), ("Scale", value(1, version, "f4")), ("Units", text("e", version))]
    pixels = [
        ("Calibrations", [("Brightness", brightness), ("Dimension", [("", dimension)] * image.ndim)]),
        ("Data", array(image, version) if data is None else data),
        ("DataType", value(DATA_TYPES[image.dtype.name], version)),
        ("Dimensions", [("", value(side, version, "u4")) for side in (image.shape if shape is None else shape)[::-1]]),
        ("PixelDepth", value(image.itemsize, version)),
    ]
    tags = [("ImageList", [("", [("ImageData", pixels), ("ImageTags", []), ("Name", text("grid", version))])]), *extra]
    body = group(tags, version)
    length = len(body) if version == 3 else len(body) + 8
    return struct.pack(">i", version) + size(length, version) + struct.pack(">i", 1) + body + b"\0" * 8
