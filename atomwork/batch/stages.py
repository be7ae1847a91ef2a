"""What a batch does with each of its jobs: execute a notebook, or detect columns without one."""

import inspect
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atomwork import micrograph, report, weights
from atomwork.analysis import detect
from atomwork.batch import notebooks, thumbnail
from atomwork.columns import export, neighbours
from atomwork.parameters import refuse


@dataclass(frozen=True)
class Notebook:
    """A notebook, executed once a job.

    Attributes
    ----------
    path : str
    """

    path: str

    @property
    def title(self):
        """What the batch is called."""
        return Path(self.path).stem

    def check(self, parameters):
        """Refuse parameters that the notebook doesn't have."""
        notebooks.check(self.path, {**parameters, "out_dir": ""})

    def identity(self):
        """What results follow from beside parameters: str."""
        return weights.sha256(self.path)

    def run(self, folder, parameters, progress=False):
        """Write into ``folder``; return the plain numbers and words of the notebook's summary.json by name."""
        notebooks.execute(self.path, folder, parameters, progress)
        try:
            found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return dict(flat(found)) if isinstance(found, dict) else {}


def flat(values, before=""):
    """Names and values of nested dicts, lists left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        elif isinstance(value, (int, float, str, bool)):
            yield f"{before}{name}", value


class Detection:
    """What notebook 04 does, without the notebook: the same columns.csv and summary, a thumbnail, and a network that a worker
    loads once."""

    title = "columns"
    parameters = ("image", "frame", *list(inspect.signature(detect.detect).parameters)[1:])

    def check(self, parameters):
        """Refuse parameters that detection doesn't have."""
        refuse("detect", parameters, self.parameters)

    def identity(self):
        """What results follow from beside parameters: str."""
        return "detection"

    def run(self, folder, parameters, progress=False):
        """Write columns.csv and overlay.png into ``folder``; return the numbers of a summary, and what was warned of."""
        how = {name: value for name, value in parameters.items() if name not in ("image", "frame")}
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            recorded = micrograph.load(parameters["image"], parameters.get("frame"))
            columns = detect.detect(recorded, **how)
        kind = neighbours.brightness_classes(columns["amplitude"])
        found = report.summarise(columns, kind, apart(columns, kind))
        folder.mkdir(parents=True, exist_ok=True)
        export.to_csv(columns, folder / "columns.csv")
        partial = folder / "overlay.partial"
        thumbnail.draw(recorded.image, columns).save(partial, "PNG", compress_level=0)
        os.replace(partial, folder / "overlay.png")
        return {"image": recorded.name, "model": how.get("model", "atomid"), **found, "warning": " ".join(sentences(warned))}


def apart(columns, kind):
    """Distances (N,) of columns to the next of their kind [px]; where there is one kind, the median that detection measured."""
    if kind.any() or len(columns) < detect.FEW:
        return neighbours.nearest_distance(columns[["y", "x"]], kind)
    return np.full(len(columns), columns.attrs["spacing"])


def sentences(warned):
    """What was warned of, each once."""
    return list(dict.fromkeys(notebooks.plain(one.message) for one in warned))
