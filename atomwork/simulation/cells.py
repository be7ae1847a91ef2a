"""Unit cells: drawn at random in every plane system, with and without symmetry, or those of named crystals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from atomwork.simulation.motifs import TRAINING_MOTIFS, Motif, nearest_distance, plane_cell

CLOSEST = 0.45  # nearest distance in a random cell over the side of the square that each column has to itself [-]
INDEPENDENT = (1, 4)  # fewest and most columns in a random cell that no symmetry relates
MANY = (9, 14)  # the same in a cell of many columns
MOST = 16  # columns in a random cell with symmetry

INVERSION, MIRROR = np.diag([-1, -1]), np.diag([-1, 1])
FOURFOLD = np.array([[0, -1], [1, 0]])
THREEFOLD, SIXFOLD = np.array([[0, -1], [1, -1]]), np.array([[1, -1], [1, 0]])
ACROSS, ALONG = np.array([[0, -1], [-1, 0]]), np.array([[0, 1], [1, 0]])  # mirrors of a hexagonal cell
NONE, HALF_X, HALF_Y, CENTRE = (0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)
CENTRING = (np.eye(2, dtype=int), CENTRE)
# Generators of the 17 plane groups beside the cell's own translations (International Tables A): matrix and shift.
PLANE_GROUPS = {
    "oblique": {"p1": (), "p2": ((INVERSION, NONE),)},
    "rectangular": {
        "pm": ((MIRROR, NONE),),
        "pg": ((MIRROR, HALF_Y),),
        "cm": ((MIRROR, NONE), CENTRING),
        "p2mm": ((INVERSION, NONE), (MIRROR, NONE)),
        "p2mg": ((INVERSION, NONE), (MIRROR, HALF_X)),
        "p2gg": ((INVERSION, NONE), (MIRROR, CENTRE)),
        "c2mm": ((INVERSION, NONE), (MIRROR, NONE), CENTRING),
    },
    "square": {
        "p4": ((FOURFOLD, NONE),),
        "p4mm": ((FOURFOLD, NONE), (MIRROR, NONE)),
        "p4gm": ((FOURFOLD, NONE), (MIRROR, CENTRE)),
    },
    "hexagonal": {
        "p3": ((THREEFOLD, NONE),),
        "p3m1": ((THREEFOLD, NONE), (ACROSS, NONE)),
        "p31m": ((THREEFOLD, NONE), (ALONG, NONE)),
        "p6": ((SIXFOLD, NONE),),
        "p6mm": ((SIXFOLD, NONE), (ACROSS, NONE)),
    },
}


def random_motif(rng, columns=INDEPENDENT):
    """A random cell of any plane system with a few columns, none nearer than `CLOSEST` of a square cell's side."""
    while True:
        motif = random_cell(rng, columns)
        if nearest_distance(motif) > CLOSEST:
            return motif


def random_cell(rng, columns):
    """A random cell whose columns spread out, but may come near those of the next cell."""
    system = rng.choice(["oblique", "rectangular", "centred", "square", "hexagonal"])
    ratio, angle = {
        "oblique": (rng.uniform(1, 1.8), rng.uniform(60, 120)),
        "rectangular": (rng.uniform(1, 1.8), 90),
        "centred": (rng.uniform(1, 1.8), 90),
        "square": (1, 90),
        "hexagonal": (1, 120),
    }[system]
    count = rng.integers(columns[0], columns[1] + 1)
    cell = plane_cell(1, ratio, angle) * np.sqrt(count)
    fractions = [rng.random(2)]
    while len(fractions) < count:
        candidates = rng.random((16, 2))
        gaps = candidates[:, None] - np.array(fractions)
        distance = np.linalg.norm((gaps - np.round(gaps)) @ cell, axis=-1).min(1)
        fractions.append(candidates[distance.argmax()])
    fractions = np.array(fractions)
    if system == "centred":
        fractions = np.concatenate([fractions, fractions + 0.5])
        cell = cell * np.sqrt(2)
    brightness = np.exp(rng.uniform(np.log(0.08), 0, len(fractions))) if rng.random() < 0.6 else np.ones(len(fractions))
    return Motif(f"random {system}", cell, fractions, brightness / brightness.max())


