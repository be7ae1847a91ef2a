"""What a method finds in images, drawn for a network to learn from: no truth is needed."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from atomwork.analysis import defects, drawings

BLOCK = 64  # images between two writes of what has been found


def marks(images, path, *, model="columns", workers=2, progress=True):
    """What a method finds in images, as `drawings.marks`; a call that was killed goes on where it was.

    Parameters
    ----------
    images : (N, H, W) array, intensities [arb.]
    path : of a ``.npz`` file that keeps what has been found; other images' or another method's is written over
    model : see `defects.segment`
    workers : int, processes that share the images
    progress : bool, show a progress bar

    Returns
    -------
    (N, H, W) float16 array, see `drawings.marks`; NaN for images in which the method found no crystal
    """
    images, path = np.asarray(images), Path(path)
    known = hashlib.sha256(model.encode() + str(images.shape).encode() + images.tobytes()).hexdigest()
    found = read(path, known, images.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool, tqdm(total=len(images), initial=len(found), disable=not progress) as bar:
        while len(found) < len(images):
            block = images[len(found) : len(found) + BLOCK]
            new = list(pool.map(partial(of_one, model=model), block, chunksize=4))
            found = np.concatenate([found, np.stack(new).astype(np.float16)])
            write(path, known, found)
            bar.update(len(block))
    return found


def of_one(image, model):
    """The marks (H, W) of one image."""
    with threadpool_limits(1):  # the processes share the cores
        try:
            return drawings.marks(defects.segment(image, model=model))
        except ValueError:  # no lattice, or one of another kind
            return np.full(image.shape, np.nan)


def read(path, known, shape):
    """The marks of the first images in a file, none if it is of others."""
    if path.exists():
        with np.load(path) as kept:
            if str(kept["known"]) == known:
                return kept["marks"]
    return np.empty((0, *shape[1:]), np.float16)


def write(path, known, found):
    """Keep what has been found."""
    partial_path = path.with_suffix(".partial.npz")
    np.savez_compressed(partial_path, known=known, marks=found)
    partial_path.replace(path)
