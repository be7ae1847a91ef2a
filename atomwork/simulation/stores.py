"""Data sets as Zarr stores: drawn in parallel with Dask, block by block, and continued where a killed run stopped.

Every image has a seed of its own and every block of images is one task, one chunk of each array and one marker, which is set
when the chunks are on the disk. So neither the number of workers nor a run that broke off changes a value.
"""

import errno
import hashlib
import json
import operator
import os
import shutil
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import zarr
from distributed import KilledWorker, as_completed
from distributed.comm import CommClosedError
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from atomwork import dask_workers

MARKERS = ".done"  # the folder of the markers, empty files that are there or not, never half there


@dataclass(frozen=True)
class Array:
    """One array of a data set: what it holds of one image."""

    shape: tuple  # (256, 256), (max_columns, 4), or () for a number
    dtype: str  # of a number or a boolean
    axes: str  # for people, with units: "(y, x) intensity [e⁻]"


@dataclass(frozen=True)
class DataSet:
    """What is to be drawn."""

    name: str
    n_images: int
    arrays: dict  # of str to Array
    draw: Callable  # (index, seed_sequence) -> dict of str to array, as `arrays` says; deterministic and picklable
    parameters: dict  # of JSON values: everything besides the seed that the draw depends on
    block: int = 16  # images in a chunk


def write(dataset, path, *, seed, scheduler=None, progress=True):
    """Draw a data set into a Zarr store, or what is still missing there.

    Image k is drawn from ``SeedSequence(seed, spawn_key=(k,))`` and depends on nothing else. A store that is there keeps its
    block. In a script, call it below ``if __name__ == "__main__"``, which the new processes don't run again.

    Parameters
    ----------
    dataset : DataSet
    path : path of the store, a folder
    seed : int, at least 0
    scheduler : str, address of a Dask scheduler whose workers see the same path; None starts a process for each core
    progress : bool, show a progress bar

    Returns
    -------
    zarr.Group : read-only; arrays of shape (n_images, *shape) with their `axes` in the attributes; attributes name, n_images,
        seed, block, parameters, arrays, atomwork (the version), complete

    Raises
    ------
    ValueError : the path holds something else, or a drawn array has another name, shape or dtype
    RuntimeError : an image can't be drawn, or drawing kills the workers
    OSError : the disk is full or can't be written, or the scheduler isn't there; what is done stays and is continued
    """
    path, seed = Path(path).expanduser().absolute(), operator.index(seed)
    with _told(path, dataset):
        stored = _prepare(dataset, path, seed)
        if stored["complete"]:
            return load(path)
        if left := _blocks_left(path, stored):
            _draw_blocks(dataset, path, seed, left, scheduler, progress)
        for leftover in path.rglob("*.partial"):  # of killed runs
            leftover.unlink(missing_ok=True)
        zarr.open_group(path, mode="r+").attrs["complete"] = True
        shutil.rmtree(path / MARKERS)  # last: without them, a store that isn't complete can't be continued
        return load(path)


def load(path):
    """Open a complete store, read-only.

    Raises
    ------
    FileNotFoundError : nothing is there
    ValueError : no store of ours, or one that isn't complete
    """
    path = Path(path).expanduser().absolute()
    if not path.exists():
        raise FileNotFoundError(f"data set {path} does not exist; make it with stores.write.")
    stored = _attributes(path)
    if not stored["complete"]:
        done, seed = _images_done(path), stored["seed"]
        raise ValueError(f"{path} holds {done} of {stored['n_images']} images; stores.write with seed={seed} continues it.")
    group = zarr.open_group(path, mode="r")
    for name in stored["arrays"]:  # Zarr would give zeros for a chunk that a copy left out
        if missing := group[name].nchunks - group[name].nchunks_initialized:
            raise ValueError(f"{path} lacks {missing} of {group[name].nchunks} chunks of {name!r}; copy it again or delete it.")
    return group


