"""The settings of K-means and PCA that find most on training images: ``python -m tests.benchmarks.rivals STORE``."""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from atomwork.analysis import clusters, defect_scores
from atomwork.simulation import stores

SEED, TRIALS, IMAGES = 5, 40, 24
MORPHOLOGY = {"smallest": (0.1, 0.2, 0.3, 0.5), "radius": (0.1, 0.15, 0.2, 0.3)}
CHOICES = {
    "kmeans": {"n_clusters": (3, 4, 5, 6, 8, 10, 14, 20), **MORPHOLOGY},
    "pca": {
        "components": (12, 20, 40, 80, 120),
        "deviations": (5.0, 7.0, 10.0, 14.0, 20.0),
        "side": (3.0, 4.0, 5.0),
        **MORPHOLOGY,
    },
}


def tuned(path, method):
    """The trials of a method, the best first."""
    own = defaults(method)
    rng = np.random.default_rng(SEED)
    drawn = [{name: rng.choice(values).item() for name, values in CHOICES[method].items()} for _ in range(TRIALS)]
    with ProcessPoolExecutor(2) as pool:
        rows = list(tqdm(pool.map(partial(trial, path, method), [own, *drawn]), total=1 + TRIALS, desc=method))
    return pd.DataFrame(rows).sort_values("f1", ascending=False, ignore_index=True)


def defaults(method):
    """A method's own settings."""
    return dict(getattr(clusters, method).__kwdefaults__)


def trial(path, method, settings):
    """A setting and its scores."""
    store, scores = stores.load(path), []
    for number in np.flatnonzero(~store["is_test"][:])[:IMAGES]:
        arrays = {name: store[name][number] for name in ("image", "columns", "defects", "front")}
        with threadpool_limits(1):
            found = getattr(clusters, method)(arrays["image"], **settings)
        scores.append(defect_scores.scored(found, defect_scores.Truth.of(arrays)))
    return {**settings, **defect_scores.pooled(scores)}


if __name__ == "__main__":
    for name in CHOICES:
        print(f"\n## {name}\n\n{tuned(sys.argv[1], name).head(8).to_markdown(index=False, floatfmt='.3g')}", flush=True)
