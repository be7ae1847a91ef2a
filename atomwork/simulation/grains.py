"""Parts of crystals whose columns are chosen, moved and mirrored as a whole, and their joining to one specimen."""

from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from atomwork.simulation import crystals
from atomwork.simulation.cuts import facing
from atomwork.simulation.specimen import Boundary, Phase, Specimen, column_places, scattering_strength
from atomwork.simulation.structures import stack

MARGIN = 4.0  # Å around the box, so that no column is cut or joined to one across the box's sides
ON_LINE = 1e-3  # Å; a column nearer to a line than this stands on it
REACH = 8.0  # Å, standard deviation of the weight with which columns count where a twin's line is judged
SEARCH = 6.0  # Å to either side, where a twin's line is sought
SAMPLE = 30.0  # Å about a cell's corner, that stand for the crystal
SAME_PLACE = 0.05  # Å; two crystals whose columns agree to this are one
ALIKE = 0.25  # relative difference of two columns' strengths that may come from one atom more at the surface


@dataclass(frozen=True)
class Grain:
    """Atoms with the columns that they stand in.

    Attributes
    ----------
    atoms : ase.Atoms
    labels : (N,) int array, the column of every atom
    places : (M, 2) float array, the columns' (y, x) [Å]
    """

    atoms: Atoms
    labels: np.ndarray
    places: np.ndarray

    def where(self, chosen):
        """The chosen columns: a mask (M,) or indices."""
        mask = np.zeros(len(self.places), bool)
        mask[chosen] = True
        kept = mask[self.labels]
        return Grain(self.atoms[kept], (np.cumsum(mask) - 1)[self.labels[kept]], self.places[mask])

    def away(self, point, across):
        """Signed distance of every column from the line through a point (y, x) with unit normal ``across`` [Å]."""
        return (self.places - point) @ across

    def moved(self, steps):
        """Every column moved as a whole by its step (y, x), (M, 2) [Å]."""
        atoms = self.atoms.copy()
        atoms.positions[:, 1::-1] += steps[self.labels]
        return replace(self, atoms=atoms, places=self.places + steps)

    def mirrored(self, point, across):
        """The mirror image across the line through a point with unit normal ``across``."""
        atoms = self.atoms.copy()
        distance = (atoms.positions[:, 1::-1] - point) @ across
        atoms.positions[:, 1::-1] -= 2 * distance[:, None] * across
        return replace(self, atoms=atoms, places=self.places - 2 * self.away(point, across)[:, None] * across)


def grow(crystal, size, thickness, layers, rotation, origin):
    """A turned crystal that covers the box, also when turned or mirrored about its middle.

    Parameters
    ----------
    crystal : crystals.Crystal
    size : (2,) float array, extent along y and x [Å]
    thickness, layers : see `structures.build`
    rotation : float, from x towards y [degrees]
    origin : (2,) float array, where a corner of the crystal's cell lies from the middle of the box (y, x) [Å]

    Returns
    -------
    Grain : in the box's coordinates
    """
    margin = (np.hypot(*size) - size) / 2 + MARGIN
    padded, corner = size + 2 * margin, size / 2 + margin + origin
    atoms = stack(crystal, padded, thickness, layers=layers, stacking=crystal.stacking, rotation=rotation, origin=corner)
    atoms.positions[:, 1::-1] -= margin
    grain = Grain(atoms, *column_places(atoms))
    whole = (np.abs(grain.places - size / 2) < padded / 2 - MARGIN / 2).all(1)  # not merged across the padded box's sides
    return grain.where(whole)


def join(name, parts, size, angle, kind):
    """A specimen of two grains at a line through the middle of the box.

    Parameters
    ----------
    name : str, of the crystal
    parts : two of Grain; the first is on the side of smaller y where the line runs along x
    size : (2,) float array [Å]
    angle : float, direction of the line, from x towards y [degrees]
    kind : str, of the boundary

    Returns
    -------
    Specimen
    """
    along, across = facing(angle)
    inside = [part.where(((part.places > -crystals.EDGE) & (part.places < size - crystals.EDGE)).all(1)) for part in parts]
    atoms = inside[0].atoms + inside[1].atoms
    atoms.set_array("phase", np.repeat([0, 1], [len(part.atoms) for part in inside]))
    atoms.set_cell([size[1], size[0], atoms.cell[2, 2]])
    box = np.array([(0, 0), (0, size[1]), size, (size[0], 0)], float)
    outlines = [beyond(box, size / 2, sign * across) for sign in (-1, 1)]
    line = outlines[0][np.abs((outlines[0] - size / 2) @ across) < crystals.EDGE]
    line = line[np.argsort(line @ along)][[0, -1]]
    phases = tuple(Phase(f"{name} {grain}", o) for grain, o in zip(("grain A", "grain B"), outlines, strict=True))
    return Specimen(name, atoms, boundaries=(Boundary(kind, line),), phases=phases)


