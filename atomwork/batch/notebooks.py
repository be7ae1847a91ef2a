"""One notebook executed: strict about parameters, its copy kept when it ran through, nothing left behind when it didn't."""

import os
import re
import tempfile
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from atomwork.batch.disk import check_writable
from atomwork.parameters import refuse


class NotebookError(RuntimeError):
    """A notebook that stopped; the message is its own last sentence, ``detail`` its traceback."""

    def __init__(self, message, detail=""):
        super().__init__(message, detail)
        self.detail = detail

    def __str__(self):
        return self.args[0]


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
    refuse(Path(notebook).name, parameters, parameters_of(notebook))


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
            detail = colourless("\n".join(error.traceback))
            raise NotebookError(f"{notebook.name}: {plain(error.evalue)}", detail) from error
        content = nbformat.read(executed, as_version=4)
    out_dir.mkdir(parents=True, exist_ok=True)
    partial = out_dir / f"{notebook.stem}.partial"
    nbformat.write(content, partial)
    os.replace(partial, out_dir / notebook.name)


def plain(message):
    """A message without terminal colours, on one line."""
    return " ".join(colourless(message).split())


def colourless(message):
    """A message without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(message))
