"""Frames with the truth about their columns: a folder with labels, and the fixed test and validation frames."""

import warnings
from pathlib import Path

import numpy as np

from atomwork import micrograph
from atomwork.columns import export, neighbours
from atomwork.columns.labels import HIT, LabelledFrame, darker, of_batch
from atomwork.simulation import datasets, stores
from atomwork.simulation.recipes import frames as recipe
from atomwork.simulation.recipes import scans, series


def read(folder, *, tolerance=None):
    """The labelled frames of a folder: each image NAME.tif (or any other ending) that a table NAME.csv stands beside.

    Parameters
    ----------
    folder : path
    tolerance : float, largest distance of a hit [px]; a quarter of the median distance of neighbouring labels if None

    Returns
    -------
    list of LabelledFrame, in the order of their names

    Raises
    ------
    FileNotFoundError : no such folder, or no image in it has a table
    ValueError : a table without columns y and x, with something else than numbers, or with places outside its image
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give one that holds images and, for each, a CSV table of y and x.")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.lower() != ".csv"]
    images = [path for path in files if path.with_suffix(".csv").is_file()]
    if not images:
        raise FileNotFoundError(f"{folder} holds no image with labels; beside NAME.tif put NAME.csv with columns y and x.")
    endings = {path.suffix for path in images}
    bare = [path.name for path in files if path.suffix in endings and path not in images]
    if bare:
        warnings.warn(f"{len(bare)} images in {folder} have no labels and are left out, the first {bare[0]}.", stacklevel=2)
    return [labelled_frame(path, tolerance) for path in images]


def labelled_frame(path, tolerance):
    """One image with the places [px] in the table beside it; see `read`."""
    recorded, table = micrograph.load(path), path.with_suffix(".csv")
    image = recorded.image
    try:
        places = export.read_csv(table)[["y", "x"]].to_numpy(float)
    except ValueError as error:
        raise ValueError(f"{table.name} can't be read as labels ({error}); give numbers y and x in pixels.") from None
    outside = ~((places >= -0.5) & (places < np.array(image.shape) - 0.5)).all(1)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} of {len(places)} places in {table.name} lie outside its image of {image.shape[0]} × "
            f"{image.shape[1]} px; give y (down) and x (right) in pixels."
        )
    apart = float(np.median(neighbours.nearest_distance(places))) if len(places) > 1 else np.nan
    spacing = tolerance / HIT if tolerance else apart
    dark = darker(image, places, spacing)
    return LabelledFrame(image, places, spacing=spacing, dark=dark, name=path.name, pixel_size=recorded.pixel_size)


def drawn(per_group=60, which="test"):
    """The frames drawn with linear optics, in the groups of the test set.

    Test and validation frames show cells and crystals that training lacks.

    Parameters
    ----------
    per_group : int
    which : {"test", "validation", "training"}
    """
    for group, batch in datasets.grouped_images(per_group, which):
        yield from of_batch(batch, group)


def simulated(which="test", *, per_group=60, each=None, folder=None):
    """The fixed test set, or frames for tuning that it shares nothing with.

    Parameters
    ----------
    which : {"test", "validation"}
    per_group : int, frames drawn for each group with linear optics
    each : int, frames of each kind of structure that abTEM computed; all if None
    folder : path, see `computed`; without abTEM's frames if None

    Returns
    -------
    list of LabelledFrame
    """
    frames = list(drawn(per_group, which))
    if folder is not None:
        kinds = {}
        for frame in computed(which, folder):
            kinds.setdefault(frame.name, []).append(frame)
        frames += [frame for kind in kinds.values() for frame in kind[:each]]
    return frames


def computed(which="test", folder="results"):
    """The test or validation frames that abTEM computed, of every kind of structure.

    Parameters
    ----------
    which : {"test", "validation"}
    folder : path of the folder where the store stands; made there on the first call, in a minute from the
        scans that ship, in an hour or two where abTEM has to scan
    """
    store = stores.write(recipe.dataset(which), Path(folder) / f"frames-{which}.zarr", seed=scans.SEEDS[which])
    told = store.attrs["parameters"]
    groups, subjects = told["groups"], told["subjects"]
    dose, pixel_size = (told["settings"].index(name) for name in ("dose", "pixel_size"))
    for k in range(store.attrs["n_images"]):
        counted, optional = (rows[~np.isnan(rows[:, 0])] for rows in (store["counted"][k], store["optional"][k]))
        kind, spacing, dark = int(store["subject"][k]), float(store["spacing"][k]), bool(store["dark"][k])
        settings = store["settings"][k].tolist()
        known = spacing, dark, subjects[kind], groups[kind], settings[dose], settings[pixel_size]
        yield LabelledFrame(store["image"][k], counted, optional, *known)


def magnifications(material="MoS2", pixel_sizes=(0.08, 0.11, 0.16, 0.22, 0.3), *, size=512, dose=30.0, seed=0):
    """One crystal without vacancies, seen at several magnifications and the same peak dose.

    Parameters
    ----------
    material : see `structures.build`
    pixel_sizes : sequence of float [Å]
    size : int, side of the images [px]
    dose : float, in the brightest pixel [e⁻/px]
    seed : int
    """
    still = {"jump": 0.0, "drift": 0.0, "tremble": 0.0, "vacancies": 0.0, "n_frames": 1, "dose": (dose, dose)}
    for pixel_size in pixel_sizes:
        drawn = series.record(series.Recipe(material, pixel_size=pixel_size, size=size, **still), seed)
        asked, rest = (table[["y", "x"]].to_numpy() for table in drawn.asked(0))
        name = f"{material}, {pixel_size * size / 10:.1f} nm"
        yield LabelledFrame(drawn.frames[0].image, asked, rest, drawn.spacing, False, name, material, dose, pixel_size)