def digest(path):
    """SHA-256 over names, shapes, dtypes and values of all arrays of a complete store, in hexadecimal."""
    group, total = load(path), hashlib.sha256()
    for name in sorted(group.attrs["arrays"]):
        array = group[name]
        total.update(json.dumps([name, array.shape, array.dtype.str]).encode())
        for first in range(0, array.shape[0], array.chunks[0]):
            total.update(array[first : first + array.chunks[0]].tobytes())
    return total.hexdigest()


def pad(rows, length, what):
    """Rows of a table that has another length in every image, filled up with NaN.

    Parameters
    ----------
    rows : (n, ...) array, n <= length
    length : int
    what : str, the rows' name in the error

    Returns
    -------
    (length, ...) float32 array

    Raises
    ------
    ValueError : more rows than length
    """
    rows = np.asarray(rows, np.float32)
    if len(rows) > length:
        raise ValueError(f"{len(rows)} {what} exceed the {length} that the data set has room for; raise its length.")
    padded = np.full((length, *rows.shape[1:]), np.nan, np.float32)
    padded[: len(rows)] = rows
    return padded


def _prepare(dataset, path, seed):
    """Attributes of the store, which is laid out if nothing is there and refused if it is of something else."""
    arrays = {name: asdict(array) for name, array in dataset.arrays.items()}
    wanted = {"name": dataset.name, "n_images": dataset.n_images, "seed": seed, "parameters": dataset.parameters}
    wanted = json.loads(json.dumps({**wanted, "arrays": arrays, "atomwork": version("atomwork")}, allow_nan=False))
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        _lay_out(path, {**wanted, "block": dataset.block, "complete": False})
    stored = _attributes(path)
    if stored["complete"]:  # another version may read a store, but not go on drawing it
        del wanted["atomwork"]
    if different := _difference({key: stored[key] for key in wanted}, wanted):
        what, theirs, ours = different
        raise ValueError(f"{path} is a data set with {what}={theirs!r}, not {ours!r}; choose another path or delete it.")
    return stored


def _difference(theirs, ours, prefix=""):
    """Name and both values of the first entry that differs; None if none does."""
    for key in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(key), ours.get(key)
        if one != other and isinstance(one, dict) and isinstance(other, dict):
            return _difference(one, other, f"{prefix}{key}.")
        if one != other:
            return prefix + key, one, other
    return None


