"""Thermal vibration: how far atoms stray from their places, and specimens frozen in one such moment."""

import numpy as np
from ase.data import atomic_numbers

REFERENCE = 300.0  # K
# Isotropic Debye-Waller factors B = 8π²u² near 300 K [Å²], rounded to what different refinements agree on.
DEBYE_WALLER = {
    # SrTiO3: Abramov et al., Acta Cryst. B 51 (1995) 942; Ba as Kwei et al., J. Phys. Chem. 97 (1993) 2368, in BaTiO3
    **{"Sr": 0.62, "Ti": 0.44, "O": 0.73, "Ba": 0.35},
    # elements: Peng, Ren, Dudarev & Whelan, Acta Cryst. A 52 (1996) 456
    **{"Si": 0.50, "Ni": 0.35, "Nb": 0.45, "Pt": 0.32, "Au": 0.60},
    # graphene, in its plane, about that of graphite; Li and the rest of their compounds, typical of their refinements
    **{"C": 0.30, "Li": 1.0, "Dy": 0.40, "Sc": 0.40, "Bi": 0.60},
    # dichalcogenides: typical of their refinements, e.g. Schutte, de Boer & Jellinek, J. Solid State Chem. 70 (1987) 207
    **{"Mo": 0.35, "W": 0.30, "Re": 0.35, "S": 0.50, "Se": 0.50, "Te": 0.60},
}
OTHERS = 0.5  # Å², of the elements that the table leaves out


def displacements(symbols, temperature=300.0):
    """How far the atoms of elements stray from their places.

    Above the Debye temperature the mean square grows in proportion to the temperature; that rule is used throughout, so
    that motion at low temperature, where zero-point motion remains, comes out too small.

    Parameters
    ----------
    symbols : iterable of str, chemical elements
    temperature : float [K]

    Returns
    -------
    dict : element -> root mean square displacement along one axis [Å]

    Raises
    ------
    ValueError : an unknown element or a negative temperature
    """
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature={temperature} K must not be negative.")
    symbols = list(symbols)
    unknown = sorted({symbol for symbol in symbols if symbol not in atomic_numbers or symbol == "X"})
    if unknown:
        raise ValueError(f"{', '.join(map(repr, unknown))} is no chemical element.")
    factors = {symbol: DEBYE_WALLER.get(symbol, OTHERS) for symbol in symbols}
    return {symbol: float(np.sqrt(factor * temperature / REFERENCE / (8 * np.pi**2))) for symbol, factor in factors.items()}


def freeze(specimen, *, rng, temperature=300.0):
    """One frozen configuration: every atom at random about its place, independently of the others (Einstein's model).

    Parameters
    ----------
    specimen : Specimen
    rng : numpy.random.Generator
    temperature : float [K]

    Returns
    -------
    Specimen : without a unit cell. Its columns are those of this configuration: their places are the means of where the
        atoms are now, and single atoms that strayed far stand as columns of their own. The truth about the lattice is
        that of the specimen before.

    Raises
    ------
    ValueError : a negative temperature
    """
    atoms = specimen.atoms.copy()
    symbols = np.array(atoms.get_chemical_symbols())
    stray = displacements(sorted(set(symbols)), temperature)
    width = np.array([stray[symbol] for symbol in symbols])
    atoms.positions += rng.normal(size=(len(atoms), 3)) * width[:, None]
    return specimen.with_atoms(atoms, unit=None)
