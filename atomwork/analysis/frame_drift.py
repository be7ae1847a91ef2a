"""How far a movie's frames have drifted: by where their columns went, or roughly by their images."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree
from scipy.stats import median_abs_deviation

from atomwork.analysis import alignment

ALIKE = 1.15  # ratio of the frames' spacings up to which they show one crystal at one magnification [-]
LEAST = 5  # columns below which a frame tells no drift
REACH = 2.0  # spacings around the guess within which shifts are looked for
CELL, BLUR = 0.05, 0.15  # of the spacing: cells in which displacements are counted, and how far these may scatter [-]
HIGH = 0.5  # of the most frequent displacement's count, from which another one may be the drift as well [-]
ASIDE = 0.45  # of the spacing within which two columns are one after a shift [-]
WILD = 3.0  # robust deviations from the median beyond which a displacement doesn't count
ROUNDS, RESTING = 10, 1e-4  # of settling, and the change that ends it, over the spacing [-]
WORSE = 4.0  # standard errors by which a shift has to leave more columns alone to be no rival
CLOSE = 1.5  # how many times as far from the guess as the drift a rival has to be for the drift to be sure


class Ambiguous(UserWarning):
    """A drift that may as well be another one, a lattice vector away."""


def by_columns(tables, *, guess=None):
    """Rigid drift between successive frames, by where most of their columns went.

    A crystal fits itself again after every lattice vector. Of the shifts within `REACH` spacings that leave equally few columns
    alone, vacancies included, the one nearest to the guess is taken; so drift from frame to frame has to be within half the
    shortest lattice vector of it, unless some 14 vacancies in common say more, and more of them than columns that were not
    found. Frames with fewer than `LEAST` columns are passed over.

    Parameters
    ----------
    tables : sequence of DataFrame, the columns of each frame with y, x [px]; ``attrs["spacing"]`` [px]
    guess : (T − 1, 2) float array, rough steps y, x from frame to frame [px], see `by_images`. If None, no drift, and over
        frames that are passed over one as fast as beside them

    Returns
    -------
    DataFrame : frame; y, x, how far it has drifted since the first one [px]; dy, dx, its step since the last frame that has
        columns, and dy_std, dx_std, one standard deviation of that [px], NaN where nothing tells it; columns, how many tell it;
        rival, distance from the guess of the next shift that fits as well [px], ∞ if there is none

    Raises
    ------
    ValueError : no or unlike spacings, or a guess for other frames

    Warns
    -----
    Ambiguous : a rival is hardly farther from the guess than the step
    """
    spacing, count = common_spacing(tables), len(tables)
    given = np.zeros((count - 1, 2)) if guess is None else np.asarray(guess, float)
    if given.shape != (count - 1, 2):
        raise ValueError(f"guess has shape {given.shape} for {count} frames; give ({count - 1}, 2), a step y, x for each.")
    rough = np.concatenate([np.zeros((1, 2)), np.cumsum(given, 0)])
    points = [table[["y", "x"]].to_numpy(float) for table in tables]
    telling = [k for k in range(count) if len(points[k]) >= LEAST]
    rows, offsets, away = np.full((count, 6), np.nan), rough.copy(), np.zeros(count)
    rows[:, 4:], pace = (0, np.inf), np.full((count, 2), np.nan)
    for before, now in sorted(pairwise(telling), key=np.ptp):
        beside = pace[[before, min(now + 1, count - 1)]]
        about = rough[now] - rough[before]
        if guess is None and now > before + 1 and np.isfinite(beside).any():
            about = (now - before) * np.nanmean(beside, 0)
        rows[now] = step(points[before], points[now], about, spacing)
        away[now], pace[now] = np.hypot(*(rows[now, :2] - about)), rows[now, :2] / (now - before)
    for before, now in pairwise(telling):
        offsets[now] = offsets[before] + rows[now, :2]
    for axis in range(2) if telling else ():  # what tells nothing has drifted between its neighbours in time
        offsets[:, axis] = rough[:, axis] + np.interp(range(count), telling, (offsets - rough)[telling, axis])
    warn(away, rows[:, 5])
    table = pd.DataFrame(rows, columns=["dy", "dx", "dy_std", "dx_std", "columns", "rival"]).astype({"columns": int})
    return pd.concat([pd.DataFrame(offsets - offsets[0], columns=["y", "x"]).rename_axis("frame").reset_index(), table], axis=1)


def by_images(before, after, *, max_drift=None):
    """A step from frame to frame by their images, as a guess where it may exceed half a lattice vector.

    Defects decide: steps of three quarters of a vector were right in 30 of 32 pairs of frames with some three vacancies in
    common, and in 2 of 16 of perfect crystals, where small steps are told better without.

    Parameters
    ----------
    before, after : (H, W) float arrays, intensity [arb.]
    max_drift : float, longest step [px], see `alignment.align`

    Returns
    -------
    (2,) float array, how far along y, x a column is in the second frame from where it is in the first [px]
    """
    first, second = alignment.align(np.stack([before, after]), max_drift=max_drift, progress=False).scans
    return first.drift.mean(0) - second.drift.mean(0)


def common_spacing(tables):
    """Median of the frames' spacings [px]; ValueError if there is none, or if they differ."""
    told = {k: table.attrs["spacing"] for k, table in enumerate(tables) if table.attrs.get("spacing")}
    told = {k: spacing for k, spacing in told.items() if len(tables[k]) >= LEAST} or told
    if not told:
        raise ValueError(f"none of {len(tables)} frames states its spacing; set attrs['spacing'] [px] of one or more tables.")
    low, high = min(told, key=told.get), max(told, key=told.get)
    if told[high] > ALIKE * told[low]:
        raise ValueError(
            f"spacings differ, {told[low]:.3g} px in frame {low} and {told[high]:.3g} px in frame {high}, by more than "
            f"{ALIKE - 1:.0%}; link frames of one magnification, and find the same sublattices in all of them (lower_bound)."
        )
    return float(np.median(list(told.values())))


