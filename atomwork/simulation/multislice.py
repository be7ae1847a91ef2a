"""Waves through a periodic box of atoms by abTEM: an objective lens's image and the scan of a focused probe.

A probe sees little beyond its surroundings. A large box is therefore scanned block by block, each with what lies around
it, and the time grows as the area instead of its square.
"""

from functools import partial
from itertools import pairwise, product

import abtem
import numpy as np
from scipy.fft import next_fast_len

from atomwork.simulation import thermal
from atomwork.simulation.optics import wavelength
from atomwork.simulation.potential import SLICE, projected

BAND = 2 / 3  # share of the grid's bandwidth that abTEM keeps, against aliasing
COARSEST = 0.1  # Å, of a calculation's grid; atoms are sharper than most apertures and detectors ask for
SPARE = 1.02  # margin of the grids beyond the largest angle
TWICE = 1.4  # the same where electrons are counted, some of which scatter twice within a slice
METHODS = ("multislice", "prism")
MEMORY = 2**23  # pixels of waves that are computed at once, of 8 bytes each
BLOCK = 6.0  # Å, side of the blocks of a scan
# Measured Fourier plans take seconds for every new size and differ from run to run in the last bits.
ABTEM = {"fftw.planning_effort": "FFTW_ESTIMATE", "diagnostics.progress_bar": False}


def objective_image(atoms, shape, lens):
    """Intensity behind the objective lens over a periodic box of atoms: (H, W) array."""
    atoms = atoms.copy()  # without the empty slices before them, which a plane wave doesn't feel
    step = atoms.cell[2, 2] / np.ceil(atoms.cell[2, 2] / SLICE)
    vacuum = atoms.positions[:, 2].min() // step * step
    atoms.positions[:, 2] -= vacuum
    atoms.cell[2, 2] -= vacuum
    # abTEM's focal spread is a 1/e half-width; a soft aperture would be softer in a smaller box
    ctf = abtem.CTF(**aberrations(lens), focal_spread=np.sqrt(2) * lens.focal_spread, soft=False)
    with abtem.config.set(ABTEM):
        potential = projected(atoms, shape[::-1])
        wave = abtem.PlaneWave(energy=lens.energy).multislice(potential, lazy=False)
        return wave.apply_ctf(ctf).intensity().array.T


def scan_by_blocks(atoms, shape, window, margin, scan):
    """A scan of a large box, block by block.

    Parameters
    ----------
    atoms : ase.Atoms in a box that is periodic along x and y
    shape : (H, W) int, places over the whole box
    window : (y0, y1, x0, x1) int, the places that are asked for
    margin : float, how much of the specimen around a block its probes feel [Å]
    scan : function of atoms, shape and window, as here

    Returns
    -------
    (y1 - y0, x1 - x0) array
    """
    step = atoms.cell.lengths()[1::-1] / shape
    around = np.ceil(margin / step).astype(int)
    largest = np.ceil(BLOCK / step).astype(int)
    if (largest + 2 * around >= shape).any():
        return scan(atoms, shape, window)
    image = np.empty((window[1] - window[0], window[3] - window[2]))
    for low, high in product(*(pieces(*window[2 * k : 2 * k + 2], largest[k]) for k in (0, 1))):
        (y0, y1), (x0, x1) = low, high
        size = np.array([y1 - y0, x1 - x0]) + 2 * around
        part = cut_out(atoms, (np.array([y0, x0]) - around) * step, size * step)
        seen = scan(part, tuple(size), (around[0], around[0] + y1 - y0, around[1], around[1] + x1 - x0))
        image[y0 - window[0] : y1 - window[0], x0 - window[2] : x1 - window[2]] = seen
    return image


def pieces(start, stop, largest):
    """``(start, stop)`` of equal pieces of a range, none longer than ``largest``."""
    bounds = np.linspace(start, stop, int(np.ceil((stop - start) / largest)) + 1).round().astype(int)
    return list(pairwise(bounds))


def cut_out(atoms, corner, size):
    """The atoms of a periodic box in a smaller one of (H, W) ``size`` at ``corner`` (y, x) [Å], which may cross its sides."""
    box, depth = atoms.cell.lengths()[:2], atoms.cell[2, 2]
    away = (atoms.positions[:, :2] - corner[::-1]) % box % box
    inside = (away < size[::-1]).all(1)
    part = atoms[inside]
    part.positions[:, :2] = away[inside]
    part.cell = [size[1], size[0], depth]
    return part


def scan(atoms, shape, window, lens, inner, outer, method):
    """Share of the beam on an annular detector at the places ``window`` of a grid over a periodic box: array."""
    # from one edge of the aperture across it to the far edge of the detector
    sampling = min(COARSEST, BAND / 2 / (1e-3 * TWICE * (outer + lens.semiangle_cutoff) / wavelength(lens.energy)))
    gpts = [next_fast_len(int(np.ceil(length / sampling))) for length in atoms.cell.lengths()[:2]]
    rows, columns = (np.arange(*window[k : k + 2]) * atoms.cell[axis, axis] / shape[k // 2] for k, axis in ((0, 1), (2, 0)))
    places = np.stack([part.ravel() for part in np.meshgrid(columns, rows)], -1)
    detector = abtem.AnnularDetector(inner=inner, outer=outer)
    with abtem.config.set(ABTEM):
        potential = projected(atoms, gpts)
        if method == "multislice":
            measure = partial(abtem.Probe(**aberrations(lens)).scan, potential, lazy=False)
        else:
            matrix = abtem.SMatrix(potential=potential, energy=lens.energy, semiangle_cutoff=lens.semiangle_cutoff)
            measure = partial(matrix.build(lazy=False).reduce, ctf=abtem.CTF(**aberrations(lens)))
        batches = np.array_split(places, np.ceil(len(places) * np.prod(gpts) / MEMORY).astype(int))
        measured = [measure(scan=abtem.CustomScan(some), detectors=detector).array for some in batches]
    return np.concatenate(measured).reshape(len(rows), len(columns))


def aberrations(lens):
    """A lens in abTEM's words; the focal spread is left to the caller."""
    return {
        "energy": lens.energy,
        "semiangle_cutoff": lens.semiangle_cutoff,
        "C10": -lens.defocus,
        "C30": lens.Cs,
        "C12": lens.astigmatism,
        "phi12": np.deg2rad(lens.astigmatism_angle),
    }


def configurations(atoms, phonons, temperature, seed):
    """Atoms at rest, or ``phonons`` times displaced at random; atoms with the same ``site`` move alike."""
    if not phonons:
        yield atoms
        return
    site = atoms.arrays.get("site", np.arange(len(atoms)))
    width = thermal.displacements(set(atoms.symbols), temperature)
    width = np.array([width[symbol] for symbol in atoms.symbols])[:, None]
    for child in np.random.SeedSequence(seed).spawn(phonons):
        frozen = atoms.copy()
        frozen.positions += width * np.random.default_rng(child).normal(size=(site.max() + 1, 3))[site]
        frozen.positions[:, 2] = frozen.positions[:, 2].clip(0, atoms.cell[2, 2] - 1e-3)
        yield frozen
