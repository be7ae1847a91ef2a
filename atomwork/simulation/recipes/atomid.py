"""AtomID-Net's data: 2H MoS2 and 1T″ ReS2 monolayers at low and high magnification, as a dark-field scan records them.

With vacancies, voids, dopants, counting and readout noise, bright spots, defocus and astigmatism (Yan, MPhil thesis,
PolyU 2024). The probe is that of the thesis's real frames, 300 kV and a detector from 45 to 180 mrad.
"""

from itertools import product

import numpy as np
import torch

from atomwork.simulation import cuts, formation, forward, noise, point_defects, scattering, structures
from atomwork.simulation.optics import Lens
from atomwork.simulation.recipes.tables import COLUMNS, DEFECTS, column_rows, defect_rows
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View

PHASES = {"MoS2": "2H", "ReS2 1T″": "1T″"}
PIXEL_SIZES = {"high": (0.08, 0.14), "low": (0.22, 0.36)}  # Å; fields of 9 to 36 nm on 1024 px
DOMAINS = tuple(product(PHASES, PIXEL_SIZES))
SIZE = 256  # px
DETECTOR = {"inner": 45.0, "outer": 180.0}  # mrad
ENERGY = 300e3  # eV
SURROUNDINGS = 10.0  # Å of crystal around the view
DOSE = (5.0, 500.0)  # e⁻/px in the brightest pixel
POINT_DEFECTS = {"MoS2": ("V_S", "V_S2", "V_Mo", "W_Mo", "Mo_S2"), "ReS2 1T″": ("V_S", "V_Re", "Mo_Re")}
CONCENTRATION = 0.03  # of the sites, at most, for each kind
LENGTHS = {"columns": 3000, "defects": 400}  # rows that the tables have room for
SETTINGS = ("pixel_size", "angle", "dose", "defocus", "astigmatism", "source_size")


def dataset(n_images=1000):
    """Images of the four domains in turn, with their truth.

    Parameters
    ----------
    n_images : int

    Returns
    -------
    DataSet : image (256, 256) [e⁻], clean likewise without noise, domain, columns, defects, settings
    """
    arrays = {
        "image": Array((SIZE, SIZE), "float32", "(y, x) electrons [e⁻]"),
        "clean": Array((SIZE, SIZE), "float32", "(y, x) expected electrons without noise [e⁻]"),
        "domain": Array((), "uint8", "index into the domains, material and magnification"),
        "columns": Array((LENGTHS["columns"], 4), "float32", COLUMNS),
        "defects": Array((LENGTHS["defects"], 3), "float32", DEFECTS),
        "settings": Array(
            (len(SETTINGS),), "float32", "pixel_size [Å], angle [°], dose [e⁻/px], defocus, astigmatism, source [Å]"
        ),
    }
    parameters = {"domains": [list(d) for d in DOMAINS], "kinds": kinds(), "settings": list(SETTINGS), "dose": DOSE}
    return DataSet("atomid", n_images, arrays, draw, {**parameters, "pixel_sizes": PIXEL_SIZES}, block=16)


def kinds():
    """Every kind of defect in the tables."""
    return ["void", *dict.fromkeys(kind for of_material in POINT_DEFECTS.values() for kind in of_material)]


def draw(index, sequence):
    """Image ``index`` with its truth; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    material, magnification = DOMAINS[index % len(DOMAINS)]
    specimen, view = scene(rng, material, PIXEL_SIZES[magnification])
    lens = Lens(
        energy=ENERGY,
        semiangle_cutoff=25.0,
        defocus=rng.normal(0, 30),
        astigmatism=abs(rng.normal(0, 15)),
        astigmatism_angle=rng.uniform(0, 180),
    )
    source = rng.uniform(0.25, 0.5)
    sections = scattering.cross_sections(set(specimen.atoms.symbols), lens=lens, **DETECTOR)
    clean = forward.render(specimen, **vars(view), lens=lens, source_size=source, strength=sections).image
    dose = float(np.exp(rng.uniform(*np.log(DOSE))))
    clean = torch.from_numpy(clean)[None] + float(clean.max()) * rng.uniform(0.02, 0.3)
    recorded = noise.degrade(clean, rng=torch_rng, dose=dose, **recording(rng))
    columns, found = view.table(specimen.columns), view.table(specimen.defects)
    return {
        "image": recorded[0].numpy(),
        "clean": (clean[0] * (dose / clean.max())).numpy(),
        "domain": np.uint8(index % len(DOMAINS)),
        "columns": pad(column_rows(columns), LENGTHS["columns"], "columns"),
        "defects": pad(defect_rows(found, kinds()), LENGTHS["defects"], "defects"),
        "settings": np.float32([view.pixel_size, view.angle, dose, lens.defocus, lens.astigmatism, source]),
    }


def scene(rng, material, pixel_sizes):
    """A defective monolayer and the view of it."""
    pixel_size = float(np.exp(rng.uniform(*np.log(pixel_sizes))))
    size = 2 * (np.sqrt(0.5) * SIZE * pixel_size + SURROUNDINGS)
    defects = {kind: rng.uniform(0, CONCENTRATION) for kind in POINT_DEFECTS[material] if rng.random() < 0.5}
    specimen = structures.build(material, size)
    centre = tuple(np.array(specimen.size) / 2)
    if rng.random() < 0.3:
        place = np.array(centre) + rng.uniform(-0.5, 0.5, 2) * SIZE * pixel_size
        specimen = cuts.void(specimen, tuple(place), rng.uniform(3, 3 + 0.15 * SIZE * pixel_size), rng=rng)
    specimen = point_defects.introduce(specimen, defects, rng=rng)
    return specimen, View(pixel_size, (SIZE, SIZE), centre, float(rng.uniform(0, 360)))


def recording(rng):
    """Strengths of `noise.degrade`, the dose apart."""
    return {
        "jitter": rng.uniform(0, 0.3) if rng.random() < 0.5 else 0.0,
        "readout": rng.uniform(0, 1.0),
        "spots": rng.uniform(1e-5, 3e-4) if rng.random() < 0.2 else 0.0,
    }
