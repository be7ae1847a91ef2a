"""Several ways of finding defects, on the same images with truth."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from atomwork.analysis import confidence, defect_scores, defects
from atomwork.simulation import stores

PARTS = ("image", "columns", "defects", "front", "settings")
CONFUSION = ("whole_whole", "whole_odd", "odd_whole", "odd_odd")  # sites, true_found


def compare(path, methods, *, images=None, magnifications=(1.0,), workers=2, progress=True):
    """Score methods on images of a data set of the recipe ``atomgan``.

    Parameters
    ----------
    path : of the data set
    methods : sequence of str, see ``model`` of `defects.segment`
    images : sequence of int, which of its images; its test images if None
    magnifications : sequence of float, pixels along either axis that an image is brought to, over those that it has [-]
    workers : int, processes that share them
    progress : bool, show a progress bar

    Returns
    -------
    DataFrame : one row for each image, method and magnification with `defect_scores.Scores`, the confusion as
        ``whole_whole``, ``whole_odd``, ``odd_whole`` and ``odd_odd`` (true_found), and the image's ``alpha`` and
        ``pixel_size`` [Å] before it was magnified
    """
    store = stores.load(path)
    images = np.flatnonzero(store["is_test"][:]) if images is None else images
    tasks = list(product(map(int, images), magnifications))
    with ProcessPoolExecutor(workers) as pool:
        rows = pool.map(partial(rows_of, str(path), methods), tasks, chunksize=4)
        return pd.concat(list(tqdm(rows, total=len(tasks), disable=not progress)), ignore_index=True)


def rows_of(path, methods, task):
    """The scores of one image at one magnification by each method, see `compare`."""
    number, magnification = task
    store = stores.load(path)
    arrays = {name: store[name][number] for name in PARTS}
    settings = dict(zip(store.attrs["parameters"]["settings"], map(float, arrays["settings"]), strict=True))
    # the processes share the cores, and a forked one would wait for ever for threads that only its parent has
    with threadpool_limits(1):
        image, truth = magnified(arrays["image"], defect_scores.Truth.of(arrays), magnification)
        found = defects.by_each(image, methods)
    asked = {"image": number, "magnification": magnification, **{name: settings[name] for name in ("alpha", "pixel_size")}}
    return pd.DataFrame(
        [{**asked, "method": method, **numbers(defect_scores.scored(found[method], truth))} for method in methods]
    )


def numbers(scores):
    """`defect_scores.Scores` as a row, see `compare`."""
    named = {name: getattr(scores, name) for name in ("hits", "false", "missed", "front_rms", "area_error")}
    confusion = zip(CONFUSION, scores.confusion.ravel().tolist(), strict=True)
    return {**named, **dict(confusion)}


def magnified(image, truth, magnification):
    """An image (H, W) and its truth on that many times as many pixels along either axis."""
    pixels = confidence.magnified(torch.from_numpy(image)[None, None].float(), magnification)[0, 0].numpy()
    return pixels, truth.magnified(np.divide(pixels.shape, image.shape))


def pooled(table, by="method"):
    """`defect_scores.pooled` and the confusion's sums for each group of a table of `compare`."""
    parts = table.groupby(by, sort=by != "method")
    rows = {key: {**defect_scores.pooled(list(part.itertuples())), **part[[*CONFUSION]].sum()} for key, part in parts}
    return pd.DataFrame(rows).T.rename_axis(by)
