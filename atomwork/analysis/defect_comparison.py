"""Several ways of finding defects, on the same images with truth."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from atomwork.analysis import defect_scores, defects
from atomwork.simulation import stores

PARTS = ("image", "columns", "defects", "front", "settings")


def compare(path, methods, *, images=None, workers=2, progress=True):
    """Score methods on images of a data set of the recipe ``atomgan``.

    Parameters
    ----------
    path : of the data set
    methods : sequence of str, see ``model`` of `defects.segment`
    images : sequence of int, which of its images; its test images if None
    workers : int, processes that share them
    progress : bool, show a progress bar

    Returns
    -------
    DataFrame : one row for each image and method with `defect_scores.Scores`, the confusion as ``whole_whole``, ``whole_odd``,
        ``odd_whole`` and ``odd_odd`` (true_found), and the image's ``alpha`` and ``pixel_size`` [Å]
    """
    store = stores.load(path)
    images = np.flatnonzero(store["is_test"][:]) if images is None else images
    tasks = list(product(map(int, images), methods))
    with ProcessPoolExecutor(workers) as pool:
        rows = pool.map(partial(row, str(path)), tasks, chunksize=4)
        return pd.DataFrame(list(tqdm(rows, total=len(tasks), disable=not progress)))


def row(path, task):
    """The scores of one image by one method, see `compare`."""
    number, method = task
    store = stores.load(path)
    arrays = {name: store[name][number] for name in PARTS}
    settings = dict(zip(store.attrs["parameters"]["settings"], map(float, arrays["settings"]), strict=True))
    with threadpool_limits(1):  # the processes share the cores
        found = defects.segment(arrays["image"], model=method)
    scores = defect_scores.scored(found, defect_scores.Truth.of(arrays))
    named = {name: getattr(scores, name) for name in ("hits", "false", "missed", "front_rms", "area_error")}
    confusion = zip(("whole_whole", "whole_odd", "odd_whole", "odd_odd"), scores.confusion.ravel().tolist(), strict=True)
    return {"image": number, "method": method, **named, **dict(confusion), **{k: settings[k] for k in ("alpha", "pixel_size")}}


def pooled(table, by="method"):
    """`defect_scores.pooled` and the confusion's sums for each group of a table of `compare`."""
    counts = ["whole_whole", "whole_odd", "odd_whole", "odd_odd"]
    rows = {key: {**defect_scores.pooled(list(part.itertuples())), **part[counts].sum()} for key, part in table.groupby(by)}
    return pd.DataFrame(rows).T.rename_axis(by)
