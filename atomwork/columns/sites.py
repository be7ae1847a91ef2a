"""The sites of a dichalcogenide in and around an image, and their kinds where two crystals share its lattice."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from atomwork.columns import radial
from atomwork.columns.unit_cells import CENTRES

METALS, CHALCOGENS, BRIDGING = (0, 1), (2, 3), 4  # kinds: of the first and the second crystal; chalcogens with metals of both
KINDS = 5
NEXT = 1.2  # spacings within which neighbouring sites of two sorts are; those of one sort are √3 apart
BEYOND = 1.2  # spacings by which metals go farther around the image than chalcogens, so that each of these has all three


@dataclass(frozen=True)
class Sites:
    """Metals and chalcogens of one lattice.

    Attributes
    ----------
    metals, chalcogens : (M, 2), (N, 2) float arrays, in and around the image, (y, x) [px]
    hollows : (L, 2) float array, the third centres inside the image, (y, x) [px]
    six : (M, 6) int array, the metals around each metal; -1 where there is none
    three : (N, 3) int array, the metals around each chalcogen
    near : radial.Overlap, of the metals followed by the chalcogens
    spacing : float, distance of a chalcogen from its metals [px]
    """

    metals: np.ndarray
    chalcogens: np.ndarray
    hollows: np.ndarray
    six: np.ndarray
    three: np.ndarray
    near: radial.Overlap
    spacing: float

    @property
    def places(self):
        """All sites (M + N, 2), (y, x) [px]."""
        return np.concatenate([self.metals, self.chalcogens])

    def kinds(self, side):
        """The kind of each site (M + N,), of metals on sides (M,) 0 or 1."""
        return np.concatenate([np.choose(side, METALS), kinds_of_chalcogens(side[self.three].sum(1))])

    def grown(self, side, which):
        """Sides (M,) of the metals after ``which``, 0 or 1, has taken the other's outermost row."""
        return np.where(((side[self.six] == which) & (self.six >= 0)).any(1), which, side)


def kinds_of_chalcogens(second):
    """Kinds of chalcogens of whose three metals ``second`` (N,) are on the second side: (N,) int array."""
    return np.array([CHALCOGENS[0], BRIDGING, BRIDGING, CHALCOGENS[1]])[second]


def lay_out(shape, cells, metal, chalcogen, moved=None):
    """All `Sites` that reach into an image.

    Parameters
    ----------
    shape : (H, W) of the image
    cells : unit_cells.Cells
    metal, chalcogen : int, rows of `unit_cells.CENTRES` at which they stand
    moved : (H, W, 2) float array, how far sites are from where the cells have them, see `displacement`; nowhere if None

    Returns
    -------
    Sites
    """
    spacing = cells.spacing
    reach = radial.REACH * spacing * np.linalg.norm(np.linalg.inv(cells.upright), 2)
    metals, chalcogens = (
        cells.places(cells.whole_steps(shape, CENTRES[k], -margin) + CENTRES[k])
        for k, margin in ((metal, reach + BEYOND * spacing), (chalcogen, reach))
    )
    hollow = CENTRES[3 - metal - chalcogen]
    hollows = cells.places(cells.whole_steps(shape, hollow) + hollow)
    tree = cKDTree(metals)
    distance, six = tree.query(metals, 7)
    six = np.where(distance < NEXT * np.sqrt(3) * spacing, six, -1)[:, 1:]
    _, three = tree.query(chalcogens, 3)
    if moved is not None:
        metals, chalcogens, hollows = (places + at(moved, places) for places in (metals, chalcogens, hollows))
    near = radial.overlap(shape, np.concatenate([metals, chalcogens]), spacing, cells.upright)
    return Sites(metals, chalcogens, hollows, six, three, near, spacing)


def at(field, places):
    """A field (H, W, 2) at places (N, 2) [px], beyond the border as on it: (N, 2)."""
    return np.stack([map_coordinates(field[..., k], places.T, order=1, mode="nearest") for k in range(2)], -1)
