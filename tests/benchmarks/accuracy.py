"""Detection and position accuracy on the fixed test set, over fields of view and against the Cramér-Rao limit."""

import numpy as np
import pandas as pd

from atomwork.analysis import calibration, detect, labelled
from atomwork.columns import fit, matching
from atomwork.columns.labels import of_batch
from atomwork.simulation import datasets, motifs, scenes

BRIGHT = 20.0  # e⁻/px


def score(frame):
    """Hits, found and true columns of a frame, within a quarter of its spacing, and the hits' errors.

    Returns
    -------
    counts : (3,) int array
    errors : (hits, 2) float array along y and x, over the spacing [-]
    stated : (hits, 2) float array, the errors over those stated [-]; NaN without a fit
    """
    found = detect.locate(frame.image)
    result = frame.agreement(found)
    hits = found.iloc[result.pairs[:, 0]]
    errors = hits[["y", "x"]].to_numpy() - frame.columns[result.pairs[:, 1]]
    counts = np.array([len(result.pairs), result.n_found, result.n_truth])
    return counts, errors / frame.spacing, errors / hits[["y_std", "x_std"]].to_numpy()


def pooled(scores):
    """Precision, recall, F1 and the sizes of the errors of several images; see `score`."""
    counts, errors, stated = zip(*scores, strict=True)
    hits, found, true = np.sum(counts, axis=0)
    stated = np.concatenate(stated).ravel()
    return {
        "images": len(scores),
        "columns": int(true),
        "precision": hits / max(found, 1),
        "recall": hits / max(true, 1),
        "F1": 2 * hits / max(found + true, 1),
        "RMS / spacing": np.sqrt(np.mean(np.square(np.concatenate(errors)).sum(1))),
        "68 % of errors within [stated]": np.nanpercentile(np.abs(stated), 68.27),
        "without error bar": np.isnan(stated).mean(),
    }


def by_group(images):
    """A row of `pooled` for every group, for all together and for those of at least `BRIGHT` e⁻/px."""
    rows = {}
    for frame in images:
        scored = score(frame)
        for group in (frame.group, "all", *([f"all from {BRIGHT:g} e⁻/px"] if frame.dose >= BRIGHT else [])):
            rows.setdefault(group, []).append(scored)
    last = [group for group in rows if group.startswith("all")]
    order = [group for group in rows if group not in last] + last
    return pd.DataFrame([{"group": group, **pooled(rows[group])} for group in order])


def held_out_groups(per_group=60):
    """F1 of every drawn group of the fixed test set and of all together."""
    title = "Fixed test set, drawn part, peak dose 5–500 e⁻/px, tolerance a quarter of the spacing"
    return title, by_group(labelled.drawn(per_group))


def calibration_error():
    """Expected calibration error on the validation images from which the weight's calibration was not read."""
    frames = [frame for batch in datasets.validation_batches(20) for frame in of_batch(batch)][1::2]
    confidence, right = calibration.judged(frames)
    title = (
        f"Confidences of {len(right)} columns; expected calibration error {calibration.expected_error(confidence, right):.4f}"
    )
    return title, calibration.reliability(confidence, right)


def one_structure(field_of_view, size=1024, dose=30.0, width=0.45, seed=11):
    """A WSe2-like monolayer seen over a field of view [Å]: counts and true positions of all columns."""
    cell = motifs.motif("WSe2", motifs.plane_cell(3.28, 3.28, 120), [(1 / 3, 2 / 3, "W"), (2 / 3, 1 / 3, "Se Se")])
    scale, rng = size / field_of_view, np.random.default_rng(seed)
    positions, site = scenes.lay_out(cell, scale, 0.3, np.array([7.0, 3.0]), (size, size))
    image, axis = np.full((size, size), 0.15), np.arange(size)
    for kind in range(2):
        chosen = positions[site == kind]
        profile = [np.exp(-((axis - chosen[:, k, None]) ** 2) / (2 * (width * scale) ** 2)) for k in (0, 1)]
        image += cell.brightness[kind] * profile[0].T @ profile[1]
    return rng.poisson(dose * image).astype(np.float32), positions, scale


def fields_of_view():
    """One structure at five magnifications, no parameter touched."""
    rows = []
    for nanometres in (9.0, 12.7, 18.0, 25.4, 36.0):
        image, truth, scale = one_structure(10 * nanometres)
        found = detect.detect(image)
        spacing = scale * 3.28 / np.sqrt(3)
        result = matching.match(found, truth, tolerance=spacing / 4)
        rows.append({"field [nm]": nanometres, "spacing [px]": spacing, "columns": result.n_truth, "F1": result.f1})
    return "One structure over five fields of view, 1024², 30 e⁻/px", pd.DataFrame(rows)


def lattice(peak, count, spacing=22.0, width=3.5, background=0.05, seed=5):
    """Counts and true positions of a jittered square lattice of Gaussian columns."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1).reshape(-1, 2)
    truth = spacing * (grid + 1) + rng.uniform(-0.5, 0.5, (count**2, 2))
    axis = np.arange(int(spacing * (count + 1)))
    profile = [np.exp(-((axis - truth[:, k, None]) ** 2) / (2 * width**2)) for k in (0, 1)]
    return rng.poisson(peak * (background + profile[0].T @ profile[1])).astype(np.float32), truth, rng


def cramer_rao(peak, width=3.5, background=0.05):
    """Smallest standard deviation per axis [px] (Mortensen et al., Nature Methods 7 (2010) 377)."""
    variance, electrons = width**2 + 1 / 12, peak * 2 * np.pi * width**2
    tau = 2 * np.pi * variance * background * peak / electrons
    return np.sqrt(variance / electrons * (1 + 4 * tau + np.sqrt(2 * tau / (1 + 4 * tau))))


def position_errors():
    """RMS of the fitted positions over the limit, and their scatter over the stated errors."""
    rows = []
    for peak in (20, 50, 200, 1000):
        image, truth, rng = lattice(peak, 54)
        table = fit.refine(image, truth + rng.normal(0, 0.7, truth.shape))
        error = table[["y", "x"]].to_numpy() - truth
        rms = np.sqrt(np.mean(error**2))
        scatter = np.std(error / table[["y_std", "x_std"]].to_numpy())
        rows.append({"peak [e⁻/px]": peak, "RMS [px]": rms, "limit [px]": cramer_rao(peak), "scatter / stated": scatter})
        rows[-1]["RMS / limit"] = rms / cramer_rao(peak)
    return "Position errors of 2916 columns per axis (width 3.5 px, background 5 %)", pd.DataFrame(rows)
