"""Unit cells of a trigonal crystal, cut out of an image, and the threefold centres about which they are symmetric."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from scipy.optimize import minimize

from atomwork.columns import borders

SAMPLES = 24  # along a side of a cut cell
SKEW = 0.15  # of a side by which a cell may miss the hexagonal one
TURN = np.array([[0, -1], [1, -1]])  # steps along the vectors, turned by 120° where these are at 60°, as rows times it
CENTRES = np.array([[0, 0], [1, 1], [2, 2]]) / 3  # threefold centres of a cell whose corner is one


@dataclass(frozen=True)
class Cells:
    """The unit cells of a crystal in an image.

    Attributes
    ----------
    vectors : (2, 2) float array, the cell's sides as rows, (y, x) [px]; some 60° apart
    corner : (2,) float array, a threefold centre of the mean cell, (y, x) [px]
    """

    vectors: np.ndarray
    corner: np.ndarray

    @property
    def spacing(self):
        """Distance of neighbouring threefold centres, a/√3 [px]."""
        return honeycomb_spacing(self.vectors)

    @property
    def upright(self):
        """The map of steps in (y, x) [px] to those of a crystal without shear, of as large a cell: (2, 2), from the right."""
        sense = np.sign(np.linalg.det(self.vectors))
        ideal = np.sqrt(3) * self.spacing * np.array([[1, 0], [0.5, 0.5 * sense * np.sqrt(3)]])
        stretch = np.linalg.inv(self.vectors) @ ideal
        left, _, right = np.linalg.svd(stretch)
        return stretch @ (left @ right).T  # without its rotation

    def places(self, steps):
        """Places (..., 2) [px] of steps (..., 2) along the vectors."""
        return np.asarray(steps, float) @ self.vectors + self.corner

    def steps(self, places):
        """Steps (..., 2) along the vectors at places (..., 2) [px]."""
        return (np.asarray(places, float) - self.corner) @ np.linalg.inv(self.vectors)

    def whole_steps(self, shape, within, margin=0.0):
        """Whole steps (N, 2) of the cells in which the place ``within`` (2,) lies in an image, ``margin`` [px] off its edge."""
        ends = self.steps([[y, x] for y in (0, shape[0]) for x in (0, shape[1])])
        low, high = np.floor(ends.min(0)).astype(int) - 2, np.ceil(ends.max(0)).astype(int) + 2
        grid = np.stack(np.meshgrid(*map(np.arange, low, high + 1), indexing="ij"), -1).reshape(-1, 2)
        places = self.places(grid + within)
        inside = borders.within(places, shape, margin)
        return grid[inside]


def honeycomb_spacing(vectors):
    """Distance of neighbouring columns [px] of a honeycomb whose cell is as large as one of sides (2, 2) [px]."""
    return float(np.sqrt(abs(np.linalg.det(vectors)) * 2 / np.sqrt(27)))


def sides(lattice):
    """The sides of a hexagonal lattice's cell that are 60° apart.

    Parameters
    ----------
    lattice : columns.bragg.Lattice

    Returns
    -------
    (2, 2) float array, as rows, (y, x) [px]

    Raises
    ------
    ValueError : the lattice isn't hexagonal within `SKEW`
    """
    first, second = lattice.vectors
    second = second if first @ second > 0 else -second
    lengths = [np.linalg.norm(v) for v in (first, second, first - second)]
    if max(lengths) > (1 + SKEW) * min(lengths):
        angle = np.degrees(np.arccos(first @ second / lengths[0] / lengths[1]))
        raise ValueError(
            f"a lattice with sides of {lengths[0]:.1f} and {lengths[1]:.1f} px at {angle:.0f}° isn't hexagonal within "
            f"{SKEW:.0%}; choose an image of a trigonal crystal along its axis."
        )
    return np.array([first, second])


def find(image, lattice):
    """The cells of a trigonal crystal, their corners at a threefold centre.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    lattice : columns.bragg.Lattice

    Returns
    -------
    Cells

    Raises
    ------
    ValueError : the lattice isn't hexagonal, or the image is smaller than three cells
    """
    vectors = sides(lattice)
    loose = Cells(vectors, (np.array(image.shape) - 1) / 2)
    cut_out, _ = cut(image, loose)
    return Cells(vectors, loose.places(threefold_centre(cut_out.mean(0))))


def cut(image, cells, samples=SAMPLES):
    """The unit cells that lie wholly in an image.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    cells : Cells
    samples : int, along a side

    Returns
    -------
    (N, samples, samples) float array, the first axis along the first vector; (N, 2) int array, steps of their corners

    Raises
    ------
    ValueError : fewer than three cells fit
    """
    inside = [{tuple(c) for c in cells.whole_steps(image.shape, end)} for end in ((0, 0), (0, 1), (1, 0), (1, 1))]
    corners = np.array(sorted(set.intersection(*inside)))
    if len(corners) < 3:
        raise ValueError(
            f"an image of {image.shape[0]} × {image.shape[1]} px holds {len(corners)} whole cells of "
            f"{np.linalg.norm(cells.vectors[0]):.0f} px; three are needed, choose a larger field of view."
        )
    grid = np.stack(np.meshgrid(*2 * [np.arange(samples) / samples], indexing="ij"), -1)
    places = cells.places(corners[:, None, None] + grid)
    coefficients = spline_filter(np.asarray(image, float), order=3, mode="mirror")
    return map_coordinates(coefficients, np.moveaxis(places, -1, 0), order=3, mode="mirror", prefilter=False), corners


def level(cell, centre):
    """The level of a cell (n, n) at a place (2,) [steps], by its low frequencies [arb.]."""
    orders = np.rint(np.fft.fftfreq(len(cell)) * len(cell)).astype(int)
    h = np.stack(np.meshgrid(orders, orders, indexing="ij"), -1)
    low = np.abs(h).max(-1) <= 2
    return float((np.fft.fft2(cell)[low] * np.exp(2j * np.pi * h[low] @ centre)).real.mean())


def threefold_centre(cell):
    """The place about which a cell is most nearly symmetric under turns by 120°.

    Parameters
    ----------
    cell : (n, n) float array, one period along vectors 60° apart

    Returns
    -------
    (2,) float array, steps along the vectors; with (1/3, 1/3) and (2/3, 2/3) added, it is as good
    """
    orders = np.rint(np.fft.fftfreq(len(cell)) * len(cell)).astype(int)
    low = np.abs(orders) <= len(cell) // 4
    h = np.stack(np.meshgrid(orders[low], orders[low], indexing="ij"), -1).reshape(-1, 2)
    turned = h @ TURN.T
    spectrum = np.fft.fft2(cell)
    products = spectrum[tuple(turned.T % len(cell))] * spectrum[tuple(h.T)].conj()
    change = turned - h

    def asymmetry(centre):
        return -(products * np.exp(2j * np.pi * change @ centre)).real.sum()

    steps = np.arange(24) / 24
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    values = -(np.exp(2j * np.pi * grid @ change.T) @ products).real
    return minimize(asymmetry, grid[values.argmin()], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 0}).x
