"""Speed and memory as ratios against named peers in the same run."""

import resource
import time

import atomap.api as am
import numpy as np
import pandas as pd
from skimage.feature import blob_dog, blob_log

from atomwork.analysis import detect
from atomwork.columns import fit
from tests.benchmarks.accuracy import lattice


def fastest(*functions, rounds=10):
    """Shortest wall time [s] of each function, all called in turn so that a busy machine is busy for all, after one warm-up."""
    times = np.empty((rounds + 1, len(functions)))
    for turn, column in np.ndindex(times.shape):
        start = time.perf_counter()
        functions[column]()
        times[turn, column] = time.perf_counter() - start
    return times[1:].min(0)


def fit_with_atomap(image, positions):
    """Wall time of Atomap's two-dimensional Gaussian fit [s]."""
    sublattice = am.Sublattice(positions[:, ::-1], image)
    sublattice.find_nearest_neighbors()
    start = time.perf_counter()
    sublattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
    return time.perf_counter() - start


def fit_speed():
    """Time per column of the fit against Atomap's."""
    image, truth, rng = lattice(50, 55)
    begin = truth + rng.normal(0, 0.7, truth.shape)
    ours = fastest(lambda: fit.refine(image, begin)).item() / len(truth)
    small, few, _ = lattice(50, 12)
    atomap = fit_with_atomap(small, few) / len(few)
    rows = [
        {"fit": "atomwork", "columns": len(truth), "ms per column": 1e3 * ours, "times faster": atomap / ours},
        {"fit": "Atomap 2-D Gaussian", "columns": len(few), "ms per column": 1e3 * atomap, "times faster": 1.0},
    ]
    return "Gaussian fit", pd.DataFrame(rows)


def detection_speed():
    """A 1024² frame of some 2000 columns: network, read-out and fit against scikit-image's LoG and DoG."""
    image, truth, _ = lattice(50, 45, spacing=22.2)
    image = np.pad(image, ((0, 1024 - len(image)), (0, 1024 - len(image))), mode="reflect")
    unit = (image / image.max()).astype(np.float32)
    detect.detect(image)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seen, sizes = detect.confidence_map(image), {"min_sigma": 2, "max_sigma": 10, "threshold": 0.1}
    steps = {
        "detect, all of it": lambda: detect.detect(image),
        "network at its two magnifications": lambda: detect.confidence_map(image),
        "peaks": lambda: detect.columns(image, seen, refine=False),
        "scikit-image DoG": lambda: blob_dog(unit, **sizes),
        "scikit-image LoG, 10 sigmas": lambda: blob_log(unit, num_sigma=10, **sizes),
    }
    times = fastest(*steps.values())
    rows = [{"step": name, "ms": 1e3 * t, "of LoG's time": t / times[-1]} for name, t in zip(steps, times, strict=True)]
    count = len(detect.columns(image, seen, refine=False))
    title = f"Detection of {count} columns in 1024² ({len(truth)} drawn); peak memory of the process {memory:.2f} GB"
    return title, pd.DataFrame(rows)
