"""Point defects and fronts of an image by whichever method, and in numbers: counts, densities, lengths and areas."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from atomwork import weights
from atomwork.analysis import clusters, odd_columns, phases, second_opinion, segmentation
from atomwork.analysis.defect_map import DefectMap as DefectMap

METHODS = {"columns": odd_columns.find, "kmeans": clusters.kmeans, "pca": clusters.pca}
ASIDE = "columns+"  # what a method's name begins with whose findings are combined with those of columns
SAME_SITE = 0.5  # of the spacing, within which a column is what a point defect says of its site [-]


@dataclass(frozen=True)
class DefectReport:
    """Counts, densities, lengths and areas of a `DefectMap`.

    Attributes
    ----------
    defects : DataFrame, kind, y, x [px], y_angstrom, x_angstrom [Å] (NaN without a pixel size), confidence
    counts : DataFrame, kind, count
    n_sites : int, columns and point defects, each site once
    ratio : float, point defects over sites [-]
    area : float, of the crystal [px²]
    density : float, point defects per crystal area [1/nm²]; NaN without a pixel size
    fronts : DataFrame, length of each front within the image [px], length_nm [nm]
    phases : DataFrame of `phases.areas`
    """

    defects: pd.DataFrame
    counts: pd.DataFrame
    n_sites: int
    ratio: float
    area: float
    density: float
    fronts: pd.DataFrame
    phases: pd.DataFrame


def segment(image, *, model="columns+atomgan", pixel_size=None):
    """Find the point defects, the fronts and the phases of an image.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.], columns bright or dark
    model : str, ``"columns"`` by the profiles of its columns, ``"kmeans"`` or ``"pca"``, or a weight of AtomGAN's, see
        `weights.load`; ``"columns+…"``, followed by a weight, combines both, see `second_opinion.combined`
    pixel_size : float [Å], or None

    Returns
    -------
    DefectMap

    Raises
    ------
    ValueError : the image isn't one (H, W) frame, or has no lattice; no such method
    """
    return by_each(image, [model], pixel_size=pixel_size)[model]


def by_each(image, models, *, pixel_size=None):
    """What each of several methods finds in an image, as a dict of `DefectMap`; see `segment`. None runs twice."""
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"image has shape {image.shape}; segment takes one (H, W) image, so pick a frame of a stack.")
    methods = {part: method(part) for model in models for part in parts(model)}
    found = {part: replace(find(image), pixel_size=pixel_size) for part, find in methods.items()}
    every = {model: [found[part] for part in parts(model)] for model in models}
    return {model: maps[0] if len(maps) == 1 else second_opinion.combined(*maps) for model, maps in every.items()}


def parts(model):
    """The methods that a method's name, see `segment`, combines."""
    return ["columns", model.removeprefix(ASIDE)] if str(model).startswith(ASIDE) else [model]


def method(model):
    """The function that finds an image's defects by a method's name, or a weight's; see `segment`."""
    if model not in METHODS and not str(model).endswith(".safetensors") and model not in weights.registry():
        raise ValueError(
            f"model={model!r} is no method; choose from {', '.join(METHODS)}, atomgan, {ASIDE}atomgan, or give the "
            "path of a weight (.safetensors)."
        )
    return METHODS.get(model, partial(segmentation.segment, model=model))


def quantify(defect_map):
    """Count the defects of a `DefectMap`, and measure its fronts and phases.

    Parameters
    ----------
    defect_map : DefectMap

    Returns
    -------
    DefectReport
    """
    scale = np.nan if defect_map.pixel_size is None else defect_map.pixel_size
    found = defect_map.points
    defects = found[["kind", "y", "x"]].assign(
        y_angstrom=found["y"] * scale, x_angstrom=found["x"] * scale, confidence=found["confidence"]
    )
    sites = len(found) + int((~at_points(defect_map)).sum())
    labels = defect_map.labels
    area = float(np.prod(defect_map.shape)) if labels is None else float((labels > 0).sum())
    lengths = [float(shapely.length(phases.within(front, defect_map.shape))) for front in defect_map.fronts]
    lengths = pd.DataFrame({"length": lengths}, dtype=float)
    nanometres = 0.1 * scale
    return DefectReport(
        defects=defects.reset_index(drop=True),
        counts=found.groupby("kind", as_index=False).size().rename(columns={"size": "count"}),
        n_sites=sites,
        ratio=len(found) / sites if sites else 0.0,
        area=area,
        density=len(found) / (area * nanometres**2) if area else np.nan,
        fronts=lengths.assign(length_nm=nanometres * lengths["length"]),
        phases=phases.areas(defect_map.fronts, defect_map.shape, labels=labels, pixel_size=defect_map.pixel_size),
    )


def at_points(defect_map):
    """Which columns stand where a point defect is: (N,) bool array."""
    columns, points = (table[["y", "x"]].to_numpy(float) for table in (defect_map.columns, defect_map.points))
    if not len(columns) or not len(points):
        return np.zeros(len(columns), bool)
    return cKDTree(points).query(columns)[0] < SAME_SITE * defect_map.spacing
