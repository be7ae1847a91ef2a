"""What a drawing of a specimen says: columns, point defects and lines, by thresholds and by the forms of what is bright.

And the other way round, a drawing of what was found.
"""

import numpy as np
import pandas as pd
import shapely
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree
from skimage.feature import peak_local_max
from skimage.measure import label, regionprops
from skimage.transform import rescale

from atomwork.analysis.clusters import extent, way_through
from atomwork.analysis.defect_map import DefectMap, on
from atomwork.analysis.drawn_lines import joined, to_border
from atomwork.columns.borders import within
from atomwork.simulation.drawing import ATOMS, DEFECT_LEVEL, LEVELS, RADIUS, grey_level, mark, paint

SPACING = 1.82  # Å, of the columns of the dichalcogenides that drawings show
FINE = 16.0  # px, the spacing that a drawing is magnified to before its forms are told apart
FAINT = LEVELS[0] / 2  # grey level below which there is nothing
# grey levels in a drawing that is smoothed by a Gaussian of this many spacings: there, the heaviest atoms peak at 102 (of 150),
# lines at 169 (of 200), and defects at 244 (of 255)
SMOOTH, FAINTEST_LINE, FAINTEST_POINT, FAINTEST_ON_LINE = 0.2, 105.0, 130.0, 232.0
BESIDE = 0.8  # spacings from a line within which a point is on it
BLIND, RING = 0.75, 1.6  # spacings from the border within which lines aren't seen, and point defects have too few neighbours
PIECE, GAP = 2.0, 6.0  # spacings that a piece of a line is long at least, and that two are apart at most
CORNER = 0.5  # spacings
WAY_OUT = 3.0  # spacings that a line is led on to the border at most
SHARP = 8  # power of a grey level by which a way through it is short
UNKNOWN = -1.0  # grey level of what may be no atom or any
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
    smooth = gaussian_filter(fine, SMOOTH * FINE)
    lines = lines_of(smooth)
    places = points_of(smooth, lines)
    sure = (smooth[tuple(places.T)] - FAINTEST_POINT) / (DEFECT_LEVEL - FAINTEST_POINT)
    points = pd.DataFrame(on(places, 1 / zoom), columns=["y", "x"], dtype=float)
    return DefectMap(
        shape=np.shape(levels),
        points=points.assign(kind="vacancy", confidence=np.clip(sure, 0, 1)),
        fronts=[on(line, 1 / zoom) for line in lines],
        columns=pd.DataFrame(columns_of(fine, zoom), columns=["y", "x"], dtype=float),
        spacing=spacing,
        source=source,
    )


def lines_of(smooth):
    """The lines (N, 2) of a magnified and smoothed drawing, (y, x) [px], led to the border where they end near it."""
    seen = inside(smooth, BLIND)
    regions = regionprops(label(seen > FAINTEST_LINE), seen)
    ends = round(CORNER * FINE)  # the way through a region begins and ends in corners of it
    pieces = [ridge(region)[ends:-ends] for region in regions if extent(region) >= PIECE * FINE]
    pieces = [piece for piece in pieces if within(piece, smooth.shape, RING * FINE).mean() > 0.5]
    lines = [line for line in joined(pieces, GAP * FINE) if np.ptp(line, axis=0).max() >= LONG * FINE]
    return [to_border(line, smooth.shape, WAY_OUT * FINE) for line in lines]


def ridge(region):
    """The brightest way through a long region from its one end to the other: (N, 2) float array."""
    return way_through(region, (np.maximum(region.image_intensity, 1) / region.intensity_max) ** -SHARP)


def points_of(smooth, lines):
    """The point defects (N, 2) of a magnified and smoothed drawing, (y, x) [px]: its peaks, those on lines if far brighter."""
    peaks = peak_local_max(smooth, min_distance=round(0.6 * FINE), threshold_abs=FAINTEST_POINT, exclude_border=False)
    peaks = peaks[within(peaks, smooth.shape, RING * FINE)]
    if not lines:
        return peaks
    apart = shapely.distance(shapely.points(peaks), shapely.MultiLineString(lines))
    return peaks[(apart > BESIDE * FINE) | (smooth[tuple(peaks.T)] > FAINTEST_ON_LINE)]


def inside(levels, margin):
    """The grey levels, 0 within a margin [spacings] of the border."""
    kept, width = np.zeros_like(levels), round(margin * FINE)
    kept[width:-width, width:-width] = levels[width:-width, width:-width]
    return kept


def columns_of(fine, zoom):
    """The columns (N, 2) of a magnified drawing, (y, x) [px]: atoms and point defects, whatever is local and no line."""
    smooth = gaussian_filter(fine, 0.15 * FINE)
    places = peak_local_max(smooth, min_distance=round(0.3 * FINE), threshold_abs=FAINT, exclude_border=False)
    return on(places, 1 / zoom)


def marks(found):
    """What was found as a drawing shows it.

    Parameters
    ----------
    found : DefectMap; if it has ``sites``, columns are drawn there, of `ELEMENTS`

    Returns
    -------
    (H, W) float array, grey levels 0…255; `UNKNOWN` where there is no mark and which columns there are is not known
    """
    canvas, unknown = np.zeros(found.shape), np.ones(found.shape, bool)
    pixel_size = SPACING / found.spacing
    if found.sites is not None and len(found.sites):
        places = found.sites[["y", "x"]].to_numpy(float)
        paint(canvas, places, grey_level(found.sites["site"].map(ELEMENTS)), RADIUS / pixel_size)
        unknown = ~covered(places, found.shape, found.spacing)
    mark(canvas, found.points[["y", "x"]].to_numpy(float), found.fronts, pixel_size)
    return np.where(unknown & (canvas < ATOMS), UNKNOWN, canvas)


def covered(places, shape, spacing):
    """Where there are no columns but those at ``places`` (N, 2) [px], if theirs are a whole crystal's: (H, W) bool array."""
    distance = cKDTree(places).query(np.stack(np.indices(shape), -1))[0]
    return distance_transform_edt(np.pad(distance < NEAR * spacing, 1, mode="edge"))[1:-1, 1:-1] > APART * spacing
