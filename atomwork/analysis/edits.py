"""What a user's hand does to the columns of an image, as plain numbers: single columns, regions, and marks of the truth.

What is shown is a function of `Settings` alone, so that a batch that is given them gets the same columns.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from atomwork.columns import fit, matching

COLUMN = {"add": 2, "remove": 2, "move": 4}  # coordinates that each kind of edit of a column has
REGION = {"include": 4, "ignore": 4}  # and of a region
NUMBERS = {**COLUMN, **REGION, "truth": 2}
GRASP = 0.5  # of the spacing, within which a click takes hold of a column
TOUCHED = 2.5  # spacings from an edit within which columns are fitted anew
BESIDE = 5.0  # spacings within which others are fitted with them, and keep what they were
HIT = 0.25  # of the spacing, within which a column is where the truth was marked
FITTED = ["y", "x", "y_std", "x_std", "amplitude", "background", "width"]


@dataclass(frozen=True)
class Settings:
    """What columns are a function of, beside the image.

    Attributes
    ----------
    lower_bound, window_size : float, float or None, see `detect.detect`
    edits : tuple of ("add", y, x), ("remove", y, x) or ("move", y, x, to y, to x), ("include", y, x, y, x) or ("ignore", y, x,
        y, x), opposite corners, and ("truth", y, x), which marks a column by which the others are judged, or takes such a
        mark away; places in px, in their order
    """

    lower_bound: float = 0.1
    window_size: float | None = None
    edits: tuple = ()

    @classmethod
    def of(cls, parameters):
        """Those among a notebook's or a file's parameters.

        Raises
        ------
        ValueError : an edit of an unknown kind, or without its coordinates
        """
        edits = tuple((str(kind), *map(float, places)) for kind, *places in parameters.get("edits") or ())
        for kind, *places in edits:
            if NUMBERS.get(kind) != len(places) or not np.isfinite(places).all():
                known = ", ".join(f"{name} with {count}" for name, count in NUMBERS.items())
                raise ValueError(f"edit {[kind, *places]} is none; give one of {known} numbers, y before x, in px.")
        window_size = parameters.get("window_size")
        return cls(float(parameters.get("lower_bound", 0.1)), None if window_size is None else float(window_size), edits)

    def parameters(self):
        """The same as a notebook's parameters: plain numbers, strings and lists."""
        return {"lower_bound": self.lower_bound, "window_size": self.window_size, "edits": [list(edit) for edit in self.edits]}

    def among(self, kinds):
        """The edits of some kinds, in their order."""
        return [edit for edit in self.edits if edit[0] in kinds]


def cared_for(points, settings):
    """Which points (N, 2) [px] are in an included region, if there is any, and in none that is ignored: (N,) bool array."""
    inside = {kind: np.zeros(len(points), bool) for kind in REGION}
    for kind, *corners in settings.among(REGION):
        low, high = np.sort(np.reshape(corners, (2, 2)), axis=0)
        inside[kind] |= ((points >= low) & (points <= high)).all(1)
    wanted = inside["include"] if settings.among(["include"]) else True
    return wanted & ~inside["ignore"]


def marks(settings, spacing):
    """The places that were marked as true columns, (M, 2) [px]; a mark near another takes it away."""
    result = np.empty((0, 2))
    for _, *place in settings.among(["truth"]):
        distance = np.linalg.norm(result - place, axis=1)
        near = len(result) and distance.min() <= GRASP * spacing
        result = np.delete(result, distance.argmin(), axis=0) if near else np.append(result, [place], axis=0)
    return result


def agreement(points, truth, spacing):
    """`matching.Match` of points (N, 2) with the marked truth (M, 2) [px]; only those in the marks' convex hull are judged."""
    hull = shapely.MultiPoint(truth).convex_hull.buffer(HIT * spacing)
    return matching.match(points[shapely.contains_xy(hull, points)], truth, tolerance=HIT * spacing)


def edited(image, table, edit):
    """Columns with one edit, and fitted anew around it.

    Parameters
    ----------
    image : (H, W) float array, or None to fit nothing
    table : DataFrame of `detect.columns`
    edit : of one column, see `Settings`; one that is added where a column lies already only makes that one sure

    Returns
    -------
    DataFrame : in reading order; the same table if the edit takes hold of no column
    """
    kind, *numbers = edit
    spacing, result = table.attrs["spacing"], table
    if kind != "add":
        held, distance = nearest(table, numbers[:2])
        if distance > GRASP * spacing:
            return table
        result = result.drop(index=held)
    if kind != "remove":
        result = result.reset_index(drop=True)
        held, distance = nearest(result, numbers[-2:])
        if distance <= HIT * spacing:
            result.loc[held, "confidence"] = 1.0
        else:
            by_hand = dict(zip(("y", "x"), numbers[-2:], strict=True)) | {"confidence": 1.0}
            result.loc[len(result)] = pd.Series(by_hand, table.columns, float)
    if image is not None:
        result = refitted(image, result, np.reshape(numbers, (-1, 2)), spacing)
    result = result.sort_values(["y", "x"], ignore_index=True)
    result.attrs = table.attrs
    return result


def nearest(table, place):
    """Which column of a table is nearest to a place (y, x), and how far away it is [px]."""
    distance = np.linalg.norm(table[["y", "x"]].to_numpy(float) - place, axis=1)
    return (int(distance.argmin()), float(distance.min())) if len(distance) else (0, np.inf)


def refitted(image, table, centres, spacing):
    """The table with its columns near centres (C, 2) fitted anew, together with what lies beside them."""
    places = table[["y", "x"]].to_numpy(float)
    if not len(places):
        return table
    distance = cKDTree(centres).query(places)[0] / spacing
    beside = np.flatnonzero(distance < BESIDE)
    touched = distance[beside] < TOUCHED
    if not touched.any():
        return table
    again = fit.refine(image, places[beside], spacing=spacing)[FITTED].to_numpy()[touched]
    values = np.array(table[FITTED], float)
    values[beside[touched]] = again
    return table.assign(**dict(zip(FITTED, values.T, strict=True)))
