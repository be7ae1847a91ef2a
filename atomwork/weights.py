"""Published weights: safetensors files found by name and refused when they are not the registered ones."""

import csv
import hashlib
import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

DATA = Path(__file__).parents[1] / "data"


def registry(data=DATA):
    """Rows of data/registry.csv by name.

    Returns
    -------
    dict of str to dict : name, sha256, bytes, origin, licence, made
    """
    with open(Path(data) / "registry.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def sha256(path):
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path):
    """Tensors and settings of a weight file, whatever its hash.

    Returns
    -------
    tensors : dict of str to torch.Tensor
    settings : dict, the hyper-parameters that were saved with them

    Raises
    ------
    FileNotFoundError : no such file
    ValueError : not a safetensors file of ours
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weight file {path} does not exist; train one with notebook 03 or restore data/weights.")
    try:
        with safe_open(path, "pt") as file:
            settings = json.loads((file.metadata() or {})["settings"])
            keys = file.keys()
            return {key: file.get_tensor(key) for key in keys}, settings
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not an atomwork weight file ({error}); train one with notebook 03.") from error


def load(name, data=DATA):
    """Tensors and settings of a registered weight, or of a user's own ``.safetensors`` path.

    Parameters
    ----------
    name : str, a name in data/registry.csv ("atomid"), or a path that ends in .safetensors
    data : path of the data folder

    Returns
    -------
    tensors, settings : see `read`

    Raises
    ------
    KeyError : the name is not registered
    FileNotFoundError : the file is missing
    ValueError : its SHA-256 differs from the registered one
    """
    if str(name).endswith(".safetensors"):
        return read(name)
    known = registry(data)
    if name not in known:
        raise KeyError(f"model {name!r} is not registered; choose one of {sorted(known)} or give a .safetensors path.")
    path = Path(data) / "weights" / f"{name}.safetensors"
    if path.is_file() and (found := sha256(path)) != known[name]["sha256"]:
        raise ValueError(
            f"weight {path} has SHA-256 {found[:12]}…, registered is {known[name]['sha256'][:12]}…; "
            "restore the file with git or register the new one."
        )
    return read(path)


def stamp(name, data=DATA):
    """What changes when a weight's file is written anew: time and size; None if there is none."""
    path = Path(name) if str(name).endswith(".safetensors") else Path(data) / "weights" / f"{name}.safetensors"
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else None


def save(path, tensors, settings):
    """Write a weight file under a temporary name and rename it.

    Parameters
    ----------
    path : path of the .safetensors file
    tensors : dict of str to torch.Tensor
    settings : dict of JSON values, the hyper-parameters needed to rebuild the model
    """
    path = Path(path)
    temporary = path.with_suffix(".partial")
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    # the library's own files can be read by nobody but who made them
    temporary.write_bytes(to_bytes(tensors, metadata={"settings": json.dumps(settings)}))
    os.replace(temporary, path)
