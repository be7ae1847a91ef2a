"""Two crystals in one specimen: lateral heterojunctions of dichalcogenides, grain boundaries and twins.

Nothing is relaxed: atoms stand where their lattice has them.
"""

import numpy as np
from ase.data import atomic_numbers
from scipy.spatial import cKDTree

from atomwork.simulation import crystals, grains
from atomwork.simulation.crystals import EDGE
from atomwork.simulation.cuts import facing
from atomwork.simulation.specimen import Boundary, Phase, Specimen, nearest_copy
from atomwork.simulation.structures import ROUNDING, check, stack

DICHALCOGENIDES = ("MoS2", "WS2", "MoSe2", "WSe2")
FRONTS = ("zigzag", "armchair")
REGISTRIES = ("bridge", "hollow")
SMALLEST_JUNCTION = 4  # repeats across the front
CROWDED = 0.7  # of the nearest distance of two atoms; a twin's columns don't stand nearer to their images


def heterojunction(left, right, size, *, front="zigzag", registry="bridge", roughness=0.0, layers=1, rng=None):
    """A lateral junction of two dichalcogenides on their averaged lattice.

    The front runs along y through the middle. The box repeats, so that a second front, straight and bridged, lies on its
    sides x = 0; it is the frame's own edge and isn't noted.

    Parameters
    ----------
    left, right : str, names of `DICHALCOGENIDES`; the left one has the smaller x
    size : float or (H, W) [Å], made larger to whole repeats, at least `SMALLEST_JUNCTION` across the front
    front : str, the direction of the lattice that runs along the front, ``"zigzag"`` or ``"armchair"``
    registry : str, ``"bridge"``: coherent, chalcogens bridge the metals of both sides; ``"hollow"``: every column of
        chalcogens that would bridge metals of both sides is missing, so that the front is a row of hollows
    roughness : float, chance per repeat along the front that it steps to the next row of metal, to either side; it
        steps as often to the left as to the right and so closes at the box's sides [-]
    layers : int, of natural stacking, with the front at the same place
    rng : numpy.random.Generator, where a rough front steps

    Returns
    -------
    Specimen : with two phases, the boundary ``zigzag front`` or ``armchair front`` half-way between the rows of metal,
        and a unit cell of the left crystal on the averaged lattice

    Raises
    ------
    ValueError : other materials, the same one twice with ``"bridge"``, an unknown front or registry, roughness outside
        0 to 1 or without rng
    """
    size = np.broadcast_to(np.asarray(size, float), 2)
    check(size, 1.0, layers, None)
    check_junction(left, right, front, registry, roughness, rng)
    crystal = averaged(left, right)
    a = crystal.atoms.cell.lengths()[0]
    repeat = np.array([a, np.sqrt(3) * a] if front == "zigzag" else [np.sqrt(3) * a, a])
    count = np.maximum(np.ceil(size / repeat - ROUNDING), (1, SMALLEST_JUNCTION)).astype(int)
    turn = 90.0 if front == "zigzag" else 0.0
    atoms, unit = (seated(crystal, shape, layers, turn, repeat) for shape in (count * repeat, repeat))
    steps = count[1] + walk(count[0], roughness, count[1] // 2 - 1, rng)  # in rows of metal, two a repeat
    line = steps * repeat[1] / 2
    along = np.floor((atoms.positions[:, 1] + EDGE) / repeat[0]).astype(int)
    assign(atoms, right, line[along], registry)
    points = np.stack([np.repeat(np.arange(count[0] + 1), 2)[1:-1] * repeat[0], np.repeat(line, 2)], -1)
    height, width = count * repeat
    outlines = [np.concatenate([points, [(height, side), (0, side)]]) for side in (0, width)]
    phases = tuple(Phase(name, outline) for name, outline in zip((left, right), outlines, strict=True))
    return Specimen(f"{left}|{right}", atoms, unit, boundaries=(Boundary(f"{front} front", points),), phases=phases)


def check_junction(left, right, front, registry, roughness, rng):
    """Refuse what no heterojunction can be."""
    for name in (left, right):
        if name not in DICHALCOGENIDES:
            raise ValueError(f"{name!r} has no junction here; choose from {', '.join(DICHALCOGENIDES)}.")
    if left == right and registry == "bridge":
        raise ValueError(f"{left} bridged to itself has no front; choose another material or registry 'hollow'.")
    for value, name, allowed in ((front, "front", FRONTS), (registry, "registry", REGISTRIES)):
        if value not in allowed:
            raise ValueError(f"{name} {value!r} is unknown; choose {' or '.join(allowed)}.")
    if not 0 <= roughness <= 1:
        raise ValueError(f"roughness={roughness} must be a chance from 0 to 1.")
    if roughness and rng is None:
        raise ValueError("a rough front is random; give rng, e.g. numpy.random.default_rng(0).")


def elements(material):
    """Metal and chalcogen of a dichalcogenide."""
    return sorted(set(crystals.find(material).atoms.get_chemical_symbols()), key=lambda s: s in ("S", "Se"))


def averaged(left, right):
    """The left crystal with the mean lattice constant, thickness and separation of both."""
    cells = [crystals.find(name).atoms for name in (left, right)]
    a, separation = (np.mean([cell.cell.lengths()[k] for cell in cells]) for k in (0, 2))
    thickness = np.mean([np.ptp(cell.positions[:, 2]) for cell in cells])
    atoms = crystals.prismatic(*elements(left), a, thickness, separation)
    return crystals.Crystal(left, atoms, layered=True, stacking=crystals.LAYERED[left])


def seated(crystal, size, layers, turn, repeat):
    """Atoms in a box whose sides x = 0 lie half-way between two rows of the lowest layer's metal."""
    atoms = stack(crystal, size, 1.0, layers=layers, stacking=crystal.stacking, rotation=turn)
    row = repeat[1] / 2
    metal = atoms.positions[atoms.numbers == atoms.numbers.max()]
    lowest = metal[metal[:, 2].argmin(), 0]
    atoms.positions[:, 0] += row / 2 - lowest % row
    atoms.positions[:, :2] = (atoms.positions[:, :2] + EDGE) % size[::-1] - EDGE
    return atoms


def walk(count, chance, limit, rng):
    """Rows by which a front is off its mean place at every repeat; a closed random walk: (count,) int array."""
    if not chance:
        return np.zeros(count, int)
    kinks = np.flatnonzero(rng.random(count) < chance)
    kinks = rng.permutation(kinks)[: len(kinks) // 2 * 2]
    steps = np.zeros(count, int)
    steps[kinks] = np.tile([1, -1], len(kinks) // 2)
    return np.clip(np.cumsum(steps), -limit, limit)


def assign(atoms, right, line, registry):
    """Make the atoms beyond the front, at x = ``line`` (N,), those of the right crystal and take out the hollows."""
    other_metal, other_chalcogen = elements(right)
    is_metal = atoms.numbers == atoms.numbers.max()
    beyond = atoms.positions[:, 0] > line
    box = atoms.cell.lengths()
    places = atoms.positions % box % box
    _, three = cKDTree(places[is_metal], boxsize=box).query(places[~is_metal], k=3)
    sides = beyond[is_metal][three].sum(1)
    beyond[~is_metal] = sides > 1  # a chalcogen belongs to the side of most of its metals
    atoms.numbers[is_metal & beyond] = atomic_numbers[other_metal]
    atoms.numbers[~is_metal & beyond] = atomic_numbers[other_chalcogen]
    atoms.set_array("phase", beyond.astype(int))
    if registry == "hollow":
        bridging = np.flatnonzero(~is_metal)[(sides % 3 > 0) & ~seam(places[~is_metal, 0], box[0])]
        del atoms[bridging]


def seam(x, width):
    """Which places are nearer to the box's sides than to its middle, where the front is."""
    return np.abs(nearest_copy(x, width)) < width / 4


def grain_boundary(material, size, misorientation, *, angle=0.0, closest=0.7, rng=None, thickness=40.0, layers=1):
    """Two grains of a crystal that meet at a straight line through the middle of the box.

    Parameters
    ----------
    material : str, see `crystals.find`
    size : float or (H, W) [Å]
    misorientation : float, of the grains about the beam [degrees]; grain A is turned by minus, grain B by plus half of
        it from where the crystal's x lies along the boundary
    angle : float, direction of the boundary, from x towards y [degrees]; at 0 grain A has the smaller y
    closest : float; of two columns of different grains nearer than this, in units of the crystal's nearest column
        distance, that of grain B is removed [-]
    rng : numpy.random.Generator, how the grains' lattices lie; both with a cell's corner in the middle if None
    thickness, layers : see `structures.build`

    Returns
    -------
    Specimen : with the phases ``grain A`` and ``grain B`` and a boundary ``grain boundary``; no unit cell, and the
        grains don't go on across the sides of the box

    Raises
    ------
    ValueError : an unknown material, a size or thickness that isn't positive, no misorientation
    """
    crystal, size = crystals.find(material), np.broadcast_to(np.asarray(size, float), 2)
    check(size, thickness, layers, None)
    if not misorientation % 360:
        raise ValueError(f"misorientation={misorientation}° leaves one crystal; turn the grains against each other.")
    _, across = facing(angle)
    halves = []
    for sign in (-1, 1):
        origin = np.zeros(2) if rng is None else rng.uniform(0, crystal.atoms.cell.lengths().max(), 2)
        grain = grains.grow(crystal, size, thickness, layers, angle + sign * misorientation / 2, origin)
        away = sign * grain.away(size / 2, across)
        halves.append(grain.where(away > (EDGE if sign > 0 else -EDGE)))  # what stands on the line belongs to grain A
    limit = closest * grains.nearest_columns(crystal, thickness, layers)
    distance, _ = cKDTree(halves[0].places).query(halves[1].places)
    halves[1] = halves[1].where(distance > limit)
    return grains.join(crystal.name, halves, size, angle, "grain boundary")


def twin(material, size, *, angle=0.0, rotation=0.0, closest=0.85, thickness=40.0, layers=1):
    """A crystal and its mirror image across a line through the middle of the box.

    The line lies where most columns fit: through a row or half-way between two, see `grains.seat`. Where columns come
    too near to their images everywhere, those become one with them on the line. Then the grains move apart, as a whole,
    until like atoms face each other at a distance that they can have; columns on the line stay.

    Parameters
    ----------
    material : str, see `crystals.find`
    size : float or (H, W) [Å]
    angle : float, direction of the line, from x towards y [degrees]; at 0 grain A has the smaller y
    rotation : float, of grain A about the beam [degrees], so that ``angle - rotation`` is the direction of the line in
        its lattice: 35.26° for the {111} twin of Si or Pt along [110]
    closest : float, smallest distance of an atom from its image, in units of the nearest distance of two atoms of its
        element in the crystal [-]
    thickness, layers : see `structures.build`

    Returns
    -------
    Specimen : with the phases ``grain A`` and ``grain B`` and a boundary ``twin boundary``; no unit cell, and the grains
        don't go on across the sides of the box

    Raises
    ------
    ValueError : an unknown material, a size or thickness that isn't positive, a line that is a mirror of the crystal
    """
    crystal, size = crystals.find(material), np.broadcast_to(np.asarray(size, float), 2)
    check(size, thickness, layers, None)
    if grains.mirrors_itself(crystal, thickness, layers, angle - rotation):
        raise ValueError(f"a line at {angle}° is a mirror of {crystal.name}, whose twin is itself; choose another angle.")
    middle, (_, across) = size / 2, facing(angle)
    limit = CROWDED * grains.nearest_atoms(crystal) / 2
    offset = grains.seat(crystal, thickness, layers, angle - rotation, limit)
    untwinned = grains.grow(crystal, size, thickness, layers, rotation, -offset * across)
    away = untwinned.away(middle, across)
    near = (away > -limit) & (away < grains.ON_LINE)
    first = untwinned.moved(np.where(near, -away, 0)[:, None] * across).where(away < grains.ON_LINE)
    away = first.away(middle, across)
    back = np.where(away < -grains.ON_LINE, grains.spread(first, away, crystal, closest), 0)
    first, away = first.moved(-back[:, None] * across), away - back
    second = first.where(away < -grains.ON_LINE).mirrored(middle, across)
    return grains.join(crystal.name, [first, second], size, angle, "twin boundary")
