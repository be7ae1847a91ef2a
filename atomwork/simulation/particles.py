"""What lies on a carbon film: faceted nanoparticles and isolated atoms."""

import itertools

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from scipy.spatial import ConvexHull, cKDTree

from atomwork.simulation import crystals
from atomwork.simulation.crystals import EDGE
from atomwork.simulation.specimen import Phase, Specimen, project
from atomwork.simulation.structures import VACUUM

CARBON_BOND = 1.35  # Å, the closest that two carbon atoms of the film stand
MOLES = 0.602214  # atoms per Å³ in 1 mol/cm³
DENSEST = 3.5  # g/cm³, that of diamond
RESTING = 2.2  # Å between the film's upper side and the lowest atoms on it
PATIENCE = 300  # rounds without a place for one more atom
# Surface energies of {100} and {110} relative to {111}: Vitos et al., Surf. Sci. 411 (1998) 186; of other crystals, an
# assumption that gives a box with cut edges and corners.
FACE_CENTRED = {"Pt": (1.19, 1.23), "Au": (1.27, 1.33)}
OTHER_FACETS = {(*plane,): 0.8 + 0.2 * sum(plane) for plane in itertools.product((0, 1), repeat=3) if any(plane)}


def nanoparticle(material, size, diameter, *, rng, facets=None, support_thickness=20.0, density=2.0):
    """A particle with the facets of Wulff's construction, turned at random about the beam, maybe on amorphous carbon.

    Parameters
    ----------
    material : str, a bulk crystal and maybe its zone axis, see `crystals.find`
    size : float or (H, W), of the box [Å]; the particle lies in its middle
    diameter : float, of the sphere that holds as many atoms [Å]
    rng : numpy.random.Generator, for the rotation, the particle's centre in its lattice and the carbon
    facets : dict, (h, k, l) -> relative surface energy; stands for all planes of that spacing. Those of Pt and Au, and
        `OTHER_FACETS` for other crystals, if None
    support_thickness : float, of the carbon under the particle [Å]; none if 0
    density : float, of the carbon [g/cm³]

    Returns
    -------
    Specimen : columns of the particle alone, which is also the phase; its outline is the convex hull of the columns

    Raises
    ------
    ValueError : a layered crystal, a diameter that isn't positive or doesn't fit the box, facets that close no shape, a
        negative thickness or an impossible density
    """
    crystal, size = crystals.find(material), np.broadcast_to(np.asarray(size, float), 2)
    if crystal.layered:
        raise ValueError(f"{crystal.name} is a layer; a particle needs a bulk crystal such as Pt.")
    if not 0 < diameter < size.min():
        raise ValueError(f"diameter={diameter} Å must be above 0 and below the box's {size.min():g} Å.")
    particle = polyhedron(crystal, diameter, facets or wulff_facets(crystal.name.split()[0]), rng)
    if (np.ptp(particle.positions[:, :2], axis=0) > size[::-1]).any():
        raise ValueError(f"a {crystal.name} particle of {diameter} Å doesn't fit {size[0]:g} × {size[1]:g} Å; enlarge the box.")
    particle.positions[:, :2] += size[::-1] / 2
    columns = project(boxed(particle, size, 1.0))[["y", "x"]].to_numpy()
    outline = columns[ConvexHull(columns).vertices] if len(columns) > 2 and flat_rank(columns) == 2 else columns
    atoms = settled(particle, amorphous_carbon(size, support_thickness, density=density, rng=rng).atoms, support_thickness)
    return Specimen(f"{crystal.name} particle", atoms, phases=(Phase(crystal.name, outline),))


def single_atoms(symbol, size, number, *, closest=3.0, support_thickness=20.0, density=2.0, rng):
    """Isolated atoms on amorphous carbon.

    Parameters
    ----------
    symbol : str, the element
    size : float or (H, W), of the box [Å]
    number : int
    closest : float, smallest distance of two of them, also across the box's sides [Å]
    support_thickness, density : of the carbon, see `nanoparticle`
    rng : numpy.random.Generator

    Returns
    -------
    Specimen : every atom a column

    Raises
    ------
    ValueError : an unknown element, no atom or more than find a place, a negative thickness or an impossible density
    """
    size = np.broadcast_to(np.asarray(size, float), 2)
    if symbol not in atomic_numbers or symbol == "X":
        raise ValueError(f"{symbol!r} is no chemical element.")
    if number < 1:
        raise ValueError(f"number={number} leaves nothing to see; ask for at least one atom.")
    places = scatter(number, size, closest, rng)
    heavy = Atoms([symbol] * number, np.column_stack([places[:, ::-1], np.zeros(number)]))
    atoms = settled(heavy, amorphous_carbon(size, support_thickness, density=density, rng=rng).atoms, support_thickness)
    return Specimen(f"{symbol} atoms", atoms)


