"""Lattices of two to four columns a cell, some of them faint: what the first look finds, and what both find."""

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree

from atomwork.analysis import detect
from atomwork.columns.labels import LabelledFrame
from atomwork.simulation import visibility

SQRT3 = np.sqrt(3)
CELLS = {  # lattice vectors, fractional places, and which of the brightnesses each has
    "honeycomb": ([[1, 0], [0.5, SQRT3 / 2]], [[0, 0], [1 / 3, 1 / 3]], [0, 1]),
    "hexagonal, three kinds": ([[1, 0], [0.5, SQRT3 / 2]], [[0, 0], [1 / 3, 1 / 3], [2 / 3, 2 / 3]], [0, 1, 2]),
    "centred square": ([[1, 0], [0, 1]], [[0, 0], [0.5, 0.5]], [0, 1]),
    "Lieb": ([[1, 0], [0, 1]], [[0, 0], [0.5, 0], [0, 0.5]], [0, 1, 1]),
    "perovskite": ([[1, 0], [0, 1]], [[0, 0], [0.5, 0.5], [0.5, 0], [0, 0.5]], [0, 1, 2, 2]),
    "rectangular": ([[1, 0], [0, 1.5]], [[0, 0], [0.5, 0.3], [0.5, 0.7]], [0, 1, 1]),
    "dumbbells": ([[1, 0], [0, 1.6]], [[0, -0.12], [0, 0.12], [0.5, 0.38], [0.5, 0.62]], [0, 1, 0, 1]),
    "oblique": ([[1, 0], [0.35, 1.1]], [[0, 0], [0.45, 0.5]], [0, 1]),
}
FAINTEST, FAINT = 0.08, 0.7  # brightness of the other columns over that of the first ones [-]
DARK = 0.2  # share of frames with dark columns [-]


def places(cell, spacing, size, rng):
    """Places of columns (N, 2) [px] in and around a frame, turned at random, and their kinds (N,)."""
    vectors, sites, kinds = (np.array(part) for part in CELLS[cell])
    around = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    some = np.concatenate([(around + site) @ vectors for site in sites])
    vectors = vectors * spacing / cKDTree(some).query(sites @ vectors, k=2)[0][:, 1].min()
    angle = rng.uniform(0, 2 * np.pi)
    turned = vectors @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    count = int(2 * size / spacing) + 5
    cells = np.stack(np.meshgrid(*[np.arange(-count, count)] * 2), -1).reshape(-1, 2)
    points = np.concatenate([(cells + site) @ turned for site in sites]) + size * rng.uniform(0.4, 0.6, 2)
    near = ((points > -4 * spacing) & (points < size + 4 * spacing)).all(1)
    return points[near] + rng.normal(0, 0.01 * spacing, (near.sum(), 2)), np.repeat(kinds, len(cells))[near]


def frame(number):
    """One drawn `LabelledFrame` with counting noise, its truth by the rule of `simulation.visibility`."""
    rng, cell = np.random.default_rng([77, number]), list(CELLS)[number % len(CELLS)]
    spacing, dose = (np.exp(rng.uniform(*np.log(ends))) for ends in ((5.5, 24.0), (20.0, 500.0)))
    size, width = int(rng.choice([256, 320, 384, 448])), rng.uniform(0.16, 0.3) * spacing
    points, kinds = places(cell, spacing, size, rng)
    kind_heights = np.append(1, np.exp(rng.uniform(np.log(FAINTEST), np.log(FAINT), 2)))
    heights = kind_heights[kinds] * np.exp(rng.normal(0, 0.03, len(kinds)))
    axis = np.arange(size)[:, None]
    rows, columns = (np.exp(-((axis - points[:, k]) ** 2) / (2 * width**2)) for k in (0, 1))
    picture = (rows * heights) @ columns.T
    dark, background = rng.random() < DARK, rng.uniform(0.02, 0.4)
    contrast = dose * (1 - background) / picture.max() * (-0.8 if dark else 1.0)
    expected = dose * (1.0 if dark else background) + contrast * picture
    counted, optional = truth(points, contrast * heights, width, expected)
    apart = float(np.median(cKDTree(counted).query(counted, k=2)[0][:, 1]))
    return LabelledFrame(rng.poisson(expected).astype(np.float32), counted, optional, apart, dark, cell, cell, dose)


def truth(points, amplitude, width, expected):
    """Places of the columns that count and of the optional ones, (N, 2) and (M, 2) [px]."""
    none = torch.zeros(len(points))
    where, strength = (torch.from_numpy(values.astype(np.float32)) for values in (points, amplitude))
    drawn = visibility.Columns(where, none.long(), strength, none + width, none, none)
    result, _, kinds = visibility.judge(torch.from_numpy(expected.astype(np.float32))[None], drawn)
    result, kinds = result.numpy().astype(float), kinds.numpy()
    inside = ((result >= 0) & (result <= len(expected) - 1)).all(1)
    near = ((result > -3 * width) & (result < len(expected) + 3 * width)).all(1)
    counts = kinds == visibility.Visibility.COUNTS
    return result[inside & counts], result[near & ((kinds == visibility.Visibility.OPTIONAL) | (counts & ~inside))]


def faint_sublattices(count=240):
    """F1 of the first look alone and of all that `detect` does, for each kind of cell."""
    rows = {}
    for drawn in map(frame, range(count)):
        seen = detect.confidence_map(drawn.image)
        for looks, found in (("first look", detect.columns(drawn.image, seen)), ("both", detect.locate(drawn.image))):
            result = drawn.agreement(found)
            for group in (drawn.group, "all"):
                counts = rows.setdefault(group, {}).setdefault(looks, np.zeros(3, int))
                counts += (len(result.pairs), result.n_found, result.n_truth)
    f1 = {
        cell: {looks: 2 * hits / (found + true) for looks, (hits, found, true) in counts.items()}
        for cell, counts in sorted(rows.items(), key=lambda row: row[0] == "all")
    }
    title = f"F1 on {count} drawn lattices with columns {FAINTEST:g} to {FAINT:g} times as bright as the first, 20–500 e⁻/px"
    return title, pd.DataFrame(f1).T.rename_axis("cell").reset_index()
