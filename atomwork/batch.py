"""Notebooks in batch: one executed copy per image, strict about parameters, nothing left behind by a failure."""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError


class NotebookError(RuntimeError):
    """A notebook that stopped; the message is its own last sentence."""


def parameters_of(notebook):
    """Names of the parameters that a notebook takes.

    Raises
    ------
    FileNotFoundError : no such notebook
    """
    if not Path(notebook).is_file():
        raise FileNotFoundError(f"notebook {notebook} does not exist; give the path of an .ipynb file.")
    return set(papermill.inspect_notebook(str(notebook)))


def check(notebook, parameters):
    """Refuse parameters that the notebook doesn't have, which papermill would only warn of."""
    known = parameters_of(notebook)
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ValueError(
            f"{Path(notebook).name} has no parameter {', '.join(map(repr, unknown))}; it takes {', '.join(sorted(known))}."
        )


def check_writable(out_dir):
    """Refuse an output folder that can't be written, without leaving anything in it."""
    existing = next(p for p in (out_dir, *out_dir.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise PermissionError(f"out_dir={out_dir} can't be written ({error.strerror}); choose a folder of your own.") from error


def execute(notebook, out_dir, parameters, progress=True):
    """Run a notebook with ``out_dir`` and other parameters and keep the executed copy there.

    Raises
    ------
    NotebookError : the notebook stopped; no executed copy is left
    """
    notebook, out_dir = Path(notebook), Path(out_dir).absolute()
    check(notebook, {"out_dir": 0, **parameters})
    check_writable(out_dir)
    with tempfile.TemporaryDirectory() as scratch:
        executed = Path(scratch) / notebook.name
        try:
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                {**parameters, "out_dir": str(out_dir)},
                kernel_name="python3",
                progress_bar=progress,
                cwd=str(notebook.absolute().parent),
            )
        except PapermillExecutionError as error:
            raise NotebookError(f"{notebook.name}: {plain(error.evalue)}") from error
        content = nbformat.read(executed, as_version=4)
    out_dir.mkdir(parents=True, exist_ok=True)
    partial = out_dir / f"{notebook.stem}.partial"
    nbformat.write(content, partial)
    os.replace(partial, out_dir / notebook.name)


def plain(message):
    """A message without terminal colours, on one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(message)).split())


def folder_name(source):
    """A folder name for a source: ``sample:mos2`` -> sample_mos2, a path -> its file name."""
    return re.sub(r"[^\w.-]+", "_", source if source.startswith("sample:") else Path(source).name)


def run(notebook, sources, out_dir, *, parameters=None, progress=True):
    """Run a notebook once for every source.

    Parameters
    ----------
    notebook : path of an .ipynb file with a cell tagged ``parameters``
    sources : str or sequence of str, values of the notebook's ``image``; None runs it once without
    out_dir : path; a single source writes into it, several into a folder each
    parameters : dict, further parameters of the notebook
    progress : bool, show a progress bar

    Returns
    -------
    DataFrame : one row per source: source, out_dir, ok, error

    Raises
    ------
    ValueError : a parameter that the notebook doesn't have, or two sources with one name
    """
    parameters, out_dir = dict(parameters or {}), Path(out_dir)
    sources = [sources] if sources is None or isinstance(sources, str) else list(map(str, sources))
    check(notebook, {**parameters, "out_dir": 0, **({} if sources == [None] else {"image": 0})})
    folders = [out_dir] if len(sources) == 1 else [out_dir / folder_name(s) for s in sources]
    if len(set(folders)) < len(folders):
        raise ValueError(f"two of the {len(sources)} sources share a file name; run them with different out_dir.")
    rows = []
    for source, folder in zip(sources, folders, strict=True):
        chosen = {} if source is None else {"image": located(source)}
        try:
            execute(notebook, folder, {**parameters, **chosen}, progress)
            rows.append((source, str(folder), True, ""))
        except (NotebookError, OSError) as error:
            rows.append((source, str(folder), False, str(error)))
    return pd.DataFrame(rows, columns=["source", "out_dir", "ok", "error"])


def located(source):
    """A source that means the same from any working directory."""
    return source if source.startswith("sample:") else str(Path(source).expanduser().absolute())


def main(arguments=None):
    """``python -m atomwork.batch NOTEBOOK [SOURCE ...] --out-dir DIR [-p NAME=VALUE ...] [-f FILE.yaml]``."""
    parser = argparse.ArgumentParser(prog="python -m atomwork.batch", description=__doc__)
    parser.add_argument("notebook")
    parser.add_argument("sources", nargs="*", help="image files or sample:NAME")
    parser.add_argument("--out-dir", required=True)
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-f", "--file", help="YAML file of parameters")
    options = parser.parse_args(arguments)
    try:
        parameters = yaml.safe_load(Path(options.file).read_text(encoding="utf-8")) or {} if options.file else {}
        for pair in options.parameter:
            name, _, value = pair.partition("=")
            parameters[name] = yaml.safe_load(value)
        table = run(options.notebook, options.sources or None, options.out_dir, parameters=parameters)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for row in table.itertuples():
        print(f"{row.source or options.notebook}: " + (f"done, see {row.out_dir}" if row.ok else row.error), file=sys.stderr)
    sys.exit(0 if table["ok"].all() else 1)


if __name__ == "__main__":
    main()
