"""TEMImageNet's data: dark-field images of nine materials with what lies under their background and noise.

The forward model and the five labels are the paper's (Lin et al., Sci. Rep. 11 (2021) 5386), the structures, zone axes and
ranges ours. Image and labels show exactly the same field, pixel by pixel.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
import torch
from scipy.spatial import cKDTree

from atomwork.simulation import formation, forward, structures, visibility
from atomwork.simulation.optics import Lens, wavelength
from atomwork.simulation.recipes.tables import COLUMNS, column_rows
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View

IMAGES = 14364
SIZE = 256  # px
ROOM = 700  # columns, more than the densest crystal has in the largest field
SHIFT = 7.0  # Å that the field moves about the specimen's middle; no cell is more than twice as long
FAINTEST = 0.1  # of the brightest column; below it nobody labels a column, however many electrons it has
ATOM_SIZE = 0.08  # Å, standard deviation of thermal motion and of the atoms' own size
# Zone axes whose bright columns stand at least 1.3 Å apart; of layered crystals, the numbers of layers.
MATERIALS = {
    "Pt": ("Pt [110]", "Pt [100]", "Pt [111]", "Pt [211]"),
    "TiO2": ("TiO2 [001]", "TiO2 [100]", "TiO2 [110]", "TiO2 [111]"),
    "C": ("graphene × 1", "graphene × 2"),
    "NiO": ("NiO [100]", "NiO [110]", "NiO [111]"),
    "SrTiO3": ("SrTiO3 [001]", "SrTiO3 [110]", "SrTiO3 [111]"),
    "MoS2": ("MoS2 × 1", "MoS2 × 2", "MoS2 × 3"),
    "LiNiO2": ("LiNiO2 [100]", "LiNiO2 [001]", "LiNiO2 [210]"),
    "DyScO3": ("DyScO3 [101]", "DyScO3 [100]", "DyScO3 [001]"),
    "Si": ("Si [110]", "Si [100]", "Si [111]"),
}
SETTINGS = (
    "energy [eV], semiangle_cutoff [mrad], defocus [Å], source_size [Å], thickness [Å or layers], angle [°], dose [e⁻/px], "
    "background [-], jitter [px]"
)


@dataclass(frozen=True)
class Recipe:
    """What images are drawn from; pairs are ranges, uniform if nothing else is said."""

    materials: dict = field(default_factory=lambda: dict(MATERIALS))  # name -> its crystals
    field_of_view: tuple = (8.0, 30.0)  # side of the image [Å]
    thickness: tuple = (15.0, 60.0)  # of bulk crystals [Å]
    energy: tuple = (80e3, 300e3)  # [eV]
    resolution: tuple = (0.55, 0.95)  # Rayleigh's limit 0.61 λ/α of the probe, which sets its semi-angle α [Å]
    defocus: tuple = (-0.5, 0.5)  # over the depth of field λ/α² [-]
    source_size: tuple = (0.2, 0.4)  # standard deviation of the effective source [Å]
    dose: tuple = (10.0, 500.0)  # expected electrons in the brightest pixel, log-uniform [e⁻/px]
    background: tuple = (0.0, 0.6)  # highest place of the background over the brightest pixel [-]
    jitter: tuple = (0.0, 0.08)  # standard deviation of a scan line's displacement [Å]
    gaussian: float = 0.25  # standard deviation of the Gaussians of a mask [Å]
    circle: float = 0.4  # radius of the circles of a mask [Å]


def dataset(n_images=IMAGES, recipe=None):
    """Images with their labels, every material equally often and every crystal of a material.

    A mask stands on the columns that an expert could find at the image's dose, see `visible`; where two meet, the higher
    value stands. The super-resolved image is that of a probe half as wide: twice the semi-angle, in focus, half the width
    of the source and of the atoms.

    Parameters
    ----------
    n_images : int
    recipe : Recipe; as it is by default if None

    Returns
    -------
    DataSet : image, no_noise (nor jitter), no_background (nor noise), super_resolution, gaussian_mask, circular_mask
        (256, 256); columns, visible, electrons, material, crystal, pixel_size, settings
    """
    recipe = recipe or Recipe()
    materials = recipe.materials
    picture = Array((SIZE, SIZE), "float16", "(y, x) intensity over that of the brightest pixel [-]")
    arrays = {
        **dict.fromkeys(("image", "no_noise", "no_background", "super_resolution"), picture),
        "gaussian_mask": Array((SIZE, SIZE), "float16", "(y, x) Gaussians of height 1 on visible columns [-]"),
        "circular_mask": Array((SIZE, SIZE), "uint8", "(y, x) 1 in circles on visible columns, else 0 [-]"),
        "columns": Array((ROOM, 4), "float32", COLUMNS),
        "visible": Array((ROOM,), "bool", "columns that have a mask"),
        "electrons": Array((3,), "float32", "in the brightest pixel of image, no_noise and no_background [e⁻]"),
        "material": Array((), "uint8", f"index into {', '.join(materials)}"),
        "crystal": Array((), "uint8", f"index into {', '.join(name for names in materials.values() for name in names)}"),
        "pixel_size": Array((), "float32", "[Å]"),
        "settings": Array((SETTINGS.count(",") + 1,), "float32", SETTINGS),
    }
    parameters = {**asdict(recipe), "size": SIZE, "atom_size": ATOM_SIZE, "faintest": FAINTEST}
    return DataSet("temimagenet", n_images, arrays, partial(draw, recipe=recipe), parameters)


def draw(index, sequence, *, recipe):
    """Image ``index`` with its labels; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    families = list(recipe.materials.values())
    material, turn = index % len(families), index // len(families)
    crystal = turn % len(families[material])
    specimen, view, thickness = scene(families[material][crystal], rng, recipe)
    lens, source_size = optics(rng, recipe)
    dose = np.exp(rng.uniform(*np.log(recipe.dose)))
    background, jitter = rng.uniform(*recipe.background), rng.uniform(*recipe.jitter) / view.pixel_size

    pictures = dict(zip(("no_background", "super_resolution"), rendered(specimen, view, lens, source_size), strict=True))
    # drawn here and not with the noise, since it is part of a label
    lit = formation.with_background(pictures["no_background"], rng=torch_rng, height=background)
    image = formation.temimagenet(lit, rng=torch_rng, dose=dose, background=0.0, jitter=jitter)
    pictures |= {"image": image, "no_noise": lit}
    columns = view.table(specimen.columns)
    seen = visible(columns, lit * (dose / lit.max()), dose / lit.max(), lens, source_size, view)
    settings = [lens.energy, lens.semiangle_cutoff, lens.defocus, source_size, thickness, view.angle, dose, background, jitter]
    return {
        **{name: (picture[0] / picture.max()).numpy().astype(np.float16) for name, picture in pictures.items()},
        **masks(columns[["y", "x"]].to_numpy()[seen], view, recipe),
        "columns": pad(column_rows(columns), ROOM, "columns"),
        "visible": np.pad(seen, (0, ROOM - len(seen))),
        "electrons": np.float32([image.max(), dose, dose * pictures["no_background"].max() / lit.max()]),
        "material": np.uint8(material),
        "crystal": np.uint8(sum(map(len, families[:material])) + crystal),
        "pixel_size": np.float32(view.pixel_size),
        "settings": np.float32(settings),
    }


