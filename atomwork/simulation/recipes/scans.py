"""Noise-free scans by abTEM of the specimens that the detector's frames show; those of the fixed seeds ship.

``python -m atomwork.simulation.recipes.scans`` computes what is missing or belongs to an earlier specimen.
"""

import hashlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from tqdm.auto import tqdm

from atomwork.simulation import imaging
from atomwork.simulation.recipes.subjects import TEST, VALIDATION
from atomwork.weights import DATA

SETS = {"test": TEST, "validation": VALIDATION}
SEEDS = {"test": 8_117, "validation": 6_029}
SPECIMEN = 10**6  # first child seed of the specimens
SHIPPED = DATA / "scans"
STEP = 1e-3  # Å; specimens whose atoms differ by less are one


def specimen(which, name, seed):
    """The specimen of a subject; the same seed gives the same atoms."""
    number = list(SETS[which]).index(name)
    sequence = np.random.SeedSequence(seed, spawn_key=(SPECIMEN + number,))
    return SETS[which][name].build(np.random.default_rng(sequence))


def scan(which, name, drawn):
    """The scan of a specimen before the source blurs it, over its box: the shipped one if it is of these very atoms.

    Parameters
    ----------
    which, name : str, set and subject
    drawn : Specimen of that subject

    Returns
    -------
    (h, w) float32 array, share of the beam on the detector [-]
    """
    shipped = stored(SHIPPED / f"{which}.safetensors", {name: fingerprint(which, name, drawn)})
    return shipped[name] if shipped else computed(which, name, drawn)


def computed(which, name, drawn):
    """The scan of a specimen by abTEM; see `scan`."""
    return imaging.scanned(drawn, **SETS[which][name].imaging).astype(np.float32)


def stored(path, marks):
    """Those scans of a file that bear the given fingerprints, by name."""
    if not path.is_file():
        return {}
    with safe_open(path, "np") as file:
        known = file.metadata() or {}
        return {name: file.get_tensor(name) for name, mark in marks.items() if known.get(name) == mark}


def fingerprint(which, name, drawn):
    """What tells a specimen and its imaging from any other, in hexadecimal."""
    steps = np.floor(drawn.atoms.positions / STEP + 0.2718).astype(np.int64)  # lattice sites are no multiples of that
    order = np.lexsort((*steps.T, drawn.atoms.numbers))
    cell = np.rint(drawn.atoms.cell.lengths() / STEP).astype(np.int64)
    optics = repr(sorted(SETS[which][name].imaging.items())).encode()
    content = (drawn.atoms.numbers[order].astype(np.int64).tobytes(), steps[order].tobytes(), cell.tobytes(), optics)
    return hashlib.sha256(b"".join(content)).hexdigest()


def specimens(which):
    """The specimens of a set under its fixed seed, by name."""
    return {name: specimen(which, name, SEEDS[which]) for name in SETS[which]}


def fingerprints(which, drawn):
    """`fingerprint` of specimens by name."""
    return {name: fingerprint(which, name, one) for name, one in drawn.items()}


def complete(which, folder=SHIPPED, workers=None):
    """Compute the scans of a set that are missing in a folder; each is written as soon as it is done."""
    path, drawn = Path(folder) / f"{which}.safetensors", specimens(which)
    marks = fingerprints(which, drawn)
    scans = stored(path, marks)
    missing = [name for name in drawn if name not in scans]
    with ProcessPoolExecutor(workers) as pool, tqdm(total=len(missing), desc=f"scans of the {which} set") as bar:
        waiting = {pool.submit(computed, which, name, drawn[name]): name for name in missing}
        for done in as_completed(waiting):
            scans[waiting[done]] = done.result()
            write(path, scans, marks)
            bar.update()


def write(path, scans, marks):
    """Write scans with their fingerprints under a temporary name and rename the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    save_file(scans, temporary, metadata={name: marks[name] for name in scans})
    os.replace(temporary, path)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SETS:
        complete(chosen)
