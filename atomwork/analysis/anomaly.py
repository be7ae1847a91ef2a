"""Columns that do not belong to their crystal: too bright, too faint, too broad or out of place among their own kind."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.columns import sublattices

NEIGHBOURS = 18  # columns of the same sublattice around one that say what is usual there
FEWEST = 6  # of them, without which nothing is usual
NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
WHAT = ("brightness", "width", "displacement")
STRAY = "off the lattice"


@dataclass(frozen=True)
class AnomalyMap:
    """How odd each column is.

    Attributes
    ----------
    columns : DataFrame, y, x [px]; sublattice, −1 for none; brightness, width and displacement, by how many standard
        deviations of the sublattice a column differs from its neighbours there, signed but for the displacement; score, the
        largest of them; what, its name, or ``off the lattice``; NaN and empty where nothing is usual
    spacing : float [px]
    pixel_size : float [Å], or None
    """

    columns: pd.DataFrame
    spacing: float
    pixel_size: float | None = None

    def beyond(self, threshold):
        """The columns whose score is beyond a threshold [standard deviations], the oddest first."""
        odd = self.columns[self.columns["score"] > threshold]
        return odd.sort_values("score", ascending=False, ignore_index=True)


def score(columns, *, sites=None):
    """How odd the columns of a crystal are, each beside its neighbours on its own sublattice.

    Slow changes, of thickness, strain or contamination, are not odd; nor is what a whole sublattice does.

    Parameters
    ----------
    columns : DataFrame of `detect.detect`
    sites : `sublattices.of_columns`; found if None

    Returns
    -------
    AnomalyMap

    Raises
    ------
    ValueError : no lattice in the columns
    """
    sites = sites or sublattices.of_columns(columns)
    places, table = columns[["y", "x"]].to_numpy(float), columns[["y", "x"]].assign(sublattice=sites.labels)
    parts = np.full((len(columns), len(WHAT)), np.nan)
    for kind in range(len(sites.offsets)):
        members = np.flatnonzero(sites.labels == kind)
        if len(members) > NEIGHBOURS:
            near = cKDTree(places[members]).query(places[members], NEIGHBOURS + 1)[1][:, 1:]
            for number, name in enumerate(("amplitude", "width")):
                parts[members, number] = beside(columns[name].to_numpy(float)[members], near)
            parts[members, 2] = displaced(places[members], near, sites.vectors)
    table[list(WHAT)] = parts
    size = np.abs(parts)
    told = np.isfinite(size).all(1)
    table["score"] = np.where(told, size.max(1), np.nan)
    table["what"] = np.where(told, np.array(WHAT)[np.nan_to_num(size).argmax(1)], "")
    stray = (sites.labels < 0) & np.isfinite(columns["y_std"].to_numpy(float))
    table.loc[stray, ["score", "what"]] = [np.inf, STRAY]
    return AnomalyMap(table, columns.attrs["spacing"], columns.attrs.get("pixel_size"))


def beside(values, near):
    """By how many robust standard deviations values (N,) differ from the median of their neighbours (N, K): (N,)."""
    around = values[near]
    apart = np.where(np.isfinite(around).sum(1) >= FEWEST, values - np.nanmedian(around, 1), np.nan)
    return apart / spread(apart)


def displaced(places, near, vectors):
    """How far columns (N, 2) are from where their neighbours' (N, K) lattice has them, in robust standard deviations: (N,)."""
    apart = places[near] - places[:, None]
    steps = np.rint(apart @ np.linalg.inv(vectors))
    design = np.concatenate([steps, np.ones_like(steps[..., :1])], -1)
    misfit = np.linalg.norm(apart - steps @ vectors, axis=-1)
    weight = 1 / (1 + (misfit / (1e-9 + np.median(misfit))) ** 2)  # a neighbour that is out of place itself says little
    weighed = design * weight[..., None]
    found = np.linalg.pinv(np.swapaxes(weighed, 1, 2) @ design) @ (np.swapaxes(weighed, 1, 2) @ apart)
    return np.hypot(*(-found[:, 2] / [spread(axis) for axis in found[:, 2].T]).T)


def spread(values):
    """Robust standard deviation of values around zero."""
    return NORMAL * np.nanmedian(np.abs(values))
