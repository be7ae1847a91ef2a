"""Of a stack too large to be read whole, the frame that is asked for is read alone."""

import gc
import math
import sys
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import tifffile

from atomwork import micrograph, reading
from tests.fuzz.hierarchies import berkeley, hyperspy
from tests.fuzz.runs import Worker
from tests.fuzz.seeds import mrc, sound

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the mrc reader leaves that to Python
FRAMES, SIDE, ASKED = 2100, 1024, 1234
STACKS = ["dm3 stack", "dm4 stack", "velox stack.emd", "berkeley stack.emd", "stack.hspy", "pages.tiff", "deflated pages.tiff",
          "imagej stack.tiff", "mrc stack", "stack.npy", "imagej hyperstack.tiff", "deflated hyperstack.tiff", "series.hspy",
          "series.npy"]  # fmt: skip


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return {seed.name: seed for seed in sound(tmp_path_factory.mktemp("sound"))}


def told(metadata):
    """Metadata without the time of reading."""
    return {key: value for key, value in metadata.get("General", {}).items() if key != "FileIO"} | {
        "Signal": metadata.get("Signal")
    }


@pytest.mark.parametrize("name", STACKS)
def test_a_frame_is_the_same_read_alone(tmp_path, monkeypatch, seeds, name):
    path = tmp_path / f"stack{seeds[name].ending}"
    path.write_bytes(seeds[name].content)
    shape = micrograph.read(path)[0].shape
    count = math.prod(shape[:-2])
    whole = [micrograph.load(path, frame=frame) for frame in range(count)]
    monkeypatch.setattr(reading, "WHOLE", 4000)  # bytes: a frame takes as many
    for frame in (*range(count), -1, -count):
        alone = micrograph.load(path, frame=frame)
        assert np.array_equal(alone.image, whole[frame].image)
        assert alone.pixel_size == whole[frame].pixel_size
        assert told(alone.metadata) == told(whole[frame].metadata)
    with pytest.raises(ValueError, match=f"choose one with frame=0…{count - 1}"):
        micrograph.load(path)
    with pytest.raises(ValueError, match=f"frame={count} is outside .* {count} frames"):
        micrograph.load(path, frame=count)
    assert micrograph.read(path)[0].shape == shape == (*((2, 3) if count == 6 else (3,)), *whole[0].image.shape)
    gc.collect()
    assert path not in {Path(file.path) for file in psutil.Process().open_files()}


def sparse(path, header, image):
    """A file of `FRAMES` frames behind a header, all of them holes but the one asked for."""
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + FRAMES * image.nbytes)
        file.seek(len(header) + ASKED * image.nbytes)
        file.write(image.tobytes())


def write_mrc(path, image):
    header = bytearray(mrc(image, 6)[:1024])
    header[8:12] = FRAMES.to_bytes(4, "little")
    sparse(path, bytes(header), image)


def write_npy(path, image):
    np.lib.format.open_memmap(path, "w+", image.dtype, (FRAMES, *image.shape))[ASKED] = image


def write_tif(path, image):
    tifffile.memmap(path, shape=(FRAMES, *image.shape), dtype=image.dtype, bigtiff=True)[ASKED] = image


def write_hspy(path, image):
    hyperspy(path, shape=(FRAMES, *image.shape), chunks=(1, *image.shape))
    with h5py.File(path, "a") as file:
        file["Experiments/grid/data"][ASKED] = image
        file["Experiments/grid/axis-0"].attrs["navigate"] = True


def write_emd(path, image):
    berkeley(path, shape=(*image.shape, FRAMES), chunks=(*image.shape, 1))
    with h5py.File(path, "a") as file:
        file["signals/grid/data"][..., ASKED] = image.T


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and measured as on Linux")
@pytest.mark.parametrize("write", [write_mrc, write_npy, write_tif, write_hspy, write_emd], ids=lambda write: write.__name__)
def test_a_frame_of_a_stack_larger_than_the_memory(tmp_path, seeds, rng, write):
    image = rng.integers(0, 60_000, (SIDE, SIDE), dtype=np.uint16)
    assert FRAMES * image.nbytes > 2 * 2**30  # what the worker may take
    path = tmp_path / f"large.{write.__name__.removeprefix('write_')}"
    write(path, image)
    assert np.array_equal(micrograph.load(path, frame=ASKED).image, image)
    with Worker(tmp_path, seeds.values()) as worker:
        answer = worker.load(Path(path), ASKED)
    assert answer.error is None
    assert answer.grown < 2**26  # bytes; the frame takes 2**21, and half as much again as float32


def test_arrays_among_the_metadata_are_read_before_the_file_is_closed(tmp_path, monkeypatch):
    stack = np.arange(3600, dtype=np.uint16).reshape(3, 30, 40)
    hyperspy(tmp_path / "stack.hspy", lambda metadata: metadata.create_dataset("dwell_times", data=np.arange(5.0), chunks=(5,)))
    with h5py.File(tmp_path / "stack.hspy", "a") as file:
        del file["Experiments/grid/data"]
        file["Experiments/grid"].create_dataset("data", data=stack, chunks=(1, 30, 40))
        file.copy("Experiments/grid/axis-1", "Experiments/grid/axis-2")
    monkeypatch.setattr(reading, "WHOLE", 4000)
    assert micrograph.load(tmp_path / "stack.hspy", frame=1).metadata["dwell_times"].tolist() == [0, 1, 2, 3, 4]


def test_a_frame_in_too_many_pieces_is_refused(tmp_path, monkeypatch):
    hyperspy(tmp_path / "pieces.hspy", shape=(3, 70, 70), chunks=(1, 1, 1))
    monkeypatch.setattr(reading, "WHOLE", 4000)
    with pytest.raises(ValueError, match="stored in 4900 pieces, more than 4096"):
        micrograph.load(tmp_path / "pieces.hspy", frame=1)
