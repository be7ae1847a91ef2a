"""How far the columns of one sublattice lie from where another one would have them, and the polarisation that this tells."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.columns import local_lattice, sublattices

WIDTH = 0.75  # standard deviation of the Gaussian that neighbours are weighed with, over the lattice's longer vector [-]
REACH = 2.0  # of the longer vector, up to which neighbours count
SHELL = 1.3  # of the distance to the nearest site of the other sublattice, within which sites are of the cage
ALL = 25  # neighbours that lie within reach
LEAST = 4  # neighbours below which no displacement is told
ASIDE = 0.25  # of the longer vector by which the neighbours' centre may miss the column
CHARGE = 1602.18  # µC/cm² of one elementary charge per Å²


def measure(columns, of=1, against=0, *, sites=None):
    """Displacements of the columns of one sublattice from the centre of their cage of another sublattice's columns.

    Parameters
    ----------
    columns : DataFrame with y, x [px]; y_std, x_std [px] and ``amplitude`` if known; see `strain.from_columns`
    of, against : int, numbers of the sublattices, the brightest one is 0; see `sublattices.find`
    sites : `sublattices.of_columns`; found if None

    Returns
    -------
    DataFrame : a row for every column of the sublattice ``of`` with neighbours on all sides: y, x, dy, dx, dy_std, dx_std [px]
        and, if ``attrs["pixel_size"]`` is known, dy_angstrom to dx_std_angstrom [Å]. ``attrs``: those of ``columns``,
        ``vectors`` (2, 2) of the lattice [px] and ``site`` (2,), the centre of the cage in the cell [-], as lists

    Raises
    ------
    ValueError : no lattice in the columns, or no such sublattice

    Notes
    -----
    The other sublattice around a column is taken to be a lattice, fitted by least squares with the columns' errors, so that
    strain, rotation and missing neighbours do no harm. The centre of the cage is that of the sites nearest to the column.
    """
    points, std, sites = sublattices.told(columns, sites)
    for number in (of, against):
        if not 0 <= number < len(sites.offsets):
            raise ValueError(
                f"sublattice {number} is none of 0 to {len(sites.offsets) - 1}, which were found; give one of these."
            )
    if of == against:
        raise ValueError(f"sublattice {of} has no displacement from itself; give two different ones.")
    site = cage_centre(sites.offsets[of] - sites.offsets[against], sites.vectors)
    own, others = np.flatnonzero(sites.labels == of), np.flatnonzero(sites.labels == against)
    scale = np.linalg.norm(sites.vectors, axis=1).max()
    distance, chosen = cKDTree(points[others]).query(points[own], min(ALL, len(others)), distance_upper_bound=REACH * scale)
    weight = np.exp(-0.5 * (distance / (WIDTH * scale)) ** 2)
    chosen = others[np.where(np.isfinite(distance), chosen, 0)]
    apart = points[chosen] - points[own][:, None]
    inside = np.linalg.norm(local_lattice.mean(apart, weight), axis=1) < ASIDE * scale
    inside &= np.isfinite(distance).sum(1) >= LEAST
    own, weight, chosen, apart = own[inside], weight[inside], chosen[inside], apart[inside]
    lattice = local_lattice.mean(local_lattice.shells(points, sites)[chosen], weight)
    steps = np.rint(apart @ np.linalg.inv(lattice) + site) - site
    design = np.concatenate([steps, np.ones_like(steps[..., :1])], -1)
    variance = np.nan_to_num(std, nan=1.0) ** 2
    found, error = local_lattice.regressed(design, apart, weight, variance[chosen])
    errors = np.sqrt(error[:, :, 2, 2] + variance[own]) * np.where(np.isfinite(std[own]), 1, np.nan)
    values = np.concatenate([points[own], -found[:, 2], errors], 1)
    table = pd.DataFrame(values, columns=["y", "x", "dy", "dx", "dy_std", "dx_std"])
    table.attrs = {**columns.attrs, "vectors": sites.vectors.tolist(), "site": site.tolist()}
    if columns.attrs.get("pixel_size"):
        for name in ("dy", "dx", "dy_std", "dx_std"):
            table[f"{name}_angstrom"] = table[name] * columns.attrs["pixel_size"]
    return table


def cage_centre(offset, vectors):
    """The centre in the cell (2,) of the lattice's points nearest to an offset (2,) in it."""
    points = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), -1).reshape(-1, 2) + np.rint(offset)
    distance = np.linalg.norm((points - offset) @ vectors, axis=1)
    return points[distance < SHELL * distance.min()].mean(0)


def polarisation(displacements, charge, volume):
    """Polarisation by displacements of one sublattice.

    Parameters
    ----------
    displacements : DataFrame of `measure`, with a known pixel size
    charge : float, Born effective charge of the displaced ion [e]
    volume : float, of the unit cell [Å³]

    Returns
    -------
    DataFrame : py, px, py_std, px_std [µC/cm²]
    """
    scale = CHARGE * charge / volume
    parts = {name: displacements[f"d{name[1:]}_angstrom"] for name in ("py", "px", "py_std", "px_std")}
    return pd.DataFrame({name: part * (abs(scale) if "std" in name else scale) for name, part in parts.items()})
