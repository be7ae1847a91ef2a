"""Maps of strain with their errors."""

from dataclasses import dataclass

import numpy as np

from atomwork.analysis import zspy

COMPONENTS = ("exx", "exy", "eyy", "rotation", "hydrostatic")


@dataclass(frozen=True)
class StrainMap:
    """Strain and rotation in every pixel, relative to a reference; NaN where none is told.

    Attributes
    ----------
    exx, exy, eyy : (H, W) float32 arrays, strain along the image's axes [-]; ``hydrostatic`` is (exx + eyy)/2
    rotation : (H, W) float32 array, from x towards y, which is clockwise as displayed [rad]
    exx_std, exy_std, eyy_std, hydrostatic_std, rotation_std : (H, W) float32 arrays, one standard deviation of each
    g : (2, 2) float array, reciprocal vectors of the reference as rows, (y, x) [1/px]
    resolution : float, standard deviation of the Gaussian over which the lattice is averaged [px]
    reference : (4,) tuple of int, y0, y1, x0, x1 of the region that is taken to be unstrained [px]
    convention : str, "finite" or "small", see `strain.gpa`
    pixel_size : float or None [Å]
    """

    exx: np.ndarray
    exy: np.ndarray
    eyy: np.ndarray
    rotation: np.ndarray
    exx_std: np.ndarray
    exy_std: np.ndarray
    eyy_std: np.ndarray
    rotation_std: np.ndarray
    hydrostatic_std: np.ndarray
    g: np.ndarray
    resolution: float
    reference: tuple
    convention: str
    pixel_size: float | None = None

    @property
    def hydrostatic(self):
        """(H, W) float32 array, (exx + eyy)/2 [-]."""
        return 0.5 * (self.exx + self.eyy)

    def write(self, path, title="strain"):
        """Write a stack that HyperSpy opens: `COMPONENTS`, then their standard deviations, with calibrated axes.

        Which image is which, the reference, the resolution and the convention stand in ``metadata.atomwork``.

        Parameters
        ----------
        path : path of the .zspy store, a folder
        title : str
        """
        names = [*COMPONENTS, *(f"{name}_std" for name in COMPONENTS)]
        scale, units = (self.pixel_size, "Å") if self.pixel_size else (1.0, "px")
        axes = [zspy.Axis("component"), zspy.Axis("y", scale, units=units), zspy.Axis("x", scale, units=units)]
        about = {"components": names, "reference": list(self.reference), "convention": self.convention}
        about |= {"resolution": self.resolution * scale, "units": units, "g": (self.g / scale).tolist()}
        zspy.write(path, title, np.stack([getattr(self, name) for name in names]), axes, about)
