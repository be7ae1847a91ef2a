"""Notebooks in batch: strict parameters, whole results or none."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from atomwork import batch
from atomwork.batch import index
from tests.batch.conftest import written
from tests.broken import broken_files

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
pytestmark = pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel


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
    with pytest.raises(PermissionError, match="can't be written"):
        batch.run(notebook, [tmp_path / "one.npy"], tmp_path / "one.npy" / "out", progress=False)


def test_a_missing_notebook_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.ipynb"):
        batch.run("none.ipynb", None, "out")


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "atomwork.batch", *map(str, arguments)], capture_output=True, text=True)


def test_the_command_says_what_went_wrong_and_with_which_code(tmp_path, notebook):
    good = command(notebook, tmp_path / "two.npy", "--out-dir", tmp_path / "out", "-p", "factor=0.5")
    assert good.returncode == 0
    assert "Warning: " not in good.stderr
    assert (tmp_path / "out/mean.txt").read_text() == "1"
    typo = command(notebook, tmp_path / "two.npy", "--out-dir", tmp_path / "other", "-p", "fctor=0.5")
    assert typo.returncode == 1
    assert typo.stderr.strip().splitlines()[-1].startswith("error: mean.ipynb has no parameter 'fctor'")
    failed = command(notebook, tmp_path / "dark.npy", "--out-dir", tmp_path / "other")
    assert failed.returncode == 1
    assert "give a brighter image" in failed.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "other").exists()


def test_bad_images_leave_one_sentence_each_and_nothing_else(tmp_path, rng, two_workers):
    """Through the real quickstart; the image of 8 x 8 pixels is the one that loads and can't be analysed."""
    sentences = broken_files(tmp_path, rng) | {"tiny.npy": "8 × 8 px"}
    np.save(tmp_path / "tiny.npy", np.arange(64.0).reshape(8, 8))
    table = batch.run(
        NOTEBOOKS / "00_quickstart.ipynb",
        [tmp_path / name for name in sentences],
        tmp_path / "out",
        progress=False,
        scheduler=two_workers,
    )
    assert not table["ok"].any()
    for sentence, error in zip(sentences.values(), table["error"], strict=True):
        assert sentence in error
        assert "\n" not in error
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"failures", "summary.csv", "index.html"}


def test_what_is_complete_is_skipped_and_gives_the_same_table(tmp_path, notebook, two_workers):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "dark", "two")]
    options = {"parameters": {"factor": 2.0}, "progress": False, "scheduler": two_workers}
    first = batch.run(notebook, sources, tmp_path / "out", **options)
    before = written(tmp_path / "out")
    again = batch.run(notebook, sources, tmp_path / "out", **options)
    pd.testing.assert_frame_equal(first, again)
    assert written(tmp_path / "out") == before
    np.save(sources[0], np.full((4, 4), 5.0))
    changed = batch.run(notebook, sources, tmp_path / "out", **options)
    assert changed["mean"].tolist()[::2] == [10.0, 4.0]
    after = written(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"one.npy"}
    batch.run(notebook, sources, tmp_path / "out", parameters={"factor": 3.0}, progress=False, scheduler=two_workers)
    now = written(tmp_path / "out")
    assert all(now[name] != after[name] for name in now)


def test_a_source_that_went_bad_is_no_longer_complete(tmp_path, notebook, two_workers):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "two")]
    batch.run(notebook, sources, tmp_path / "out", progress=False, scheduler=two_workers)
    np.save(sources[1], np.full((4, 4), -5.0))
    assert batch.run(notebook, sources, tmp_path / "out", progress=False, scheduler=two_workers)["ok"].tolist() == [True, False]
    assert not (tmp_path / "out/two.npy/run.json").exists()
    text = (tmp_path / "out/failures/two.npy.txt").read_text()
    assert "give a brighter image" in text
    assert "assert mean > 0" in text


def test_the_page_links_to_what_was_written_and_shows_why_others_stopped(tmp_path, notebook, two_workers):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "dark")]
    batch.run(notebook, sources, tmp_path / "out & more", progress=False, scheduler=two_workers)
    page = (tmp_path / "out & more/index.html").read_text()
    assert "1 of 2 complete" in page
    for link in re.findall('href="([^"]+)"', page):
        assert (tmp_path / "out & more" / unquote(link)).exists()
    assert "the mean is -1; give a brighter image" in page


def test_a_page_of_very_many_shows_failures_first(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "SHOWN", 3)
    rows = {
        "source": ["a", "b", "c", "d"],
        "out_dir": str(tmp_path),
        "ok": [True, True, True, False],
        "error": ["", "", "", "sentence"],
    }
    page = index.page(tmp_path, "many", pd.DataFrame({**rows, "detail": ""}))
    assert "3 of 4 complete" in page
    assert "The first 3 are shown" in page
    assert "sentence" in page
    assert ">c</a>" not in page
