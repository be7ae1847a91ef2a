"""Columns under a user's hands: the network looks once, then its two parameters and every click are applied anew.

What is shown is a function of `Settings` alone, so that a batch that is given them gets the same columns.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from scipy.spatial import cKDTree

from atomwork.analysis import detect
from atomwork.columns import fit

NUMBERS = {"add": 2, "remove": 2, "move": 4}  # coordinates that each kind of edit has
GRASP = 0.5  # of the spacing, within which a click takes hold of a column
TOUCHED = 2.5  # spacings from an edit within which columns are fitted anew
BESIDE = 5.0  # spacings within which others are fitted with them, and keep what they were
FITTED = ["y", "x", "y_std", "x_std", "amplitude", "background", "width"]


@dataclass(frozen=True)
class Settings:
    """What columns are a function of, beside the image.

    Attributes
    ----------
    lower_bound, window_size : float, float or None, see `detect.detect`
    edits : tuple of ("add", y, x), ("remove", y, x) or ("move", y, x, to y, to x), places in px, in their order
    """

    lower_bound: float = 0.1
    window_size: float | None = None
    edits: tuple = ()

    @classmethod
    def of(cls, parameters):
        """Those among a notebook's or a file's parameters.

        Raises
        ------
        ValueError : an edit of an unknown kind, or without its coordinates
        """
        edits = tuple((str(kind), *map(float, places)) for kind, *places in parameters.get("edits") or ())
        for kind, *places in edits:
            if NUMBERS.get(kind) != len(places) or not np.isfinite(places).all():
                raise ValueError(
                    f"edit {[kind, *places]} is none; give one of {', '.join(NUMBERS)} with y, x (and y, x to move to) in px."
                )
        window_size = parameters.get("window_size")
        return cls(float(parameters.get("lower_bound", 0.1)), None if window_size is None else float(window_size), edits)

    def parameters(self):
        """The same as a notebook's parameters: plain numbers, strings and lists."""
        return {"lower_bound": self.lower_bound, "window_size": self.window_size, "edits": [list(edit) for edit in self.edits]}


class Editing:
    """An image's columns, their parameters and edits, with undo and a log on disk.

    Parameters
    ----------
    image : Micrograph or (H, W) float array
    model : str, see `detect.detect`
    settings : Settings to begin with
    log : path of a YAML file that is written anew at every change, or None
    about : dict of other parameters that the log names, such as the image's path

    Attributes
    ----------
    settings : Settings
    columns : DataFrame, see `detect.detect`; what was added by hand has the confidence 1
    """

    def __init__(self, image, *, model="atomid", settings=None, log=None, about=None):
        self.image, self.model = image, model
        self.pixels = np.asarray(getattr(image, "image", image))
        self.seen = detect.look(self.pixels, model=model)
        self.past, self.future = [], []
        self.log, self.about = None if log is None else Path(log), {"model": model, **(about or {})}
        self.settings = settings or Settings()
        self.update()

    def update(self):
        """Columns by the settings as they are, and the log."""
        table = detect.columns(
            self.pixels, self.seen, lower_bound=self.settings.lower_bound, window_size=self.settings.window_size
        )
        table.attrs.update(pixel_size=getattr(self.image, "pixel_size", None), source=getattr(self.image, "name", "array"))
        self.columns = edited(self.pixels, table, self.settings.edits)
        if self.log is not None:
            write_log(self.log, {**self.about, **self.settings.parameters()})

    def change(self, **parameters):
        """Set ``lower_bound`` or ``window_size``."""
        self.become(replace(self.settings, **parameters))

    def edit(self, kind, *places):
        """Add, remove or move a column, see `Settings`: whether there was one to take hold of, if one is needed."""
        settings = Settings.of({**self.settings.parameters(), "edits": [*self.settings.edits, (kind, *places)]})
        held = kind == "add" or self.grasped(places[:2])
        if held:
            self.become(settings)
        return held

    def grasped(self, place):
        """Whether a column lies within reach of a click at a place (2,) [px]."""
        apart = np.linalg.norm(self.columns[["y", "x"]].to_numpy() - place, axis=1)
        return bool((apart <= GRASP * self.columns.attrs["spacing"]).any())

    def become(self, settings):
        """Take other settings, which can be undone."""
        if settings != self.settings:
            self.past.append(self.settings)
            self.future.clear()
            self.settings = settings
            self.update()

    def undo(self):
        """Go back by one change, if there is one."""
        self.step(self.past, self.future)

    def redo(self):
        """Take back the last undo, if there is one."""
        self.step(self.future, self.past)

    def step(self, source, target):
        """Exchange the settings with the last ones of a list."""
        if source:
            target.append(self.settings)
            self.settings = source.pop()
            self.update()


def edited(image, table, edits):
    """Columns with edits applied in their order, and fitted anew around them.

    Parameters
    ----------
    image : (H, W) float array
    table : DataFrame of `detect.columns`
    edits : see `Settings`

    Returns
    -------
    DataFrame : in reading order; a removal far from any column changes nothing
    """
    spacing = table.attrs["spacing"]
    places, by_hand, rows = table[["y", "x"]].to_numpy(float), np.zeros(len(table), bool), np.arange(len(table))
    for kind, *numbers in edits:
        start = np.array(numbers[:2])
        if kind != "add":
            distance = np.linalg.norm(places - start, axis=1)
            if not len(distance) or distance.min() > GRASP * spacing:
                continue
            keep = np.arange(len(places)) != distance.argmin()
            places, by_hand, rows = places[keep], by_hand[keep], rows[keep]
        if kind != "remove":
            places, by_hand, rows = np.vstack([places, numbers[-2:]]), np.append(by_hand, True), np.append(rows, -1)
    if not edits:
        return table
    result = table.iloc[rows].reset_index(drop=True)
    result.loc[by_hand, :] = np.nan
    result.loc[by_hand, "confidence"] = 1.0
    result[["y", "x"]] = places
    refitted(image, result, np.reshape([edit[k : k + 2] for edit in edits for k in range(1, len(edit), 2)], (-1, 2)), spacing)
    result = result.sort_values(["y", "x"], ignore_index=True)
    result.attrs = table.attrs
    return result


def refitted(image, table, centres, spacing):
    """Fit the columns of a table near centres (C, 2) anew, together with what lies beside them; the table is changed."""
    places = table[["y", "x"]].to_numpy(float)
    distance = cKDTree(centres).query(places)[0] / spacing if len(places) else np.zeros(0)
    beside = np.flatnonzero(distance < BESIDE)
    if len(beside):
        touched = distance[beside] < TOUCHED
        again = fit.refine(image, places[beside], spacing=spacing).loc[touched, FITTED]
        table.loc[beside[touched], FITTED] = again.to_numpy()


def write_log(path, parameters):
    """Write parameters as YAML under a temporary name and rename it."""
    temporary = path.with_suffix(".partial")
    temporary.write_text(yaml.safe_dump(parameters, sort_keys=False, allow_unicode=True), encoding="utf-8")
    os.replace(temporary, path)


def read_log(path):
    """The parameters that `write_log` wrote."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def replayed(image, parameters):
    """The columns of an image by the parameters of a log: what the panel showed when it was written.

    Parameters
    ----------
    image : Micrograph or (H, W) float array
    parameters : dict of `read_log`

    Returns
    -------
    DataFrame
    """
    return Editing(image, model=parameters.get("model", "atomid"), settings=Settings.of(parameters)).columns
