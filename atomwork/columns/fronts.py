"""The front between two dichalcogenides on one lattice: which crystal each metal belongs to.

The two may differ in any way, so nothing needs to be known of contrast: every kind of site has a radial profile, and metals
change sides as long as the profiles explain more of the image. Chalcogens between metals of both sides are a kind of their
own, and may all be missing.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from atomwork.columns import radial, sites

BLURRED = 2.5  # spacings from a straight line within which a front may lie that isn't known yet
STIFF = 0.03  # cost of two unlike neighbouring metals over what a metal's side changes in an image [-]
PASSES, ROUNDS = 20, 4  # over the metals between two fits, and of fits
ISLAND = 6  # metals that a crystal has at least
BORDER = 1.0  # spacings from the image's border within which too little of a metal is seen to tell its side
ROW = 0.5  # spacings by which a neighbour is further inside
SMOOTH = 0.7  # spacings over which the line between the metals is drawn straight
SHORTEST = 4.0  # spacings that a front has at least


@dataclass(frozen=True)
class Explained:
    """An image as profiles of sites.

    Attributes
    ----------
    sites : columns.sites.Sites
    side : (M,) int array, 0 or 1, the crystal of each metal
    occupancy : (M + N,) float array, how much of its profile each site has [-]
    profiles : radial.Profiles, of the `sites.KINDS`
    left : (H, W) float array, what they leave of the image [arb.]
    """

    sites: sites.Sites
    side: np.ndarray
    occupancy: np.ndarray
    profiles: radial.Profiles
    left: np.ndarray

    @property
    def kinds(self):
        """The kind of each site, (M + N,)."""
        return self.sites.kinds(self.side)

    @property
    def cost(self):
        """Sum of squares of what is left [arb.²]."""
        return float((self.left**2).sum())


def explained(image, places, side, occupancy=None, weight=None):
    """An image as profiles that are fitted to it, see `Explained`; pixels count by their ``weight`` (H, W), 1 if None."""
    occupancy = np.ones(len(places.metals) + len(places.chalcogens)) if occupancy is None else occupancy
    kinds = places.kinds(side)
    profiles = radial.fit(image, places.near, kinds, count=sites.KINDS, occupancy=occupancy, weight=weight)
    return with_profiles(image, places, side, occupancy, profiles)


def with_profiles(image, places, side, occupancy, profiles):
    """An image as profiles that are known already."""
    left = image - profiles.model(places.near, places.kinds(side), occupancy)
    return Explained(places, side, occupancy, profiles, left)


def find(image, cells, halves):
    """The metals' sides that explain an image best.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    cells : columns.unit_cells.Cells
    halves : columns.junction.Junction, the straight line to begin with, and which centre is the metal's

    Returns
    -------
    list of two Explained, with the chalcogens at either of the centres that the metal leaves; the better one first
    """
    others = {0, 1, 2} - {halves.metal}
    found = [[settled(image, start) for start in begun(image, cells, halves, other)] for other in others]
    best = [min(of_one, key=lambda one: one.cost) for of_one in found]
    return sorted(best, key=lambda one: one.cost)


def begun(image, cells, halves, chalcogen):
    """Metals turned by profiles from far off the line: a bridged and a hollow front, the latter also a row off the line."""
    places = sites.lay_out(image.shape, cells, halves.metal, chalcogen)
    pixels = np.stack(np.indices(image.shape), -1)
    known = np.abs(halves.beyond(pixels)) > BLURRED * places.spacing
    side = (halves.beyond(places.metals) > 0).astype(int)
    far = explained(image, places, side, weight=known.astype(float))
    found = []
    # a hollow front can't move by one metal alone: for a moment that metal would lack its chalcogens
    for share, rows in ((1.0, (side,)), (0.0, (side, places.grown(side, 0), places.grown(side, 1)))):
        coefficients = far.profiles.coefficients.copy()
        coefficients[sites.BRIDGING] = share * coefficients[list(sites.CHALCOGENS)].mean(0)
        profiles = replace(far.profiles, coefficients=coefficients)
        starts = [turned(image, with_profiles(image, places, row, far.occupancy, profiles)) for row in rows]
        found.append(min(starts, key=lambda start: start.cost))
    return found


def settled(image, found):
    """Profiles fitted and metals turned by turns, until none changes sides any more."""
    for _ in range(ROUNDS):
        before = found.side
        found = turned(image, explained(image, found.sites, before, found.occupancy))
        if (found.side == before).all():
            break
    side = without_islands(found.sites, from_inside(found.sites, found.side, image.shape))
    return explained(image, found.sites, side, found.occupancy)


def from_inside(places, side, shape):
    """Sides (M,) of metals, of which those at the border are turned where all neighbours further inside are on the other."""
    depth = np.minimum(places.metals, np.array(shape) - 1 - places.metals).min(1)
    deeper = (places.six >= 0) & (depth[places.six] > depth[:, None] + ROW * places.spacing)
    lone = (depth < BORDER * places.spacing) & deeper.any(1)
    for _ in range(ROUNDS):  # a row after the other, those outside the image last
        side = np.where(lone & ((side[places.six] != side[:, None]) | ~deeper).all(1), 1 - side, side)
    return side


def without_islands(places, side):
    """Sides (M,) of metals of which groups smaller than `ISLAND` are given to the crystal around them."""
    metal, which = np.nonzero((places.six >= 0) & (side[places.six] == side[:, None]))
    alike = coo_array((np.ones(len(metal)), (metal, places.six[metal, which])), shape=2 * (len(side),))
    _, group = connected_components(alike, directed=False)
    return np.where(np.bincount(group)[group] < ISLAND, 1 - side, side)


def turned(image, found):
    """What is found with every metal at the front on the side that explains the image better."""
    turning = Turning(found)
    for _ in range(PASSES):
        if not sum(turning.tried(metal) for metal in turning.at_the_front()):
            break
    return with_profiles(image, found.sites, turning.side, found.occupancy, found.profiles)


class Turning:
    """Metals that change sides one by one.

    Parameters
    ----------
    found : Explained
    """

    def __init__(self, found):
        self.found, self.near, self.six = found, found.sites.near, found.sites.six
        self.side, self.left = found.side.copy(), found.left.ravel().copy()
        self.second = self.side[found.sites.three].sum(1)
        self.pairs = self.near.pairs()
        self.changed = np.zeros(self.left.size)
        order = np.argsort(found.sites.three.ravel(), kind="stable")
        ends = np.searchsorted(found.sites.three.ravel()[order], np.arange(1, len(self.side)))
        self.chalcogens = np.split(order // 3, ends)
        middle = np.hypot(*(found.sites.metals - np.array(found.left.shape) / 2).T).argmin()
        self.stiff = STIFF * self.weighed(self.steps(middle))[1]

    def at_the_front(self):
        """Metals with a neighbour on the other side."""
        return np.flatnonzero(((self.side[self.six] != self.side[:, None]) & (self.six >= 0)).any(1))

    def steps(self, metal):
        """What changes with a metal's side: list of pixels and change of the model there, for each site that changes."""
        old, move = self.side[metal], 1 - 2 * self.side[metal]
        kinds = [(metal, sites.METALS[old], sites.METALS[1 - old])]
        own = self.chalcogens[metal]
        before, after = (sites.kinds_of_chalcogens(self.second[own] + step) for step in (0, move))
        kinds += [(len(self.side) + k, a, b) for k, a, b in zip(own, before, after, strict=True) if a != b]
        return [(self.near.pixel[self.pairs[site]], self.step(site, a, b)) for site, a, b in kinds]

    def step(self, site, old, new):
        """The change of the model where a site's kind changes."""
        coefficients = self.found.profiles.coefficients
        which = self.pairs[site]
        change = ((coefficients[new] - coefficients[old])[self.near.numbers[which]] * self.near.values[which]).sum(1)
        return self.found.occupancy[site] * change

    def weighed(self, steps):
        """Of all changes together, the product with what is left and the square [arb.²]."""
        for pixels, step in steps:
            self.changed[pixels] += step
        fits = sum(float(step @ self.left[pixels]) for pixels, step in steps)
        size = sum(float(step @ self.changed[pixels]) for pixels, step in steps)
        for pixels, _ in steps:
            self.changed[pixels] = 0
        return fits, size

    def tried(self, metal):
        """Turn a metal to the other side if that explains more than it costs; whether it did."""
        there = self.six[metal][self.six[metal] >= 0]
        unlike = int((self.side[there] != self.side[metal]).sum())
        steps = self.steps(metal)
        fits, size = self.weighed(steps)
        gain = 2 * fits - size
        if not unlike or gain + self.stiff * (2 * unlike - len(there)) <= 0:
            return False
        for pixels, step in steps:
            self.left[pixels] -= step
        self.second[self.chalcogens[metal]] += 1 - 2 * self.side[metal]
        self.side[metal] = 1 - self.side[metal]
        return True


