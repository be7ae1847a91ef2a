"""A notebook for batches, and the files that it runs over."""

import nbformat
import numpy as np
import pytest

from atomwork.batch import workers


@pytest.fixture(scope="package")
def two_workers():
    """Workers that many batches share, since each takes seconds to import what it needs."""
    with workers.of(None, 2, 2) as cluster:
        yield cluster


@pytest.fixture
def notebook(tmp_path):
    """A notebook that writes the mean of an image, or stops."""
    parameters = nbformat.v4.new_code_cell('image = "a"\nfactor = 1.0\nout_dir = "."', metadata={"tags": ["parameters"]})
    body = nbformat.v4.new_code_cell(
        "from pathlib import Path\nimport numpy as np\nmean = factor * np.load(image).mean()\n"
        "assert mean > 0, f'the mean is {mean:g}; give a brighter image'\n"
        "Path(out_dir).mkdir(parents=True, exist_ok=True)\n(Path(out_dir) / 'mean.txt').write_text(f'{mean:g}')\n"
        "(Path(out_dir) / 'summary.json').write_text(f'{{\"mean\": {mean}}}')"
    )
    content = nbformat.v4.new_notebook(cells=[parameters, body])
    content.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(content, tmp_path / "mean.ipynb")
    for name, value in {"one": 1.0, "two": 2.0, "dark": -1.0}.items():
        np.save(tmp_path / f"{name}.npy", np.full((4, 4), value))
    return tmp_path / "mean.ipynb"


@pytest.fixture
def slow(notebook):
    """The notebook, which takes its time."""
    notebook.write_text(notebook.read_text().replace("mean = factor", "import time; time.sleep(1.5); mean = factor"))
    for k in range(4):
        np.save(notebook.parent / f"image{k}.npy", np.full((4, 4), k + 1.0))
    return notebook


def written(folder):
    """When each executed notebook was written, by its folder."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/mean.ipynb")}
