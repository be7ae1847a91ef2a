"""What says that a run is complete: a record, written last, of all that its result follows from."""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

from atomwork import micrograph, weights

RECORD = "run.json"
KNOWN = 1024  # files whose hash a worker remembers


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
    files = {name: hashed(path) for name, value in parameters.items() if (path := file_of(value))}
    return digest([identity, parameters, files])


def hashed(path):
    """SHA-256 of a file, computed once as long as it doesn't change: each frame of a movie's gigabytes asks for it."""
    found = os.stat(path)
    return _hashed(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(KNOWN)
def _hashed(path, *_):
    return weights.sha256(path)


def digest(parts):
    """SHA-256 of JSON values, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def file_of(value):
    """The path of the file that a parameter names, or names a frame of; else None."""
    try:
        path = micrograph.addressed(value)[0] if isinstance(value, str) else ""
        return path if Path(path).is_file() else None
    except (OSError, ValueError):
        return None


def forget(folder):
    """Take back that a folder is complete, before anything in it changes."""
    if (folder / RECORD).is_file():
        (folder / RECORD).unlink()


def write(folder, about):
    """Say that a folder is complete, with what it holds."""
    about = {**about, "files": sorted(held(folder))}
    partial = folder / f".{RECORD}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(about, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / RECORD)


def read(folder, asked):
    """The record of a folder, or None where it follows from something else than what is ``asked``, or a file of it is gone.

    A file that somebody changed since counts, an empty one doesn't: so a power cut leaves those that were not on the disk yet.
    """
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("fingerprint") != asked:
        return None
    return found if held(folder).issuperset(found.get("files", ())) else None


def held(folder):
    """Names of the files in a folder that hold something; a store counts as one, and what a killed run left of one as none."""
    whole = [path for path in folder.iterdir() if path.name != RECORD and path.suffix != ".partial"]
    return {path.name for path in whole if path.is_dir() or path.stat().st_size}
