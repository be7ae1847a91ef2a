"""The panel as a web page: Voilà serves notebook 13 for a folder of images, on this machine alone and behind a token."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config
from voila.app import Voila

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "13_tune.ipynb"
BATCH = "batch"  # tag of the cells that a page has no use for
QUIET = "ignore:Importing `Lazy:UserWarning"  # exspy 0.3, which atomap imports, against HyperSpy 2.5
IDLE = 24 * 3600  # s after which a kernel without a page is ended; its log stays


def prepared(notebook, folder, results, target):
    """Write the notebook that is served: its code with the parameters, without text and the cells for a batch."""
    content = load_notebook_node(str(notebook))
    content.cells = [cell for cell in content.cells if cell.cell_type == "code" and BATCH not in cell.metadata.tags]
    parameters = {"folder": folder and str(folder), "out_dir": str(results)}
    nbformat.write(parameterize_notebook(content, parameters, report_mode=True), target / notebook.name)
    return target / notebook.name


def settings(port, token, browser):
    """Of Voilà: bound to this machine, with a token, without files of any folder and without tracebacks."""
    config = Config()
    config.Voila.update(ip="127.0.0.1", port=port, open_browser=browser)
    config.Voila.update({"token": token} if token else {"auto_token": True})
    config.VoilaConfiguration.update(template="atomwork", file_allowlist=[], show_tracebacks=False, strip_sources=True)
    config.MappingKernelManager.update(cull_idle_timeout=IDLE, cull_connected=False)
    return config


def main(arguments=None):
    """``python -m atomwork.app [FOLDER] [--results DIR] [--port N]``."""
    parser = argparse.ArgumentParser(prog="python -m atomwork.app", description=__doc__)
    parser.add_argument("folder", nargs="?", help="folder of images to choose from, beside the samples")
    parser.add_argument("--results", default="results/app", help="where edits and uploads are kept, a folder for every page")
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--token", help="to enter with; drawn at random, and printed, if not given")
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    options = parser.parse_args(arguments)
    folder = options.folder and Path(options.folder).expanduser().resolve()
    if folder and not folder.is_dir():
        sys.exit(f"error: folder {folder} does not exist; give a folder of images.")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("JUPYTER_PATH")]))
    os.environ["PYTHONWARNINGS"] = QUIET
    with tempfile.TemporaryDirectory() as scratch:
        served = prepared(NOTEBOOK, folder, Path(options.results).absolute(), Path(scratch))
        Voila.launch_instance(argv=[str(served)], config=settings(options.port, options.token, not options.no_browser))


if __name__ == "__main__":
    main()