def scene(crystal, rng, recipe):
    """A specimen, a `View` of it and the specimen's thickness [Å], or the number of its layers."""
    view = View(rng.uniform(*recipe.field_of_view) / SIZE, (SIZE, SIZE), (0.0, 0.0), rng.uniform(0, 360))
    reach = view.radius + np.sqrt(2) * forward.TAILS + SHIFT  # so that no side of the specimen shows
    thickness = rng.uniform(*recipe.thickness)
    name, _, layers = crystal.partition(" × ")
    specimen = structures.build(name, 2 * reach, thickness=thickness, layers=int(layers or 1))
    centre = np.array(specimen.size) / 2 + rng.uniform(-SHIFT, SHIFT, 2)
    return specimen, replace(view, centre=tuple(centre)), float(layers or thickness)


def optics(rng, recipe):
    """A lens and the size of the effective source [Å]."""
    energy = rng.uniform(*recipe.energy)
    alpha = 0.61 * wavelength(energy) / rng.uniform(*recipe.resolution)  # rad
    defocus = rng.uniform(*recipe.defocus) * wavelength(energy) / alpha**2
    return Lens(energy, 1e3 * alpha, defocus), rng.uniform(*recipe.source_size)


def rendered(specimen, view, lens, source_size):
    """The noise-free image, and that of a probe half as wide: two (1, H, W) float tensors."""
    sharp = replace(lens, semiangle_cutoff=2 * lens.semiangle_cutoff, defocus=0.0)
    probes = [(lens, source_size, ATOM_SIZE), (sharp, source_size / 2, ATOM_SIZE / 2)]
    for lens, source_size, atom_size in probes:
        image = forward.render(specimen, **vars(view), lens=lens, source_size=source_size, atom_size=atom_size).image
        yield torch.from_numpy(image)[None]