def between(metals, side, shape, spacing):
    """Two phases of an image, and the lines between them, half-way between metals of either side.

    Parameters
    ----------
    metals : (M, 2) float array, in and around the image, (y, x) [px]
    side : (M,) int array, 0 or 1
    shape : (H, W) of the image
    spacing : float, of the columns [px]

    Returns
    -------
    (H, W) int array, 1 or 2; list of (K, 2) float arrays, vertices, (y, x) [px], the longest line first
    """
    pad = int(np.ceil(1.5 * spacing))
    pixels = np.stack(np.indices(np.add(shape, 2 * pad)), -1) - pad
    # outside the image nothing tells on which side a metal is
    inside = ((metals > -0.25 * spacing) & (metals < np.array(shape) - 1 + 0.25 * spacing)).all(1)
    nearest = side[inside][cKDTree(metals[inside]).query(pixels)[1]]
    smooth = gaussian_filter(nearest.astype(float), SMOOTH * spacing)[pad:-pad, pad:-pad]
    lines = sorted(find_contours(smooth, 0.5), key=lambda line: -length(line))
    return (smooth > 0.5).astype(int) + 1, [line for line in lines if length(line) > SHORTEST * spacing]


def length(line):
    """Length of a polyline (K, 2)."""
    return float(np.hypot(*np.diff(line, axis=0).T).sum())
