"""Plane projections of crystals: the cells from which training and test images are laid out.

A motif is a two-dimensional cell in Å with its columns as fractional coordinates and the atoms that
each column holds. The columns' brightness follows Z^1.7 per atom, the rule of high-angle scattering.
The cells are projections along the zone axis named, from the published lattice parameters.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from atomwork.simulation.elements import ATOMIC_NUMBER

Z_EXPONENT = 1.7


@dataclass(frozen=True)
class Motif:
    """A plane cell.

    Attributes
    ----------
    name : str
    cell : (2, 2) float array, rows are the cell vectors, (y, x) [Å]
    fractions : (M, 2) float array, columns in units of the cell vectors [-]
    brightness : (M,) float array, sum of Z^1.7 over a column's atoms in one cell, largest is 1
    """

    name: str
    cell: np.ndarray
    fractions: np.ndarray
    brightness: np.ndarray


def scattering(atoms):
    """Brightness of a column of the given atoms, e.g. ``"Ti O"``: the sum of Z^1.7 [-]."""
    return sum(ATOMIC_NUMBER[symbol] ** Z_EXPONENT for symbol in atoms.split())


def plane_cell(a, b, angle):
    """Cell vectors of lengths a, b [Å] enclosing ``angle`` [degrees] as rows of (y, x) [Å]."""
    angle = np.deg2rad(angle)
    return np.array([[0.0, a], [b * np.sin(angle), b * np.cos(angle)]])


def motif(name, cell, sites):
    """A `Motif` from sites ``(u, v, atoms)``; see `scattering` for the notation of the atoms."""
    brightness = np.array([scattering(atoms) for _, _, atoms in sites])
    fractions = np.array([(u, v) for u, v, _ in sites], float)
    return Motif(name, cell, fractions, brightness / brightness.max())


def nearest_distance(motif):
    """Smallest distance between two columns of a motif's crystal [Å]."""
    shifts = np.stack(np.meshgrid(range(-1, 2), range(-1, 2), indexing="ij"), -1).reshape(-1, 2)
    points = ((motif.fractions[:, None] + shifts) @ motif.cell).reshape(-1, 2)
    distance, _ = cKDTree(points).query(motif.fractions @ motif.cell, k=2)
    return distance[:, 1].min()


THIRD, TWO_THIRDS = 1 / 3, 2 / 3

# No crystal of `crystals` is among them: those are what the detector is tested on.
TRAINING_MOTIFS = tuple(
    motif(name, plane_cell(*cell), sites)
    for name, cell, sites in [
        ("TaS2", (3.314, 3.314, 120), [(THIRD, TWO_THIRDS, "Ta"), (TWO_THIRDS, THIRD, "S S")]),
        ("BN", (2.504, 2.504, 120), [(THIRD, TWO_THIRDS, "B"), (TWO_THIRDS, THIRD, "N")]),
        ("SnS2", (3.65, 3.65, 120), [(0, 0, "Sn"), (THIRD, TWO_THIRDS, "S"), (TWO_THIRDS, THIRD, "S")]),
        ("KTaO3 [001]", (3.989, 3.989, 90), [(0, 0, "K"), (0.5, 0.5, "Ta O"), (0.5, 0, "O"), (0, 0.5, "O")]),
        ("KTaO3 [110]", (2.821, 3.989, 90), [(0, 0, "K O"), (0, 0.5, "Ta"), (0.5, 0.5, "O O")]),
        ("Ge [110]", (5.658, 4.001, 90), [(0, 0, "Ge"), (0.25, 0, "Ge"), (0.5, 0.5, "Ge"), (0.75, 0.5, "Ge")]),
        ("MgO [110]", (2.978, 4.212, 90), [(0, 0, "Mg"), (0.5, 0.5, "Mg"), (0, 0.5, "O"), (0.5, 0, "O")]),
        (
            "CaF2 [110]",
            (3.863, 5.463, 90),
            [(0, 0, "Ca"), (0.5, 0.5, "Ca"), (0, 0.25, "F"), (0, 0.75, "F"), (0.5, 0.25, "F"), (0.5, 0.75, "F")],
        ),
        ("Ag [100]", (2.889, 2.889, 90), [(0, 0, "Ag")]),
        ("Ag [111]", (2.889 / np.sqrt(3), 2.889 / np.sqrt(3), 120), [(0, 0, "Ag")]),
    ]
)

