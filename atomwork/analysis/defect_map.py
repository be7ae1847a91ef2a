"""What does not belong to the perfect crystal of an image, by whichever method."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class DefectMap:
    """Point defects, fronts between phases and the columns seen.

    Attributes
    ----------
    shape : (2,) int, H and W of the image [px]
    points : DataFrame, y, x [px], kind, confidence [0-1] of point defects
    fronts : list of (N, 2) float arrays, vertices of the lines between phases, (y, x) [px]
    columns : DataFrame, y, x [px] of all columns seen, odd ones included or not
    labels : (H, W) int array of phases 1, 2, … and 0 where there is no crystal, or None
    spacing : float, nearest-neighbour distance of columns [px]
    pixel_size : float [Å], or None
    source : str, which method
    sites : DataFrame, y, x [px] and site, metal or chalcogen, of all places of a crystal's columns in and around the image,
        those with a point defect and those that can't be judged as well; or None
    """

    shape: tuple
    points: pd.DataFrame
    fronts: list
    columns: pd.DataFrame
    spacing: float
    source: str
    labels: np.ndarray | None = None
    pixel_size: float | None = None
    sites: pd.DataFrame | None = None

    def sure(self, least):
        """The same with only those point defects whose confidence is ``least`` [0–1] or more."""
        return replace(self, points=self.points[self.points["confidence"] >= least].reset_index(drop=True))

    def magnified(self, factor, shape):
        """The same on ``factor`` (2,) times as many pixels along either axis, of an image of ``shape``; without labels."""
        y, x = factor
        tables = {"points": self.points, "columns": self.columns} | ({} if self.sites is None else {"sites": self.sites})
        tables = {name: table.assign(y=on(table["y"], y), x=on(table["x"], x)) for name, table in tables.items()}
        fronts, spacing = [on(front, np.array(factor)) for front in self.fronts], self.spacing * float(np.sqrt(y * x))
        return replace(self, shape=shape, fronts=fronts, spacing=spacing, labels=None, **tables)


def on(places, factor):
    """Places (...) [px] in an image with ``factor`` times as many pixels, from the centre of the first one."""
    return (np.asarray(places, float) + 0.5) * factor - 0.5
