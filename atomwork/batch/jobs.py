"""What a batch runs over: files, folders, patterns, tables of parameters, each with a folder of its own."""

import glob
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from atomwork import micrograph
from atomwork.batch.records import file_of
from atomwork.parameters import read_file, value

FRAMES = re.compile(r"(.+)\[(-?\d*):(-?\d*):?(\d*)\]")  # of a stack, as Python slices
NAMES = ("name", "image")  # text, whatever they look like


@dataclass(frozen=True)
class Job:
    """One run of a notebook.

    Attributes
    ----------
    source : str, as the user named it; None where a notebook runs without one
    folder : Path of its results
    parameters : dict, those of the notebook but for ``out_dir``
    """

    source: str | None
    folder: Path
    parameters: dict


def jobs(sources, out_dir, parameters):
    """The runs of a notebook: list of `Job`.

    Parameters
    ----------
    sources : see `runs.run`
    out_dir : Path; a single file or sample writes into it, all others into a folder each
    parameters : dict, those of every run

    Raises
    ------
    ValueError : nothing matches, a table can't be read, or two runs have one name
    """
    alone = sources is None or (is_one(sources) and is_plain(sources))
    every = [(None, {})] if sources is None else [found for one in listed(sources) for found in expanded(one)]
    made = []
    for number, (source, own) in enumerate(every):
        name = str(own.pop("name", "")) or default_name(own, number)
        folder = Path(out_dir) if alone else Path(out_dir) / folder_name(name)
        made.append(Job(source, folder, {**parameters, **own}))
    names = [job.folder for job in made]
    twice = sorted({folder.name for folder in names if names.count(folder) > 1})
    if twice:
        raise ValueError(
            f"{len(twice)} of {len(made)} sources share a file name with others, such as {twice[0]}; run them with different "
            "out_dir, or give a table with a column name."
        )
    return made


def is_one(sources):
    """Whether sources are a single one."""
    return isinstance(sources, (str, Path)) or len(sources) == 1


def listed(sources):
    """Sources as a list of str."""
    return [str(sources)] if isinstance(sources, (str, Path)) else [str(source) for source in sources]


def is_plain(sources):
    """Whether the only source is a file or a sample, and no folder, pattern or table."""
    (source,) = listed(sources)
    return expanded(source) == [(source, {"image": located(source)})]


def expanded(source):
    """What one source stands for: list of a name to show and parameters."""
    path = Path(source).expanduser()
    if source.startswith("sample:") or (path.is_file() and path.suffix.lower() not in (".csv", ".yaml", ".yml")):
        return [(source, {"image": located(source)})]
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in micrograph.KINDS and p.is_file())
        if not found:
            raise ValueError(f"folder {source} holds no image; files that end in {', '.join(micrograph.KINDS)} are.")
    elif path.suffix.lower() == ".csv" and path.is_file():
        return of_table(path)
    elif path.is_file():
        return of_yaml(path)
    elif file_of(located(source)):
        return [(source, {"image": located(source)})]
    elif (sliced := FRAMES.fullmatch(source)) and file_of(located(sliced[1])):
        return of_stack(source, sliced)
    elif glob.has_magic(source):
        found = sorted(map(Path, glob.glob(str(path), recursive=True)))
        if not found:
            raise ValueError(f"{source} matches no file; mind quotes, or give a folder.")
    else:
        return [(source, {"image": located(source)})]  # its run will say that it does not exist
    return [(str(p), {"image": located(p)}) for p in found]


def of_stack(source, sliced):
    """Runs of the frames of a stack that a source such as ``movie.tif[10:20]`` names."""
    count, bounds = micrograph.count_frames(sliced[1]), [int(bound) if bound else None for bound in sliced.groups()[1:]]
    numbers = range(count)[slice(*bounds)] if bounds[2] != 0 else ()
    if not numbers:
        raise ValueError(f"{source} is none of the {count} frames of {sliced[1]}; give {sliced[1]}[:] for all.")
    return [(f"{sliced[1]}[{k}]", {"image": located(f"{sliced[1]}[{k}]")}) for k in numbers]


def of_table(path):
    """Runs of a CSV with a row of parameters each; images lie beside it unless their path says otherwise."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} can't be read as a table ({error}); give a CSV with a header of parameters.") from error
    runs = []
    for number, row in enumerate(table.to_dict("records")):
        given = {key: text for key, text in row.items() if text != ""}
        told = {key: value(text, f"{path}, row {number + 1}: {text}") for key, text in given.items() if key not in NAMES}
        runs.append(beside(path, given | told, number))
    return runs


def of_yaml(path):
    """Runs of a YAML file: one dict of parameters, such as parameters.yaml of the panel, or a list of them."""
    found = read_file(path)
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path} holds no parameters; give NAME: VALUE, or a list of such.")
    return [beside(path, dict(row), number) for number, row in enumerate(rows)]


def beside(path, row, number):
    """A name to show and the parameters of a row, its image located from the file that names it."""
    if "image" in row:
        image = str(row["image"])
        near = str(path.parent / image)
        row["image"] = located(near if file_of(near) else image)
    return row.get("image", f"{path.name}, row {number + 1}"), row


def located(source):
    """A source that means the same from any working directory."""
    return str(source) if str(source).startswith("sample:") else str(Path(source).expanduser().absolute())


def default_name(parameters, number):
    """A name for a run that has none: that of its image and frame, or its number."""
    if "image" not in parameters:
        return f"{number:04d}"
    image, frame = micrograph.addressed(parameters["image"], parameters.get("frame"))
    return folder_name(image) + (f".{frame:04d}" if isinstance(frame, int) else "")


def folder_name(source):
    """A folder name for a source: ``sample:mos2`` -> sample_mos2, a path -> its file name."""
    name = re.sub(r"[^\w.-]+", "_", source if source.startswith("sample:") else Path(source).name)
    return name if name.strip(".") else f"_{name}"
