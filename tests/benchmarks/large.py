"""Frames of many megapixels, in processes that hold nothing else."""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd

from atomwork.analysis import detect

SPACING = 12  # px, at which no image is reduced before the network sees it


def frame(side=1020, spacing=SPACING):
    """Counts of a square lattice that goes on across the sides, and how many columns it has."""
    rng = np.random.default_rng(5)
    axis = np.arange(side)
    profile = np.exp(-((axis % spacing - spacing / 2) ** 2) / (2 * (spacing / 6) ** 2))
    return rng.poisson(50 * (0.05 + np.outer(profile, profile))).astype(np.float32), (side // spacing) ** 2


def detect_repeated(times):
    """A 1020² frame repeated along both axes: seconds, GB and how many columns were found."""
    image, drawn = frame()
    image = np.tile(image, (times, times))
    start = time.perf_counter()
    found = detect.detect(image)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"side [px]": len(image), "s": seconds, "GB": memory, "columns": len(found), "drawn": drawn * times**2}


def large_frames():
    """Time and memory of detection, each size in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        table = pd.DataFrame(pool.map(detect_repeated, (2, 4, 8)))
    slope = np.polyfit(np.log(table["side [px]"] ** 2), np.log(table["s"]), 1)[0]
    return f"Detection of large frames, columns 12 px apart; time grows as the area to the power {slope:.2f}", table