def step(before, after, guess, spacing):
    """The drift from some columns (N, 2) to others (M, 2): dy, dx, dy_std, dx_std, columns, rival; see `by_columns`."""
    found = shifts(before, after, guess, spacing)
    alone = [left_alone(before, after, shift, spacing) for shift in found]
    best = min(alone, key=lambda one: one[0] / one[1], default=None)
    as_good = np.array([shift for shift, own in zip(found, alone, strict=True) if not clearly_worse(own, best)]).reshape(-1, 2)
    as_good = as_good[np.argsort(np.hypot(*(as_good - guess).T))]
    moved = settled(before, after, as_good[0], spacing) if len(as_good) else None
    if moved is None:
        return *guess, np.nan, np.nan, 0, np.inf
    return *moved, np.hypot(*(as_good[1] - guess)) if len(as_good) > 1 else np.inf


def shifts(before, after, guess, spacing):
    """The most frequent displacements (K, 2) from some columns to others within `REACH` of a guess [px]."""
    near = cKDTree(before + guess).sparse_distance_matrix(cKDTree(after), REACH * spacing, output_type="coo_matrix")
    apart = after[near.col] - before[near.row] - guess
    half = int(np.ceil(REACH / CELL)) + 1
    count = np.zeros((2 * half + 1, 2 * half + 1))
    np.add.at(count, tuple(np.rint(apart / (CELL * spacing)).astype(int).T + half), 1)
    count = gaussian_filter(count, BLUR / CELL, mode="constant")
    peaks = np.argwhere((count == maximum_filter(count, int(0.5 / CELL))) & (count > HIGH * count.max()))
    return guess + (peaks - half) * CELL * spacing


def settled(before, after, shift, spacing):
    """The mean displacement of the columns that a shift nearly overlays: dy, dx, dy_std, dx_std, columns; None if too few are.

    At the border a column is seen in both frames if it strays inwards, so those count that lie well within both, on average of
    the two: that says nothing of their difference.
    """
    tree, back, ends = cKDTree(after), cKDTree(before), (before.min(0), before.max(0), after.min(0), after.max(0))
    for _ in range(ROUNDS):
        distance, partner = tree.query(before + shift, distance_upper_bound=ASIDE * spacing)
        first = np.flatnonzero(np.isfinite(distance))
        first = first[back.query(after[partner[first]] - shift)[1] == first]
        one, other = before[first], after[partner[first]]
        low, high = np.maximum(ends[0] + shift, ends[2]), np.minimum(ends[1] + shift, ends[3])
        place, margin = (one + shift + other) / 2, np.minimum(ASIDE * spacing, (high - low) / 4)
        apart = (other - one)[((place > low + margin) & (place < high - margin)).all(1)]
        if len(apart) < LEAST:
            return None
        away, spread = apart - np.median(apart, 0), median_abs_deviation(apart, scale="normal")
        tame = apart[(np.abs(away) <= WILD * spread + RESTING * spacing).all(1)]
        moved, std = tame.mean(0), tame.std(0, ddof=1) / np.sqrt(len(tame))
        if np.hypot(*(moved - shift)) < RESTING * spacing:
            break
        shift = moved
    return *moved, *std, len(tame)


def left_alone(before, after, shift, spacing):
    """How many columns of both frames have no partner after a shift, of how many that lie where both look."""
    alone = total = 0
    for one, other in ((before + shift, after), (after, before + shift)):
        inside = ((one >= other.min(0)) & (one <= other.max(0))).all(1)
        distance, _ = cKDTree(other).query(one[inside], distance_upper_bound=ASIDE * spacing)
        alone, total = alone + int(np.isinf(distance).sum()), total + int(inside.sum())
    return alone, max(total, 1)


def clearly_worse(one, other):
    """Whether one shift leaves a larger share alone than another, beyond chance; see `left_alone`."""
    shared = (one[0] + other[0]) / (one[1] + other[1])
    error = np.sqrt(shared * (1 - shared) * (1 / one[1] + 1 / other[1]))
    return one[0] / one[1] - other[0] / other[1] > WORSE * error


def warn(away, rival):
    """Warn of frames whose step is nearly as far ``away`` (T,) from its guess as its ``rival`` (T,) [px]."""
    unsure = np.flatnonzero(rival < CLOSE * away)
    if len(unsure):
        warnings.warn(
            f"frame {unsure[0]}, one of {len(unsure)}: a step of {away[unsure[0]]:.3g} px is near half a lattice vector, and "
            f"{rival[unsure[0]]:.3g} px fits as well; give guess, by frame_drift.by_images for example, or take frames faster.",
            Ambiguous,
            stacklevel=3,
        )
