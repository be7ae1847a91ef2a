"""Drawings of specimens: what AtomGAN's second domain is made of.

Atoms are discs whose grey level tells the element, point defects are the brightest discs, boundaries bright lines
(Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410). The levels lie far enough apart to be told by thresholds.
"""

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

RADIUS = 0.55  # Å, of an atom's disc
DEFECT_RADIUS = 0.9  # Å
LINE_WIDTH = 1.0  # Å
LEVELS = (60, 150)  # grey levels of the lightest and the heaviest element that can be drawn
HEAVIEST = 92
LINE_LEVEL = 200
DEFECT_LEVEL = 255
ATOMS = (LEVELS[1] + LINE_LEVEL) / 2  # grey level up to which there are atoms: what is brighter is not of the lattice


def grey_level(numbers):
    """Grey level of the elements of the given atomic numbers, growing with the number: float array."""
    return LEVELS[0] + (LEVELS[1] - LEVELS[0]) * np.asarray(numbers, float) / HEAVIEST


def draw(specimen, view, numbers):
    """Draw what a view shows of a specimen.

    Parameters
    ----------
    specimen : Specimen
    view : View
    numbers : (N,) int array, atomic number that each of the specimen's columns is drawn as

    Returns
    -------
    (H, W) uint8 array, grey levels
    """
    canvas = np.zeros(view.shape)
    places = view.to_pixels(specimen.columns[["y", "x"]].to_numpy(float))
    paint(canvas, places, grey_level(numbers), RADIUS / view.pixel_size)
    defects = specimen.defects[["y", "x"]].to_numpy(float)
    lines = [view.to_pixels(boundary.points) for boundary in specimen.boundaries]
    mark(canvas, view.to_pixels(defects), lines, view.pixel_size)
    return canvas.round().astype(np.uint8)


def mark(canvas, points, lines, pixel_size):
    """Draw lines, and point defects over them.

    Parameters
    ----------
    canvas : (H, W) float array, grey levels that are drawn over
    points : (N, 2) float array, point defects, (y, x) [px]
    lines : sequence of (M, 2) float arrays, vertices, (y, x) [px]
    pixel_size : float [Å]
    """
    radius = 0.5 * LINE_WIDTH / pixel_size
    for line in lines:
        blend(canvas, distance_to_line(canvas.shape, line, radius + 1), LINE_LEVEL, radius)
    paint(canvas, points, np.full(len(points), DEFECT_LEVEL), DEFECT_RADIUS / pixel_size)


def paint(canvas, places, levels, radius):
    """Draw discs of ``radius`` [px] with soft rims, each pixel belonging to the nearest."""
    if len(places):
        pixels = np.stack(np.indices(canvas.shape), -1).reshape(-1, 2)
        distance, nearest = cKDTree(places).query(pixels, distance_upper_bound=radius + 1)
        level = np.append(levels, 0)[nearest].reshape(canvas.shape)
        blend(canvas, distance.reshape(canvas.shape), level, radius)


def blend(canvas, distance, level, radius):
    """Cover the canvas where ``distance`` is below ``radius`` [px], half a pixel of the rim to either side in part."""
    cover = np.clip(radius + 0.5 - distance, 0, 1)
    canvas += cover * (level - canvas)


def distance_to_line(shape, line, reach):
    """Distance of every pixel from a polyline of (M, 2) vertices, infinite beyond ``reach`` [px]: (H, W) array."""
    nearest = np.full(shape, np.inf)
    for start, end in pairwise(line):
        low = np.maximum(np.floor(np.minimum(start, end) - reach), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(start, end) + reach) + 1, shape).astype(int)
        if (low >= high).any():
            continue
        points = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
        way = end - start
        along = np.clip((points - start) @ way / max(way @ way, 1e-12), 0, 1)
        window = nearest[low[0] : high[0], low[1] : high[1]]
        np.minimum(window, np.linalg.norm(points - start - along[..., None] * way, axis=-1), out=window)
    return np.where(nearest <= reach, nearest, np.inf)
