"""What the profiles of columns and a network find in one image, in one map."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

DOUBTFUL = 3.0  # deviations by which a site that the profiles don't call odd is fainter than its kind to be in doubt [-]
SAME = 0.5  # spacings within which a point defect and a site are the same
APART = 1.0  # spacings within which two point defects are the same


def combined(columns, network):
    """What the profiles of columns find, and the vacancies that a network finds where these doubt.

    A network may see things in images of another kind than it learned from. So it is asked about sites only that the profiles
    judge, and find fainter than most of their kind, but not by as much as convinces them; and it is believed only where at
    least half of what it finds in the image is at such sites or at those that the profiles call odd.

    Parameters
    ----------
    columns : DefectMap of `odd_columns.find`
    network : DefectMap of the same image, see `segmentation.segment`

    Returns
    -------
    DefectMap
    """
    places = network.points[["y", "x"]].to_numpy(float)
    sites, near = columns.columns, SAME * columns.spacing
    faint = ~sites["odd"] & (sites["deviation"] < -DOUBTFUL)
    from_known = distances(places, columns.points)
    new = (distances(places, sites[faint]) < near) & (from_known > APART * columns.spacing)
    new &= 2 * (new | (from_known < near)).sum() >= len(places)
    points = pd.concat([columns.points, network.points[new]], ignore_index=True) if new.any() else columns.points
    return replace(columns, points=points, source=f"{columns.source}+{network.source}")


def distances(places, table):
    """The distance [px] of each of some places (N, 2) from the nearest row of a table, infinite if it is empty: (N,) array."""
    return cKDTree(table[["y", "x"]].to_numpy(float)).query(places)[0] if len(table) else np.full(len(places), np.inf)
