"""Notebooks in batch: strict parameters, whole results or none."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from atomwork import batch
from atomwork.batch import records
from atomwork.batch.jobs import jobs
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
        "Path(out_dir).mkdir(parents=True, exist_ok=True)\n(Path(out_dir) / 'mean.txt').write_text(f'{mean:g}')\n"
        "(Path(out_dir) / 'summary.json').write_text(f'{{\"mean\": {mean}}}')"
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
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"failures", "summary.csv", "index.html"}


def written(folder):
    """When each executed notebook was written, by its folder."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/mean.ipynb")}


def test_what_is_complete_is_skipped_and_gives_the_same_table(tmp_path, notebook):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "dark", "two")]
    options = {"parameters": {"factor": 2.0}, "progress": False}
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
    batch.run(notebook, sources, tmp_path / "out", parameters={"factor": 3.0}, progress=False)
    now = written(tmp_path / "out")
    assert all(now[name] != after[name] for name in now)


def test_a_source_that_went_bad_is_no_longer_complete(tmp_path, notebook):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "two")]
    batch.run(notebook, sources, tmp_path / "out", progress=False)
    np.save(sources[1], np.full((4, 4), -5.0))
    assert batch.run(notebook, sources, tmp_path / "out", progress=False)["ok"].tolist() == [True, False]
    assert not (tmp_path / "out/two.npy/run.json").exists()
    text = (tmp_path / "out/failures/two.npy.txt").read_text()
    assert "give a brighter image" in text
    assert "assert mean > 0" in text


@pytest.mark.parametrize("left", ["", "{", "[]", '{"fingerprint": 1}', None])
def test_a_record_that_is_not_whole_counts_as_none(tmp_path, left):
    records.write(tmp_path, {"fingerprint": "abc", "summary": {"mean": 1.0}})
    assert records.read(tmp_path, "abc")["summary"] == {"mean": 1.0}
    assert records.read(tmp_path, "other") is None
    records.forget(tmp_path)
    if left is not None:
        (tmp_path / records.RECORD).write_text(left)
    assert records.read(tmp_path, "abc") is None


def test_whatever_a_result_follows_from_changes_its_fingerprint(tmp_path, notebook, monkeypatch):
    image = str(tmp_path / "one.npy")
    every = [records.fingerprint(notebook, {"image": image})]
    every += [records.fingerprint(notebook, {"image": image, "factor": 2})]
    np.save(image, np.full((4, 4), 9.0))
    every += [records.fingerprint(notebook, {"image": image})]
    monkeypatch.setattr(records.weights, "registry", lambda: {"atomid": {"sha256": "new"}})
    every += [records.fingerprint(notebook, {"image": image})]
    notebook.write_text(notebook.read_text() + " ")
    every += [records.fingerprint(notebook, {"image": image})]
    assert len(set(every)) == len(every)


@pytest.fixture
def slow(notebook):
    """The notebook, which takes its time."""
    notebook.write_text(notebook.read_text().replace("mean = factor", "import time; time.sleep(1.5); mean = factor"))
    for k in range(6):
        np.save(notebook.parent / f"image{k}.npy", np.full((4, 4), k + 1.0))
    return notebook


DRIVER = "import sys; from atomwork import batch; batch.run(*sys.argv[1:4], progress=False)"


def begun(slow, out):
    """A batch in a process of its own, of which one run is complete and others are not."""
    driver = subprocess.Popen([sys.executable, "-W", "ignore", "-c", DRIVER, str(slow), f"{slow.parent}/image*.npy", str(out)])
    for _ in range(1200):
        if list(out.glob("*/run.json")):
            return driver
        assert driver.poll() is None
        time.sleep(0.1)
    raise AssertionError("no run was completed")


def test_a_killed_driver_loses_what_it_was_at_and_no_more(tmp_path, slow):
    out = tmp_path / "out"
    driver = begun(slow, out)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(3)  # until its workers have noticed
    complete = {path.parent.name for path in out.glob("*/run.json")}
    before = written(out)
    assert 1 <= len(complete) < 6
    table = batch.run(slow, f"{slow.parent}/image*.npy", out, progress=False)
    assert table["mean"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert all(written(out)[name] == before[name] for name in complete)


def test_a_killed_worker_is_replaced(tmp_path, slow):
    out = tmp_path / "out"
    driver = begun(slow, out)
    kernels = [p for p in psutil.process_iter(["cmdline"]) if "ipykernel_launcher" in " ".join(p.info["cmdline"] or [])]
    workers = [p.parent() for p in kernels if psutil.Process(driver.pid) in p.parents()]
    workers[0].send_signal(signal.SIGKILL)
    assert driver.wait(120) == 0
    table = pd.read_csv(out / "summary.csv")
    assert table["mean"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert table["ok"].all()


def names(found):
    return sorted(job.folder.name for job in found)


def test_folders_patterns_and_tables_are_sources(tmp_path, notebook):
    for pattern in (tmp_path, f"{tmp_path}/*.npy", [tmp_path / "one.npy", f"{tmp_path}/[dt]*.npy"]):
        assert names(jobs(pattern, tmp_path / "out", {})) == ["dark.npy", "one.npy", "two.npy"]
    (tmp_path / "runs.csv").write_text("name,image,factor\nhalf,one.npy,0.5\ndouble,one.npy,2\n")
    found = jobs(tmp_path / "runs.csv", tmp_path / "out", {"seed": 3})
    assert [job.parameters for job in found] == [
        {"seed": 3, "image": str(tmp_path / "one.npy"), "factor": factor} for factor in (0.5, 2)
    ]
    assert names(found) == ["double", "half"]
    (tmp_path / "runs.yaml").write_text("- {image: one.npy}\n- {image: 'sample:mos2', factor: 3.0}\n")
    assert [job.source for job in jobs(tmp_path / "runs.yaml", tmp_path / "out", {})] == [
        str(tmp_path / "one.npy"),
        "sample:mos2",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"), [("- 1\n", "holds no parameters"), ("a: [", "is no YAML"), ("\x00", "is no YAML")]
)
def test_tables_that_are_none_have_their_sentence(tmp_path, content, sentence):
    (tmp_path / "runs.yaml").write_text(content)
    with pytest.raises(ValueError, match=sentence):
        jobs(tmp_path / "runs.yaml", tmp_path / "out", {})


def test_nothing_that_matches_has_its_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no image"):
        jobs(tmp_path / "empty", tmp_path / "out", {})
    with pytest.raises(ValueError, match="matches no file"):
        jobs(f"{tmp_path}/*.dm9", tmp_path / "out", {})


@pytest.mark.parametrize("name", ["..", ".", "../../etc", "a b ö.npy", "x/../../y.npy"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump([{"name": name, "image": "one.npy"}, {"image": "two.npy"}]))
    for job in jobs(tmp_path / "runs.yaml", tmp_path / "out", {}):
        assert job.folder.resolve().parent == (tmp_path / "out").resolve()


def test_the_page_links_to_what_was_written_and_shows_why_others_stopped(tmp_path, notebook):
    sources = [tmp_path / f"{name}.npy" for name in ("one", "dark")]
    batch.run(notebook, sources, tmp_path / "out & more", progress=False)
    page = (tmp_path / "out & more/index.html").read_text()
    assert "1 of 2 complete" in page
    for link in re.findall('href="([^"]+)"', page):
        assert (tmp_path / "out & more" / unquote(link)).exists()
    assert "the mean is -1; give a brighter image" in page
