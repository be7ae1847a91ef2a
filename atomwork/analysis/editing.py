"""Columns under a user's hands: the network looks once, then its two parameters and every click are applied anew."""

from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from atomwork.analysis import detect, edit_log
from atomwork.analysis.edits import COLUMN, GRASP, Settings, agreement, cared_for, edited, marks
from atomwork.image import Micrograph

KEPT = 8  # windows whose fits are kept


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
    seen : ConfidenceMap, what the network saw
    columns : DataFrame, see `detect.detect`; what was added by hand has the confidence 1. Fitted when first asked for
    """

    def __init__(self, image, *, model="atomid", settings=None, log=None, about=None):
        self.image, self.pixels = image, np.asarray(getattr(image, "image", image))
        self.past, self.future = [], []
        self.log, self.about = None if log is None else Path(log), dict(about or {})
        self.settings = settings or Settings()
        self.take(model)

    def take(self, model):
        """Look at the image by a model, whose name or path the log names from now on."""
        self.seen = detect.look(self.pixels, model=model)
        self.about["model"] = str(model)
        self.weighed = {}
        self.update()

    def update(self, columns=None):
        """Columns of the settings as they are, if these are known, and the log."""
        self._columns = columns
        if self.log is not None:
            edit_log.write(self.log, self.parameters())

    def parameters(self):
        """All that the columns follow from, as a notebook's parameters."""
        return {**self.about, **self.settings.parameters()}

    @property
    def micrograph(self):
        """The image as a Micrograph, without a scale if it came without."""
        return self.image if hasattr(self.image, "image") else Micrograph(self.pixels, None, "array")

    @property
    def columns(self):
        if self._columns is None:
            self._columns = self.mended(self.read(), self.pixels)
        return self._columns

    def glimpse(self):
        """The columns; where their fits would take a while, unfitted, with the map's height in place of their confidence."""
        if self._columns is not None or self.window() in self.weighed:
            return self.columns
        reading = {"lower_bound": self.settings.lower_bound, "window_size": self.settings.window_size}
        return self.mended(detect.columns(self.pixels, self.seen, refine=False, **reading), None)

    def mended(self, table, image):
        """A table of columns by the regions and the edits of columns; fitted anew around these if there is an image."""
        places = table[["y", "x"]].to_numpy(float)
        table = table[cared_for(places, self.settings)].reset_index(drop=True)
        table.attrs.update(pixel_size=self.micrograph.pixel_size, source=self.micrograph.name)
        return reduce(partial(edited, image), self.settings.among(COLUMN), table)

    def window(self):
        """What fits depend on: the window, and the lower bound where no judge weighs them by which it only chooses."""
        return self.settings.window_size, min(self.settings.lower_bound, detect.CANDIDATE if self.seen.judge else 1.0)

    def read(self):
        """Columns by the two parameters alone."""
        window = self.window()
        if window not in self.weighed:
            while len(self.weighed) >= KEPT:
                del self.weighed[next(iter(self.weighed))]
            self.weighed[window] = detect.weighed(self.pixels, self.seen, window_size=window[0], lower_bound=window[1])
        return detect.chosen(self.weighed[window], self.seen, self.settings.lower_bound)

    @property
    def truth(self):
        """The places that were marked as true columns, (M, 2) [px]."""
        return marks(self.settings, self.seen.spacing)

    def agreement(self):
        """`matching.Match` of the columns with the marked truth, or None where nothing was marked."""
        truth = self.truth
        return agreement(self.columns[["y", "x"]].to_numpy(float), truth, self.seen.spacing) if len(truth) else None

    def by_hand(self, columns):
        """Which columns (N) of a table were added, moved or made sure by hand: (N,) bool array."""
        places = np.array([edit[-2:] for edit in self.settings.among(["add", "move"])])
        sure = columns["confidence"].to_numpy(float) == 1
        if len(places) and sure.any():
            near = cKDTree(places).query(columns.loc[sure, ["y", "x"]])[0] <= GRASP * self.seen.spacing
            sure[sure] = near
            return sure
        return np.zeros(len(sure), bool)

    def labels(self):
        """The columns and, as not visible, what lies where nobody was asked to look: labels for `finetune.finetune`."""
        others = self.read()
        others = others[~cared_for(others[["y", "x"]].to_numpy(float), self.settings)]
        return pd.concat([self.columns.assign(visible=True), others.assign(visible=False)], ignore_index=True)

    def change(self, *, merge=False, **parameters):
        """Set ``lower_bound`` or ``window_size``; if asked for, as one change with the last."""
        self.become(replace(self.settings, **parameters), merge=merge)

    def edit(self, kind, *places):
        """Make an edit, see `Settings`: whether there was a column to take hold of, if one is needed."""
        settings = Settings.of({**self.settings.parameters(), "edits": [*self.settings.edits, (kind, *places)]})
        columns = self.columns if kind == "truth" else None
        if kind in COLUMN:
            columns = edited(self.pixels, self.columns, settings.edits[-1])
            if columns is self.columns:
                return False
        self.become(settings, columns)
        return True

    def become(self, settings, columns=None, *, merge=False):
        """Take other settings, which can be undone, with their columns if these are known."""
        if settings != self.settings:
            if not (merge and self.past):
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


def replayed(image, parameters):
    """The columns of an image by the parameters of a log: what the panel showed when it was written.

    Parameters
    ----------
    image : Micrograph or (H, W) float array
    parameters : dict of `edit_log.read`

    Returns
    -------
    DataFrame
    """
    return Editing(image, model=parameters.get("model", "atomid"), settings=Settings.of(parameters)).columns
