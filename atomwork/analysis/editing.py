"""Columns under a user's hands: the network looks once, then its two parameters and every click are applied anew.

What is shown is a function of `Settings` alone, so that a batch that is given them gets the same columns.
"""

import os
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pandas as pd
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
        self.image, self.pixels = image, np.asarray(getattr(image, "image", image))
        self.seen = detect.look(self.pixels, model=model)
        self.past, self.future = [], []
        self.log, self.about = None if log is None else Path(log), {"model": model, **(about or {})}
        self.settings = settings or Settings()
        self.update()

    def update(self, columns=None):
        """Columns by the settings as they are, if these are not known, and the log."""
        self.columns = self.found() if columns is None else columns
        if self.log is not None:
            write_log(self.log, {**self.about, **self.settings.parameters()})

    def found(self):
        """Columns by the settings alone."""
        reading = {"lower_bound": self.settings.lower_bound, "window_size": self.settings.window_size}
        table = detect.columns(self.pixels, self.seen, **reading)
        table.attrs.update(pixel_size=getattr(self.image, "pixel_size", None), source=getattr(self.image, "name", "array"))
        return reduce(partial(edited, self.pixels), self.settings.edits, table)

    def change(self, **parameters):
        """Set ``lower_bound`` or ``window_size``."""
        self.become(replace(self.settings, **parameters))

    def edit(self, kind, *places):
        """Add, remove or move a column, see `Settings`: whether there was one to take hold of, if one is needed."""
        settings = Settings.of({**self.settings.parameters(), "edits": [*self.settings.edits, (kind, *places)]})
        columns = edited(self.pixels, self.columns, settings.edits[-1])
        if columns is self.columns:
            return False
        self.become(settings, columns)
        return True

    def become(self, settings, columns=None):
        """Take other settings, which can be undone, with their columns if these are known."""
        if settings != self.settings:
            self.past.append(self.settings)
            self.future.clear()
            self.settings = settings
            self.update(columns)

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


def edited(image, table, edit):
    """Columns with one edit, and fitted anew around it.

    Parameters
    ----------
    image : (H, W) float array
    table : DataFrame of `detect.columns`
    edit : see `Settings`

    Returns
    -------
    DataFrame : in reading order; the same table if the edit takes hold of no column
    """
    kind, *numbers = edit
    places, spacing = table[["y", "x"]].to_numpy(float), table.attrs["spacing"]
    result = table
    if kind != "add":
        distance = np.linalg.norm(places - numbers[:2], axis=1)
        if not len(distance) or distance.min() > GRASP * spacing:
            return table
        result = result.drop(index=int(distance.argmin()))
    if kind != "remove":
        by_hand = dict(zip(("y", "x"), numbers[-2:], strict=True)) | {"confidence": 1.0}
        result = result.reset_index(drop=True)
        result.loc[len(result)] = pd.Series(by_hand, table.columns, float)
    result = refitted(image, result, np.reshape(numbers, (-1, 2)), spacing).sort_values(["y", "x"], ignore_index=True)
    result.attrs = table.attrs
    return result


def refitted(image, table, centres, spacing):
    """The table with its columns near centres (C, 2) fitted anew, together with what lies beside them."""
    places = table[["y", "x"]].to_numpy(float)
    if not len(places):
        return table
    distance = cKDTree(centres).query(places)[0] / spacing
    beside = np.flatnonzero(distance < BESIDE)
    touched = distance[beside] < TOUCHED
    if not touched.any():
        return table
    again = fit.refine(image, places[beside], spacing=spacing)[FITTED].to_numpy()[touched]
    values = np.array(table[FITTED], float)
    values[beside[touched]] = again
    return table.assign(**dict(zip(FITTED, values.T, strict=True)))


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
