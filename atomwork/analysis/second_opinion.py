"""What the profiles of columns and a network find in one image, in one map."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

SURE = 0.5  # confidence from which a network's point defect counts where the profiles can't judge, or doubt [0-1]
DOUBTFUL = 3.0  # deviations of its kind from which a site that the profiles don't call odd is in doubt [-]
SAME = 0.5  # spacings within which a point defect and a site are the same
APART = 1.0  # spacings within which two point defects are the same


def combined(columns, network):
    """The point defects, fronts and phases that the profiles of columns find, and what a network adds to them.

    A network's point defect counts beside these where it is sure of it and the profiles don't contradict: no site that they can
    judge is there, or one that differs from its kind by more than most do. Its fronts count where the profiles see none.

    Parameters
    ----------
    columns : DefectMap of `odd_columns.find`
    network : DefectMap of the same image, see `segmentation.segment`

    Returns
    -------
    DefectMap
    """
    places = network.points[["y", "x"]].to_numpy(float)
    new = network.points["confidence"].to_numpy(float) > SURE
    new &= distances(places, columns.points) > APART * columns.spacing
    new &= ~whole(places, columns)
    points = pd.concat([columns.points, network.points[new]], ignore_index=True) if new.any() else columns.points
    fronts = columns.fronts or network.fronts
    return replace(columns, points=points, fronts=fronts, source=f"{columns.source}+{network.source}")


def whole(places, columns):
    """Which places (N, 2) are sites that the profiles of columns call whole: (N,) bool array."""
    clear = columns.columns[~columns.columns["odd"] & (columns.columns["deviation"].abs() < DOUBTFUL)]
    return distances(places, clear) < SAME * columns.spacing


def distances(places, table):
    """The distance [px] of each of some places (N, 2) from the nearest row of a table, infinite if it is empty: (N,) array."""
    return cKDTree(table[["y", "x"]].to_numpy(float)).query(places)[0] if len(table) else np.full(len(places), np.inf)
