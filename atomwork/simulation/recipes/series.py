"""Series of frames of one place, each with another current and defocus, that drift while they are scanned.

What the labelling of noisy frames from sharp ones is built for: ten frames whose brightest pixels expect 2 to 200
electrons. The specimen creeps on and trembles all the time, and jumps between frames; so every row of every frame lies
elsewhere, and the truth says where in each frame a column is.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from atomwork.image import Micrograph
from atomwork.simulation import crystals, formation, forward, noise, point_defects, scattering, structures, visibility
from atomwork.simulation.optics import Lens
from atomwork.simulation.recipes.tables import heaviest
from atomwork.simulation.specimen import column_places
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View
from atomwork.simulation.visibility import Visibility

DETECTOR = {"inner": 45.0, "outer": 180.0}  # mrad
ENERGY = 300e3  # eV
SURROUNDINGS = 20.0  # Å of crystal around the view
BORDER = 4  # px drawn beyond what any frame shows
LENGTH = 6000  # columns that the tables have room for
FAINTEST = 0.25  # brightness over the brightest column's from which a label is asked for [-]
COLUMNS = "atomic number of the heaviest element, atoms, brightness over the brightest's, visibility (2: counts)"
SETTINGS = ("dose", "defocus", "jitter", "readout")


@dataclass(frozen=True)
class Recipe:
    """What a series is drawn from; deviations are standard deviations."""

    material: str = "MoS2"
    pixel_size: float = 0.2  # Å
    size: int = 384  # px
    n_frames: int = 10
    thickness: float = 40.0  # of a bulk crystal [Å]
    vacancies: float = 0.01  # of the sites of each element [-]
    dose: tuple = (2.0, 200.0)  # lowest and highest; in equal ratios and in random order [e⁻/px in the brightest pixel]
    defocus: float = 25.0  # deviation [Å]
    background: tuple = (0.02, 0.3)  # over the brightest pixel, uniform [-]
    source_size: tuple = (0.25, 0.5)  # deviation of the effective source, uniform [Å]
    jump: float = 4.0  # deviation of the jumps between frames, along either axis [px]
    drift: float = 3.0  # deviation of the drift while a frame is scanned, along either axis [px]
    tremble: float = 0.5  # deviation of the slow swaying about it, along either axis [px]
    jitter: float = 0.3  # largest deviation of single rows along x [px]
    readout: float = 0.3  # largest deviation of readout noise [e⁻]


@dataclass(frozen=True)
class Series:
    """Frames of one place and their truth.

    Attributes
    ----------
    frames : tuple of Micrograph, counts [e⁻]; ``metadata`` holds the `SETTINGS`
    clean : (n, H, W) float32 array, expected electrons [e⁻]
    rows : (n, H, 2) float array, how far the place that a row shows is from where it would be without drift, y and x [px]
    truth : DataFrame with a row for each column in each frame that shows its centre: frame, column, y, x [px], species,
        n_atoms, brightness over the brightest column's, visibility; a column is what shows as one maximum, and its
        `visibility.Visibility` is that under the optics and dose of the frame ``sharpest``
    sharpest : int, the frame in which most columns count
    """

    frames: tuple
    clean: np.ndarray
    rows: np.ndarray
    truth: pd.DataFrame
    sharpest: int

    @property
    def spacing(self):
        """Median distance of the columns that count to the nearest one, in the sharpest frame [px]."""
        own = self.truth[(self.truth["frame"] == self.sharpest) & (self.truth["visibility"] == Visibility.COUNTS)]
        return float(np.median(cKDTree(own[["y", "x"]]).query(own[["y", "x"]], k=2)[0][:, 1]))

    def asked(self, frame, faintest=FAINTEST):
        """The columns of a frame for which its labels are asked, and those for which they are neither praised nor blamed.

        Asked for is what counts in the sharpest frame by the rule of `visibility`, stands at least half a spacing within
        that frame's border, and is at least ``faintest`` times as bright as the brightest column.

        Returns
        -------
        asked, optional : two DataFrames, rows of ``truth``
        """
        margin, size = self.spacing / 2, np.array(self.frames[0].image.shape)
        own = self.truth[self.truth["frame"] == self.sharpest]
        whole = ((own[["y", "x"]] >= margin) & (own[["y", "x"]] <= size - 1 - margin)).all(axis=1)
        counting = own[whole & (own["visibility"] == Visibility.COUNTS) & (own["brightness"] >= faintest)]
        there = self.truth[self.truth["frame"] == frame]
        chosen = there["column"].isin(counting["column"])
        return there[chosen], there[~chosen]


def dataset(n_images=8, recipe=None):
    """Series of frames with their truth.

    Parameters
    ----------
    n_images : int, number of series
    recipe : Recipe; as it is by default if None

    Returns
    -------
    DataSet : image and clean (n_frames, H, W) [e⁻], rows (n_frames, H, 2) [px], columns (6000, 4), positions
        (n_frames, 6000, 2) [px] with NaN where a frame does not show a column, settings (n_frames, 4)
    """
    recipe = recipe or Recipe()
    n, size = recipe.n_frames, recipe.size
    arrays = {
        "image": Array((n, size, size), "float32", "(frame, y, x) electrons [e⁻]"),
        "clean": Array((n, size, size), "float32", "(frame, y, x) expected electrons without noise [e⁻]"),
        "rows": Array((n, size, 2), "float32", "(frame, row) displacement of the place it shows, y, x [px]"),
        "columns": Array((LENGTH, 4), "float32", COLUMNS),
        "positions": Array((n, LENGTH, 2), "float32", "(frame, column) y, x [px]"),
        "settings": Array((n, len(SETTINGS)), "float32", "dose [e⁻/px], defocus [Å], jitter [px], readout [e⁻]"),
    }
    parameters = {**asdict(recipe), "detector": DETECTOR, "energy": ENERGY, "settings": list(SETTINGS)}
    return DataSet("series", n_images, arrays, partial(draw, recipe=recipe), parameters, block=1)


def draw(index, sequence, *, recipe):
    """Series ``index`` with its truth as arrays; see `dataset`."""
    series = record(recipe, sequence)
    columns = series.truth.drop_duplicates("column").sort_values("column")
    known = [heaviest(columns), columns["n_atoms"], columns["brightness"], columns["visibility"]]
    positions = np.full((recipe.n_frames, LENGTH, 2), np.nan, np.float32)
    positions[series.truth["frame"], series.truth["column"]] = series.truth[["y", "x"]]
    return {
        "image": np.stack([frame.image for frame in series.frames]),
        "clean": series.clean,
        "rows": np.float32(series.rows),
        "columns": pad(np.stack(known, -1), LENGTH, "columns"),
        "positions": positions,
        "settings": np.float32([[frame.metadata[name] for name in SETTINGS] for frame in series.frames]),
    }


def record(recipe, sequence):
    """A series of frames with its truth.

    Parameters
    ----------
    recipe : Recipe
    sequence : numpy.random.SeedSequence, or int for one

    Returns
    -------
    Series
    """
    rng, torch_rng = formation.generators(sequence)
    rows = wander(recipe, rng)
    specimen, view, corner = scene(recipe, rows, rng)
    doses = rng.permutation(np.geomspace(*recipe.dose, recipe.n_frames))
    lenses = [Lens(ENERGY, 25.0, defocus) for defocus in rng.normal(0, recipe.defocus, recipe.n_frames)]
    optics = {"source_size": rng.uniform(*recipe.source_size)}
    optics["strength"] = scattering.cross_sections(set(specimen.atoms.symbols), lens=lenses[0], **DETECTOR)
    images = [forward.render(specimen, **vars(view), lens=lens, **optics).image for lens in lenses]
    lit = [image + image.max() * rng.uniform(*recipe.background) for image in images]
    electrons = np.stack([image * (dose / image.max()) for image, dose in zip(lit, doses, strict=True)])
    clean = np.stack([scanned(image, path - corner) for image, path in zip(electrons, rows, strict=True)])
    settings = {"jitter": rng.uniform(0, recipe.jitter, len(doses)), "readout": rng.uniform(0, recipe.readout, len(doses))}
    peaks = clean.max((1, 2))
    image = noise.degrade(torch.from_numpy(clean), rng=torch_rng, dose=torch.from_numpy(peaks), **settings)
    told = pd.DataFrame({"dose": doses, "defocus": [lens.defocus for lens in lenses], **settings}).to_dict("records")
    frames = [
        Micrograph(i.numpy(), recipe.pixel_size, f"frame {k}", s) for k, (i, s) in enumerate(zip(image, told, strict=True))
    ]
    shown = [point_spread(view.pixel_size, lens, optics["source_size"]) for lens in lenses]
    scales = [dose / light.max() for light, dose in zip(lit, doses, strict=True)]
    columns, sharpest = judged(specimen, view, optics["strength"], electrons, scales, shown)
    return Series(tuple(frames), clean, rows, placed(columns, rows, corner), sharpest)


def wander(recipe, rng):
    """Displacement of every row of every frame, y and x, the first frame's first row being at rest: (n, H, 2) [px]."""
    time = np.arange(recipe.n_frames)[:, None] + np.linspace(0, 0.9, recipe.size)  # the rest of a frame's time is the way back
    path = time[..., None] * rng.normal(0, recipe.drift, 2)
    path += np.cumsum(rng.normal(0, recipe.jump, (recipe.n_frames, 1, 2)), 0)
    periods = np.geomspace(0.3, 3.0, 6)  # of a frame's time
    share = periods / np.linalg.norm(periods)
    phases = rng.uniform(0, 2 * np.pi, (len(periods), 2))
    for period, part, phase in zip(periods, share, phases, strict=True):
        path += np.sqrt(2) * recipe.tremble * part * np.sin(2 * np.pi * time[..., None] / period + phase)
    return path - path[0, 0]


