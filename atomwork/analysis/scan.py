"""Where the rows of a scanned frame lay on the specimen, and frames resampled along them.

While a frame is scanned the specimen moves, little within a row and visibly from the first row to the last. So a frame
is described by the place of each row, and pixels are carried between frames row by row.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import spline_filter

FAR = 1e6  # px beyond the first and the last row, where a frame goes on undistorted


@dataclass(frozen=True)
class Scan:
    """The places of a frame's rows, in pixels of the frame that all others are compared with.

    Attributes
    ----------
    y : (H,) float array, place of each row, rising [px]
    x : (H,) float array, place of each row's first pixel [px]
    """

    y: np.ndarray
    x: np.ndarray

    @classmethod
    def along(cls, drift):
        """The scan whose rows are displaced by ``drift`` (H, 2), y and x [px]."""
        drift = np.asarray(drift, float)
        return cls(np.arange(len(drift)) + drift[:, 0], drift[:, 1])

    @property
    def drift(self):
        """(H, 2) displacement of the rows, y and x [px]."""
        return np.stack([self.y - np.arange(len(self.y)), self.x], -1)

    def rows_at(self, y):
        """The rows, in fractions, that lie at the places ``y`` [px], and the places of their first pixels [px]."""
        ends = np.array([-FAR, FAR])
        places = np.concatenate([self.y[:1] + ends[:1], self.y, self.y[-1:] + ends[1:]])
        index = np.arange(len(self.y), dtype=float)
        rows = np.interp(y, places, np.concatenate([ends[:1], index, index[-1:] + ends[1:]]))
        return rows, np.interp(rows, index, self.x)

    def to_pixels(self, places):
        """Places (N, 2) as pixels of the frame, (y, x)."""
        rows, start = self.rows_at(places[:, 0])
        return np.stack([rows, places[:, 1] - start], -1)

    def to_places(self, pixels):
        """Pixels (N, 2) of the frame as places, (y, x) [px]."""
        index = np.arange(len(self.y), dtype=float)
        beyond = pixels[:, 0] - np.clip(pixels[:, 0], 0, index[-1])
        y, x = (np.interp(pixels[:, 0], index, values) for values in (self.y, self.x))
        return np.stack([y + beyond, pixels[:, 1] + x], -1)

    def moved(self, shift):
        """The scan displaced as a whole, or row by row with ``shift`` (H, 2), y and x [px]."""
        shift = np.broadcast_to(shift, (len(self.y), 2))
        return Scan(self.y + shift[:, 0], self.x + shift[:, 1])

    def enlarged(self, factor, rows):
        """The scan of the frame of ``rows`` rows of which this one has groups of ``factor`` x ``factor`` pixels averaged."""
        middle = (factor - 1) / 2
        coarse = (np.arange(rows) - middle) / factor
        inside = np.clip(coarse, 0, len(self.y) - 1)
        drift = [factor * np.interp(inside, np.arange(len(self.y)), values) for values in self.drift.T]
        return Scan.along(np.stack(drift, -1))


def coefficients(image):
    """B-spline coefficients of an image, for `resample`."""
    return spline_filter(image, order=3, output=np.float32, mode="mirror")


def resample(spline, rows, start, width, slopes=False):
    """Pixels of an image on rows of which each begins at a place of its own, by cubic splines.

    Parameters
    ----------
    spline : (H, W) float array, see `coefficients`; beyond its border it goes on as its mirror image
    rows : (n,) float array, where each row lies [px]
    start : (n,) float array, where its first pixel lies [px]
    width : int, pixels in a row
    slopes : bool, also give the derivatives along y and x

    Returns
    -------
    (n, width) float32 array; with ``slopes`` three of them
    """
    height, length = spline.shape
    row, weights, rise = taps(np.clip(rows, -1, height))
    first, across, lean = taps(np.clip(start, -width - 8, length + 8))
    pixels = mirrored(first[:, None] + np.arange(width + 3), length)

    def along_y(weight):
        lines = (spline[mirrored(row + k, height)] * weight[:, k, None] for k in range(4))
        return np.take_along_axis(sum(lines), pixels, 1)

    def along_x(lines, weight):
        return sum(lines[:, k : k + width] * weight[:, k, None] for k in range(4))

    lines = along_y(weights)
    if not slopes:
        return along_x(lines, across)
    return along_x(lines, across), along_x(along_y(rise), across), along_x(lines, lean)


def mirrored(index, length):
    """Indices as those of an image of ``length`` px that goes on as its own mirror image, once."""
    return length - 1 - np.abs(length - 1 - np.abs(np.clip(index, 1 - length, 2 * length - 2)))


def taps(places):
    """First of four neighbours (n,), their cubic B-spline weights and the weights of the derivative, (n, 4) float32."""
    floor = np.floor(places)
    t = (places - floor)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], 1) / 6
    slope = np.concatenate([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2], 1) / 2
    return floor.astype(int) - 1, weights.astype(np.float32), slope.astype(np.float32)


def inside(rows, start, shape, width):
    """Which pixels of `resample` lie in an image of the given (H, W) shape: (n, width) bool array."""
    column = start[:, None] + np.arange(width)
    return ((rows >= -0.5) & (rows <= shape[0] - 0.5))[:, None] & (column >= -0.5) & (column <= shape[1] - 0.5)
