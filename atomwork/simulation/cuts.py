"""Voids and edges: parts of a specimen that are gone, columns as a whole.

What was noted about a place that is gone goes with it, a boundary if nothing of it is left. Phases' outlines stay as
they are, and so does the unit cell: what differs from it is found by comparison. An amorphous support isn't cut.
"""

import numpy as np

from atomwork.simulation.specimen import Boundary, column_places, nearest_copy

WAVES = np.arange(2, 9)  # per turn of a void's rim, or per diagonal of the box along an edge
RIM_STEP = 2.0  # Å between a boundary's vertices
SMALLEST = 0.1  # of a void's radius, where its rim comes nearest to the centre
ROUGHEST = 0.5  # of a void's radius; a rougher rim has no shape


def void(specimen, centre, radius, *, rng, roughness=0.1):
    """A hole with a ragged rim.

    Parameters
    ----------
    specimen : Specimen
    centre : (y, x) [Å]
    radius : float, on average [Å]
    rng : numpy.random.Generator
    roughness : float, standard deviation of the rim's distance from the centre, in units of the radius [-]

    Returns
    -------
    Specimen : with a defect ``void`` at the centre and a boundary ``void``, the closed rim; both go on across the sides
        of the box, so that vertices may lie beyond them

    Raises
    ------
    ValueError : a radius or roughness beyond its limits, a centre outside the box, no column in the void
    """
    box, centre = np.array(specimen.size), np.asarray(centre, float)
    if not 0 < 2 * radius <= box.min():
        raise ValueError(f"radius={radius} Å must be above 0 and at most half of the box, {box.min() / 2:.1f} Å.")
    if not 0 <= roughness <= ROUGHEST:
        raise ValueError(f"roughness={roughness} must be from 0 to {ROUGHEST}, a share of the radius.")
    if not ((centre >= 0) & (centre <= box)).all():
        raise ValueError(f"centre {tuple(centre.tolist())} lies outside the box of {box[0]:.1f} × {box[1]:.1f} Å.")
    wave = ragged(rng)

    def rim(turn):
        return radius * np.maximum(1 + roughness * wave(turn), SMALLEST)

    def gone(places):
        away = nearest_copy(places - centre, box)
        return np.hypot(*away.T) < rim(np.arctan2(*away.T))

    turns = np.linspace(0, 2 * np.pi, max(24, int(2 * np.pi * radius / RIM_STEP)) + 1)
    outline = centre + rim(turns)[:, None] * np.stack([np.sin(turns), np.cos(turns)], -1)
    outline[-1] = outline[0]
    specimen = without(specimen, gone, f"the void of radius {radius} Å at {tuple(centre.tolist())}")
    return specimen.with_defects([("void", *centre)], boundaries=(*specimen.boundaries, Boundary("void", outline)))


def edge(specimen, angle, offset, *, rng, roughness=0.0):
    """The edge of a crystal: everything beyond a line is gone.

    Parameters
    ----------
    specimen : Specimen
    angle : float, direction of the edge, from x towards y [degrees]; at 0 the part of larger y is gone, at 90 that of
        smaller x
    offset : float, distance of the edge from the middle of the box, towards the part that is gone [Å]
    rng : numpy.random.Generator
    roughness : float, standard deviation of the edge from a straight line [Å]

    Returns
    -------
    Specimen : with a boundary ``edge``. The box goes on repeating, so that vacuum also meets crystal at its sides

    Raises
    ------
    ValueError : a negative roughness, an edge that takes nothing or everything
    """
    if not 0 <= roughness < np.inf:
        raise ValueError(f"roughness={roughness} Å must not be negative.")
    box = np.array(specimen.size)
    diagonal = np.hypot(*box)
    along, across = facing(angle)
    wave = ragged(rng)

    def line(distance):
        return offset + roughness * wave(2 * np.pi * distance / diagonal)

    def gone(places):
        away = places - box / 2
        return away @ across > line(away @ along)

    distance = np.linspace(-diagonal, diagonal, int(2 * diagonal / RIM_STEP) + 2)
    points = box / 2 + distance[:, None] * along + line(distance)[:, None] * across
    points = points[((points >= 0) & (points <= box)).all(1)]
    specimen = without(specimen, gone, f"the edge at {angle}° and {offset} Å from the middle")
    return specimen.with_atoms(specimen.atoms, boundaries=(*specimen.boundaries, Boundary("edge", points)))


def facing(angle):
    """Unit vectors (y, x) along a line at ``angle`` [degrees] from x towards y, and across it."""
    angle = np.deg2rad(angle)
    return np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])


def ragged(rng):
    """A random periodic function of an angle [rad] with mean 0 and standard deviation 1, mostly of long waves."""
    amplitude, phase = rng.normal(0, 1, len(WAVES)) / WAVES, rng.uniform(0, 2 * np.pi, len(WAVES))
    amplitude *= np.sqrt(2) / np.linalg.norm(amplitude)
    return lambda angle: np.cos(np.multiply.outer(angle, WAVES) + phase) @ amplitude


def without(specimen, gone, cut):
    """A specimen without the columns, defects and boundaries for whose places (N, 2) the function ``gone`` is true."""
    labels, places = column_places(specimen.atoms)
    removed = gone(places)
    if not removed.any() or removed.all():
        taken = "no column" if not removed.any() else f"all {len(places)} columns"
        raise ValueError(f"{cut} takes {taken}; move it or change its size.")
    atoms = specimen.atoms[(labels < 0) | ~removed[labels]]
    defects = specimen.defects
    if len(defects):
        defects = defects[~gone(defects[["y", "x"]].to_numpy(float))].reset_index(drop=True)
    boundaries = tuple(boundary for boundary in specimen.boundaries if not gone(boundary.points).all())
    return specimen.with_atoms(atoms, defects=defects, boundaries=boundaries)
