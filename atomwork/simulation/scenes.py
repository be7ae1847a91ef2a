"""Random arrangements of columns: what stands where, before any optics.

A `Scene` is what one image shows, in pixels. `draw` composes one: a crystal, a bilayer, isolated atoms,
a nanoparticle or nothing at all; then holes, edges, grain boundaries, vacancies, dopants and strain.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from atomwork.simulation.cells import Cells
from atomwork.simulation.motifs import nearest_distance

ROOM, TRIES = 0.5, 40  # distance of an adatom from any column over the spacing [-], and places tried for each
FAMILIES = {"lattice": 0.38, "bilayer": 0.12, "isolated": 0.26, "particle": 0.16, "empty": 0.08}


@dataclass(frozen=True)
class Scene:
    """Columns of one image and the length that sets its scale.

    Attributes
    ----------
    positions : (N, 2) float array, (y, x) [px]
    brightness : (N,) float array, relative column brightness, about 1 for the brightest [-]
    spacing : float, nominal distance of neighbouring columns [px]
    family : str, one of `FAMILIES`
    name : str, the motif, or the family where there is none
    shape : (H, W) [px]
    """

    positions: np.ndarray
    brightness: np.ndarray
    spacing: float
    family: str
    name: str
    shape: tuple


def lay_out(motif, scale, rotation, origin, shape):
    """Every column of a rotated crystal inside an image.

    Parameters
    ----------
    motif : Motif
    scale : float [px/Å]
    rotation : float [rad]
    origin : (2,) float array, where a cell's corner lies, (y, x) [px]
    shape : (H, W) of the image [px]

    Returns
    -------
    positions : (N, 2) float array, (y, x) [px]
    site : (N,) int array, index into the motif's columns
    """
    cosine, sine = np.cos(rotation), np.sin(rotation)
    cell = scale * motif.cell @ np.array([[cosine, sine], [-sine, cosine]])
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], shape]) - origin
    coordinates = corners @ np.linalg.inv(cell)
    low, high = np.floor(coordinates.min(0)).astype(int) - 1, np.ceil(coordinates.max(0)).astype(int) + 1
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    points = (grid.reshape(-1, 1, 2) + motif.fractions) @ cell + origin
    inside = ((points >= -0.5) & (points < np.array(shape) - 0.5)).all(-1)
    return points[inside], np.nonzero(inside)[1]


def crystal(rng, cells, spacing, shape):
    """Positions, brightness and name of a crystal whose nearest columns lie ``spacing`` px apart."""
    motif = cells.draw(rng)
    scale = spacing / nearest_distance(motif)
    positions, site = lay_out(motif, scale, rng.uniform(0, 2 * np.pi), rng.uniform(0, shape), shape)
    brightness = motif.brightness[site]
    if rng.random() < 0.3:  # dopants, anywhere or on one sublattice
        swapped = rng.random(len(site)) < rng.uniform(0, 0.08)
        brightness = np.where(swapped, brightness * np.exp(rng.uniform(-1, 1)), brightness)
    return positions, brightness, motif.name


def bilayer(rng, cells, spacing, shape):
    """Two layers of one crystal on top of each other, shifted, and twisted by 0°, 60° or any angle."""
    motif = cells.draw(rng)
    scale, rotation = spacing / nearest_distance(motif), rng.uniform(0, 2 * np.pi)
    twist = rng.choice([0.0, np.pi / 3, rng.uniform(0, np.pi / 3)])
    layers = [lay_out(motif, scale, rotation + t, rng.uniform(0, shape), shape) for t in (0.0, twist)]
    positions = np.concatenate([p for p, _ in layers])
    dimming = np.concatenate([np.full(len(p), f) for (p, _), f in zip(layers, (1, rng.uniform(0.6, 1)), strict=True)])
    brightness = motif.brightness[np.concatenate([s for _, s in layers])] * dimming
    if rng.random() < 0.3:  # a terrace: the upper layer ends within the image
        upper = np.arange(len(positions)) >= len(layers[0][0])
        kept = ~upper | half_plane(rng, positions, shape)
        positions, brightness = positions[kept], brightness[kept]
    return positions, brightness, f"bilayer {motif.name}"


def isolated(rng, spacing, shape):
    """Single atoms and loose clusters that keep their distance, from none to about a half-filled plane."""
    area = shape[0] * shape[1] / spacing**2
    count = int(rng.integers(1, max(2, int(area * rng.uniform(0.02, 0.45)))))
    positions = rng.uniform(0, shape, (count, 2)) - 0.5
    if rng.random() < 0.5:  # clusters: atoms gather around a few seeds
        seeds = positions[: max(1, count // rng.integers(3, 12))]
        spread = spacing * rng.uniform(0.8, 2.5)
        positions = seeds[rng.integers(len(seeds), size=count)] + rng.normal(0, spread, (count, 2))
    pairs = cKDTree(positions).query_pairs(spacing * rng.uniform(0.75, 1.1), output_type="ndarray")
    positions = np.delete(positions, np.unique(pairs[:, 1]), axis=0)
    brightness = np.exp(rng.normal(0, rng.uniform(0, 0.25), len(positions)))
    return positions, brightness, "isolated"


def particle(rng, cells, spacing, shape):
    """A crystal cut to a faceted blob whose thickness falls off to its edges, maybe with company."""
    positions, brightness, name = crystal(rng, cells, spacing, shape)
    centre, radius = rng.uniform(0.2, 0.8, 2) * shape, rng.uniform(0.15, 0.45) * min(shape)
    normals = rng.uniform(0, 2 * np.pi, rng.integers(4, 9))
    offsets = (positions - centre) @ np.stack([np.sin(normals), np.cos(normals)])
    depth = 1 - (offsets / (radius * rng.uniform(0.8, 1.2, len(normals)))).max(1)
    thickness = np.clip(depth, 0, 1) ** rng.uniform(0.2, 1) * rng.uniform(0.5, 1) + rng.uniform(0.1, 0.5)
    kept = depth > 0
    positions, brightness = positions[kept], (brightness * thickness)[kept]
    if rng.random() < 0.4:  # stray atoms around it
        stray, faint, _ = isolated(rng, spacing, shape)
        far = cKDTree(positions).query(stray)[0] > spacing if len(positions) else np.full(len(stray), True)
        positions = np.concatenate([positions, stray[far]])
        brightness = np.concatenate([brightness, faint[far] * rng.uniform(0.2, 0.6)])
    return positions, brightness, f"particle {name}"


def half_plane(rng, positions, shape):
    """Which positions lie on one side of a random, slightly wavy line through the image."""
    angle = rng.uniform(0, 2 * np.pi)
    across = (positions - rng.uniform(0.2, 0.8, 2) * shape) @ np.array([np.sin(angle), np.cos(angle)])
    along = (positions @ np.array([np.cos(angle), -np.sin(angle)])) / max(shape)
    return across > rng.uniform(0, 0.06) * max(shape) * np.sin(2 * np.pi * (rng.uniform(1, 4) * along + rng.random()))


def cut(rng, positions, shape, holes, edge):
    """Which positions survive a number of round or ragged holes and, if asked, an edge."""
    kept = np.full(len(positions), True)
    for _ in range(holes):
        offset = positions - rng.uniform(0, 1, 2) * shape
        angle = np.arctan2(*offset.T)
        ragged = 1 + rng.uniform(0, 0.3) * np.sin(rng.integers(2, 6) * angle + rng.uniform(0, 2 * np.pi))
        kept &= np.hypot(*offset.T) > rng.uniform(0.04, 0.3) * min(shape) * ragged
    if edge:
        kept &= half_plane(rng, positions, shape)
    return kept


def with_adatoms(rng, positions, brightness, spacing, shape):
    """Up to 6 % more columns, all alike, where there is room: half a spacing from the crystal's, one from each other."""
    count = rng.poisson(len(positions) * rng.uniform(0, 0.06))
    places = rng.uniform(0, shape, (TRIES * count, 2))
    places = places[cKDTree(positions).query(places)[0] >= ROOM * spacing] if len(positions) else places
    added = np.empty((0, 2))
    for place in places:
        if len(added) < count and (np.hypot(*(added - place).T) >= spacing).all():
            added = np.vstack([added, place])
    level = rng.uniform(0.3, 1.2) * np.median(brightness) if count else 0.0
    return np.concatenate([positions, added]), np.concatenate([brightness, np.full(len(added), level)])


