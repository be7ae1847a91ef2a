"""What a file states of itself, held against what it holds before a reader allocates and repeats whatever it is told."""

import math
import mmap
import re
import struct
import warnings
from importlib.util import find_spec

import h5py
import rsciio
from hyperspy.extensions import ALL_EXTENSIONS
from PIL import Image
from tifffile import TiffFile

LARGEST, SIDE = 10**8, 2**24  # pixels of one image, and along one axis
WHOLE = 2**28  # bytes up to which a file is read whole, and not only the frame that is asked for
SEARCHED = 2**25  # bytes at either end of an HDF5 file; 10 ms
HEAP = re.compile(rb"GCOL\x01...(.{8})", re.DOTALL)  # of texts in an HDF5 file, and its length
AXIS, SIGNAL = re.compile("/axis-[^/]*$"), re.compile("^/Experiments/[^/]*$|/_sig_[^/]*$")  # in HyperSpy's layout
DEPTH, ENTRIES = 64, 2**13  # groups within groups, and all that lies in them; each takes 0.1 ms
PAGES, PIECES = 2**16, 2**17  # of a tif; chunks of an HDF5 dataset, each of which is looked for
STEPS = 2**21  # numbers and letters among Gatan's tags, which are read one by one; 2 s
NUMBERS = dict(zip(range(2, 13), "hiHIfdBbbqQ", strict=True))  # what Gatan's tags hold
RECORD, TEXT, ARRAY = 15, 18, 20  # likewise; ARRAY stands for a group, too
PIXELS = {1: 2, 2: 4, 3: 8, 5: 4, 6: 1, 7: 4, 8: 4, 9: 1, 10: 2, 11: 4, 12: 8, 13: 16, 14: 1, 23: 4, 27: 4, 28: 8}  # bytes
COMPRESSIONS = ("NONE", "LZW", "JPEG", "DEFLATE", "ADOBE_DEFLATE", "PACKBITS", "LZMA", "ZSTD")  # of a tif
RASTERS = ("PNG", "BMP", "DIB", "GIF", "JPEG", "MPO", "WEBP", "PPM", "PCX", "MSP", "XBM", "SPIDER")


def stated(path):
    """Bytes that the stacks in a file take by its own account, or its images where those take too many; 0 for an unknown kind.

    A ValueError, which doesn't name the file, tells where it states more than it holds or than reading may take.
    """
    ending = path.suffix.lower()[1:]
    if ending == "nc":
        raise ValueError("netCDF is read by running text of the file as code")
    looks = {"dm3": gatan, "dm4": gatan, "mrc": volume, "ali": volume, "tif": pages, "tiff": pages}
    readers = {plugin["name"] for plugin in rsciio.IO_PLUGINS if ending in plugin["file_extensions"]}
    images = looks.get(ending, picture if readers <= {"Image"} else hierarchy)(path)
    single = sum(size for shape, size in images if flat(shape))
    return sum(size for _, size in images) - (single if single <= 8 * LARGEST else 0)


def flat(shape):
    """Whether it is the shape of one image at most."""
    return len([side for side in shape if side > 1]) <= 2


def within(shape, size, held):
    """Refuse an image of ``size`` bytes in a file that ``held`` fewer, or of more pixels than can be held."""
    states = f"it states {' × '.join(map(str, shape)) or 'some'} pixels"
    if not 0 <= size <= held or min(shape, default=1) < 0:
        raise ValueError(f"{states} in a file of {held} bytes")
    if max(shape, default=1) > SIDE or (flat(shape) and math.prod(shape) > LARGEST):
        raise ValueError(f"{states}, more than {LARGEST}, or than {SIDE} on a side")


def volume(path):
    """Shape and bytes of the image or stack in an mrc file, in a list."""
    with path.open("rb") as file:
        *shape, mode, extended = struct.unpack("<4i76xi", file.read(96))
    size = {1: 2, 2: 4, 4: 8, 6: 2, 12: 2}.get(mode, 1) * math.prod(shape)
    within(shape, 1024 + extended + size if extended >= 0 else -1, path.stat().st_size)
    return [(shape, size)]


