"""A specimen under the beam and the truth about it: columns, defects, boundaries and phases.

The truth follows the atoms: columns are read off the atoms' positions whenever they are asked for, so that
removing, replacing or displacing atoms can't leave it behind. Defects, boundaries and phases are noted by what
makes them and move with the atoms.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import chemical_symbols
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from atomwork.simulation.motifs import Z_EXPONENT

SAME_COLUMN = 0.3  # Å; atoms whose projections are nearer than this stand in one column
DEFECT_COLUMNS = ["kind", "y", "x"]


@dataclass(frozen=True)
class Boundary:
    """A line in the projected specimen.

    Attributes
    ----------
    kind : str, e.g. ``"zigzag front"``, ``"grain boundary"``, ``"edge"``
    points : (N, 2) float array, its vertices (y, x) [Å]
    """

    kind: str
    points: np.ndarray


@dataclass(frozen=True)
class Phase:
    """An area of one crystal.

    Attributes
    ----------
    name : str
    outline : (N, 2) float array, the vertices of its polygon (y, x) [Å]
    """

    name: str
    outline: np.ndarray


@dataclass(frozen=True)
class Specimen:
    """Atoms in a box that the beam crosses along z, with their truth.

    Attributes
    ----------
    name : str
    atoms : ase.Atoms, its cell a right-angled box [Å]; the array ``support`` marks atoms of an amorphous support, the
        array ``phase`` is an index into ``phases`` (the first one if there is none)
    unit : ase.Atoms, the right-angled cell that fills the box when repeated along x and y; None if there is none
    defects : DataFrame with kind, y, x [Å]: what was done to which site, in Kröger and Vink's notation
    boundaries : tuple of Boundary
    phases : tuple of Phase
    """

    name: str
    atoms: Atoms
    unit: Atoms | None = None
    defects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DEFECT_COLUMNS))
    boundaries: tuple = ()
    phases: tuple = ()

    def __repr__(self):
        height, width, depth = self.atoms.cell.lengths()[[1, 0, 2]]
        parts = f"{len(self.atoms)} atoms in {len(self.columns)} columns, {len(self.defects)} defects"
        return f"Specimen({self.name!r}, {height:.1f} × {width:.1f} × {depth:.1f} Å, {parts})"

    @property
    def size(self):
        """Extent along y and x [Å]."""
        return self.atoms.cell[1, 1], self.atoms.cell[0, 0]

    @cached_property
    def columns(self):
        """The atomic columns: DataFrame with y, x [Å], species, n_atoms, strength (sum of Z^1.7) [-] and phase.

        The position is that of the centre of scattering; a column's species are named from the heaviest down.
        """
        table = project(self.atoms[~support(self.atoms)])
        names = np.array([phase.name for phase in self.phases] or [""], dtype=object)
        return table.assign(phase=names[table["phase"].to_numpy(int)])

    def with_atoms(self, atoms, **changed):
        """The same specimen with other atoms, and whatever else changed."""
        return replace(self, atoms=atoms, **changed)

    def with_defects(self, rows, **changed):
        """The same specimen with more defects ``(kind, y, x)`` noted."""
        noted = pd.DataFrame(rows, columns=DEFECT_COLUMNS)
        known = [table for table in (self.defects, noted) if len(table)]
        return replace(self, defects=pd.concat(known, ignore_index=True) if known else noted, **changed)


def support(atoms):
    """Which atoms belong to an amorphous support: (N,) bool array."""
    return atoms.arrays.get("support", np.zeros(len(atoms), bool))


def scattering_strength(numbers):
    """Z^1.7, the rule of high-angle scattering [-]."""
    return np.asarray(numbers, float) ** Z_EXPONENT


def column_labels(atoms, tolerance=SAME_COLUMN):
    """Which column every atom stands in: (N,) int array, columns numbered from 0.

    Atoms whose projections lie within ``tolerance`` [Å] of each other share one, also across the box's periodic
    sides.
    """
    if not len(atoms):
        return np.zeros(0, int)
    box = atoms.cell.lengths()[:2]
    places = atoms.positions[:, :2] % box % box  # twice, for a remainder that rounds up to the box
    pairs = cKDTree(places, boxsize=box).query_pairs(tolerance, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(atoms), len(atoms)))
    return connected_components(links, directed=False)[1]


def column_places(atoms):
    """Which column every atom stands in, -1 in a support, (N,), and the columns' places (y, x) [Å], (M, 2)."""
    standing = np.flatnonzero(~support(atoms))
    labels = np.full(len(atoms), -1)
    labels[standing] = column_labels(atoms[standing])
    return labels, project(atoms[standing])[["y", "x"]].to_numpy(float)