def beyond(outline, point, normal):
    """The part of a convex polygon that lies on a line's side that its normal points to (Sutherland and Hodgman)."""
    kept = []
    distance = (outline - point) @ normal
    for k, (here, before) in enumerate(zip(distance, np.roll(distance, 1), strict=True)):
        if here * before < 0:
            kept.append(outline[k - 1] + (outline[k] - outline[k - 1]) * before / (before - here))
        if here >= 0:
            kept.append(outline[k])
    return np.array(kept)


def sample(crystal, thickness, layers, rotation):
    """Columns of a crystal about a cell's corner: their places from there (y, x) [Å], (M, 2), and strengths, (M,)."""
    size = np.full(2, 2 * SAMPLE)
    grain = grow(crystal, size, thickness, layers, rotation, np.zeros(2))
    strength = np.bincount(grain.labels, scattering_strength(grain.atoms.numbers))
    away = grain.places - size / 2
    inside = np.hypot(*away.T) < SAMPLE
    return away[inside], strength[inside]


def nearest_columns(crystal, thickness, layers):
    """Smallest distance of two columns of a crystal [Å]."""
    places, _ = sample(crystal, thickness, layers, 0.0)
    return cKDTree(places).query(places, k=2)[0][:, 1].min()


def mirrors_itself(crystal, thickness, layers, direction):
    """Whether a crystal's mirror image across a line at ``direction`` [degrees] is, moved, the crystal itself."""
    places, strength = sample(crystal, max(thickness, SAMPLE), layers, -direction)
    tree, inner = cKDTree(places), np.hypot(*places.T) < SAMPLE / 2
    image = places[inner] * (-1, 1)
    for step in places[np.hypot(*places.T) < SAMPLE / 2] - image[0]:
        gap, match = tree.query(image + step)
        alike = np.abs(strength[match] - strength[inner]) < ALIKE * strength[inner]
        if (gap < SAME_PLACE).all() and alike.all():
            return True
    return False


def nearest_atoms(crystal, element=None):
    """Smallest distance of two atoms of a crystal, or of two of one element, an atomic number [Å]."""
    atoms = crystals.cut(crystal, (SAMPLE, SAMPLE), SAMPLE)
    positions = atoms.positions if element is None else atoms.positions[atoms.numbers == element]
    return cKDTree(positions).query(positions, k=2)[0][:, 1].min()


def spread(grain, away, crystal, closest):
    """How far a grain has to move off a mirror line for its atoms' distance from their images.

    Parameters
    ----------
    grain : Grain
    away : (M,) float array, its columns' distance from the line, negative [Å]; those on the line don't count
    crystal : crystals.Crystal
    closest : float, in units of the nearest distance of two atoms of the same element [-]

    Returns
    -------
    float [Å]
    """
    off = away < -ON_LINE
    needed = 0.0
    for element in np.unique(grain.atoms.numbers):
        columns = np.unique(grain.labels[grain.atoms.numbers == element])
        distance = -away[columns[off[columns]]].max(initial=-np.inf)
        needed = max(needed, closest * nearest_atoms(crystal, element) / 2 - distance)
    return needed


def seat(crystal, thickness, layers, direction, limit):
    """How far from a cell's corner a mirror line leaves a crystal best as it is.

    Of all lines through a row of columns or half-way between two, that which has the fewest columns nearer than
    ``limit`` [Å], then that which keeps most columns, then that which has its columns farthest off.

    Parameters
    ----------
    crystal, thickness, layers : see `grow`
    direction : float, of the line in the crystal's lattice, from its x towards y [degrees]
    limit : float, smallest distance of a column from the line [Å]; those on it don't count

    Returns
    -------
    float : along the line's normal [Å]
    """
    places, _ = sample(crystal, thickness, layers, -direction)
    away, lateral = places.T
    rows = np.unique(away[np.abs(away) < SEARCH].round(4))
    rows = rows[np.diff(rows, prepend=-np.inf) > ON_LINE]

    def cost(place):
        distance = away - place
        weight = np.exp(-0.5 * (distance**2 + lateral**2) / REACH**2)
        own, on = distance < -ON_LINE, np.abs(distance) <= ON_LINE
        kept = (weight[own].sum() + weight[on].sum() / 2) / weight.sum()
        crowded = weight[own & (distance > -limit)].sum() / weight.sum()
        return round(crowded, 3), -round(kept, 3), distance[own].max()

    return min(np.concatenate([rows, (rows[1:] + rows[:-1]) / 2]), key=cost)