# Drawn for validation alone.
VALIDATION_MOTIFS = tuple(
    motif(name, plane_cell(*cell), sites)
    for name, cell, sites in [
        ("NbSe2", (3.44, 3.44, 120), [(THIRD, TWO_THIRDS, "Nb"), (TWO_THIRDS, THIRD, "Se Se")]),
        ("GaAs [110]", (5.653, 3.998, 90), [(0, 0, "Ga"), (0.25, 0, "As"), (0.5, 0.5, "Ga"), (0.75, 0.5, "As")]),
        ("LaAlO3 [001]", (3.79, 3.79, 90), [(0, 0, "La"), (0.5, 0.5, "Al O"), (0.5, 0, "O"), (0, 0.5, "O")]),
        ("Fe [111]", (2.341, 2.341, 120), [(0, 0, "Fe")]),
        ("Fe [110]", (4.054, 2.866, 90), [(0, 0, "Fe"), (0.5, 0.5, "Fe")]),
        (
            "YBa2Cu3O7 [100]",
            (3.885, 11.68, 90),
            [(0, 0, "Cu"), (0, 0.355, "Cu O"), (0, 0.645, "Cu O"), (0.5, 0.184, "Ba"), (0.5, 0.816, "Ba"), (0.5, 0.5, "Y")]
            + [(u, v, "O") for u, v in ((0.5, 0), (0.5, 0.378), (0.5, 0.622), (0, 0.159), (0, 0.841))],
        ),
        (
            "Ga2O3 [010]",
            (6.115, 5.80, 103.7),
            [(s * u % 1, s * v % 1, "Ga") for u, v in ((0.181, 0.795), (0.317, 0.314)) for s in (1, -1)]
            + [(s * u % 1, s * v % 1, "O") for u, v in ((0.329, 0.110), (0.347, 0.563), (-0.008, 0.257)) for s in (1, -1)],
        ),
    ]
)

# Never drawn in training or validation: the fixed test set alone uses them.
TEST_MOTIFS = tuple(
    motif(name, plane_cell(*cell), sites)
    for name, cell, sites in [
        (
            "TiO2 rutile [001]",
            (4.594, 4.594, 90),
            [
                (0, 0, "Ti"),
                (0.5, 0.5, "Ti"),
                (0.305, 0.305, "O"),
                (0.695, 0.695, "O"),
                (0.805, 0.195, "O"),
                (0.195, 0.805, "O"),
            ],
        ),
        (
            "Bi2O2Se [100]",
            (3.88, 12.16, 90),
            [(0, 0, "Se"), (0.5, 0.5, "Se"), (0, 0.353, "Bi"), (0, 0.647, "Bi"), (0.5, 0.853, "Bi"), (0.5, 0.147, "Bi")]
            + [(u, v, "O") for u in (0, 0.5) for v in (0.25, 0.75)],
        ),
        ("GaN [11-20]", (2.762, 5.185, 90), [(0, 0, "Ga"), (0.5, 0.5, "Ga"), (0, 0.377, "N"), (0.5, 0.877, "N")]),
        ("Pt [110]", (3.924, 2.775, 90), [(0, 0, "Pt"), (0.5, 0.5, "Pt")]),
        ("kagome", (5.4, 5.4, 120), [(0.5, 0, "Sn"), (0, 0.5, "Sn"), (0.5, 0.5, "Sn")]),
        ("CsPbBr3 [001]", (5.87, 5.87, 90), [(0.5, 0.5, "Cs"), (0, 0, "Pb Br"), (0.5, 0, "Br"), (0, 0.5, "Br")]),
        (
            "MoTe2 1T′",
            (6.33, 3.48, 90),
            [(0.00, 0.0, "Mo"), (0.41, 0.5, "Mo"), (0.16, 0.5, "Te"), (0.27, 0.0, "Te"), (0.64, 0.0, "Te"), (0.79, 0.5, "Te")],
        ),
        (
            "LiNiO2 [100]",
            (2.88, 14.2, 90),
            [
                *[
                    (0, 0, "Ni"),
                    (0.5, 1 / 6, "Li"),
                    (0, THIRD, "Ni"),
                    (0.5, 0.5, "Li"),
                    (0.5, TWO_THIRDS, "Ni"),
                    (0, 5 / 6, "Li"),
                ],
                *[(0.5, 0.26, "O"), (0.5, 0.07, "O"), (0, 0.59, "O"), (0, 0.41, "O"), (0, 0.74, "O"), (0.5, 0.93, "O")],
            ],
        ),
    ]
)
