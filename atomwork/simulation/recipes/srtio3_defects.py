"""SrTiO3 [001] with one point defect of graded strength, for methods that look for what does not belong.

The six kinds and the 64² crops are those of Prifti, Buban et al.'s variational autoencoder; the shifts are of the size that
ferroelectrics have, columns are also only partly exchanged, and every kind comes at several doses.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch

from atomwork.simulation import formation, forward, noise, point_defects, structures
from atomwork.simulation.optics import Lens
from atomwork.simulation.stores import Array, DataSet
from atomwork.simulation.views import View

SIZE, PIXEL_SIZE = 64, 0.17  # px, Å
CELL = 3.905  # Å
KINDS = {  # in Kröger and Vink's notation; an antisite is named for the atom that is in the wrong place
    "bulk": None,
    "Ti vacancy": "V_Ti",
    "Sr vacancy": "V_Sr",
    "ferroelectric Ti": "d_Ti",
    "ferroelectric Sr": "d_Sr",
    "antisite Ti": "Ti_Sr",
    "antisite Sr": "Sr_Ti",
}


@dataclass(frozen=True)
class Recipe:
    """What images are drawn from; kinds and doses come equally often, pairs are ranges, uniform."""

    kinds: tuple = tuple(KINDS)
    doses: tuple = (20.0, 100.0, 500.0)  # expected electrons in the brightest pixel [e⁻/px]
    share: tuple = (0.25, 1.0)  # of a column's Ti or Sr atoms that are gone or exchanged, in whole atoms [-]
    shift: tuple = (5.0, 40.0)  # of all Ti or Sr atoms of a column, in a random direction [pm]
    cells: tuple = (8, 20)  # thickness, both ends included [unit cells]
    energy: float = 200e3  # [eV]
    semiangle_cutoff: float = 25.0  # [mrad]
    defocus: tuple = (-20.0, 20.0)  # [Å]
    source_size: tuple = (0.3, 0.45)  # standard deviation of the effective source [Å]
    background: tuple = (0.0, 0.2)  # highest place of a smooth background over the brightest pixel [-]

    def __post_init__(self):
        if unknown := sorted(set(self.kinds) - set(KINDS)):
            raise ValueError(f"kinds {', '.join(map(repr, unknown))} are unknown; choose from {', '.join(KINDS)}.")


def dataset(n_images=21_000, recipe=None):
    """Crops with and without a defect.

    The defect lies in the middle or up to half a unit cell away, and bulk is centred on just any place.

    Parameters
    ----------
    n_images : int; a multiple of kinds times doses has all of them equally often
    recipe : Recipe; as it is by default if None

    Returns
    -------
    DataSet : image (64, 64), counted; clean (64, 64), what it expects; kind, strength, dose, place

    Raises
    ------
    ValueError : an unknown kind
    """
    recipe = recipe or Recipe()
    arrays = {
        "image": Array((SIZE, SIZE), "float32", "(y, x) electrons [e⁻]"),
        "clean": Array((SIZE, SIZE), "float32", "(y, x) expected electrons [e⁻]"),
        "kind": Array((), "uint8", f"index into {', '.join(recipe.kinds)}"),
        "strength": Array((), "float32", "share of the column's atoms [-], or shift [pm]; 0 in bulk"),
        "dose": Array((), "float32", "expected electrons in the brightest pixel [e⁻/px]"),
        "place": Array((2,), "float32", "y, x of the defect [px]; NaN in bulk"),
    }
    parameters = {**asdict(recipe), "size": SIZE, "pixel_size": PIXEL_SIZE, "notation": KINDS}
    return DataSet("srtio3_defects", n_images, arrays, partial(draw, recipe=recipe), parameters, block=64)


def draw(index, sequence, *, recipe):
    """Image ``index``; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    kind = index % len(recipe.kinds)
    dose = recipe.doses[index // len(recipe.kinds) % len(recipe.doses)]
    specimen, strength = defective(KINDS[recipe.kinds[kind]], rng, recipe)
    middle = specimen.defects[["y", "x"]].to_numpy(float)[0] if len(specimen.defects) else np.array(specimen.size) / 2
    view = View(PIXEL_SIZE, (SIZE, SIZE), tuple(middle + rng.uniform(-CELL / 2, CELL / 2, 2)))
    lens = Lens(recipe.energy, recipe.semiangle_cutoff, rng.uniform(*recipe.defocus))
    clean = forward.render(specimen, **vars(view), lens=lens, source_size=rng.uniform(*recipe.source_size)).image
    clean = torch.from_numpy(clean)[None]
    clean = formation.with_background(clean, rng=torch_rng, height=rng.uniform(*recipe.background))
    image = noise.degrade(clean, rng=torch_rng, dose=dose)
    found = view.table(specimen.defects)[["y", "x"]].to_numpy(float)
    return {
        "image": image[0].numpy(),
        "clean": (clean[0] * (dose / clean.max())).numpy(),
        "kind": np.uint8(kind),
        "strength": np.float32(strength),
        "dose": np.float32(dose),
        "place": np.float32(found[0] if len(found) else (np.nan, np.nan)),
    }


def defective(kind, rng, recipe):
    """SrTiO3 with one defect near its middle, and the defect's strength: share of the atoms [-] or shift [pm]."""
    cells = int(rng.integers(recipe.cells[0], recipe.cells[1], endpoint=True))
    # its sides stay out of sight, although it would repeat, and with it the defect
    reach = PIXEL_SIZE * SIZE / np.sqrt(2) + np.sqrt(2) * forward.TAILS + CELL
    specimen = structures.build("SrTiO3 [001]", 2 * reach, thickness=cells * CELL)
    if kind is None:
        return specimen, 0.0
    middle = np.array(specimen.size) / 2
    region = (*(middle - CELL / 2), *(middle + CELL / 2))
    if kind.startswith("d_"):
        distance = rng.uniform(*recipe.shift)
        return point_defects.shift(specimen, kind[2:], 1, distance / 100, rng=rng, region=region), distance
    fewest, most = np.ceil(cells * recipe.share[0] - 1e-6), np.floor(cells * recipe.share[1] + 1e-6)
    share = rng.integers(fewest, most, endpoint=True) / cells
    return point_defects.introduce(specimen, {f"{kind}:{share:.6f}": 1}, rng=rng, region=region), share
