"""Confidences that mean what they say: how often a column of a given confidence is one."""

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from atomwork.analysis import detect

KNOTS = 24  # groups of equally many columns from which the steps of a calibration are read, at most


def judged(frames, *, model="atomid", **reading):
    """Every column that is found in labelled frames, but those at optional places.

    Parameters
    ----------
    frames : iterable of LabelledFrame
    model : str, see `weights.load`
    reading : see `detect.columns`

    Returns
    -------
    confidence : (N,) float array
    right : (N,) bool array
    """
    confidences, rights = [], []
    for frame in frames:
        found = detect.locate(frame.image, model=model, **reading)
        result = frame.agreement(found)
        confidences.append(found["confidence"].to_numpy()[result.judged])
        rights.append(result.right)
    return np.concatenate(confidences), np.concatenate(rights)


def calibrate(height, right, knots=KNOTS):
    """The rising function from the height of a peak to the share of such peaks that are columns.

    Parameters
    ----------
    height : (N,) float array, of peaks of a network's map on labelled images [0–1]
    right : (N,) bool array, the peak is a column
    knots : int, at most

    Returns
    -------
    heights, shares : (K,) float arrays for ``numpy.interp``, both rising

    Raises
    ------
    ValueError : fewer peaks than two for each knot, or of different numbers
    """
    height, right = checked(height, right)
    if len(height) < 2 * knots:
        raise ValueError(f"{len(height)} peaks are too few for a calibration of {knots} knots; label {2 * knots} at least.")
    groups = np.array_split(np.argsort(height, kind="stable"), knots)
    middle = np.array([height[group].mean() for group in groups])
    share = isotonic_regression([right[group].mean() for group in groups], weights=[len(group) for group in groups]).x
    heights, first = np.unique(middle, return_index=True)
    return heights, share[first]


def reliability(confidence, right, bins=10):
    """How often columns are right, in groups of like confidence.

    Parameters
    ----------
    confidence : (N,) float array [0–1]
    right : (N,) bool array
    bins : int, groups of equally many columns, fewer where confidences are equal

    Returns
    -------
    DataFrame : confidence (the group's mean), right (share of the group), error (standard error of that share), columns
    """
    confidence, right = checked(confidence, right)
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)))[1:-1]
    group = np.digitize(confidence, edges)
    table = pd.DataFrame({"confidence": confidence, "right": right}).groupby(group)
    table = table.mean().assign(columns=table.size())
    table["error"] = np.sqrt((table["right"] * (1 - table["right"])).clip(lower=0) / table["columns"])
    return table[["confidence", "right", "error", "columns"]].reset_index(drop=True)


def expected_error(confidence, right, bins=15):
    """Mean distance of the confidence from the share that is right, over columns in groups of like confidence [-].

    References
    ----------
    Naeini, Cooper, Hauskrecht, AAAI (2015) 2901, here with groups of equally many columns.
    """
    table = reliability(confidence, right, bins)
    return float(np.average((table["confidence"] - table["right"]).abs(), weights=table["columns"]))


def checked(values, right):
    """Both as arrays of one length, numbers and bools."""
    values, right = np.asarray(values, float), np.asarray(right, bool)
    if values.shape != right.shape or values.ndim != 1 or not len(values):
        raise ValueError(f"shapes {values.shape} and {right.shape} differ or are empty; give a number and a bool per column.")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"values from {values.min():g} to {values.max():g}; confidences lie within 0–1.")
    return values, right