def amorphous_carbon(size, thickness, *, density=2.0, rng):
    """A carbon film: atoms at random, none nearer than a bond to another (random sequential addition).

    Parameters
    ----------
    size : float or (H, W) [Å]; the film goes on across the box's sides
    thickness : float [Å]; nothing but the box if 0
    density : float [g/cm³]
    rng : numpy.random.Generator

    Returns
    -------
    Specimen : without columns, since all its atoms are support

    Raises
    ------
    ValueError : a size, thickness or density that no film has
    """
    size = np.broadcast_to(np.asarray(size, float), 2)
    if not (size > CARBON_BOND).all() or not 0 <= thickness < np.inf:
        raise ValueError(f"size {size[0]:g} × {size[1]:g} Å and thickness {thickness} Å are no film's; give positive lengths.")
    if not 0 < density <= DENSEST:
        raise ValueError(f"density={density} g/cm³ must be above 0 and at most diamond's {DENSEST}.")
    volume = size.prod() * thickness  # Å³
    number = round(density / atomic_masses[6] * MOLES * volume)
    places = scatter(number, np.array([*size, thickness]), CARBON_BOND, rng) if number else np.zeros((0, 3))
    atoms = boxed(Atoms(["C"] * number, places[:, [1, 0, 2]]), size, thickness + 2 * VACUUM)
    atoms.positions[:, 2] += VACUUM
    atoms.set_array("support", np.ones(number, bool))
    return Specimen("amorphous carbon", atoms)


def scatter(number, box, closest, rng):
    """Random places in a box, none nearer than ``closest`` to another, also across the sides along y and x.

    Parameters
    ----------
    number : int
    box : (2,) or (3,) float array, H, W and maybe the depth, across whose faces nothing repeats [Å]
    closest : float [Å]
    rng : numpy.random.Generator

    Returns
    -------
    (number, 2) or (number, 3) float array [Å]

    Raises
    ------
    ValueError : the box is full before
    """
    period = np.array([*box[:2], *(box[2:] + 2 * closest)])
    places, idle = np.zeros((0, len(box))), 0
    while len(places) < number and idle < PATIENCE:
        tried = rng.random((number - len(places), len(box))) * box
        if len(places):
            tried = tried[cKDTree(places, boxsize=period).query(tried)[0] >= closest]
        if len(tried):
            pairs = cKDTree(tried, boxsize=period).query_pairs(closest, output_type="ndarray")
            tried = np.delete(tried, np.unique(pairs.max(1)), axis=0)
        idle = 0 if len(tried) else idle + 1
        places = np.concatenate([places, tried])
    if len(places) < number:
        raise ValueError(f"{number} atoms {closest} Å apart don't fit the box, {len(places)} did; ask for fewer or enlarge it.")
    return places


def wulff_facets(name):
    """Relative surface energies of a crystal's planes: (h, k, l) -> energy."""
    if name not in FACE_CENTRED:
        return OTHER_FACETS
    square, edge = FACE_CENTRED[name]
    return {(1, 1, 1): 1.0, (1, 0, 0): square, (1, 1, 0): edge}


def polyhedron(crystal, diameter, facets, rng):
    """Atoms of a faceted particle about the origin.

    Every facet is as far from the centre as its surface energy is high (Wulff); the polyhedron grows until it holds as
    many atoms as a sphere of the diameter.
    """
    rotation = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(rotation), np.sin(rotation)
    turned = crystals.orient(crystal)[0] @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    half = diameter + np.linalg.norm(turned, axis=1).sum() / 2  # room for the shift of the centre within a cell
    block = crystals.cut(crystal, (2 * half, 2 * half), 2 * half, rotation=rotation)
    places = block.positions - half + rng.uniform(-0.5, 0.5, 3) @ turned
    reach = np.full(len(places), -np.inf)  # the size of the polyhedron that an atom lies on
    for plane, energy in facets.items():
        for normal in family(plane, turned):
            reach = np.maximum(reach, places @ normal / energy)
    number = len(crystal.atoms) / crystal.atoms.get_volume() * np.pi / 6 * diameter**3
    number = int(np.clip(round(number), 1, len(reach)))
    chosen = reach <= np.partition(reach, number - 1)[number - 1] + EDGE
    if np.abs(places[chosen]).max() > 0.9 * diameter:
        raise ValueError(f"facets {', '.join(map(str, facets))} close no compact shape; add planes or even out their energies.")
    return Atoms(block.numbers[chosen], places[chosen])


def family(plane, vectors):
    """Unit normals (M, 3) of all planes with the spacing of the given one, the crystal's vectors as rows."""
    reciprocal = np.linalg.inv(vectors).T
    largest = max(map(abs, plane))
    if not largest:
        raise ValueError("facet (0, 0, 0) is no plane; give Miller indices.")
    indices = np.array(list(itertools.product(range(-largest, largest + 1), repeat=3)))
    normals = indices @ reciprocal
    length = np.linalg.norm(normals, axis=1)
    alike = np.isclose(length, np.linalg.norm(np.array(plane) @ reciprocal), rtol=1e-3)
    return normals[alike] / length[alike, None]


def flat_rank(points):
    """1 if points in the plane lie on one line, 2 otherwise."""
    return np.linalg.matrix_rank(points - points[0], tol=EDGE)


def boxed(atoms, size, depth):
    """Atoms in a periodic box."""
    return Atoms(atoms.numbers, atoms.positions, cell=[size[1], size[0], depth], pbc=True)


def settled(upper, film, thickness):
    """Atoms laid on a film, in a box with vacuum above and below."""
    bottom = VACUUM + (thickness + RESTING if thickness else 0)
    upper.positions[:, 2] += bottom - upper.positions[:, 2].min()
    upper.set_array("support", np.zeros(len(upper), bool))
    upper.set_cell([*film.cell.lengths()[:2], upper.positions[:, 2].max() + VACUUM])
    upper.set_pbc(True)
    return upper + film
