"""The field of view: what part of a specimen an image shows, how large and how turned."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates


@dataclass(frozen=True)
class View:
    """A field of view.

    Attributes
    ----------
    pixel_size : float [Å]
    shape : (H, W) [px]
    centre : (y, x) of the specimen in the middle of the image [Å]
    angle : float, of the image's x axis in the specimen, from x towards y [degrees]
    """

    pixel_size: float
    shape: tuple
    centre: tuple
    angle: float = 0.0

    def __post_init__(self):
        if not self.pixel_size > 0 or min(self.shape) < 1:
            raise ValueError(
                f"shape {tuple(self.shape)} holds no pixel or pixel_size={self.pixel_size} Å is not positive; "
                "use pixels smaller than the specimen."
            )

    @classmethod
    def whole(cls, size, pixel_size):
        """All of a box of (H, W) ``size`` [Å], its corner at the first pixel's centre."""
        shape = tuple(int(length / pixel_size + 1e-6) for length in size) if pixel_size > 0 else (0, 0)
        return cls(pixel_size, shape, tuple((n - 1) / 2 * pixel_size for n in shape))

    @property
    def axes(self):
        """Unit vectors of the image's y and x axes in the specimen, as rows: (2, 2) array."""
        cosine, sine = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        return np.array([[cosine, -sine], [sine, cosine]])

    @property
    def radius(self):
        """From the centre to a corner [Å]."""
        return 0.5 * self.pixel_size * np.hypot(*self.shape)

    def to_pixels(self, places):
        """(N, 2) places of the specimen [Å] as pixels, (y, x)."""
        away = (np.asarray(places, float).reshape(-1, 2) - self.centre) @ self.axes.T
        return away / self.pixel_size + (np.array(self.shape) - 1) / 2

    def to_places(self, pixels):
        """(..., 2) pixels as places of the specimen [Å]."""
        return (np.asarray(pixels, float) - (np.array(self.shape) - 1) / 2) * self.pixel_size @ self.axes + self.centre

    def contains(self, pixels, margin=0.0):
        """Which (N, 2) pixels lie in the image, ``margin`` [px] within its edge: (N,) bool array."""
        return ((pixels >= margin) & (pixels <= np.array(self.shape) - 1 - margin)).all(1)

    def table(self, places):
        """Rows of a table with y, x [Å] that the image shows, with y, x [px].

        Parameters
        ----------
        places : DataFrame, e.g. `Specimen.columns` or `Specimen.defects`
        """
        pixels = self.to_pixels(places[["y", "x"]].to_numpy(float))
        seen = self.contains(pixels)
        rows = places[seen].reset_index(drop=True)
        return rows.assign(**pd.DataFrame(pixels[seen], columns=["y", "x"]))

    def look(self, image, size):
        """A periodic image of (H, W) ``size`` [Å] as this view shows it, by cubic splines: (h, w) float32 array."""
        grid = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), -1)
        samples = self.to_places(grid) / size * image.shape
        return map_coordinates(image, np.moveaxis(samples, -1, 0), order=3, mode="grid-wrap", output=np.float32)


def look_at(specimen, pixel_size, shape=None, centre=None, angle=0.0):
    """A `View` of a specimen: its whole box if ``shape`` is None, from its middle if ``centre`` is None."""
    if shape is None:
        return View.whole(specimen.size, pixel_size)
    return View(pixel_size, tuple(shape), tuple(np.array(specimen.size) / 2) if centre is None else tuple(centre), angle)