def scene(recipe, rows, rng):
    """A crystal with vacancies, the view that holds all frames, and where its corner lies in them (2,) [px]."""
    corner = np.floor(rows.min((0, 1))) - BORDER
    shape = tuple((np.ceil(rows.max((0, 1))) - corner).astype(int) + recipe.size + BORDER)
    size = recipe.pixel_size * np.hypot(*shape) + 2 * SURROUNDINGS
    specimen = structures.build(recipe.material, size, thickness=recipe.thickness)
    elements = sorted(set(crystals.find(recipe.material).atoms.get_chemical_symbols()))
    specimen = point_defects.introduce(specimen, {f"V_{symbol}:1": recipe.vacancies for symbol in elements}, rng=rng)
    return specimen, View(recipe.pixel_size, shape, tuple(np.array(specimen.size) / 2), float(rng.uniform(0, 360))), corner


def scanned(image, path):
    """What rows (H, 2) displaced by ``path`` [px of the image] see of it: (H, H) float32 array."""
    grid = np.arange(len(path), dtype=float)
    rows, columns = np.broadcast_arrays((grid + path[:, 0])[:, None], grid + path[:, 1:])
    return map_coordinates(image, (rows, columns), order=3, output=np.float32).clip(0)


def point_spread(pixel_size, lens, source_size):
    """Height of an atom of unit strength [1/Å²] and the standard deviation of a Gaussian as wide at half of it [px]."""
    shape, middle = (128, 128), torch.tensor([[64.0, 64.0]])
    impulse = forward.splat(middle, torch.ones(1), torch.zeros(1, dtype=torch.long), 1, shape)
    width = np.hypot(source_size, 0.08)  # as `forward.render` has it
    spread = forward.convolve(impulse / pixel_size**2, forward.lens_transfer(shape, pixel_size, lens, width))[0]
    profile = spread[64, 64:].numpy()
    last = int(np.argmax(profile < profile[0] / 2))
    half = last - 1 + (profile[last - 1] - profile[0] / 2) / (profile[last - 1] - profile[last])
    return float(profile[0]), float(half / np.sqrt(2 * np.log(2)))


