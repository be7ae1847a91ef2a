"""Specimens by name: a crystal cut to size, stacked, turned, given defects and strained, with its exact truth."""

import numpy as np

from atomwork.simulation import crystals, point_defects
from atomwork.simulation.specimen import Phase, Specimen, displace

VACUUM = 2.0  # Å above and below the specimen
ROUNDING = 1e-6  # of a repeat


def build(
    material,
    size,
    *,
    thickness=40.0,
    layers=1,
    stacking=None,
    twist=0.0,
    rotation=0.0,
    defects=None,
    displacement=None,
    rng=None,
):
    """A crystal with its truth.

    Parameters
    ----------
    material : str, a name of `crystals.CRYSTALS` or a CIF file, and maybe a zone axis: ``"SrTiO3 [110]"``
    size : float or (H, W), extent along y and x [Å]; made larger to whole repeats where the crystal has a
        rectangular one and isn't rotated, so that it goes on seamlessly across its sides
    thickness : float, of a bulk crystal along the beam [Å]
    layers : int, of a layered crystal
    stacking : str, of its layers, one of `crystals.STACKINGS`; the natural one if None
    twist : float, of every layer against the one below [degrees]
    rotation : float, about the beam, from x towards y [degrees]
    defects : dict, kind -> number (int) or share of the sites (float); see `point_defects.introduce`
    displacement : function of y, x [Å] that returns the shifts along y and x [Å]; see `specimen.displace`
    rng : numpy.random.Generator, where the defects go

    Returns
    -------
    Specimen

    Raises
    ------
    ValueError : an unknown material or defect, a size or thickness that isn't positive, too few sites, layers of a bulk
        crystal
    """
    crystal = crystals.find(material)
    size = np.broadcast_to(np.asarray(size, float), 2)
    check(size, thickness, layers, stacking)
    if not crystal.layered and (layers > 1 or stacking or twist):
        raise ValueError(f"{crystal.name} has no layers to stack or twist; choose its thickness instead.")
    turns = {"layers": layers, "stacking": stacking or crystal.stacking, "twist": twist, "rotation": rotation}
    _, repeat = crystals.orient(crystal)
    unit = None
    if repeat is not None and rotation == 0 and (twist == 0 or layers == 1):
        repeat = repeat[::-1]
        size = np.ceil(size / repeat - ROUNDING) * repeat
        unit = stack(crystal, repeat, thickness, **turns)
    atoms = stack(crystal, size, thickness, **turns)
    outline = np.array([(0, 0), (0, size[1]), size, (size[0], 0)], float)
    specimen = Specimen(crystal.name, atoms, unit, phases=(Phase(crystal.name, outline),))
    if defects:
        specimen = point_defects.introduce(specimen, defects, rng=rng)
    return displace(specimen, displacement) if displacement else specimen


def check(size, thickness, layers, stacking):
    """Refuse what no specimen can be."""
    if not (size > 0).all() or not thickness > 0 or layers < 1:
        raise ValueError(f"size {size[0]:g} × {size[1]:g} Å, thickness {thickness} Å and layers {layers} must be positive.")
    if stacking is not None and stacking not in crystals.STACKINGS:
        raise ValueError(f"stacking {stacking!r} is unknown; choose one of {', '.join(crystals.STACKINGS)}.")


def stack(crystal, size, thickness, *, layers=1, stacking="AA", twist=0.0, rotation=0.0, origin=(0.0, 0.0)):
    """Atoms of a crystal in a box of (H, W) ``size``, with vacuum above and below; see `build` and `crystals.cut`."""
    turn = np.deg2rad(rotation)
    if not crystal.layered:
        atoms = crystals.cut(crystal, size, thickness, rotation=turn, origin=origin)
    else:
        separation = crystal.atoms.cell[2, 2]
        vectors, _ = crystals.orient(crystal)
        third = (vectors[0] + 2 * vectors[1])[1::-1] / 3
        atoms = None
        for k in range(layers):
            angle = turn + k * np.deg2rad(twist) + (np.pi * (k % 2) if stacking == "AA′" else 0)
            steps = {"AB": k % 2, "ABC": k % 3}.get(stacking, 0)
            shift = origin + steps * rotated(third, turn)
            one = crystals.cut(crystal, size, separation, rotation=angle, origin=shift)
            one.positions[:, 2] += k * separation
            atoms = one if atoms is None else atoms + one
        atoms.cell[2, 2] = layers * separation
    atoms.positions[:, 2] += VACUUM
    atoms.cell[2, 2] += 2 * VACUUM
    return atoms


def rotated(vector, angle):
    """A (y, x) vector turned from x towards y by ``angle`` [rad]."""
    y, x = vector
    return np.array([y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)])
