"""Images of one material of your choice, by any of the ways to image, with vacancies and counting noise."""

from functools import lru_cache, partial

import numpy as np
import torch

from atomwork.simulation import crystals, formation, forward, imaging, noise, point_defects, structures
from atomwork.simulation.recipes.tables import COLUMNS, DEFECTS, column_rows, defect_rows
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View

IMAGING = {"forward": forward.render, "haadf": imaging.haadf, "adf": imaging.adf, "abf": imaging.abf, "hrtem": imaging.hrtem}
SIZE = 128  # px
SURROUNDINGS = 10.0  # Å of crystal around the view
VACANCIES = 0.03  # of the sites of each element, at most
ROOM = {"columns": 1000, "defects": 100}  # rows that the tables have room for
SETTINGS = ("angle", "dose")


def dataset(material="MoS2", imaging="forward", n_images=16, *, pixel_size=0.2, thickness=40.0, dose=(10.0, 500.0)):
    """Images of a material, turned at random, with their truth.

    Parameters
    ----------
    material : str, see `crystals.find`
    imaging : str, one of `IMAGING`
    n_images : int
    pixel_size : float [Å]
    thickness : float, of a bulk crystal [Å]
    dose : (2,) range of the expected electrons in the brightest pixel, log-uniform [e⁻/px]

    Returns
    -------
    DataSet : image and clean (128, 128) [e⁻], columns, defects, settings

    Raises
    ------
    ValueError : an unknown material or way to image
    """
    if imaging not in IMAGING:
        raise ValueError(f"imaging {imaging!r} is unknown; choose one of {', '.join(IMAGING)}.")
    kinds = [f"V_{symbol}:1" for symbol in sorted(set(crystals.find(material).atoms.get_chemical_symbols()))]
    arrays = {
        "image": Array((SIZE, SIZE), "float32", "(y, x) electrons [e⁻]"),
        "clean": Array((SIZE, SIZE), "float32", "(y, x) expected electrons without noise [e⁻]"),
        "columns": Array((ROOM["columns"], 4), "float32", COLUMNS),
        "defects": Array((ROOM["defects"], 3), "float32", DEFECTS),
        "settings": Array((len(SETTINGS),), "float32", "angle [°], dose [e⁻/px]"),
    }
    chosen = {"material": material, "imaging": imaging, "pixel_size": pixel_size, "thickness": thickness, "dose": list(dose)}
    return DataSet(
        f"{material} by {imaging}", n_images, arrays, partial(draw, kinds=kinds, **chosen), {**chosen, "kinds": kinds}, block=4
    )


def draw(index, sequence, *, kinds, material, imaging, pixel_size, thickness, dose):
    """Image ``index`` with its truth; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    specimen = structures.build(material, 2 * (np.sqrt(0.5) * SIZE * pixel_size + SURROUNDINGS), thickness=thickness)
    specimen = point_defects.introduce(specimen, {kind: rng.uniform(0, VACANCIES) for kind in kinds}, rng=rng)
    view = View(pixel_size, (SIZE, SIZE), tuple(np.array(specimen.size) / 2), float(rng.uniform(0, 360)))
    optics = {} if imaging == "forward" else {"cache": computed(material, imaging, pixel_size, thickness)}
    clean = torch.from_numpy(IMAGING[imaging](specimen, **vars(view), **optics).image)[None].clamp_min(0)
    peak = float(np.exp(rng.uniform(*np.log(dose))))
    columns, found = view.table(specimen.columns), view.table(specimen.defects)
    return {
        "image": noise.degrade(clean, rng=torch_rng, dose=peak)[0].numpy(),
        "clean": (clean[0] * (peak / clean.max())).numpy(),
        "columns": pad(column_rows(columns), ROOM["columns"], "columns"),
        "defects": pad(defect_rows(found, kinds), ROOM["defects"], "defects"),
        "settings": np.float32([view.angle, peak]),
    }


@lru_cache
def computed(material, imaging, pixel_size, thickness):
    """What images of one crystal share in this process; see `reuse.assemble`."""
    return {}
