"""Unit cells: drawn at random in every plane system, with and without symmetry, or those of named crystals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.spacegroup import Spacegroup

from atomwork.simulation.motifs import TRAINING_MOTIFS, Motif, nearest_distance, plane_cell

CLOSEST = 0.45  # nearest distance in a random cell over the side of the square that each column has to itself [-]
INDEPENDENT = (1, 4)  # fewest and most columns in a random cell that no symmetry relates
MOST = 16  # columns in a random cell with symmetry
SPACE_GROUPS = {"oblique": (1, 2), "rectangular": (3, 74), "square": (75, 142), "hexagonal": (143, 194)}  # first, last


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


@lru_cache(maxsize=256)
def projected_operations(number):
    """A space group's operations seen along c: (M, 2, 2) matrices and (M, 2) shifts of fractional coordinates."""
    operations = {
        (tuple(matrix[:2, :2].ravel()), tuple(np.round(shift[:2] % 1, 4))) for matrix, shift in Spacegroup(number).get_symop()
    }
    matrices, shifts = zip(*sorted(operations), strict=True)
    return np.reshape(matrices, (-1, 2, 2)), np.array(shifts)


def orbit(point, matrices, shifts):
    """Every column that symmetry makes of one at fractional ``point`` (2,): (M, 2) fractions, each once."""
    images = (matrices @ point + shifts) % 1
    apart = images[:, None] - images
    same = (np.abs(apart - np.round(apart)) < 1e-3).all(-1)
    return images[same.argmax(1) == np.arange(len(images))]


def symmetric_motif(rng, sites=INDEPENDENT):
    """A random crystal of any space group, seen along c, with a few independent columns.

    About half of the coordinates are special (multiples of a twelfth), and the sites' brightness spans a
    factor of 50, as that of oxygen beside bismuth does.
    """
    system = rng.choice(list(SPACE_GROUPS))
    while True:
        motif = symmetric_cell(rng, system, rng.integers(sites[0], sites[1] + 1))
        if len(motif.fractions) <= MOST and nearest_distance(motif) > CLOSEST:
            return motif


def symmetric_cell(rng, system, sites):
    """A random cell of any space group of a system, however near its columns come to each other."""
    ratio, angle = {
        "oblique": (rng.uniform(1, 2.5), rng.uniform(60, 120)),
        "rectangular": (rng.uniform(1, 2.5), 90),
        "square": (1, 90),
        "hexagonal": (1, 120),
    }[system]
    operations = projected_operations(int(rng.integers(SPACE_GROUPS[system][0], SPACE_GROUPS[system][1] + 1)))
    special = np.round(rng.random((sites, 2)) * 12) / 12
    points = np.where(rng.random((sites, 2)) < 0.5, special, rng.random((sites, 2)))
    orbits = [orbit(point, *operations) for point in points]
    level = np.exp(rng.uniform(np.log(0.02), 0, sites)) if rng.random() < 0.7 else np.ones(sites)
    brightness = np.repeat(level, [len(o) for o in orbits])
    fractions = np.concatenate(orbits)
    cell = plane_cell(1, ratio, angle) * np.sqrt(len(fractions) / (ratio * np.sin(np.deg2rad(angle))))
    return Motif(f"symmetric {system}", cell, fractions, brightness / brightness.max())


def any_motif(rng):
    """A random cell, with symmetry or without."""
    return symmetric_motif(rng) if rng.random() < 0.6 else random_motif(rng)


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
