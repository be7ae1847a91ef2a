"""Images of large crystals from one unit cell and the surroundings of each defect.

A crystal that repeats is computed once, as a small block of cells. Where atoms differ from it, a block with the
defect and the same block without it are computed, and their difference is added at the defect's place. Equal
defects at equivalent places share one block, so that the work grows neither with the area nor with the number
of defects, only with the number of kinds.
"""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from atomwork.simulation.specimen import column_labels, nearest_copy

SAME = 1e-3  # Å; atoms nearer than this are one


@dataclass(frozen=True)
class Parts:
    """How an image is put together.

    Attributes
    ----------
    grid : (h, w) int, pixels of the image per unit cell
    reach : float, how far from a changed atom the image changes [Å]
    margin : float, how much crystal beyond that a block needs [Å]
    link : float, changes nearer than this are computed in one block, others add up [Å]
    repeats : bool, a block without its defect is the cell repeated: no atom vibrates, no probe feels the block's size
    """

    grid: tuple
    reach: float
    margin: float
    link: float
    repeats: bool


def assemble(specimen, simulate, parts, cache=None):
    """The image of a specimen that repeats but for some atoms.

    Parameters
    ----------
    specimen : Specimen with a ``unit``
    simulate : function of atoms, shape and window that returns the pixels ``window`` = (y0, y1, x0, x1) of the
        (H, W) ``shape`` that covers the atoms' periodic box; the array ``site`` numbers atoms such that those of a
        block with and without its defect agree
    parts : Parts
    cache : dict, keeps what was computed for the next specimen with the same unit, optics and parts

    Returns
    -------
    (H, W) float array over the specimen's box, ``parts.grid`` pixels per unit cell; None if so much differs from the
    perfect crystal that nothing can be reused
    """
    cache = {} if cache is None else cache
    blocks = Blocks(specimen, parts)
    clusters = blocks.clusters()
    if clusters is None:
        return None
    cell = perfect_cell(blocks, simulate, cache)
    image = np.tile(cell, blocks.repeats)
    for cluster in clusters:
        key = blocks.key(cluster)
        if key not in cache:
            cache[key] = difference(blocks, cluster, cell, simulate, cache)
        start = (cluster.corner + blocks.padding) * blocks.grid
        rows, columns = ((s + np.arange(n)) % m for s, n, m in zip(start, cache[key].shape, image.shape, strict=True))
        image[np.ix_(rows, columns)] += cache[key]
    return image


def difference(blocks, cluster, cell, simulate, cache):
    """What a cluster of changed atoms does to the image of the perfect crystal: array over `Blocks.window`."""
    window, shape = blocks.window(cluster.cells), tuple(blocks.grid * cluster.cells)
    plain, changed = blocks.pair(cluster)
    if blocks.parts.repeats:
        undisturbed = np.tile(cell, cluster.cells - 2 * blocks.padding)
    else:
        undisturbed = cached(cache, ("plain", *cluster.cells), simulate, plain, shape, window)
    return simulate(changed, shape, window) - undisturbed


def cached(cache, key, simulate, atoms, shape, window):
    """A simulation, done once."""
    if key not in cache:
        cache[key] = simulate(atoms, shape, window)
    return cache[key]


def perfect_cell(blocks, simulate, cache):
    """The image of one unit cell of the undisturbed crystal."""
    cells = blocks.smallest()
    low, high = cells // 2 * blocks.grid, (cells // 2 + 1) * blocks.grid
    window = (low[0], high[0], low[1], high[1])
    return cached(cache, "cell", simulate, tiled(blocks.unit, cells), tuple(blocks.grid * cells), window)


def tiled(unit, cells):
    """A unit cell repeated (ny, nx) times, its atoms numbered by the array ``site``."""
    atoms = unit.repeat((int(cells[1]), int(cells[0]), 1))
    atoms.arrays["site"] = np.arange(len(atoms))
    return atoms


@dataclass(frozen=True)
class Cluster:
    """Neighbouring changes and the block of cells around them.

    Attributes
    ----------
    corner, cells : (2,) int array, the block's first cell and its extent
    missing, extra : ase.Atoms, of the perfect crystal and not of it; the coordinates may lie beyond the box
    """

    corner: np.ndarray
    cells: np.ndarray
    missing: Atoms
    extra: Atoms


