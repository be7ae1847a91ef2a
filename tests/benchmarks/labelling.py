"""Labels carried from sharp frames to noisy ones, against the truth and against each frame alone."""

import time

import numpy as np
import pandas as pd

from atomwork.analysis import detect, labelling
from atomwork.columns import matching
from atomwork.simulation.recipes import series

SEED = 61_027  # of the first series; nothing was chosen by looking at these
SERIES = (
    ("MoS2", 0.2),
    ("MoS2", 0.13),
    ("WSe2", 0.22),
    ("ReS2 1T″", 0.2),
    ("ReS2 1T″", 0.13),
    ("SrTiO3", 0.15),
    ("SrTiO3", 0.25),
    ("BaTiO3", 0.2),
)  # material and pixel size [Å]


def judged(found, drawn, frame, faintest=series.FAINTEST):
    """Agreement of columns found with those asked for in a frame; see `series.Series.asked`."""
    asked, optional = drawn.asked(frame, faintest)
    return matching.match(found, asked, tolerance=drawn.spacing / 4, optional=optional[["y", "x"]].to_numpy())


def score(material, pixel_size, seed):
    """One series: how good the labels of its noisiest frame are, and detection on that frame alone."""
    drawn = series.record(series.Recipe(material, pixel_size), seed)
    noisiest = int(np.argmin([frame.metadata["dose"] for frame in drawn.frames]))
    start = time.perf_counter()
    _, labels = labelling.label_series(drawn.frames, progress=False)
    seconds = time.perf_counter() - start
    carried = labels[labels["frame"] == noisiest]
    result = judged(carried, drawn, noisiest)
    alone = judged(detect.detect(drawn.frames[noisiest]), drawn, noisiest)
    asked, _ = drawn.asked(noisiest)
    hits = carried.iloc[result.pairs[:, 0]]
    errors = hits[["y", "x"]].to_numpy() - asked.iloc[result.pairs[:, 1]][["y", "x"]].to_numpy()
    return {
        "material": material,
        "seed": seed,
        "spacing [px]": drawn.spacing,
        "columns": result.n_truth,
        "RMS / spacing": result.rms / drawn.spacing,
        "recall": result.recall,
        "precision": result.precision,
        "recall, faint ones too": judged(carried, drawn, noisiest, faintest=0.0).recall,
        "68 % within [stated]": np.nanpercentile(np.abs(errors / hits[["y_std", "x_std"]].to_numpy()), 68.27),
        "alone: RMS / spacing": alone.rms / drawn.spacing,
        "alone: recall": alone.recall,
        "s": seconds,
    }


def noisiest_frames():
    """Labels of the noisiest frame of ten, 384², of several materials and spacings."""
    rows = [score(material, pixel_size, SEED + k) for k, (material, pixel_size) in enumerate(SERIES)]
    title = "Labels of the noisiest frame (2 e⁻/px in the brightest pixel) of ten with 2–200 e⁻/px, tolerance a quarter spacing"
    return title, pd.DataFrame(rows)


def series_speed():
    """Seconds to label ten frames."""
    rows = []
    for size in (512, 1024):
        drawn = series.record(series.Recipe("MoS2", 0.15, size), SEED - 1)
        start = time.perf_counter()
        aligned, labels = labelling.label_series(drawn.frames, progress=False)
        seconds = time.perf_counter() - start
        rows.append({"frames": f"10 × {size}²", "columns": len(aligned.columns), "labels": len(labels), "s": seconds})
    return "Labelling a series of MoS2", pd.DataFrame(rows)
