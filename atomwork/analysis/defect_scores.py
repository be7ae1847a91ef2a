"""How well the point defects, the front and the phases of a `DefectMap` agree with an image's truth."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from atomwork.analysis import phases
from atomwork.analysis.defect_map import on
from atomwork.columns import matching

TOLERANCE = 0.5  # spacings within which a point or a front is where the truth has it
STEP = 0.25  # px between the points that a polyline is compared at


@dataclass(frozen=True)
class Truth:
    """What an image shows.

    Attributes
    ----------
    columns : (N, 2) float array, all columns, (y, x) [px]
    points : (D, 2) float array, point defects, (y, x) [px]
    front : (K, 2) float array, vertices of the front, which may lead out of the image, (y, x) [px]; none if there is no front
    """

    columns: np.ndarray
    points: np.ndarray
    front: np.ndarray

    @classmethod
    def of(cls, arrays):
        """What an image of the recipe ``atomgan`` shows, of its ``columns``, ``defects`` and ``front``, padded with NaN."""
        rows = (np.asarray(arrays[name], float) for name in ("columns", "defects", "front"))
        return cls(*(table[~np.isnan(table[:, 0])][:, :2] for table in rows))

    def magnified(self, factor):
        """The same on ``factor`` (2,) times as many pixels along either axis."""
        return Truth(*(on(places, np.array(factor)) for places in (self.columns, self.points, self.front)))


@dataclass(frozen=True)
class Scores:
    """Agreement of one image's defects with its truth.

    Attributes
    ----------
    hits, false, missed : int, point defects found where one is, where none is, and not found
    front_rms : float, root mean square distance of the found and the true front from each other, over the spacing [-];
        infinite where only one of them is there, NaN where neither is
    area_error : float, of a phase's share of the image [-]
    confusion : (2, 2) int array, sites by truth (rows: whole, defective) and by what was found (columns)
    """

    hits: int
    false: int
    missed: int
    front_rms: float
    area_error: float
    confusion: np.ndarray


def scored(found, truth):
    """Scores of what was found.

    Parameters
    ----------
    found : DefectMap
    truth : Truth

    Returns
    -------
    Scores
    """
    tolerance = TOLERANCE * found.spacing
    points = found.points[["y", "x"]].to_numpy(float)
    paired = matching.match(points, truth.points, tolerance=tolerance)
    hits = len(paired.pairs)
    false = np.setdiff1d(np.arange(len(points)), paired.pairs[:, 0])
    whole = without(truth.columns, truth.points, tolerance)
    wrong = len(matching.match(points[false], whole, tolerance=tolerance).pairs)
    missed = len(truth.points) - hits
    return Scores(
        hits=hits,
        false=len(false),
        missed=missed,
        front_rms=front_rms(found.fronts, truth.front, found.shape) / found.spacing,
        area_error=area_error(found.fronts, truth.front, found.shape),
        confusion=np.array([[len(whole) - wrong, wrong], [missed, hits]]),
    )


def pooled(scores):
    """Scores of many images in one row.

    Parameters
    ----------
    scores : sequence of Scores

    Returns
    -------
    dict : images, precision, recall, f1 of all point defects together [-]; fronts_found, share of fronts with an RMS of at most
        `TOLERANCE`, front_rms of those [spacings]; area_error, the largest and within_2_percent, share of images [-]
    """
    hits, false, missed = (sum(getattr(one, name) for one in scores) for name in ("hits", "false", "missed"))
    rms = np.array([one.front_rms for one in scores])
    area = np.array([one.area_error for one in scores])
    near = rms[rms <= TOLERANCE]
    return {
        "images": len(scores),
        "precision": hits / (hits + false) if hits + false else 1.0,
        "recall": hits / (hits + missed) if hits + missed else 1.0,
        "f1": 2 * hits / (2 * hits + false + missed) if hits + false + missed else 1.0,
        "fronts_found": len(near) / max((~np.isnan(rms)).sum(), 1),
        "front_rms": float(np.sqrt((near**2).mean())) if len(near) else np.nan,
        "area_error": float(area.max()),
        "within_2_percent": float((area <= 0.02).mean()),
    }


def without(columns, points, tolerance):
    """The columns (N, 2) that aren't within a tolerance [px] of points (D, 2)."""
    return columns[apart(columns, points, tolerance)]


def apart(columns, points, tolerance):
    """Which columns (N, 2) aren't within a tolerance [px] of points (D, 2): (N,) bool array."""
    return cKDTree(points).query(columns)[0] > tolerance if len(points) else np.ones(len(columns), bool)


def front_rms(fronts, truth, shape):
    """Root mean square distance of found fronts and the true one from each other within an image [px], see `Scores`."""
    found = np.concatenate([np.empty((0, 2)), *(dense(front, shape) for front in fronts)])
    truth = dense(truth, shape)
    if not len(found) or not len(truth):
        return np.inf if len(found) or len(truth) else np.nan
    there, back = cKDTree(truth).query(found)[0], cKDTree(found).query(truth)[0]
    return float(np.sqrt(0.5 * ((there**2).mean() + (back**2).mean())))


def dense(line, shape):
    """Points (K, 2) along a polyline every `STEP`, those inside an image of ``shape``."""
    if len(line) < 2:
        return np.empty((0, 2))
    line = np.asarray(line, float)
    along = np.append(0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))
    at = np.arange(0, along[-1], STEP)
    points = np.stack([np.interp(at, along, line[:, k]) for k in (0, 1)], 1)
    return points[((points >= 0) & (points <= np.array(shape) - 1)).all(1)]


def area_error(fronts, truth, shape):
    """Difference of the smaller phase's share of an image, by found fronts and by the true one [-]."""
    shares = [phases.areas(lines, shape)["share"].to_numpy() for lines in (fronts, [truth] if len(truth) else [])]
    first, second = (share[0] for share in shares)
    return float(min(abs(first - second), abs(1 - first - second)))