def strain(rng, positions, spacing, shape):
    """Smooth displacement of up to a few per cent and static disorder of a few hundredths of the spacing."""
    wave = rng.normal(0, 1, (2, 2)) / max(shape) * rng.uniform(0.3, 1)
    size = rng.uniform(0, 0.03) * max(shape) / (2 * np.pi)
    smooth = size * np.sin(2 * np.pi * (positions @ wave + rng.random(2)))
    return positions + smooth + rng.normal(0, spacing * rng.uniform(0, 0.05), positions.shape)


def grain_boundary(rng, grain, neighbour, spacing, shape):
    """Join two crystals along a random line, dropping columns that come too close to the other grain."""
    line_seed = rng.integers(2**32)
    first, second = (half_plane(np.random.default_rng(line_seed), g[0], shape) for g in (grain, neighbour))
    positions, brightness = grain[0][first], grain[1][first]
    other, other_brightness = neighbour[0][~second], neighbour[1][~second]
    if len(positions) and len(other):
        clear = cKDTree(positions).query(other)[0] > 0.7 * spacing
        other, other_brightness = other[clear], other_brightness[clear]
    return np.concatenate([positions, other]), np.concatenate([brightness, other_brightness])


def draw(rng, shape, spacing, family, *, cells=None, cuts=None, adatoms=0.0):
    """Draw a scene.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (H, W) [px]
    spacing : float, distance of the nearest columns [px]
    family : str, one of `FAMILIES`
    cells : Cells, where unit cells come from; those of training if None
    cuts : bool, force (or forbid) a hole or an edge in a crystal; by chance if None
    adatoms : float, how probably a crystal has some [-]

    Returns
    -------
    Scene
    """
    cells = cells or Cells()
    if family == "empty":
        return Scene(np.empty((0, 2)), np.empty(0), spacing, family, family, shape)
    if family == "isolated":
        positions, brightness, name = isolated(rng, spacing, shape)
    elif family == "particle":
        positions, brightness, name = particle(rng, cells, spacing, shape)
    elif family == "bilayer":
        positions, brightness, name = bilayer(rng, cells, spacing, shape)
    else:
        positions, brightness, name = crystal(rng, cells, spacing, shape)
        if rng.random() < 0.2:
            neighbour = crystal(rng, cells, spacing, shape)
            positions, brightness = grain_boundary(rng, (positions, brightness), neighbour, spacing, shape)
    if family in ("lattice", "bilayer"):
        cuts = rng.random() < 0.4 if cuts is None else cuts
        kept = cut(rng, positions, shape, rng.integers(1, 4) if cuts else 0, cuts and rng.random() < 0.4)
        kept &= rng.random(len(positions)) >= (rng.uniform(0, 0.1) if rng.random() < 0.4 else 0)  # vacancies
        positions, brightness = positions[kept], brightness[kept]
        if adatoms and rng.random() < adatoms:
            positions, brightness = with_adatoms(rng, positions, brightness, spacing, shape)
    if family != "isolated":
        positions = strain(rng, positions, spacing, shape)
    inside = ((positions >= -0.5) & (positions < np.array(shape) - 0.5)).all(1)
    return Scene(positions[inside], brightness[inside], spacing, family, name, shape)
