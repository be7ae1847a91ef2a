"""A frame with its columns, to learn from or to be judged by."""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from atomwork.columns import matching, neighbours

HIT = 0.25  # largest distance of a hit over the spacing [-]
NARROW, BROAD = 1 / 4, 1 / 2  # blurs of the image that tell bright columns from dark ones, over the spacing [-]
NO_SPACING = 8.0  # px, in place of the spacing of a frame that shows no columns


@dataclass(frozen=True)
class LabelledFrame:
    """An image and the truth about its columns.

    Attributes
    ----------
    image : (H, W) float array [arb.]
    columns : (N, 2) float array, y, x [px]
    optional : (M, 2) float array, columns that may be found or not, y, x [px]
    spacing : float [px]; NaN where nothing is shown
    dark : bool, columns are darker than their surroundings
    name, group : str
    dose : float, in the brightest pixel [e⁻/px]; NaN if unknown
    pixel_size : float [Å]; None if unknown
    """

    image: np.ndarray
    columns: np.ndarray
    optional: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    spacing: float = np.nan
    dark: bool = False
    name: str = ""
    group: str = ""
    dose: float = np.nan
    pixel_size: float | None = None

    @classmethod
    def of(cls, image, table, *, name="frame", **known):
        """A frame from a table of its columns.

        Parameters
        ----------
        image : (H, W) float array
        table : DataFrame with columns y, x [px] and, optionally, ``visible``, without which a column is optional; or (N, 2)
        name, known : see the attributes

        Raises
        ------
        ValueError : fewer than two columns that count
        """
        points = matching.as_points(table)
        told = "visible" in getattr(table, "columns", ())
        visible = np.asarray(table["visible"], bool) if told else np.full(len(points), True)
        if visible.sum() < 2:
            raise ValueError(f"{name} has {visible.sum()} labelled columns; label two at least, and all that can be seen.")
        spacing = float(np.median(neighbours.nearest_distance(points[visible])))
        return cls(image, points[visible], points[~visible], spacing, darker(image, points, spacing), name, **known)

    @property
    def tolerance(self):
        """Largest distance of a hit [px]."""
        return HIT * (self.spacing if np.isfinite(self.spacing) else NO_SPACING)

    def agreement(self, found):
        """`matching.Match` of found columns with those of the frame.

        Labels end at the centres of the outermost pixels: what is found beyond them and is no column of the frame is
        neither right nor wrong.
        """
        places = matching.as_points(found)
        optional = np.concatenate([self.optional, places[beyond_border(places, self.image.shape) > 0]])
        return matching.match(places, self.columns, tolerance=self.tolerance, optional=optional)

    def turned(self, quarters, mirrored):
        """The frame turned by quarters and, if asked for, mirrored."""
        image = np.rot90(self.image, quarters)
        points = [self.columns, self.optional]
        for step in range(quarters):
            last = self.image.shape[1 - step % 2] - 1
            points = [np.stack([last - p[:, 1], p[:, 0]], -1) for p in points]
        if mirrored:
            image, points = image[:, ::-1], [p * (1, -1) + (0, image.shape[1] - 1) for p in points]
        return replace(self, image=image, columns=points[0], optional=points[1])

    def cut(self, corner, size):
        """The part of (h, w) ``size`` whose first pixel is ``corner`` (y, x); columns just beyond it become optional."""
        columns, optional = self.columns - corner, self.optional - corner
        away = beyond_border(columns, size)
        near = columns[(away > 0) & (away <= self.tolerance)]
        optional = np.concatenate([optional[beyond_border(optional, size) <= self.tolerance], near])
        image = self.image[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
        return replace(self, image=image, columns=columns[away <= 0], optional=optional)


def beyond_border(points, shape):
    """How far points (N, 2) lie beyond the centres of the outermost pixels of an (H, W) image [px]; inside, 0 or less."""
    return np.maximum(-points, points - np.array(shape) + 1).max(1)


def darker(image, places, spacing):
    """Whether an image is darker at most places (N, 2) than around them."""
    if not len(places) or not np.isfinite(spacing):
        return False
    stands_out = gaussian_filter(image, NARROW * spacing) - gaussian_filter(image, BROAD * spacing)
    pixels = np.rint(places).astype(int).clip(0, np.array(image.shape) - 1)
    return bool(np.median(stands_out[tuple(pixels.T)]) < 0)


def of_batch(batch, group=""):
    """The images of a `simulation.batches.Batch` as a list of `LabelledFrame`."""
    numbers = zip(batch.spacing.tolist(), batch.dark.tolist(), batch.names, batch.dose.tolist(), strict=True)
    images, places = batch.image[:, 0].cpu().numpy(), zip(batch.columns, batch.optional, strict=True)
    return [
        LabelledFrame(image, columns, optional, spacing, dark, name, group, dose)
        for image, (columns, optional), (spacing, dark, name, dose) in zip(images, places, numbers, strict=True)
    ]