def nearest_copy(offsets, box):
    """Offsets to the nearest copy in a box that repeats, each component within half of the box."""
    return offsets - box * np.round(offsets / box)


def project(atoms):
    """The columns of atoms; see `Specimen.columns`. The phase is an index here, that of a column's first atom."""
    if not len(atoms):
        return pd.DataFrame({"y": [], "x": [], "species": [], "n_atoms": [], "strength": [], "phase": []})
    labels = column_labels(atoms)
    order = np.argsort(labels, kind="stable")
    first = order[np.searchsorted(labels[order], np.arange(labels.max() + 1))]
    box, places = atoms.cell.lengths()[:2], atoms.positions[:, :2]
    away = nearest_copy(places - places[first][labels], box)  # so that a column on the box's side stays together
    weight = scattering_strength(atoms.numbers)
    strength = np.bincount(labels, weight)
    shift = np.stack([np.bincount(labels, weight * away[:, k]) / strength for k in (0, 1)], -1)
    centre = places[first] + shift
    table = pd.DataFrame({"y": centre[:, 1], "x": centre[:, 0], "species": species(atoms.numbers, labels)})
    table["n_atoms"], table["strength"] = np.bincount(labels), strength
    table["phase"] = atoms.arrays.get("phase", np.zeros(len(atoms), int))[first]
    return table


def species(numbers, labels):
    """The elements of every column, the heaviest first, e.g. ``"Ti O"``: (M,) array of str."""
    elements = -np.unique(-numbers)  # the heaviest first
    holds = np.zeros((labels.max() + 1, len(elements)), bool)
    holds[labels, np.searchsorted(-elements, -numbers)] = True
    kinds, which = np.unique(holds, axis=0, return_inverse=True)
    names = [" ".join(chemical_symbols[z] for z in elements[kind]) for kind in kinds]
    return np.array(names)[which.ravel()]


def displace(specimen, displacement):
    """A strained specimen: atoms, defects, boundaries and phases moved by a field.

    Parameters
    ----------
    specimen : Specimen
    displacement : function of y and x (N,) [Å] that returns two (N,) arrays, the shift along y and x [Å]

    Returns
    -------
    Specimen : without a unit cell, since it no longer repeats

    Raises
    ------
    ValueError : the field isn't finite or has another shape
    """

    def moved(points):
        shift = np.stack(np.broadcast_arrays(*displacement(points[:, 0], points[:, 1])), -1)
        if shift.shape != points.shape or not np.isfinite(shift).all():
            raise ValueError(
                f"displacement gives an array of shape {shift.shape} or values that aren't finite for {len(points)} places; "
                "return the shifts along y and x [Å] as two arrays as long as its arguments."
            )
        return points + shift

    atoms = specimen.atoms.copy()
    atoms.positions[:, 1::-1] = moved(atoms.positions[:, 1::-1])
    defects = specimen.defects.copy()
    if len(defects):
        defects[["y", "x"]] = moved(defects[["y", "x"]].to_numpy(float))
    boundaries = tuple(replace(b, points=moved(b.points)) for b in specimen.boundaries)
    phases = tuple(replace(p, outline=moved(p.outline)) for p in specimen.phases)
    return replace(specimen, atoms=atoms, unit=None, defects=defects, boundaries=boundaries, phases=phases)
