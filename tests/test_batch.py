"""Notebooks in batch: strict parameters, whole results or none."""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from atomwork import batch
from tests.broken import broken_files

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
pytestmark = pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel


@pytest.fixture
def notebook(tmp_path):
    """A notebook that writes the mean of an image, or stops."""
    parameters = nbformat.v4.new_code_cell('image = "a"\nfactor = 1.0\nout_dir = "."', metadata={"tags": ["parameters"]})
    body = nbformat.v4.new_code_cell(
        "from pathlib import Path\nimport numpy as np\nmean = factor * np.load(image).mean()\n"
        "assert mean > 0, f'the mean is {mean:g}; give a brighter image'\n"
        "Path(out_dir).mkdir(parents=True, exist_ok=True)\n(Path(out_dir) / 'mean.txt').write_text(f'{mean:g}')"
    )
    content = nbformat.v4.new_notebook(cells=[parameters, body])
    content.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(content, tmp_path / "mean.ipynb")
    for name, value in {"one": 1.0, "two": 2.0, "dark": -1.0}.items():
        np.save(tmp_path / f"{name}.npy", np.full((4, 4), value))
    return tmp_path / "mean.ipynb"


def test_one_run_per_source_and_a_failure_stops_nobody_else(tmp_path, notebook):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "dark", "two")]
    table = batch.run(notebook, sources, tmp_path / "out", parameters={"factor": 3.0}, progress=False)
    assert table["ok"].tolist() == [True, False, True]
    assert "the mean is -3; give a brighter image" in table["error"][1]
    assert (tmp_path / "out/one.npy/mean.txt").read_text() == "3"
    assert (tmp_path / "out/two.npy/mean.ipynb").is_file()
    assert not (tmp_path / "out/dark.npy").exists()


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path, notebook):
    with pytest.raises(ValueError, match=r"no parameter 'facto'; it takes factor, image, out_dir"):
        batch.run(notebook, [tmp_path / "one.npy"], tmp_path / "out", parameters={"facto": 2})
    assert not (tmp_path / "out").exists()


def test_an_out_dir_that_cannot_be_written_is_refused(tmp_path, notebook):
    table = batch.run(notebook, [tmp_path / "one.npy"], tmp_path / "one.npy" / "out", progress=False)
    assert "can't be written" in table["error"][0]


def test_a_missing_notebook_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.ipynb"):
        batch.run("none.ipynb", None, "out")


def test_sources_with_one_name_are_refused(tmp_path, notebook):
    with pytest.raises(ValueError, match="share a file name"):
        batch.run(notebook, ["a/one.npy", "b/one.npy"], tmp_path / "out")


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "atomwork.batch", *map(str, arguments)], capture_output=True, text=True)


def test_the_command_says_what_went_wrong_and_with_which_code(tmp_path, notebook):
    good = command(notebook, tmp_path / "two.npy", "--out-dir", tmp_path / "out", "-p", "factor=0.5")
    assert good.returncode == 0
    assert (tmp_path / "out/mean.txt").read_text() == "1"
    typo = command(notebook, tmp_path / "two.npy", "--out-dir", tmp_path / "other", "-p", "fctor=0.5")
    assert typo.returncode == 1
    assert typo.stderr.strip().splitlines()[-1].startswith("error: mean.ipynb has no parameter 'fctor'")
    failed = command(notebook, tmp_path / "dark.npy", "--out-dir", tmp_path / "other")
    assert failed.returncode == 1
    assert "give a brighter image" in failed.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "other").exists()


def test_bad_images_leave_one_sentence_each_and_nothing_else(tmp_path, rng):
    """Through the real quickstart; the image of 8 x 8 pixels is the one that loads and can't be analysed."""
    sentences = broken_files(tmp_path, rng) | {"tiny.npy": "8 × 8 px"}
    np.save(tmp_path / "tiny.npy", np.arange(64.0).reshape(8, 8))
    table = batch.run(
        NOTEBOOKS / "00_quickstart.ipynb", [tmp_path / name for name in sentences], tmp_path / "out", progress=False
    )
    assert not table["ok"].any()
    for sentence, error in zip(sentences.values(), table["error"], strict=True):
        assert sentence in error
        assert "\n" not in error
    assert not (tmp_path / "out").exists()