def judged(specimen, view, strength, electrons, scales, shown):
    """The columns as the frame shows them in which most count, and that frame.

    Parameters
    ----------
    strength : dict, element -> strength [Å²]
    electrons : (n, H, W) array, expected electrons in the view [e⁻]
    scales : (n,) floats, electrons for an intensity of 1 [e⁻ Å²]
    shown : (n,) pairs, see `point_spread`

    Returns
    -------
    columns : DataFrame with y, x [px of the view], species, n_atoms, brightness, visibility
    sharpest : int
    """
    known = specimen.columns
    pixels = view.to_pixels(known[["y", "x"]].to_numpy(float))
    seen = view.contains(pixels)
    known, pixels = known[seen].reset_index(drop=True), pixels[seen]
    weight = column_weights(specimen, strength)[seen]
    grades = [
        visibility.judge(torch.from_numpy(image)[None], as_columns(pixels, weight * height * scale, width))
        for image, scale, (height, width) in zip(electrons, scales, shown, strict=True)
    ]
    sharpest = int(np.argmax([(kinds == Visibility.COUNTS).sum() for _, _, kinds in grades]))
    places, _, kinds = (values.numpy() for values in grades[sharpest])
    nearest = cKDTree(pixels).query(places)[1]
    table = pd.DataFrame(places.astype(float), columns=["y", "x"])
    table = table.assign(**known.iloc[nearest][["species", "n_atoms"]].reset_index(drop=True))
    return table.assign(brightness=weight[nearest] / weight.max(), visibility=kinds), sharpest


def column_weights(specimen, strength):
    """Strength of every column, the sum over its atoms (N,) [Å²]."""
    labels, _ = column_places(specimen.atoms)
    return np.bincount(labels, [strength[symbol] for symbol in specimen.atoms.symbols])


def as_columns(pixels, amplitude, width):
    """`visibility.Columns` of one image without readout noise or support."""
    like = torch.ones(len(pixels))
    places, amplitude = torch.from_numpy(pixels).float(), torch.from_numpy(amplitude).float()
    return visibility.Columns(places, torch.zeros(len(pixels), dtype=torch.long), amplitude, width * like, 0 * like, 0 * like)


def placed(columns, rows, corner):
    """Columns of the view in every frame whose rows (n, H, 2) are displaced; see `Series.truth`."""
    tables = []
    for frame, path in enumerate(rows):
        grid = np.arange(len(path))
        y = np.interp(columns["y"] + corner[0], grid + path[:, 0], grid, left=np.nan, right=np.nan)
        x = columns["x"] + corner[1] - np.interp(y, grid, path[:, 1])
        table = columns.assign(frame=frame, column=np.arange(len(columns)), y=y, x=x)
        tables.append(table[np.isfinite(y) & x.between(0, len(path) - 1)])
    names = ["frame", "column", "y", "x", "species", "n_atoms", "brightness", "visibility"]
    table = pd.concat(tables, ignore_index=True)[names]
    return table.assign(column=np.unique(table["column"], return_inverse=True)[1])  # those that no frame shows are left out
