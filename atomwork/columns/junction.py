"""Where an image of one trigonal lattice shows two crystals, and which of its threefold centres holds the metal.

Cells are told apart as a whole, so that nothing needs to be known of contrast: a straight line halves them best. What
changes from one crystal to the other is the metal; their difference is round about it, and so symmetric under inversion,
which it isn't about the centres of the chalcogen and the hollow.
"""

from dataclasses import dataclass

import numpy as np

from atomwork.columns.unit_cells import CENTRES, cut

DIRECTIONS = np.radians(np.arange(0, 180, 5))  # normals of the lines that are tried [rad]
LEAST = 0.04  # share of the cells that either side of a line has
COMPONENTS = 6  # principal components in which cells are compared
CLEAR = 1.0  # repeats off the line within which cells tell nothing about either crystal
APART = 5.0  # standard deviations of cells between two crystals from which there is a junction


@dataclass(frozen=True)
class Junction:
    """A straight line that halves the cells of an image best.

    Attributes
    ----------
    normal : (2,) float array, unit vector across the line, (y, x)
    offset : float, of the line along the normal from the image's corner [px]
    metal : int, row of `unit_cells.CENTRES` about which the halves' difference is symmetric
    symmetry : float, share of that difference that inversion keeps [-]
    apart : float, distance of the halves' mean cells, in standard deviations of the cells of either along it [-]
    """

    normal: np.ndarray
    offset: float
    metal: int
    symmetry: float
    apart: float

    @property
    def is_there(self):
        """Whether the halves are two crystals: they differ, in something round."""
        return self.apart >= APART

    def beyond(self, places):
        """Distance of places (..., 2) [px] from the line, positive on the normal's side [px]."""
        return np.asarray(places, float) @ self.normal - self.offset


def find(image, cells):
    """The line across which an image's unit cells differ most, straight for now, and the metal.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    cells : columns.unit_cells.Cells

    Returns
    -------
    Junction
    """
    pictures, corners = cut(image, cells)
    middles = cells.places(corners + 0.5)
    scores = components(pictures)
    normal, offset = best_line(middles, scores)
    away, clear = middles @ normal - offset, CLEAR * cells.spacing * np.sqrt(3)
    if min((away > clear).sum(), (away < -clear).sum()) < LEAST * len(away) / 2:
        clear = 0.0
    first, second = away <= -clear, away >= clear
    difference = np.median(pictures[second], 0) - np.median(pictures[first], 0)
    shares = np.array([kept_by_inversion(difference, centre) for centre in CENTRES])
    return Junction(normal, offset, int(shares.argmax()), float(shares.max()), distance(scores[first], scores[second]))


def components(pictures, count=COMPONENTS):
    """Scores (N, count) of pictures (N, ...) along their principal components, the strongest last."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(0)
    power, axes = np.linalg.eigh(flat @ flat.T)
    return (axes * np.sqrt(np.maximum(power, 0)))[:, -count:]


def best_line(places, scores):
    """The straight line whose two sides have the most different mean scores: its normal (2,) and offset [px].

    The sum of squares between the sides is the largest; its two factors are the numbers of cells on either side.
    """
    scores, count = scores - scores.mean(0), len(places)
    before = np.arange(1, count)
    allowed = (before >= LEAST * count) & (before <= (1 - LEAST) * count)
    best = (-np.inf, None, None)
    for angle in DIRECTIONS:
        normal = np.array([np.sin(angle), np.cos(angle)])
        along = places @ normal
        order = np.argsort(along)
        sums = np.cumsum(scores[order], 0)[:-1]
        between = np.where(allowed, (sums**2).sum(1) * count / (before * (count - before)), -np.inf)
        k = between.argmax()
        if between[k] > best[0]:
            best = between[k], normal, float(along[order[k : k + 2]].mean())
    return best[1:]


def distance(first, second):
    """Of the means of two sets of scores, in standard deviations along what parts them; robust against odd cells."""
    apart = np.median(second, 0) - np.median(first, 0)
    length = np.linalg.norm(apart)
    if not length:
        return 0.0
    within = np.concatenate([(part - np.median(part, 0)) @ apart / length for part in (first, second)])
    return float(length / max(1.4826 * np.median(np.abs(within)), 1e-12 * length))


def kept_by_inversion(cell, centre):
    """Share of a cell's variation (n, n) that is even about a centre (2,) [steps]."""
    orders = np.rint(np.fft.fftfreq(len(cell)) * len(cell)).astype(int)
    h = np.stack(np.meshgrid(orders, orders, indexing="ij"), -1)
    spectrum = np.fft.fft2(cell)
    spectrum[0, 0] = 0
    return float(((spectrum * np.exp(2j * np.pi * h @ centre)).real ** 2).sum() / (np.abs(spectrum) ** 2).sum())