@lru_cache
def operations(system, group):
    """All operations of a plane group in one cell: (M, 2, 2) matrices and (M, 2) shifts of fractional coordinates."""
    found = [(np.eye(2, dtype=int), np.zeros(2))]
    for known, moved in found:  # grows as it is walked
        for matrix, shift in PLANE_GROUPS[system][group]:
            new = matrix @ known, (matrix @ moved + shift) % 1
            if not any(np.array_equal(new[0], m) and np.array_equal(new[1], s) for m, s in found):
                found.append(new)
    return tuple(np.stack(part) for part in zip(*found, strict=True))


def orbit(point, matrices, shifts):
    """Every column of a cell that symmetry makes of one at fractional ``point`` (2,): (M, 2) fractions, each once."""
    images = (matrices @ point + shifts) % 1
    apart = images[:, None] - images
    same = (np.abs(apart - np.round(apart)) < 1e-3).all(-1)
    return images[same.argmax(1) == np.arange(len(images))]


def symmetric_motif(rng):
    """A random cell of any plane group with a few independent columns.

    About half of the coordinates are special (multiples of a twelfth), and the sites' brightness spans a
    factor of 50, as that of oxygen beside bismuth does.
    """
    system = rng.choice(list(PLANE_GROUPS))
    while True:
        motif = symmetric_cell(rng, system, rng.integers(INDEPENDENT[0], INDEPENDENT[1] + 1))
        if len(motif.fractions) <= MOST and nearest_distance(motif) > CLOSEST:
            return motif


def symmetric_cell(rng, system, sites):
    """A random cell of any plane group of a system, however near its columns come to each other."""
    ratio, angle = {
        "oblique": (rng.uniform(1, 2.5), rng.uniform(60, 120)),
        "rectangular": (rng.uniform(1, 2.5), 90),
        "square": (1, 90),
        "hexagonal": (1, 120),
    }[system]
    group = operations(system, rng.choice(list(PLANE_GROUPS[system])))
    special = np.round(rng.random((sites, 2)) * 12) / 12
    points = np.where(rng.random((sites, 2)) < 0.5, special, rng.random((sites, 2)))
    orbits = [orbit(point, *group) for point in points]
    level = np.exp(rng.uniform(np.log(0.02), 0, sites)) if rng.random() < 0.7 else np.ones(sites)
    brightness = np.repeat(level, [len(o) for o in orbits])
    fractions = np.concatenate(orbits)
    cell = plane_cell(1, ratio, angle) * np.sqrt(len(fractions) / (ratio * np.sin(np.deg2rad(angle))))
    return Motif(f"symmetric {system}", cell, fractions, brightness / brightness.max())


def any_motif(rng):
    """A random cell, with symmetry or without."""
    return symmetric_motif(rng) if rng.random() < 0.6 else random_motif(rng)


def trained_motif(rng):
    """A random cell that a detector learns from: one of few columns, or without symmetry and of many."""
    return random_motif(rng, MANY) if rng.random() < 0.35 else any_motif(rng)


@dataclass(frozen=True)
class Cells:
    """Where unit cells come from.

    Attributes
    ----------
    motifs : sequence of Motif, named crystals
    random_share : float, share of crystals with a random cell rather than a named one
    random : function of a random generator that draws a random cell
    """

    motifs: tuple = TRAINING_MOTIFS
    random_share: float = 0.6
    random: Callable = any_motif

    def draw(self, rng):
        """A random or a named cell."""
        if rng.random() < self.random_share:
            return self.random(rng)
        return self.motifs[rng.integers(len(self.motifs))]
