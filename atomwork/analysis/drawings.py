"""What a drawing of a specimen says: columns, point defects and lines, by thresholds and by the forms of what is bright.

And the other way round, a drawing of what was found.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.feature import peak_local_max
from skimage.measure import label, regionprops
from skimage.morphology import opening
from skimage.transform import rescale

from atomwork.analysis.clusters import extent, middle_line
from atomwork.analysis.defect_map import DefectMap, on
from atomwork.simulation.drawing import (
    ATOMS,
    DEFECT_LEVEL,
    DEFECT_RADIUS,
    LEVELS,
    LINE_WIDTH,
    RADIUS,
    UNKNOWN,
    grey_level,
    mark,
    paint,
)

SPACING = 1.82  # Å, of the columns of the dichalcogenides that drawings show
FINE = 16.0  # px, the spacing that a drawing is magnified to before its forms are told apart
FAINT = LEVELS[0] / 2  # grey level below which there is nothing
ROUND = (0.5 * LINE_WIDTH + DEFECT_RADIUS) / 2 / SPACING  # spacings, radius of a disc that fits in a defect but in no line
SIZES = (0.25, 2.5)  # least and largest area of a point defect over that of its disc [-]
ELEMENTS = {"metal": 58, "chalcogen": 16}  # atomic numbers that columns are drawn as; between Mo and W, as either may be one
NEAR, APART = 1.1, 0.6  # spacings that pixels within a crystal are from a column at most, and from what is not within at least
LONG = 4.0  # spacings that a line is long at least


def read(levels, spacing, *, source="drawing"):
    """Point defects, lines and columns of a drawing.

    Parameters
    ----------
    levels : (H, W) float array, grey levels 0…255 as `simulation.drawing` has them
    spacing : float, distance of neighbouring columns [px]
    source : str, where the drawing is from

    Returns
    -------
    DefectMap : points are of kind ``vacancy``, as drawings don't say of what; their confidence is how far they outshine atoms
    """
    zoom = FINE / spacing
    fine = rescale(np.asarray(levels, float), zoom, order=1, anti_aliasing=False, mode="edge")
    bright = fine > ATOMS
    y, x = np.ogrid[-FINE:FINE, -FINE:FINE]
    discs = regionprops(label(opening(bright, np.hypot(y, x) < ROUND * FINE)), fine)
    area = np.pi * (DEFECT_RADIUS / SPACING * FINE) ** 2
    discs = [disc for disc in discs if SIZES[0] < disc.area / area < SIZES[1]]
    lines = [line for line in regionprops(label(bright)) if extent(line) >= LONG * FINE]
    points = pd.DataFrame([on(disc.centroid_weighted, 1 / zoom) for disc in discs], columns=["y", "x"], dtype=float)
    sure = [(disc.intensity_mean - ATOMS) / (DEFECT_LEVEL - ATOMS) for disc in discs]
    return DefectMap(
        shape=np.shape(levels),
        points=points.assign(kind="vacancy", confidence=np.clip(sure, 0, 1)),
        fronts=[on(middle_line(line), 1 / zoom) for line in lines],
        columns=pd.DataFrame(columns_of(fine, zoom), columns=["y", "x"], dtype=float),
        spacing=spacing,
        source=source,
    )


def columns_of(fine, zoom):
    """The columns (N, 2) of a magnified drawing, (y, x) [px]: atoms and point defects, whatever is local and no line."""
    smooth = gaussian_filter(fine, 0.15 * FINE)
    places = peak_local_max(smooth, min_distance=round(0.3 * FINE), threshold_abs=FAINT, exclude_border=False)
    return on(places, 1 / zoom)


def marks(found):
    """What was found as a drawing shows it.

    Parameters
    ----------
    found : DefectMap; if its columns have a ``site``, metal or chalcogen, they are drawn too, of `ELEMENTS`

    Returns
    -------
    (H, W) float array, grey levels 0…255; `UNKNOWN` where there is no mark and which columns there are is not known
    """
    canvas, unknown = np.zeros(found.shape), np.ones(found.shape, bool)
    pixel_size = SPACING / found.spacing
    if "site" in found.columns and len(found.columns):
        places = found.columns[["y", "x"]].to_numpy(float)
        paint(canvas, places, grey_level(found.columns["site"].map(ELEMENTS)), RADIUS / pixel_size)
        unknown = ~within(places, found.shape, found.spacing)
    mark(canvas, found.points[["y", "x"]].to_numpy(float), found.fronts, pixel_size)
    return np.where(unknown & (canvas < ATOMS), UNKNOWN, canvas)


def within(places, shape, spacing):
    """Where there are no columns but those at ``places`` (N, 2) [px], if theirs are a whole crystal's: (H, W) bool array."""
    distance = distance_transform_edt(~rastered(places, shape))
    return distance_transform_edt(np.pad(distance < NEAR * spacing, 1, mode="edge"))[1:-1, 1:-1] > APART * spacing


def rastered(places, shape):
    """The pixels that places (N, 2) lie in: (H, W) bool array."""
    pixels = np.zeros(shape, bool)
    pixels[tuple(np.clip(np.round(places).astype(int), 0, np.array(shape) - 1).T)] = True
    return pixels
