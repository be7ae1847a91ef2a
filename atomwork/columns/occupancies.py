"""How bright each site is beside those of its kind: vacancies, columns that scatter more, and where no crystal is."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from scipy.stats import median_abs_deviation

from atomwork.columns import borders, fronts, radial, sites

ODD = 5.0  # standard deviations of sites of one kind from which one is odd
MISSING, EXCESS = 0.15, 0.2  # of its kind's contrast that an odd site lacks at least, or has beyond [-]
APART = 1.5  # spacings within which one site is the oddest
ROUNDS = 6  # of adding odd sites, and of telling the crystal from what is none
EDGE = 1.5  # spacings from the image's edge within which sites aren't judged
AROUND = 2.1  # spacings around a site within which most sites are bright where there is a crystal
FULL = 0.5  # of its kind's contrast from which a site is a column [-]
FAINT = 0.3  # of the strongest kind's contrast that a fainter one's differences are measured by [-]
UNSEEN = 0.1  # of the strongest kind's profile, below which there is none to be judged [-]
SEEN = 0.2  # of the strongest kind's contrast from which a kind tells a column from none [-]
CORE = 0.2  # spacings, standard deviation of the spot whose mean is a site's level
SLOW = 4.0  # spacings, standard deviation of the Gaussian that makes what is left background


@dataclass(frozen=True)
class Odd:
    """The sites of an image and how they differ from their kind.

    Attributes
    ----------
    found : columns.fronts.Explained, with the occupancies of odd sites, and 0 where no crystal is
    crystal : (N,) bool array, sites of the crystal
    judged : (N,) bool array, columns of the crystal well inside the image of whose kind a missing one would be odd
    odd : (N,) bool array, those that differ clearly
    excess : (N,) float array, brightness beyond the kind's over the kind's contrast, -1 where a column is missing [-]
    deviation : (N,) float array, the same in standard deviations of the kind [-]
    """

    found: fronts.Explained
    crystal: np.ndarray
    judged: np.ndarray
    odd: np.ndarray
    excess: np.ndarray
    deviation: np.ndarray


def find(image, found):
    """The odd sites of an image, found and allowed for the strongest first.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    found : columns.fronts.Explained

    Returns
    -------
    Odd
    """
    places, spacing = found.sites.places, found.sites.spacing
    image = image - gaussian_filter(found.left, SLOW * spacing)
    found, crystal = of_the_crystal(image, found)
    inside = crystal & borders.within(places, image.shape, EDGE * spacing)
    odd, tree = np.zeros(len(places), bool), cKDTree(places)
    for _ in range(ROUNDS):
        judged, _, deviation, left = weighed(image, found, inside, odd)
        new = strongest(tree, np.where(judged & ~odd & (np.abs(deviation) > ODD), np.abs(left), 0), APART * spacing)
        if not new.any():
            break
        odd |= new
        found = allowed_for(image, found, odd)
    judged, excess, deviation, _ = weighed(image, found, inside, odd)
    odd &= judged & (np.abs(deviation) > ODD) & ((excess < -MISSING) | (excess > EXCESS))
    return Odd(found, crystal, judged, odd, excess, deviation)


def levels(image, places):
    """The mean levels of spots at all sites (N,) and at the hollow centres (L,) of `sites.Sites` in an image [arb.]."""
    smooth = gaussian_filter(image, CORE * places.spacing)
    both = np.concatenate([places.places, places.hollows])
    return np.split(map_coordinates(smooth, both.T, order=3, mode="mirror"), [len(places.places)])


def contrasts(level, ground, found, fair):
    """The usual level of each site's kind, (N,), and that less the level of hollow centres beside it, (N,) [arb.].

    Parameters
    ----------
    level, ground : (N,) and (L,) float arrays, see `levels`
    found : columns.fronts.Explained
    fair : (N,) bool array, the sites whose median is usual
    """
    beside = found.side[cKDTree(found.sites.metals).query(found.sites.hollows)[1]]
    usual, contrast = np.full(len(level), np.nan), np.full(len(level), np.nan)
    for kind, side in zip((*sites.METALS, *sites.CHALCOGENS, sites.BRIDGING), (0, 1, 0, 1, None), strict=True):
        own, here = found.kinds == kind, beside == side if side is not None else np.ones(len(beside), bool)
        if (own & fair).any() and here.any():
            usual[own] = np.median(level[own & fair])
            contrast[own] = usual[own] - np.median(ground[here])
    return usual, contrast


def of_the_crystal(image, found):
    """What is found with profiles fitted to the crystal alone, and which sites are of it, (N,) bool array."""
    places = found.sites.places
    near = cKDTree(places).query_ball_point(places, AROUND * found.sites.spacing)
    margin = 0.5 * found.sites.spacing
    inside = borders.within(places, image.shape, margin)
    level, ground = levels(image, found.sites)
    usual, contrast = contrasts(level, ground, found, inside)
    contrast = np.where(inside, contrast, 0)
    product = contrast * (level - usual + contrast)
    # a kind that is hardly seen says little
    crystal = np.array([product[k].sum() >= FULL * (contrast[k] ** 2).sum() for k in near])
    empty = (product < FULL * contrast**2) & (np.abs(contrast) > SEEN * np.abs(contrast).max())
    for _ in range(ROUNDS):  # what is empty beside where no crystal is, is the rim of that
        crystal &= ~(empty & np.array([not crystal[k].all() for k in near]))
    return fronts.explained(image, found.sites, found.side, crystal.astype(float)), crystal


def weighed(image, found, inside, odd):
    """Which sites are columns that can be judged, and how much each differs from its kind.

    Parameters
    ----------
    image : (H, W) float array, without a slow background [arb.]
    found : columns.fronts.Explained
    inside : (N,) bool array, sites that may be judged
    odd : (N,) bool array, those that are odd, whose level counts; of the others counts what is left

    Returns
    -------
    (N,) bool array; (N,) and (N,) float arrays, see `Odd`; (N,) float array, the level of what is left [arb.]
    """
    (level, ground), (left, _) = levels(image, found.sites), levels(found.left, found.sites)
    usual, contrast = contrasts(level, ground, found, inside & ~odd)
    # a kind that can't be told from a hollow may still be missed, by what else its absence changes
    least = FAINT * np.nanmax(np.abs(contrast[inside]), initial=0)
    excess = np.where(odd, level - usual, left) / np.copysign(np.maximum(np.abs(contrast), least), contrast)
    judged, deviation = np.zeros(len(level), bool), np.zeros(len(level))
    chalcogens = inside & np.isin(found.kinds, sites.CHALCOGENS)
    columns = np.abs(contrast) > FULL * np.abs(np.median(contrast[chalcogens]))
    columns |= found.kinds != sites.BRIDGING  # along a front of hollows, chalcogens are all missing
    height = np.sqrt((found.profiles.coefficients**2).sum(1))
    columns &= (height > UNSEEN * height.max())[found.kinds]
    for kind in range(sites.KINDS):
        own = inside & (found.kinds == kind)
        fair = own & ~odd
        if fair.sum() > 3:
            spread = median_abs_deviation(excess[fair], scale="normal")
            deviation[own] = (excess[own] - np.median(excess[fair]) * ~odd[own]) / spread
            judged |= own & columns & (spread * ODD < 1)  # else a missing one would not be odd
    return judged, excess, deviation, left


def strongest(tree, strength, distance):
    """Which places of a tree have the largest strength (N,) within ``distance`` [px]: (N,) bool array."""
    beside = tree.query_ball_point(tree.data, distance)
    return np.array([strength[k] > 0 and strength[k] >= strength[near].max() for k, near in enumerate(beside)])


def allowed_for(image, found, odd):
    """What is found with the occupancies of odd sites (N,) bool, fitted together, and the profiles fitted again."""
    values = found.profiles.of(found.sites.near, found.kinds)
    change, _ = radial.strengths(found.left, found.sites.near, values, odd)
    return fronts.explained(image, found.sites, found.side, found.occupancy + change)
