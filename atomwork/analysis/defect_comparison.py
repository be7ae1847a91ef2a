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
    tasks = list(product(map(int, images), methods, magnifications))
    with ProcessPoolExecutor(workers) as pool:
        rows = pool.map(partial(row, str(path)), tasks, chunksize=4)
        return pd.DataFrame(list(tqdm(rows, total=len(tasks), disable=not progress)))


def row(path, task):
    """The scores of one image by one method at one magnification, see `compare`."""
    number, method, magnification = task
    store = stores.load(path)
    arrays = {name: store[name][number] for name in PARTS}
    settings = dict(zip(store.attrs["parameters"]["settings"], map(float, arrays["settings"]), strict=True))
    # the processes share the cores, and a forked one would wait for ever for threads that only its parent has
    with threadpool_limits(1):
        image, truth = magnified(arrays["image"], defect_scores.Truth.of(arrays), magnification)
        scores = defect_scores.scored(defects.segment(image, model=method), truth)
    named = {name: getattr(scores, name) for name in ("hits", "false", "missed", "front_rms", "area_error")}
    confusion = zip(("whole_whole", "whole_odd", "odd_whole", "odd_odd"), scores.confusion.ravel().tolist(), strict=True)
    asked = {"image": number, "method": method, "magnification": magnification}
    return {**asked, **named, **dict(confusion), **{k: settings[k] for k in ("alpha", "pixel_size")}}


def magnified(image, truth, magnification):
    """An image (H, W) and its truth on that many times as many pixels along either axis."""
    pixels = confidence.magnified(torch.from_numpy(image)[None, None].float(), magnification)[0, 0].numpy()
    return pixels, truth.magnified(np.divide(pixels.shape, image.shape))


def pooled(table, by="method"):
    """`defect_scores.pooled` and the confusion's sums for each group of a table of `compare`."""
    counts = ["whole_whole", "whole_odd", "odd_whole", "odd_odd"]
    rows = {key: {**defect_scores.pooled(list(part.itertuples())), **part[counts].sum()} for key, part in table.groupby(by)}
    return pd.DataFrame(rows).T.rename_axis(by)
