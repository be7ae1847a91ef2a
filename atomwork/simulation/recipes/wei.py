"""A benchmark of column detectors: SrTiO3 [100] and a WS2 monolayer with one quality of the image swept at a time.

After Wei, Blaiszik, Morgan & Voyles, who ask from which value of a quality on a detector fails; the values are ours. The
other qualities stay at a default at which all but the faintest columns are easily seen. The model is linear and an image is
scaled to its dose, so that the specimen's thickness plays no part.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from atomwork.simulation import formation, forward, structures
from atomwork.simulation.optics import Lens
from atomwork.simulation.recipes.tables import COLUMNS, column_rows
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View

SIZE = 256  # px
IMAGES = 1800
STRUCTURES = ("SrTiO3 [100]", "WS2")
THICKNESS = 7.81  # Å, of SrTiO3, two cells
DENSEST = 0.3  # columns/Å², SrTiO3's and some more
FINE = 0.3  # Å; larger pixels are picked from an image of smaller ones, as a scanned probe samples points
LENS = Lens(energy=200e3, semiangle_cutoff=25.0)
DEFAULT = {
    "pixel_size": 0.15,  # Å
    "dose": 100.0,  # e⁻ expected in the brightest pixel, background included
    "source_size": 0.35,  # Å, standard deviation of the effective source, which sets the resolution
    "background": 0.1,  # height of a smooth background over the brightest column
    "gradient": 0.0,  # share of the brightness that is lost from one side of the image to the other, as in a wedge
    "jitter": 0.1,  # px, standard deviation of a scan line's displacement
}
SWEEPS = {
    "pixel_size": (0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.45, 0.6, 0.8),
    "dose": (100.0, 20.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1),
    "source_size": (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6),
    "background": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    "gradient": (0.0, 0.3, 0.6, 0.8, 0.9, 0.95),
    "jitter": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
}


def dataset(n_images=IMAGES, *, sweeps=SWEEPS, default=DEFAULT):
    """Images of every structure at every value of every quality, in turn.

    Angle and place of the crystal are random. The table holds all columns in the field; which of them a detector is asked
    for is the benchmark's to say. Strengths over the brightest: Sr 1, Ti O 0.44, O 0.07; W 1, S 0.15.

    Parameters
    ----------
    n_images : int; a multiple of the number of points, twice that of values, has all equally often; 20 each by default
    sweeps : dict, quality -> its values, for some or all qualities of `DEFAULT`
    default : dict, quality -> its value while another one is swept

    Returns
    -------
    DataSet : image (256, 256); columns, point (the row of `points`), structure, quality, value, pixel_size

    Raises
    ------
    ValueError : an unknown quality
    """
    if unknown := sorted((sweeps.keys() | default.keys()) - DEFAULT.keys()):
        raise ValueError(f"qualities {', '.join(map(repr, unknown))} are unknown; choose from {', '.join(DEFAULT)}.")
    parameters = {"sweeps": sweeps, "default": {**DEFAULT, **default}, "structures": STRUCTURES}
    table = points(parameters)
    room = int(DENSEST * (SIZE * table["pixel_size"].max()) ** 2)
    parameters |= {"n_per_point": n_images / len(table), "size": SIZE, "thickness": THICKNESS, "lens": vars(LENS)}
    arrays = {
        "image": Array((SIZE, SIZE), "float32", "(y, x) electrons [e⁻]"),
        "columns": Array((room, 5), "float32", f"{COLUMNS}, strength over the brightest"),
        "point": Array((), "uint16", "structure, quality and value, numbered"),
        "structure": Array((), "uint8", f"index into {', '.join(STRUCTURES)}"),
        "quality": Array((), "uint8", f"index into {', '.join(DEFAULT)}"),
        "value": Array((), "float32", "of the quality"),
        "pixel_size": Array((), "float32", "[Å]"),
    }
    return DataSet("wei", n_images, arrays, partial(draw, rows=table.to_dict("records"), room=room), parameters)


def points(parameters):
    """The table of the sweeps: which structure, quality and value image k shows, which is point k modulo its length.

    Parameters
    ----------
    parameters : dict, those of the data set, also as a store has them

    Returns
    -------
    DataFrame : structure, quality, value, and all qualities as that point has them
    """
    sweeps, default = parameters["sweeps"], {quality: parameters["default"][quality] for quality in DEFAULT}
    swept = [(quality, value) for quality in DEFAULT if quality in sweeps for value in sweeps[quality]]
    rows = [
        {"structure": structure, "quality": quality, "value": value, **default, quality: value}
        for structure in parameters["structures"]
        for quality, value in swept
    ]
    return pd.DataFrame(rows)


def draw(index, sequence, *, rows, room):
    """Image ``index``; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    number = index % len(rows)
    point = rows[number]
    specimen = structures.build(point["structure"], 0.1, thickness=THICKNESS)  # one repeat, which goes on in all directions
    centre = rng.uniform(0, 1, 2) * specimen.size
    view = View(point["pixel_size"], (SIZE, SIZE), tuple(centre), rng.uniform(0, 360))
    clean = sampled(specimen, view, point["source_size"]) * wedge(view, point["gradient"], rng.uniform(0, 2 * np.pi))
    strengths = {name: point[name] for name in ("dose", "background", "jitter")}
    image = formation.temimagenet(torch.from_numpy(clean)[None], rng=torch_rng, **strengths)
    columns = view.table(everywhere(specimen, view))
    relative = columns["strength"] / specimen.columns["strength"].max()
    return {
        "image": image[0].numpy(),
        "columns": pad(np.column_stack([column_rows(columns), relative]), room, "columns"),
        "point": np.uint16(number),
        "structure": np.uint8(STRUCTURES.index(point["structure"])),
        "quality": np.uint8(list(DEFAULT).index(point["quality"])),
        "value": np.float32(point["value"]),
        "pixel_size": np.float32(view.pixel_size),
    }


def sampled(specimen, view, source_size):
    """The noise-free image: (H, W) float32 array. A pixel shows the place of its centre, however large it is."""
    step = int(np.ceil(view.pixel_size / FINE))
    fine = replace(view, pixel_size=view.pixel_size / step, shape=tuple((n - 1) * step + 1 for n in view.shape))
    return forward.render(specimen, **vars(fine), lens=LENS, source_size=source_size).image[::step, ::step]


def wedge(view, gradient, direction):
    """Brightness that falls from 1 to 1 − ``gradient`` across a view in a ``direction`` [rad]: (H, W) float32 array."""
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in view.shape), indexing="ij")
    along = y * np.sin(direction) + x * np.cos(direction)
    return (1 - gradient * (along - along.min()) / np.ptp(along)).astype(np.float32)


def everywhere(specimen, view):
    """The columns of a specimen that repeats, over all of a view and beyond: DataFrame as `Specimen.columns`."""
    low, high = (np.floor((np.array(view.centre) + way * view.radius) / specimen.size).astype(int) for way in (-1, 1))
    cells = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    cells = cells.reshape(-1, 2) * specimen.size
    columns = specimen.columns
    shifts = dict(zip("yx", np.repeat(cells, len(columns), axis=0).T, strict=True))
    repeated = columns.loc[np.tile(columns.index, len(cells))].reset_index(drop=True)
    return repeated.assign(**{axis: repeated[axis] + shift for axis, shift in shifts.items()})