def _lay_out(path, attributes):
    """An empty store, made beside its path and renamed, so that it is there as a whole or not at all."""
    beside = path.with_name(f".{path.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.create_group(beside, zarr_format=3, attributes=attributes)
    n_images, block = attributes["n_images"], attributes["block"]
    for name, array in attributes["arrays"].items():
        shape, chunks, axes = (n_images, *array["shape"]), (block, *array["shape"]), {"axes": array["axes"]}
        group.create_array(name, shape=shape, chunks=chunks, dtype=array["dtype"], attributes=axes)
    (beside / MARKERS).mkdir()
    os.replace(beside, path)


def _attributes(path):
    try:
        attributes = dict(zarr.open_group(path, mode="r", zarr_format=3).attrs)
    except (ValueError, FileNotFoundError, NotADirectoryError):
        attributes = {}
    if not {"name", "n_images", "seed", "parameters", "arrays", "atomwork", "block", "complete"} <= attributes.keys():
        raise ValueError(f"{path} is no data set of atomwork; choose another path.")
    return attributes


def _blocks_left(path, stored):
    """Images of the blocks without a marker, by the block's number."""
    n_images, block = stored["n_images"], stored["block"]
    done = {int(marker.name) for marker in (path / MARKERS).iterdir()}
    blocks = {k: range(first, min(first + block, n_images)) for k, first in enumerate(range(0, n_images, block))}
    return {k: images for k, images in blocks.items() if k not in done}


def _images_done(path):
    stored = _attributes(path)
    return stored["n_images"] - sum(map(len, _blocks_left(path, stored).values()))


def _draw_blocks(dataset, path, seed, left, scheduler, progress):
    """Draw blocks on the workers of a scheduler; also a single one, which costs 2-4 s and saves a second way to trust."""
    done = dataset.n_images - sum(map(len, left.values()))
    bar = tqdm(total=dataset.n_images, initial=done, desc=dataset.name, unit="image", disable=not progress)
    workers = dask_workers.local(len(left)) if scheduler is None else nullcontext(scheduler)
    with bar, workers as cluster, dask_workers.client_of(cluster) as client:
        task = partial(_draw_block, dataset, path, seed)
        # not pure: a task is what it writes, so that no result of an earlier one may stand for it
        for future in as_completed(client.map(task, left.keys(), left.values(), pure=False)):
            bar.update(future.result())


@contextmanager
def _told(path, dataset):
    """Say in one sentence what failed: the disk, the workers or their scheduler."""
    try:
        yield
    except ConnectionError:
        raise
    except (CancelledError, CommClosedError) as error:
        raise ConnectionError("the Dask scheduler was lost; start one and write again, which continues.") from error
    except OSError as error:
        done = _images_done(path) if (path / MARKERS).exists() else 0
        remedy = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "let every worker write there"
        what = f"{path} can't be written ({error.strerror or error}) and holds {done} of {dataset.n_images} images safely"
        raise OSError(f"{what}; {remedy} and write again, which continues.") from None
    except KilledWorker as error:
        what = f"drawing {dataset.name!r} kills its workers, perhaps for memory"
        raise RuntimeError(f"{what}; give them more, or delete {path} and take a smaller block.") from error


def _draw_block(dataset, path, seed, number, images):
    """Draw the images of a block, write its chunk of every array, and only then set its marker."""
    with threadpool_limits(1):  # one core each; and sums then don't depend on how many threads share them
        drawn = [_drawn(dataset, k, np.random.SeedSequence(seed, spawn_key=(k,))) for k in images]
    for name in dataset.arrays:
        # `load` counts the chunks, so that those of zeros have to be written too
        array = zarr.open_array(path / name, mode="r+").with_config({"write_empty_chunks": True})
        array[images.start : images.stop] = np.stack([image[name] for image in drawn])
        chunk = array.metadata.encode_chunk_key((number, *[0] * (array.ndim - 1)))
        with open(path / name / chunk, "rb") as file:
            os.fsync(file.fileno())  # when the power fails, no marker may outlive its data
    (path / MARKERS / str(number)).touch()
    return len(images)


def _drawn(dataset, index, sequence):
    """One image, as its data set describes it."""
    what = f"image {index} of {dataset.name!r}"
    try:
        drawn = {name: np.asarray(values) for name, values in dataset.draw(index, sequence).items()}
    except Exception as error:
        failure = RuntimeError(f"{what} can't be drawn ({type(error).__name__}: {error}); what is done stays.")
        failure.add_note(traceback.format_exc())  # an exception of a strange class would not come through Dask whole
        raise failure from None
    if drawn.keys() != dataset.arrays.keys():
        raise ValueError(f"{what} is drawn with the arrays {list(drawn)}, not {list(dataset.arrays)}; draw those.")
    return {name: _fitting(drawn[name], array, f"{name!r} of {what}") for name, array in dataset.arrays.items()}


def _fitting(values, array, what):
    """Values in an array's dtype; refused if it changes more than their last digits."""
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if values.shape != shape:
        raise ValueError(f"array {what} has shape {values.shape}, not {shape}; draw that shape.")
    if np.can_cast(values.dtype, dtype, "same_kind"):
        with np.errstate(over="ignore", under="ignore"):
            stored = values.astype(dtype)
        kept = np.isfinite(stored) == np.isfinite(values) if dtype.kind in "fc" else stored == values
        if np.all(kept):
            return stored
    raise ValueError(f"array {what} has dtype {values.dtype}, whose values {dtype} can't hold; draw {dtype}.")
