"""Tables of columns and defects as the arrays that data sets keep."""

import numpy as np

from atomwork.simulation.elements import ATOMIC_NUMBER

COLUMNS = "y, x [px], atomic number of the heaviest element, atoms"
DEFECTS = "y, x [px], index into the kinds"


def heaviest(columns):
    """Atomic number of every column's heaviest element: (N,) int array."""
    return np.array([ATOMIC_NUMBER[names.split()[0]] for names in columns["species"]], int)


def column_rows(columns):
    """Columns, see `Specimen.columns`, as rows of `COLUMNS`: (N, 4) array."""
    return np.stack([columns["y"], columns["x"], heaviest(columns), columns["n_atoms"]], -1)


def defect_rows(defects, kinds):
    """Defects, see `Specimen.defects`, as rows of `DEFECTS`: (N, 3) array."""
    return np.stack([defects["y"], defects["x"], [kinds.index(kind) for kind in defects["kind"]]], -1)
