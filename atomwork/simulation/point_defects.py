"""Point defects: atoms taken out of a specimen, exchanged, added or shifted, with a note of every site.

A kind is written as the field writes it, after Kröger and Vink: what is there now, ``_``, where it is. ``V_S`` is a
vacancy on one S site, ``Mo_S2`` one Mo in place of two S, ``S2_Mo`` two S in place of one Mo, ``W_Mo`` a substitution,
``C_i`` an atom in a hollow of the projected lattice. ``V_Sr`` takes one atom of a column of any length, ``V_Sr:0.5``
half of the column's Sr and ``Ti_Sr:1`` exchanges all of it. V always means vacancy here, never vanadium.
"""

import re
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from ase.data import atomic_numbers
from scipy.spatial import Voronoi, cKDTree

from atomwork.simulation.specimen import SAME_COLUMN, column_places, nearest_copy, support

KIND = re.compile(r"([A-Z][a-z]?)(\d?)_(i|[A-Z][a-z]?)(\d?)(?::(\d*\.?\d+))?")
EXAMPLES = "V_S, V_S2, Mo_S, Mo_S2, S2_Mo, W_Mo, C_i, V_Sr:0.5 or Ti_Sr:1"
EDGE = 1e-6  # Å, so that a column on a side of the region is inside
ALIKE = 1.1  # of a length; hollows and bonds within it count as equally large
MARGIN = 15.0  # Å of the neighbouring boxes that the search for hollows sees


@dataclass(frozen=True)
class Defect:
    """A kind of point defect, read from its notation.

    Attributes
    ----------
    kind : str, the notation
    arriving : str, the element that is there now; None for a vacancy
    given, taken : int, number of atoms that come and go
    leaving : str, the element that was there; None for an interstitial
    share : float, of the column's atoms of that element that are exchanged [-]; None if numbers are given
    """

    kind: str
    arriving: str | None
    given: int
    leaving: str | None
    taken: int
    share: float | None


def introduce(specimen, defects, *, rng, region=None, apart=0.0):
    """Put point defects on random sites, every one in a column of its own.

    Parameters
    ----------
    specimen : Specimen
    defects : dict, kind -> number (int) or share of the sites that stand free (float < 1), in the order of the dict
    rng : numpy.random.Generator
    region : (y0, x0, y1, x1), in which the sites lie [Å]; anywhere if None
    apart : float, smallest distance of two point defects, those already noted included [Å]

    Returns
    -------
    Specimen : every defect noted with its kind as it was asked for and with y, x [Å] of the site, the place of the
        column's atoms of that element before the change; the unit cell stays, so that a comparison finds the defects

    Raises
    ------
    ValueError : a kind that can't be read, fewer sites than asked for, a region or a number that is none, no rng
    """
    for kind, number in defects.items():
        defect = read(kind)
        members, places = hollows(specimen.atoms) if defect.leaving is None else sites(specimen.atoms, defect)
        chosen = choose(specimen, kind, places, number, rng, region, apart)
        changes = [change(specimen.atoms, defect, members[k], places[k], rng) for k in chosen]
        atoms = exchanged(specimen.atoms, changes)
        specimen = specimen.with_defects([(kind, *places[k]) for k in chosen], atoms=atoms)
    return specimen


def shift(specimen, species, number, distance, *, rng, region=None, apart=0.0):
    """Shift one element of random columns in the plane, each as a whole in a random direction.

    Parameters
    ----------
    specimen : Specimen
    species : str, the element, e.g. ``"Ti"``
    number : int, or share of the columns that hold it (float < 1)
    distance : float [Å]
    rng : numpy.random.Generator
    region, apart : see `introduce`

    Returns
    -------
    Specimen : with the kind ``d_Ti`` noted where the columns now are

    Raises
    ------
    ValueError : an unknown element, a distance that isn't positive, too few columns
    """
    if not 0 < distance < np.inf:
        raise ValueError(f"distance={distance} Å is no shift; give a positive length, e.g. 0.1.")
    kind = f"d_{species}"
    moved = Defect(kind, None, 0, element(species, kind), 1, 1.0)
    members, places = sites(specimen.atoms, moved)
    chosen = choose(specimen, kind, places, number, rng, region, apart)
    angles = rng.uniform(0, 2 * np.pi, len(chosen))
    steps = distance * np.stack([np.sin(angles), np.cos(angles)], -1)
    atoms = specimen.atoms.copy()
    for k, step in zip(chosen, steps, strict=True):
        atoms.positions[members[k], 1::-1] += step
    return specimen.with_defects([(kind, *place) for place in places[chosen] + steps], atoms=atoms)


