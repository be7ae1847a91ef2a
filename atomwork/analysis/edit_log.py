"""The log of a session at the panel: a YAML file that is whole at any moment, and from which the session can go on."""

import os
from pathlib import Path

import yaml

from atomwork.analysis.edits import Settings

MODEL = "atomid"  # that of a notebook that asks for none


def write(path, parameters):
    """Write parameters as YAML under a temporary name and rename it."""
    path = Path(path)
    temporary = path.with_suffix(".partial")
    temporary.write_text(yaml.safe_dump(parameters, sort_keys=False, allow_unicode=True), encoding="utf-8")
    os.replace(temporary, path)


def read(path):
    """The parameters that `write` wrote.

    Raises
    ------
    ValueError : it is no YAML of parameters
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = str(error).splitlines()[0]
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no parameters ({found}); mend it, or move it away to begin anew.")
    return found


def resumed(path, asked):
    """The parameters with which a session goes on whose log is at ``path``.

    A log of another image, or of other parameters, is set aside under its image's name, and comes back with its image.

    Parameters
    ----------
    path : path of the log, which need not exist
    asked : dict of parameters, ``image`` and ``model`` among them

    Returns
    -------
    dict : those asked for; where these are none but the image, what a log of that image holds
    """
    path, plain = Path(path), Settings.of(asked) == Settings() and asked["model"] == MODEL
    before = read(path) if path.is_file() else None
    if before is not None and (before.get("image") != asked["image"] or not plain):
        if before != {**before, **asked}:
            os.replace(path, aside(path, before.get("image")))
        before = None
    kept = aside(path, asked["image"])
    if before is None and plain and kept.is_file():
        before = read(kept)
    return before if before is not None and plain else asked


def aside(path, image):
    """Where the log of an image waits while another one is looked at."""
    name = "".join(c if c.isalnum() or c in ".-" else "_" for c in Path(str(image)).name)
    return path.with_name(f"{path.stem}.{name}{path.suffix}")