def picture(path):
    """Nothing, as a picture is read whole; of the kinds that Pillow finds out by itself, it runs other programs for some."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=RASTERS) as image:
            shape = getattr(image, "n_frames", 1), *image.size[::-1]
            within((math.prod(shape[:-1]), shape[-1]), 0, 0)
            if image.format == "PNG":
                chunks(path)
    return []


def chunks(path):
    """Walk the chunks of a png to its end."""
    with path.open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8 and header[4:] != b"IEND":
            if file.seek(int.from_bytes(header[:4]) + 4, 1) > path.stat().st_size:
                raise ValueError("one of its chunks ends beyond the file")


def pages(path):
    """Shape and bytes of every series of a tif file, in a list."""
    directories(path)
    held, images = path.stat().st_size, []
    with TiffFile(path) as tiff:
        for series in tiff.series:
            shape = series.shape[:-1] if series.shape[-1] in (3, 4) else series.shape  # colours
            size = series.dtype.itemsize * math.prod(series.shape)
            within(shape, 0 if series.dataoffset is None else series.dataoffset + size, held)
            images.append((shape, size))
            for page in series if size <= WHOLE else series[:1]:
                strips(page, held)
    return images


def strips(page, held):
    """Refuse a page of a tif whose strips or tiles are larger than its file, or than a page may be, or compressed as no
    microscope does: decoders of such have known holes, see docs/security.md."""
    name = getattr(page.compression, "name", page.compression) if page else "NONE"
    if name not in COMPRESSIONS:
        raise ValueError(f"its pixels are compressed by {name}, and not by deflate, LZW, Zstandard, LZMA, PackBits or JPEG")
    largest = max(page.databytecounts, default=0) if page else 0
    if largest > held or (page and math.prod(page.chunks) > 4 * LARGEST):
        raise ValueError(f"it states pieces of {page.chunks} pixels or {largest} bytes in a file of {held} bytes")


def directories(path):
    """Follow the pages of a tif, which a damaged file may chain to a loop, as far as they lie in the file."""
    held, seen = path.stat().st_size, set()
    with path.open("rb") as file:
        form = {b"II*\0": "<I", b"MM\0*": ">I", b"II+\0": "<4xQ", b"MM\0+": ">4xQ"}.get(file.read(4), "")
        long = form.endswith("Q")
        at = struct.unpack(form, file.read(struct.calcsize(form)))[0] if form and held > 16 else 0
        while 0 < at < held - 8:
            if at in seen or len(seen) == PAGES:
                raise ValueError(f"its pages loop after {len(seen)}" if at in seen else f"it holds more than {PAGES} pages")
            seen.add(at)
            file.seek(at)
            [entries] = struct.unpack(form[0] + "HQ"[long], file.read(2 + 6 * long))
            file.seek((12 + 8 * long) * min(entries, 4096), 1)
            [at] = struct.unpack(form[0] + "IQ"[long], file.read(4 + 4 * long).ljust(4 + 4 * long, b"\0"))


def hierarchy(path):
    """Shape and bytes of every dataset of an HDF5 file, in a list."""
    if not h5py.is_hdf5(path):
        return []
    heaps(path)
    held, images, entries = path.stat().st_size, [], 0
    with h5py.File(path) as file:
        groups = [(file, 0)]
        while groups:
            group, depth = groups.pop()
            attributes(group)
            for name in group:
                entries += 1
                if entries > ENTRIES or depth > DEPTH:
                    raise ValueError(f"it holds more than {ENTRIES} entries or {DEPTH} groups within each other")
                if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                    raise ValueError(f"its entry {name} lies in another file")
                item = group.get(name)
                if isinstance(item, h5py.Group):
                    groups.append((item, depth + 1))
                elif isinstance(item, h5py.Dataset):
                    attributes(item)
                    images.append((item.shape or (), dataset(item, held)))
    return images


def attributes(item):
    """Look at the attributes of a group or dataset of an HDF5 file."""
    for position in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=position)
        element(attribute, item)
        if attribute.name == b"size" and AXIS.search(item.name) and not item.attrs["size"] < SIDE:
            raise ValueError(f"the size of its axis {item.name} is {item.attrs['size']}")
        if attribute.name == b"package" and SIGNAL.search(item.name):
            extension(item.attrs["package"])


def extension(package):
    """Refuse to import what isn't made for HyperSpy, which imports whatever package a file names."""
    known = {"", *(signal["module"].partition(".")[0] for signal in ALL_EXTENSIONS["signals"].values())}
    if (root := str(package).partition(".")[0]) not in known and find_spec(root) is not None:
        raise ValueError(f"it asks for {package} to be imported, which is no extension of HyperSpy")


def element(entry, item):
    """Refuse a type of variable length that is neither text nor sequence, which ends whoever reads the entry."""
    encoded = entry.get_type().encode()
    if encoded[2] % 16 == h5py.h5t.VLEN and encoded[3] % 16 > 1:
        raise ValueError(f"a type in its entry {item.name} is damaged")