def read(kind):
    """A `Defect` from its notation."""
    match = KIND.fullmatch(kind)
    if not match:
        raise ValueError(f"defect {kind!r} can't be read; write it like {EXAMPLES}.")
    arriving, given, leaving, taken, share = match.groups()
    vacancy, interstitial = arriving == "V", leaving == "i"
    counted, number, places = given + taken, int(given or 1), int(taken or 1)
    if (vacancy and (given or interstitial)) or (interstitial and (counted or share)) or (share and counted):
        raise ValueError(f"defect {kind!r} has a number where none can be; write it like {EXAMPLES}.")
    if share and not 0 < float(share) <= 1:
        raise ValueError(f"share {share} in {kind!r} must be above 0 and at most 1.")
    if 0 in (number, places) or (not vacancy and number != places and (number, places) != (2, 1) and number != 1):
        raise ValueError(f"{kind!r} puts {number} atoms in place of {places}; as many, one, or two for one can be placed.")
    arriving = None if vacancy else element(arriving, kind)
    leaving = None if interstitial else element(leaving, kind)
    return Defect(kind, arriving, number, leaving, places, float(share) if share else None)


def element(symbol, kind):
    """The symbol, if it is one."""
    if symbol not in atomic_numbers or symbol == "X":
        raise ValueError(f"{symbol!r} in {kind!r} is no chemical element.")
    return symbol


def sites(atoms, defect):
    """Columns that hold enough atoms of the element: the atoms' indices, a list, and their places (y, x) [Å], (M, 2)."""
    labels, _ = column_places(atoms)
    own = np.flatnonzero((labels >= 0) & (atoms.numbers == atomic_numbers[defect.leaving]))
    own = own[np.argsort(labels[own], kind="stable")]
    if not len(own):
        return [], np.zeros((0, 2))
    starts = np.append(0, np.flatnonzero(np.diff(labels[own])) + 1)
    counts = np.diff(np.append(starts, len(own)))
    points = atoms.positions[own][:, 1::-1]
    first = np.repeat(points[starts], counts, axis=0)
    shift = np.add.reduceat(nearest_copy(points - first, atoms.cell.lengths()[1::-1]), starts) / counts[:, None]
    enough = np.flatnonzero(counts >= defect.taken)
    members = np.split(own, starts[1:])
    return [members[k] for k in enough], (points[starts] + shift)[enough]


def plane_centre(atoms, members):
    """The mean place (y, x) of some atoms of one column [Å], also across the box's sides."""
    points = atoms.positions[members][:, 1::-1]
    return points[0] + nearest_copy(points - points[0], atoms.cell.lengths()[1::-1]).mean(0)


def hollows(atoms):
    """The largest hollows of the projected lattice, the nearest atoms of each and their places (y, x) [Å].

    They are Voronoi vertices of the columns whose distance from the nearest columns is within a tenth of the largest
    that occurs regularly (the 95th percentile, so that a void isn't taken for the lattice).
    """
    _, columns = column_places(atoms)
    if not len(columns):
        return [], np.zeros((0, 2))
    box = atoms.cell.lengths()[1::-1]
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 1, 2) * box
    around = (columns + shifts).reshape(-1, 2)
    around = around[((around > -MARGIN) & (around < box + MARGIN)).all(1)]
    vertices = Voronoi(around).vertices
    vertices = vertices[((vertices > -EDGE) & (vertices < box - EDGE)).all(1)] % box % box
    pairs = cKDTree(vertices, boxsize=box).query_pairs(SAME_COLUMN, output_type="ndarray")
    vertices = np.delete(vertices, np.unique(pairs[:, 1]), axis=0)
    radii = cKDTree(around).query(vertices)[0]
    largest = np.quantile(radii, 0.95)
    places = vertices[(radii > largest / ALIKE) & (radii < largest * ALIKE)]
    return [np.zeros(0, int)] * len(places), places