class Blocks:
    """The cells of a specimen; all indices of cells and lengths are along (y, x)."""

    def __init__(self, specimen, parts):
        self.unit, self.atoms, self.parts = specimen.unit, specimen.atoms, parts
        self.cell = self.unit.cell.lengths()[1::-1]
        self.box = self.atoms.cell.lengths()[1::-1]
        self.repeats = np.rint(self.box / self.cell).astype(int)
        self.grid = np.array(parts.grid)
        self.padding = np.ceil(parts.margin / self.cell).astype(int)

    def smallest(self):
        """Cells of the block around a single cell of perfect crystal."""
        return 1 + 2 * self.padding

    def changes(self):
        """Atoms of the perfect crystal that are missing, and atoms that are not of it.

        Returns
        -------
        missing, extra : ase.Atoms
        """
        perfect = tiled(self.unit, self.repeats)
        found = [same_atoms(a, b) for a, b in ((perfect, self.atoms), (self.atoms, perfect))]
        return perfect[~found[0]], self.atoms[~found[1]]

    def clusters(self):
        """The changes with the block around each, or None if such a block is larger than the specimen: list of `Cluster`."""
        missing, extra = self.changes()
        changed = missing + extra
        if not len(changed):
            return []
        groups, result = column_labels(changed, self.parts.link), []
        around = np.ceil(self.parts.reach / self.cell).astype(int) + self.padding
        for group in range(groups.max() + 1):
            rows = np.flatnonzero(groups == group)
            atoms = changed[rows]
            atoms.positions = unwrapped(atoms)
            of_cell = np.floor((atoms.positions[:, 1::-1] + SAME) / self.cell).astype(int)
            corner, cells = of_cell.min(0) - around, np.ptp(of_cell, axis=0) + 1 + 2 * around
            if (cells > self.repeats).any():
                return None
            result.append(Cluster(corner, cells, atoms[rows < len(missing)], atoms[rows >= len(missing)]))
        return result

    def window(self, cells):
        """Pixels of a block that its defect changes: (y0, y1, x0, x1)."""
        low, high = self.padding * self.grid, (cells - self.padding) * self.grid
        return low[0], high[0], low[1], high[1]

    def key(self, cluster):
        """What two equal clusters at equivalent places share."""
        rows = []
        for atoms in (cluster.missing, cluster.extra):
            steps = np.floor(self.in_block(cluster, atoms).positions / SAME + 0.2718)  # lattice sites are no multiples of that
            rows.append(tuple(sorted(zip(atoms.numbers.tolist(), *steps.T.astype(int).tolist(), strict=True))))
        return (*cluster.cells.tolist(), *rows)

    def pair(self, cluster):
        """A block of perfect crystal, and the same with some atoms missing and others added."""
        plain = tiled(self.unit, cluster.cells)
        missing, extra = (self.in_block(cluster, atoms, plain.cell) for atoms in (cluster.missing, cluster.extra))
        extra.arrays["site"] = len(plain) + np.arange(len(extra))
        return plain, plain[~same_atoms(plain, missing)] + extra

    def in_block(self, cluster, atoms, cell=None):
        """Atoms with coordinates that count from a cluster's block."""
        moved = Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=True)
        moved.positions[:, 1::-1] -= cluster.corner * self.cell
        return moved


def same_atoms(atoms, others):
    """Which of ``atoms`` are among ``others``, in a box that is periodic along x and y: (N,) bool array."""
    if not len(others):
        return np.zeros(len(atoms), bool)
    box = np.array([*atoms.cell.lengths()[:2], 0])
    tree = cKDTree(wrapped(others.positions, box), boxsize=box)
    distance, index = tree.query(wrapped(atoms.positions, box), distance_upper_bound=SAME)
    near = np.isfinite(distance)
    near[near] = others.numbers[index[near]] == atoms.numbers[near]
    return near


def wrapped(positions, box):
    """Positions inside a box that is periodic along x and y."""
    result = positions.copy()
    result[:, :2] = result[:, :2] % box[:2] % box[:2]  # twice, for a remainder that rounds up to the box
    return result


def unwrapped(atoms):
    """Positions of a cluster's atoms, each as the copy nearest to the first one."""
    positions = atoms.positions.copy()
    positions[:, :2] = positions[0, :2] + nearest_copy(positions[:, :2] - positions[0, :2], atoms.cell.lengths()[:2])
    return positions
