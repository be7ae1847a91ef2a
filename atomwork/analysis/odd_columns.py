"""Vacancies, odd columns and the front between two crystals in an image of dichalcogenides, without any learned model."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.analysis.defect_map import DefectMap
from atomwork.columns import bragg, fronts, junction, occupancies, sites, unit_cells
from atomwork.columns.displacement import displacement
from atomwork.columns.polarity import polarity

SMOOTH = 3.0  # spacings, over which a crystal's displacement is averaged
ALIKE = 0.005  # by how much more may be left of an image where a front is straightened [-]
DOUBLE = 0.65  # share of a chalcogen column's brightness from which both atoms are missing [-]


def find(image):
    """Point defects, the front and the phases of an image by its columns' profiles.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.], columns bright or dark

    Returns
    -------
    DefectMap : kinds are ``V_M``, a metal column that is missing; ``V_X`` and ``V_X2``, one and both chalcogens that are;
        ``more_M`` and ``more_X``, columns that scatter more than their kind

    Raises
    ------
    ValueError : the image has no lattice, none that is trigonal, or fewer than three cells
    """
    image = np.asarray(image, float)
    cells = unit_cells.find(image, bragg.find(image))
    halves = junction.find(image, cells)
    ways = fronts.find(image, cells, halves) if halves.is_there else [of_one_crystal(image, cells)]
    return as_map(image, best(image, ways), halves.is_there)


def best(image, ways):
    """`occupancies.Odd` of that of several `fronts.Explained` that leaves least of an image, with and without its odd sites."""
    both = [(occupancies.find(image, way), way) for way in ways]
    return straightened(image, min(both, key=lambda one: one[0].found.cost * one[1].cost)[0])


def straightened(image, odd):
    """`occupancies.Odd` with odd metals at a front on its other side, if that explains an image as well by no more odd sites.

    A front without chalcogens bends around one that is missing beside it, so that a metal of the wrong crystal is odd instead.
    """
    places = odd.found.sites
    for metal in np.flatnonzero(odd.odd[: len(places.metals)]):
        side = odd.found.side.copy()
        around = side[places.six[metal][places.six[metal] >= 0]]
        if (around == side[metal]).all() or not odd.odd[metal]:
            continue
        side[metal] = 1 - side[metal]
        other = occupancies.find(image, fronts.explained(image, places, side))
        if other.found.cost < (1 + ALIKE) * odd.found.cost and other.odd.sum() <= odd.odd.sum():
            odd = other
    return odd


def of_one_crystal(image, cells):
    """The image as profiles of one crystal, metals at the strongest of the centres and nothing at the faintest."""
    pictures, _ = unit_cells.cut(image, cells)
    levels = [unit_cells.level(pictures.mean(0), centre) for centre in unit_cells.CENTRES]
    _, chalcogen, metal = np.argsort(np.multiply(levels, polarity(image)))
    moved = displacement(image, cells.vectors, SMOOTH * cells.spacing)
    places = sites.lay_out(image.shape, cells, metal, chalcogen, moved)
    return fronts.explained(image, places, np.zeros(len(places.metals), int))


def as_map(image, odd, two):
    """The `DefectMap` of odd sites, with the front and two phases if there are ``two``."""
    layout, found = odd.found.sites, odd.found
    places = layout.places
    labels, lines = fronts.between(layout.metals, found.side, image.shape, layout.spacing)
    pixels = np.stack(np.indices(image.shape), -1)
    crystal = odd.crystal[cKDTree(places).query(pixels)[1]]
    excess, deviation = odd.excess[odd.odd], odd.deviation[odd.odd]
    points = pd.DataFrame(places[odd.odd], columns=["y", "x"]).assign(
        kind=[*map(kind_of, np.isin(found.kinds[odd.odd], sites.METALS), excess)],
        confidence=1 - 0.5 * occupancies.ODD / np.abs(deviation),
        deviation=deviation,
        excess=excess,
    )
    every = pd.DataFrame(places, columns=["y", "x"]).assign(
        site=np.where(np.isin(found.kinds, sites.METALS), "metal", "chalcogen"), odd=odd.odd, deviation=odd.deviation
    )
    return DefectMap(
        shape=image.shape,
        points=points,
        fronts=lines if two else [],
        columns=every[odd.judged].reset_index(drop=True),
        spacing=layout.spacing,
        source="columns",
        labels=crystal * (labels if two else 1),
        sites=every.loc[odd.crystal, ["y", "x", "site"]].reset_index(drop=True),
    )


def kind_of(metal, excess):
    """The kind's name of an odd column, see `find`."""
    if excess > 0:
        return "more_M" if metal else "more_X"
    if metal:
        return "V_M"
    return "V_X2" if excess < -DOUBLE else "V_X"
