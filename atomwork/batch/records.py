"""What says that a run is complete: a record, written last, of all that its result follows from."""

import hashlib
import json
import os
from pathlib import Path

from atomwork import weights

RECORD = "run.json"


def fingerprint(notebook, parameters):
    """A hash of a notebook, its parameters, the files that they name, and the registered weights.

    Parameters
    ----------
    notebook : path
    parameters : dict

    Returns
    -------
    str, hexadecimal
    """
    files = {name: weights.sha256(value) for name, value in parameters.items() if is_file(value)}
    known = {name: row["sha256"] for name, row in weights.registry().items()}
    parts = [weights.sha256(notebook), parameters, files, known]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def is_file(value):
    """Whether a parameter is the path of a file."""
    try:
        return isinstance(value, str) and Path(value).is_file()
    except (OSError, ValueError):
        return False


def forget(folder):
    """Take back that a folder is complete, before anything in it changes."""
    if (folder / RECORD).is_file():
        (folder / RECORD).unlink()


def write(folder, about):
    """Say that a folder is complete."""
    partial = folder / f".{RECORD}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(about, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / RECORD)


def read(folder, asked):
    """The record of a folder, or None where it is not complete or follows from something else than what is ``asked``."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("fingerprint") == asked else None


def summary(folder):
    """The plain numbers and words of a run's summary.json, by name; those of nested ones as ``outer.inner``."""
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