def visible(columns, electrons, gain, lens, source_size, view):
    """Which columns an expert could find: (N,) bool array.

    Those with a tenth of the strongest one's strength or more, if most columns of the same elements count: if they stand
    above the noise (Rose's criterion), on no steep slope, and above what lies between them and their neighbours.

    Parameters
    ----------
    columns : DataFrame with y, x [px] and strength [-]
    electrons : (1, H, W) float tensor, the noise-free image [e⁻]
    gain : float tensor, electrons per unit of a rendered image [e⁻ Å²]
    lens, source_size, view : of the image
    """
    shape = (SIZE, SIZE)
    transfer = forward.lens_transfer(shape, view.pixel_size, lens, np.hypot(source_size, ATOM_SIZE))
    point = forward.splat(torch.full((1, 2), SIZE / 2.0), torch.ones(1), torch.zeros(1, dtype=torch.long), 1, shape)
    peak = forward.convolve(point, transfer).max()  # of an image whose sum is 1 [-]
    n, width = len(columns), (2 * torch.pi * peak) ** -0.5  # px, of the Gaussian with this peak
    amplitude = torch.from_numpy(columns["strength"].to_numpy(np.float32)) * peak * gain / view.pixel_size**2
    places = torch.from_numpy(columns[["y", "x"]].to_numpy(np.float32))
    nothing = torch.zeros(n)
    standing = visibility.Columns(places, nothing.long(), amplitude, width.expand(n), nothing, nothing)
    kinds, pairs = visibility.classify(electrons, standing), visibility.near_pairs(standing)
    apart = visibility.grade(visibility.rises(electrons, standing, pairs))
    kinds.scatter_reduce_(0, pairs.ravel(), apart.ravel(), "amin")
    # who sees one half of a sublattice labels all of it; at the border, single columns would lack their neighbours
    common = columns.assign(seen=kinds.numpy() == visibility.Visibility.COUNTS).groupby("species")["seen"].transform("mean")
    return (common.to_numpy() >= 0.5) & (amplitude >= FAINTEST * amplitude.max()).numpy()


def masks(places, view, recipe):
    """The Gaussian and the circular mask of (N, 2) places [px]."""
    pixels = np.stack(np.meshgrid(*map(np.arange, view.shape), indexing="ij"), -1)
    distance = view.pixel_size * cKDTree(places).query(pixels)[0] if len(places) else np.full(view.shape, np.inf)  # Å
    gaussian = np.exp(-0.5 * (distance / recipe.gaussian) ** 2)
    return {"gaussian_mask": gaussian.astype(np.float16), "circular_mask": (distance <= recipe.circle).astype(np.uint8)}
