"""Phases beside their fronts: the polygons into which fronts cut an image, the triangles of these, and areas."""

import networkx
import numpy as np
import pandas as pd
import shapely

REACH = 0.05  # of the image's shorter side, within which a front that ends before the border is led to it [-]
SMALLEST = 1e-4  # share of the image that a polygon has at least; smaller ones are slivers along the border [-]


def polygons(fronts, shape):
    """The polygons into which fronts cut an image.

    Parameters
    ----------
    fronts : sequence of (N, 2) float arrays, vertices, (y, x) [px]; what lies outside the image does not count. An end within
        `REACH` of the border is led to it; a front that ends farther inside cuts nothing
    shape : (2,) int, H and W [px]

    Returns
    -------
    list of shapely.Polygon in (x, y) [px], the largest first; their areas add up to H·W, less slivers
    """
    inside = [within(led_out(front, shape), shape) for front in fronts if len(front) > 1]
    cut = shapely.polygonize(shapely.get_parts(shapely.union_all([frame(shape).boundary, *inside])))
    parts = [part for part in shapely.get_parts(cut) if part.area > SMALLEST * frame(shape).area]
    return sorted(parts, key=lambda part: -part.area)


def frame(shape):
    """The border of an image (H, W), that of its outermost pixels, in (x, y) [px]."""
    return shapely.box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5)


def within(front, shape):
    """The part of a front (N, 2) that lies in an image, in (x, y) [px]."""
    return shapely.intersection(shapely.LineString(np.asarray(front)[:, ::-1]), frame(shape))


def led_out(front, shape):
    """A front (N, 2) whose ends that almost reach the image's border are led beyond it."""
    front, limits = np.asarray(front, float), np.array(shape) - 0.5
    ends = []
    for end in (front[0], front[-1]):
        away = np.concatenate([end + 0.5, limits - end])  # from the upper, left, lower and right border
        side = away.argmin()
        out = end.copy()
        if 0 <= away[side] < REACH * min(shape):
            out[side % 2] = (-0.5 if side < 2 else limits[side % 2]) + (-1 if side < 2 else 1)
        ends.append(out)
    return np.concatenate([ends[:1], front, ends[1:]])


def triangles(polygon):
    """The triangles of a polygon, whose areas add up to its own: (T, 3, 2) float array, (y, x) [px]."""
    parts = shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))
    return np.array([shapely.get_coordinates(part)[:3, ::-1] for part in parts]).reshape(-1, 3, 2)


def two_phases(parts):
    """Phase 1 or 2 of each polygon, neighbours across a front unlike: (P,) int array; the largest one is of phase 1."""
    beside = networkx.empty_graph(len(parts))
    for k, part in enumerate(parts):
        shared = shapely.length(shapely.intersection(part, parts[:k])) if k else np.zeros(0)
        beside.add_edges_from((k, int(m)) for m in np.flatnonzero(shared > 1))
    phase = np.ones(len(parts), int)
    for group in networkx.connected_components(beside):
        for k, steps in networkx.single_source_shortest_path_length(beside, min(group)).items():
            phase[k] = 1 + steps % 2
    return phase


def areas(fronts, shape, *, labels=None, pixel_size=None):
    """The area of each phase, triangle by triangle.

    Parameters
    ----------
    fronts, shape : see `polygons`
    labels : (H, W) int array, phases 1, 2, …, of which a polygon has the commonest one within it; if None, there are two, which
        alternate from front to front
    pixel_size : float [Å], or None

    Returns
    -------
    pandas.DataFrame : phase, area [px²], share [-], area_nm2 [nm²] (NaN without a pixel size)

    Raises
    ------
    ValueError : the labels have another shape
    """
    if labels is not None and np.shape(labels) != tuple(shape):
        raise ValueError(f"labels of {np.shape(labels)} px are not of an image of {tuple(shape)} px; give those of the image.")
    parts = polygons(fronts, shape)
    phase = two_phases(parts) if labels is None else np.array([commonest(labels, part) for part in parts])
    size = np.array([triangle_areas(triangles(part)).sum() for part in parts])
    table = pd.DataFrame({"phase": phase, "area": size}).groupby("phase", as_index=False).sum()
    table["share"] = table["area"] / table["area"].sum()
    table["area_nm2"] = table["area"] * (np.nan if pixel_size is None else (0.1 * pixel_size) ** 2)
    return table


def triangle_areas(corners):
    """Areas (T,) of triangles (T, 3, 2)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def commonest(labels, polygon):
    """The commonest label among the pixels in a polygon."""
    y, x = np.indices(labels.shape)
    return int(np.bincount(labels[shapely.contains_xy(polygon, x, y)], minlength=1).argmax())
