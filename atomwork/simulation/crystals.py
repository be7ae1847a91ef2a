"""Crystals by name, or from a CIF file, turned to a zone axis and cut to a box.

Bulk crystals come from their space group and published coordinates through ASE; monolayers are built from
their plane cell, bond lengths and layer separation. `find` gives a `Crystal`, `cut` the atoms of it that lie in
a box under the beam, which runs along z.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.spacegroup import crystal as by_spacegroup

EDGE = 1e-6  # Å; an atom on a face of the box belongs to one side alone
SEARCH = 4  # largest index of the lattice vectors that are tried for a rectangular repeat
RECTANGULAR = 1e-4  # largest cosine between two vectors that count as rectangular, and rise over run along the beam


@dataclass(frozen=True)
class Crystal:
    """A crystal to cut specimens from.

    Attributes
    ----------
    name : str
    atoms : ase.Atoms, one cell
    zone : (3,) tuple of int, direct-lattice direction along the beam
    layered : bool, the cell is one layer of a van der Waals crystal, centred on z = 0; its c is the layers' separation
    stacking : str, how its layers lie on each other, one of `STACKINGS`
    """

    name: str
    atoms: Atoms
    zone: tuple = (0, 0, 1)
    layered: bool = False
    stacking: str = "AA"


def bulk(spacegroup, cell, *sites):
    """A cell from its space group, cell lengths and angles [Å, degrees] and sites ``(symbol, u, v, w)``."""
    basis = [site[1:] for site in sites]
    atoms = by_spacegroup([site[0] for site in sites], basis=basis, spacegroup=spacegroup, cellpar=cell)
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


def layer(cell, separation, *sites):
    """One layer from its plane cell ``(a, b, gamma)`` [Å, degrees] and sites ``(symbol, u, v, height [Å])``."""
    a, b, gamma = cell[0], cell[1], np.deg2rad(cell[2])
    vectors = np.array([[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [0, 0, separation]])
    positions = [u * vectors[0] + v * vectors[1] + (0, 0, height) for _, u, v, height in sites]
    return Atoms([site[0] for site in sites], positions, cell=vectors, pbc=True)


def prismatic(metal, chalcogen, a, thickness, separation):
    """A 2H dichalcogenide layer: lattice constant, distance of the two chalcogen planes and of the layers [Å]."""
    chalcogens = [(chalcogen, 2 / 3, 1 / 3, sign * thickness / 2) for sign in (1, -1)]
    return layer((a, a, 120), separation, (metal, 1 / 3, 2 / 3, 0.0), *chalcogens)


def octahedral(metal, chalcogen, cell, separation, bond, places):
    """A distorted 1T layer: every chalcogen stands above or below three metals, ``bond`` [Å] from each.

    Parameters
    ----------
    metal, chalcogen : str
    cell : (a, b, gamma) [Å, degrees]
    separation : float [Å]
    bond : float, distance of a chalcogen from its three metals [Å]
    places : (I, J, 2) array, fractional places of the metals that undistorted would be at (i/I, j/J)
    """
    places = np.asarray(places, float)
    rows, columns = places.shape[:2]
    frame = layer(cell, separation).cell[:2, :2]
    sites = [(metal, u, v, 0.0) for u, v in places.reshape(-1, 2)]
    for i in range(rows):
        for j in range(columns):
            for side, corner in ((1, (1, 0)), (-1, (0, 1))):
                steps = [(i, j), (i + corner[0], j + corner[1]), (i + 1, j + 1)]
                three = np.array([places[p % rows, q % columns] + (p // rows, q // columns) for p, q in steps]) @ frame
                ways = three[1:] - three[0]  # to the circumcentre, which is equally far from all three
                away = np.linalg.solve(2 * ways, np.square(ways).sum(1))
                u, v = (three[0] + away) @ np.linalg.inv(frame)
                sites.append((chalcogen, u, v, side * np.sqrt(bond**2 - away @ away)))
    return layer(cell, separation, *sites)


# The four Re atoms of 1T″ from the bonds of the Re4 diamond (2.70, 2.79 and 2.82 Å) and the one between diamonds
# (2.89 Å), within the range that Lamfers et al., J. Alloys Compd. 241 (1996) 34 report; inversion does the rest.
DIAMOND = [[(-0.4418, -0.1907), (-0.5582, 0.1907)], [(-0.0159, -0.2166), (0.0159, 0.2166)]]
# 1T′: the second metal moves along the doubled axis until the zigzag chain's bonds are 2.80 Å.
ZIGZAG = [[(0.0, 0.0), (-0.0854, 0.4146)]]

# Lattice constants [Å], coordinates and their sources are in the comments; all at room temperature.
CRYSTALS = {
    # Schutte, de Boer & Jellinek, J. Solid State Chem. 70 (1987) 207
    "MoS2": lambda: prismatic("Mo", "S", 3.161, 3.17, 6.147),
    "WS2": lambda: prismatic("W", "S", 3.1532, 3.14, 6.162),
    "MoSe2": lambda: prismatic("Mo", "Se", 3.289, 3.34, 6.464),
    "WSe2": lambda: prismatic("W", "Se", 3.282, 3.34, 6.48),
    # Murray et al., Inorg. Chem. 33 (1994) 4418, for the cell
    "ReS2 1T″": lambda: octahedral("Re", "S", (6.352, 6.446, 118.97), 6.17, 2.41, DIAMOND),
    "ReS2 1T′": lambda: octahedral("Re", "S", (3.20, 6.40, 120), 6.17, 2.41, ZIGZAG),
    "graphene": lambda: layer((2.461, 2.461, 120), 3.354, ("C", 1 / 3, 2 / 3, 0.0), ("C", 2 / 3, 1 / 3, 0.0)),
    "SrTiO3": lambda: bulk(221, (3.905,) * 3 + (90,) * 3, ("Sr", 0, 0, 0), ("Ti", 0.5, 0.5, 0.5), ("O", 0.5, 0.5, 0)),
    "Si": lambda: bulk(227, (5.431,) * 3 + (90,) * 3, ("Si", 0, 0, 0)),
    "Pt": lambda: bulk(225, (3.924,) * 3 + (90,) * 3, ("Pt", 0, 0, 0)),
    "Au": lambda: bulk(225, (4.078,) * 3 + (90,) * 3, ("Au", 0, 0, 0)),
    "NiO": lambda: bulk(225, (4.177,) * 3 + (90,) * 3, ("Ni", 0, 0, 0), ("O", 0.5, 0.5, 0.5)),
    # Pnma, so that the long axis is b; Liferovich & Mitchell, J. Solid State Chem. 177 (2004) 2188
    "DyScO3": lambda: bulk(
        62,
        (5.717, 7.903, 5.440, 90, 90, 90),
        ("Dy", 0.061, 0.25, 0.983),
        ("Sc", 0.5, 0, 0),
        ("O", 0.447, 0.25, 0.119),
        ("O", 0.304, 0.060, 0.693),
    ),
    # Howard, Sabine & Dickson, Acta Cryst. B 47 (1991) 462
    "TiO2": lambda: bulk(136, (4.594, 4.594, 2.959, 90, 90, 90), ("Ti", 0, 0, 0), ("O", 0.305, 0.305, 0)),
    "TiO2 anatase": lambda: bulk(141, (3.785, 3.785, 9.514, 90, 90, 90), ("Ti", 0, 0, 0), ("O", 0, 0, 0.208)),
    # Rougier et al., Solid State Ionics 90 (1996) 83
    "LiNiO2": lambda: bulk(166, (2.878, 2.878, 14.19, 90, 90, 120), ("Li", 0, 0, 0.5), ("Ni", 0, 0, 0), ("O", 0, 0, 0.2585)),
    # Boller, Monatsh. Chem. 104 (1973) 916
    "Bi2O2Se": lambda: bulk(139, (3.891, 3.891, 12.213, 90, 90, 90), ("Se", 0, 0, 0), ("Bi", 0, 0, 0.353), ("O", 0, 0.5, 0.25)),
    # Kwei et al., J. Phys. Chem. 97 (1993) 2368, 300 K; polar along c
    "BaTiO3": lambda: bulk(
        99,
        (3.9925, 3.9925, 4.0365, 90, 90, 90),
        ("Ba", 0, 0, 0),
        ("Ti", 0.5, 0.5, 0.5224),
        ("O", 0.5, 0.5, -0.0244),
        ("O", 0.5, 0, 0.4895),
    ),
}
ZONES = {
    "Si": (1, 1, 0),
    "Pt": (1, 1, 0),
    "Au": (1, 1, 0),
    "LiNiO2": (1, 0, 0),
    "Bi2O2Se": (1, 0, 0),
    "BaTiO3": (1, 0, 0),
    "DyScO3": (0, 1, 0),
}
# Layered crystals and their natural stacking: AA straight, AA′ every other layer turned by 180° (2H), AB every other
# layer shifted by a third of the cell's long diagonal (Bernal), ABC every layer shifted by one more (3R).
STACKINGS = ("AA", "AA′", "AB", "ABC")
LAYERED = {"ReS2 1T″": "AA", "ReS2 1T′": "AA", "graphene": "AB", **dict.fromkeys(("MoS2", "WS2", "MoSe2", "WSe2"), "AA′")}


def find(material):
    """A crystal by name or CIF file, with a zone axis.

    Parameters
    ----------
    material : str, a name of `CRYSTALS` or the path of a file ending in .cif, and maybe a zone axis ``[uvw]``
        behind it, e.g. ``"SrTiO3 [110]"``, ``"my.cif [1 -1 0]"``; three indices, negative ones with a minus sign.
        Or a Crystal of your own

    Returns
    -------
    Crystal

    Raises
    ------
    ValueError : an unknown name, an unreadable file or a zone axis that is none
    """
    if isinstance(material, Crystal):
        return material
    name, bracket = re.fullmatch(r"(.*?)\s*(\[.*\])?", str(material).strip()).groups()
    if name.lower().endswith(".cif"):
        atoms, known = read_cif(name), Path(name).stem
    elif name in CRYSTALS:
        atoms, known = CRYSTALS[name](), name
    else:
        raise ValueError(f"material {name!r} is unknown; choose one of {', '.join(CRYSTALS)}, or give a .cif file.")
    zone = zone_axis(bracket) if bracket else ZONES.get(name, (0, 0, 1))
    if name not in LAYERED:
        return Crystal(f"{known} [{''.join(map(str, zone))}]", atoms, zone)
    if zone != (0, 0, 1):
        raise ValueError(f"{name} is a layer seen along [001]; drop {bracket}.")
    return Crystal(name, atoms, zone, True, LAYERED[name])


def read_cif(path):
    """The first structure of a CIF file as atoms."""
    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist; give the path of a CIF file.")
    try:
        atoms = read(path, index=0, format="cif")
    except Exception as error:  # ASE's reader raises anything from KeyError to AssertionError
        raise ValueError(f"{path} can't be read as a CIF file: {error}. Check that it holds a cell and atom sites.") from error
    if not len(atoms) or atoms.cell.rank < 3:
        raise ValueError(f"{path} holds no three-dimensional crystal ({len(atoms)} atoms).")
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


def zone_axis(bracket):
    """The indices of ``"[110]"`` or ``"[1 -1 0]"``."""
    indices = tuple(map(int, re.findall(r"-?\d", bracket)))
    if len(indices) != 3 or not any(indices):
        raise ValueError(f"zone axis {bracket} needs three indices that are not all zero, e.g. [110] or [1 -1 0].")
    return indices


def orient(crystal):
    """The cell vectors of a crystal seen along its zone axis.

    Returns
    -------
    vectors : (3, 3) float array, rows are the cell vectors in the microscope's axes x, y, z [Å]; the zone axis is z
    repeat : (2,) float array, the smallest rectangle of whole cell vectors along x and y [Å]; None if the zone axis has
        none of reasonable size
    """
    cell = crystal.atoms.cell.array
    beam = np.array(crystal.zone) @ cell
    beam /= np.linalg.norm(beam)
    indices = np.stack(np.meshgrid(*[np.arange(-SEARCH, SEARCH + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    vectors = indices @ cell
    rise = vectors @ beam
    flat = vectors - rise[:, None] * beam
    length = np.linalg.norm(flat, axis=1)
    order = np.lexsort((*-indices.T[::-1], length.round(6)))  # the shortest one, along the first cell vector if equal
    order = order[length[order] > 0.1]
    level = order[np.abs(rise[order]) < RECTANGULAR * length[order]]
    first, repeat = order[0], None
    for short in level:
        across = np.abs(flat[level] @ flat[short]) < RECTANGULAR * length[level] * length[short]
        if across.any():
            first, repeat = short, np.array([length[short], length[level][across].min()])
            break
    x = flat[first] / length[first]
    return cell @ np.stack([x, np.cross(beam, x), beam]).T, repeat


def cut(crystal, size, thickness, *, rotation=0.0, origin=(0.0, 0.0)):
    """All atoms of a crystal in a box.

    Parameters
    ----------
    crystal : Crystal
    size : (H, W), extent along y and x [Å]
    thickness : float, extent along the beam [Å]; a single layer if the crystal is layered
    rotation : float, of the crystal about the beam, from x towards y [rad]
    origin : (y, x), where a corner of the crystal's cell lies [Å]

    Returns
    -------
    ase.Atoms, its cell the box; the atoms of a layer lie around its middle
    """
    vectors, _ = orient(crystal)
    cosine, sine = np.cos(rotation), np.sin(rotation)
    vectors = vectors @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    box, shift = np.array([size[1], size[0], thickness]), np.array([origin[1], origin[0], 0])
    low, high = np.zeros(3), box
    if crystal.layered:
        low, high = np.array([0, 0, -thickness / 2]), np.array([*box[:2], thickness / 2])
    basis = crystal.atoms.get_scaled_positions(wrap=False) @ vectors + shift
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1).reshape(-1, 1, 3)
    indices = ((corners - basis) @ np.linalg.inv(vectors)).reshape(-1, 3)
    start, stop = np.floor(indices.min(0)).astype(int), np.ceil(indices.max(0)).astype(int)
    if crystal.layered:
        start[2], stop[2] = 0, 0
    ranges = [np.arange(a, b + 1) for a, b in zip(start, stop, strict=True)]
    lattice = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3) @ vectors
    positions = (lattice[:, None] + basis).reshape(-1, 3)
    inside = ((positions > low - EDGE) & (positions < high - EDGE)).all(1)
    numbers = np.tile(crystal.atoms.numbers, len(lattice))[inside]
    return Atoms(numbers, positions[inside] - low, cell=box, pbc=True)
