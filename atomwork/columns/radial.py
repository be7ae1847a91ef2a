"""An image as a sum of radial profiles around the sites of a lattice, one profile for every kind of site.

Profiles are cubic B-splines of the distance, flat in the middle and nothing from `REACH` on; all are fitted together,
by linear least squares. Distances are those in a crystal without shear, see `unit_cells.Cells.upright`.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.sparse import csc_array

REACH = 1.65  # of a profile, over the spacing of columns [-]
KNOT = 0.17  # distance of the splines' knots over the spacing of columns [-]
RIDGE = 1e-4  # of the mean squared spline, which keeps what the image doesn't determine small [-]
SLACK = 1e-3  # of the strongest pattern's square, added where patterns are fitted one by one [-]


@dataclass(frozen=True)
class Overlap:
    """The pixels that sites reach, and the splines there.

    Attributes
    ----------
    site, pixel : (P,) int arrays, of every pair of a site and a pixel near it, by sites; the pixel in the flattened image
    distance : (P,) float array, of the two [px]
    numbers, values : (P, 4) arrays, see `splines`
    count : int, splines of a profile
    shape : (H, W) of the image
    n_sites : int
    """

    site: np.ndarray
    pixel: np.ndarray
    distance: np.ndarray
    numbers: np.ndarray
    values: np.ndarray
    count: int
    shape: tuple
    n_sites: int

    @property
    def size(self):
        """Number of pixels in the image."""
        return int(np.prod(self.shape))

    @cached_property
    def places(self):
        """Where the splines' coefficients are among those of all sites: (P, 4) int array."""
        return self.site[:, None] * self.count + self.numbers

    @cached_property
    def flat(self):
        """Where the splines are in images of each of them: (P, 4) int array."""
        return self.numbers * self.size + self.pixel[:, None]

    def sum(self, values):
        """Values (P,) added up in every pixel: (H, W) array."""
        return np.bincount(self.pixel, values, self.size).reshape(self.shape)

    def pairs(self):
        """The pairs of each site, as slices: list."""
        ends = np.searchsorted(self.site, np.arange(self.n_sites + 1)).tolist()
        return [slice(*both) for both in pairwise(ends)]


def overlap(shape, sites, spacing, upright=None):
    """Which pixels of an image of ``shape`` profiles of sites (N, 2) reach, in the crystal without shear.

    Parameters
    ----------
    spacing : float, distance of neighbouring columns [px]
    upright : (2, 2) float array, map of steps in the image to those in that crystal, from the right; no shear if None
    """
    upright = np.eye(2) if upright is None else upright
    reach, knot = REACH * spacing, KNOT * spacing
    far = int(np.ceil(reach * np.linalg.norm(np.linalg.inv(upright), 2))) + 1
    square = np.stack(np.meshgrid(*2 * [np.arange(-far, far + 1)], indexing="ij"), -1).reshape(-1, 2)
    square = square[np.hypot(*(square @ upright).T) <= reach + 1.5 * np.linalg.norm(upright, 2)]
    nearest = np.rint(sites).astype(int)
    pixels = nearest[:, None] + square  # (N, P, 2)
    steps = (square - (sites - nearest)[:, None]) @ upright
    distance = np.sqrt((steps**2).sum(-1))
    inside = ((pixels >= 0) & (pixels < shape)).all(-1) & (distance < reach)
    site, which = np.nonzero(inside)
    flat = (pixels[..., 0] * shape[1] + pixels[..., 1])[site, which]
    distance, count = distance[site, which], int(reach / knot) - 1
    return Overlap(site, flat, distance, *splines(distance, knot, count), count, tuple(shape), len(sites))


def splines(distance, knot, count):
    """The cubic B-splines that are not zero at distances (P,), even in them: their numbers and values, two (P, 4) arrays.

    Those from ``count`` on are left out, as zeros.
    """
    x = np.asarray(distance, float) / knot
    lowest = np.floor(x).astype(int)
    t = x - lowest
    values = np.stack([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3], -1) / 6
    numbers = np.abs(lowest[:, None] + np.arange(-1, 3))
    inside = numbers < count
    return np.where(inside, numbers, 0), np.where(inside, values, 0)


@dataclass(frozen=True)
class Profiles:
    """Radial profiles of kinds of sites on a constant background.

    Attributes
    ----------
    coefficients : (K, M) float array, of every kind's splines [arb.]
    background : float [arb.]
    """

    coefficients: np.ndarray
    background: float

    def of(self, near, kinds):
        """The profiles of sites of ``kinds`` (N,) at all pairs [arb.]: (P,) array."""
        return np.einsum("ps,ps->p", self.coefficients[kinds].ravel()[near.places], near.values)

    def model(self, near, kinds, occupancy=None):
        """The image (H, W) that sites of ``kinds`` (N,) and of ``occupancy`` (N,), 1 if None, make together."""
        values = self.of(near, kinds)
        return self.background + near.sum(values if occupancy is None else values * occupancy[near.site])


def fit(image, near, kinds, *, count, occupancy=None, weight=None):
    """The profiles that explain an image best.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    near : Overlap, of the sites
    kinds : (N,) int array, 0 … ``count`` - 1, the kind of every site
    count : int, kinds
    occupancy : (N,) float array, how much of its profile a site has; 1 if None
    weight : (H, W) float array, of the pixels; 1 if None

    Returns
    -------
    Profiles
    """
    values = near.values if occupancy is None else near.values * occupancy[near.site, None]
    flat = near.flat + (kinds * near.count * near.size)[near.site, None]
    design = np.bincount(flat.ravel(), values.ravel(), (count * near.count + 1) * near.size).reshape(-1, near.size)
    design[-1] = 1  # of the background
    weighted = design if weight is None else design * weight.ravel()
    normal = weighted @ design.T
    normal[np.diag_indices(len(normal) - 1)] += RIDGE * normal.diagonal()[:-1].mean()
    solution = np.linalg.solve(normal, weighted @ image.ravel())
    return Profiles(solution[:-1].reshape(count, near.count), float(solution[-1]))


def strengths(residual, near, values, free):
    """How much of its own pattern every free site adds to explain what a model leaves, all fitted together.

    Parameters
    ----------
    residual : (H, W) float array [arb.]
    near : Overlap, of the sites
    values : (P,) float array, the patterns, at every pair of ``near`` [arb.]
    free : (N,) bool array, of the sites; the others add nothing

    Returns
    -------
    (N,) float array [-], and their standard deviations for white noise of variance 1, (N,)
    """
    number = np.cumsum(free) - 1
    pairs = free[near.site]
    shape = (near.size, int(free.sum()))
    patterns = csc_array((values[pairs], (near.pixel[pairs], number[near.site[pairs]])), shape=shape)
    normal = (patterns.T @ patterns).toarray()
    normal[np.diag_indices(len(normal))] += SLACK * normal.diagonal().max(initial=0)
    inverse = np.linalg.inv(normal)
    found, std = np.zeros(len(free)), np.zeros(len(free))
    found[free] = inverse @ (patterns.T @ residual.ravel())
    std[free] = np.sqrt(inverse.diagonal())
    return found, std