def heaps(path):
    """Walk the texts of an HDF5 file, before or behind its pixels: where a gap is empty, the library never gets on."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for begin, stop in ((0, SEARCHED), (max(SEARCHED, len(content) - SEARCHED), len(content))):
            for heap in HEAP.finditer(content, begin, stop):
                entry, end = heap.end(), heap.start() + int.from_bytes(heap[1], "little")
                while end <= len(content) and entry + 16 <= end:
                    number, taken = struct.unpack_from("<H6xQ", content, entry)
                    step = taken if number == 0 else 16 + -(-taken // 8) * 8
                    if step == 0 or entry + step > end:
                        raise ValueError(f"its texts are damaged at byte {entry}")
                    entry += step


def texts(item, held):
    """Look at the lengths of texts in a dataset of HDF5, for which the library takes memory before it looks for them."""
    for chunk in map(item.id.get_chunk_info, range(item.id.get_num_chunks())):
        raw = item.id.read_direct_chunk(chunk.chunk_offset)[1] if chunk.size == 16 * math.prod(item.chunks) <= held else b""
        if any(length > held for (length,) in struct.iter_unpack("<I12x", raw)):
            raise ValueError(f"its entry {item.name} refers to a text longer than the file")


def dataset(item, held):
    """Bytes of an HDF5 dataset in memory, given those that its file ``held``."""
    if item.is_virtual or item.external:
        raise ValueError(f"its entry {item.name} lies in another file")
    element(item.id, item)
    size = item.dtype.itemsize * math.prod(item.shape or ())
    within(item.shape or (), 0 if item.chunks else size, held)
    if item.chunks:
        pieces = math.prod(-(-side // of) for side, of in zip(item.shape, item.chunks, strict=True))
        piece = item.dtype.itemsize * math.prod(item.chunks)
        if pieces > PIECES or piece > 8 * LARGEST:
            raise ValueError(f"its entry {item.name} is stored in {pieces} pieces of {piece} bytes")
    if item.chunks and item.dtype.kind == "O" and item.id.get_create_plist().get_nfilters() == 0:
        texts(item, held)
    if size > 2 * LARGEST and not (item.name.rsplit("/")[-1].lower().startswith("data") and item.dtype.kind in "biufcV"):
        raise ValueError(f"its entry {item.name} takes {size} bytes, and isn't the image")
    return size


def gatan(path):
    """Shape and bytes of every image in a dm3 or dm4 file, in a list."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        tags = Tags(content)
        try:
            tags.group("")
        except (struct.error, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its tags are damaged before byte {tags.at} of {len(content)}") from error
    return tags.images


class Tags:
    """The tags of a dm3 or dm4 file, passed over rather than read; ``images`` are their shapes and bytes."""

    def __init__(self, content):
        self.content, self.at, self.steps, self.images = content, 0, 0, []
        self.length, self.gap = (">i", 0) if self.number(">i") == 3 else (">q", 8)
        self.number(self.length)
        self.order = "<" if self.number(">i") else ">"

    def number(self, form):
        [value] = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return value

    def passed(self, size, steps):
        """Go on by ``size`` bytes, which take a reader so many ``steps``."""
        self.steps += steps
        self.at += size
        if size < 0 or self.at > len(self.content) or self.steps > STEPS:
            raise ValueError(f"its tags state more than the {len(self.content)} bytes of the file, or than {STEPS} numbers")

    def group(self, name, depth=0):
        """The numbers of a group by name, its tags passed over."""
        self.passed(2 + (self.gap if depth else 0), 0)
        found = {}
        for position in range(self.number(self.length)):
            kind, letters = self.number(">b"), self.number(">h")
            label = self.content[self.at : self.at + letters].decode("latin-1").replace(".", "") or position
            self.passed(letters, 32)
            found[label] = self.group(label, depth + 1) if kind == ARRAY else self.data((name, label) == ("ImageData", "Data"))
        if name == "ImageData":
            self.image(found)
        return found

    def data(self, pixels):
        """The number in a tag, or how many it holds; a reader takes ``pixels`` at once, others one by one."""
        self.passed(self.gap + 4, 0)
        parts, kind = self.number(self.length), self.number(self.length)
        inner = self.number(self.length) if kind == ARRAY else kind
        described = {TEXT: 2, RECORD: 4}.get(inner, 1) + 2 * (kind == ARRAY)  # by so many numbers, or more
        if min(parts, 4) != min(described, 4) or (pixels and inner == TEXT):
            raise KeyError(inner)
        if parts == 1:
            return self.number(self.order + NUMBERS[kind])
        size, steps = self.element(inner)
        count = self.number(self.length) if kind == ARRAY else 1
        self.passed(count * size if count >= 0 else -1, 0 if pixels else count * max(1, steps))
        return count

    def element(self, kind):
        """Bytes and steps of one number, text or record, which are put together letter by letter and field by field."""
        if kind in NUMBERS:
            return struct.calcsize(f"={NUMBERS[kind]}"), 1
        length = self.number(self.length)
        if kind == TEXT:
            return length, length + length**2 // 4096
        fields, size = self.number(self.length), 0
        self.passed(0, fields + fields**2 // 4096)
        for _ in range(fields):
            _, field = self.number(self.length), self.number(self.length)
            size += struct.calcsize(f"={NUMBERS[field]}")
        return size, fields

    def image(self, tags):
        """Hold the pixels that a group of tags describes against the file."""
        shape = tuple(tags.get("Dimensions", {}).values())[::-1]
        size = tags.get("Data", 0) * PIXELS.get(tags.get("DataType"), 16)
        within(shape, max(size, math.prod(shape)) if min(shape, default=1) > 0 else -1, len(self.content))
        self.images.append((shape, size))
