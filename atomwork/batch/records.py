"""What says that a run is complete: a record, written last, of all that its result follows from."""

import hashlib
import json
import os
from pathlib import Path

from atomwork import weights

RECORD = "run.json"


def identity(stage):
    """A hash of what all results of a stage follow from: what it does, and the registered weights.

    Parameters
    ----------
    stage : stages.Notebook or stages.Detection

    Returns
    -------
    str, hexadecimal
    """
    known = {name: row["sha256"] for name, row in weights.registry().items()}
    return digest([type(stage).__name__, stage.identity(), known])


def fingerprint(identity, parameters):
    """A hash of all that a result follows from: an `identity`, its parameters, and the files that they name.

    Parameters
    ----------
    identity : str
    parameters : dict

    Returns
    -------
    str, hexadecimal
    """
    files = {name: weights.sha256(value) for name, value in parameters.items() if is_file(value)}
    return digest([identity, parameters, files])


def digest(parts):
    """SHA-256 of JSON values, in hexadecimal."""
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