def choose(specimen, kind, places, number, rng, region, apart):
    """Random sites, as many as asked for, in the region, on columns without a defect and far enough from others."""
    if rng is None:
        raise ValueError(f"{kind} goes to random sites; give rng, e.g. numpy.random.default_rng(0).")
    box, gap = np.array(specimen.size), max(apart, SAME_COLUMN)
    noted = specimen.defects.loc[specimen.defects["kind"] != "void", ["y", "x"]].to_numpy(float)
    free = inside(places, region)
    for place in noted:
        free &= np.hypot(*nearest_copy(places - place, box).T) > gap
    count = wanted(kind, number, free.sum())
    chosen = []
    while len(chosen) < count and free.any():
        chosen.append(rng.choice(np.flatnonzero(free)))
        free &= np.hypot(*nearest_copy(places - places[chosen[-1]], box).T) > gap
    if len(chosen) < count:
        where = (f" at least {apart:g} Å apart" if apart else "") + ("" if region is None else " in the region")
        found = f"only {len(chosen)} sites{where} are free"
        raise ValueError(f"{count} × {kind} asked for, but {found}; ask for fewer or make the specimen larger.")
    return np.array(chosen, int)


def inside(places, region):
    """Which places lie in a region (y0, x0, y1, x1) [Å]."""
    if region is None:
        return np.full(len(places), True)
    low, high = np.array(region[:2], float), np.array(region[2:], float)
    if not (low < high).all():
        raise ValueError(f"region {tuple(region)} is empty; give (y0, x0, y1, x1) in Å with y0 < y1 and x0 < x1.")
    return ((places >= low - EDGE) & (places <= high + EDGE)).all(1)


def wanted(kind, number, sites):
    """The number of defects from a number or a share of the sites."""
    if isinstance(number, Integral) and number >= 0:
        return int(number)
    if not isinstance(number, Integral) and 0 <= number < 1:
        return round(number * int(sites))
    raise ValueError(f"{kind}: {number} is neither a whole number of defects nor a share of the sites below 1.")


def change(atoms, defect, members, place, rng):
    """What a defect does at a site: the atoms' indices that go, and those that come as (index, symbol, position).

    The index of one that comes is that of the atom whose phase it shares.
    """
    if defect.leaving is None:
        return [], [interstitial(atoms, defect, place)]
    gone = leaving(atoms, defect, members, rng)
    if defect.arriving is None:
        return gone, []
    if defect.share or defect.given == defect.taken:
        return gone, [(k, defect.arriving, atoms.positions[k]) for k in gone]
    height = [atoms.positions[gone, 2].mean()] if defect.given == 1 else heights(atoms, gone[0], defect.kind)
    y, x = plane_centre(atoms, gone)
    return gone, [(gone[0], defect.arriving, (x, y, z)) for z in height]


def leaving(atoms, defect, members, rng):
    """Random ones of a column's atoms; of two that leave together, those of one layer."""
    if defect.share:
        return rng.choice(members, max(1, round(defect.share * len(members))), replace=False)
    rising = members[np.argsort(atoms.positions[members, 2])]
    group = rng.integers(len(rising) // defect.taken) * defect.taken
    return rising[group : group + defect.taken]


def neighbours(atoms, place):
    """Distance in the plane of every atom of the crystal from a place (y, x); infinite for those of a support [Å]."""
    away = nearest_copy(atoms.positions[:, 1::-1] - place, atoms.cell.lengths()[1::-1])
    return np.where(support(atoms), np.inf, np.hypot(*away.T))


def heights(atoms, index, kind):
    """Heights of the bonded neighbours' planes below and above an atom [Å], (2,)."""
    rise = atoms.positions[:, 2] - atoms.positions[index, 2]
    distance = np.hypot(neighbours(atoms, atoms.positions[index, 1::-1]), rise)
    bonded = distance < ALIKE * np.delete(distance, index).min()
    below, above = (bonded & (sign * rise > SAME_COLUMN) for sign in (-1, 1))
    if not (below.any() and above.any()):
        raise ValueError(f"{kind} needs bonds above and below the site, which this crystal doesn't have; take another kind.")
    return atoms.positions[below, 2].mean(), atoms.positions[above, 2].mean()


def interstitial(atoms, defect, place):
    """An atom in a hollow, at the mid height of the columns around it."""
    distance = neighbours(atoms, place)
    around = atoms.positions[distance < ALIKE * distance.min() + SAME_COLUMN, 2]
    return distance.argmin(), defect.arriving, (*place[::-1], (around.min() + around.max()) / 2)


def exchanged(atoms, changes):
    """Atoms after a list of changes; see `change`."""
    gone = [index for leaving, _ in changes for index in leaving]
    coming = [atom for _, arriving in changes for atom in arriving]
    rest = atoms[np.setdiff1d(np.arange(len(atoms)), gone)]
    if not coming:
        return rest
    new = atoms[[index for index, _, _ in coming]]
    new.numbers[:] = [atomic_numbers[symbol] for _, symbol, _ in coming]
    new.positions[:] = [position for _, _, position in coming]
    return rest + new
