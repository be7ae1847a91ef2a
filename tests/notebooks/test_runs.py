"""Every notebook runs from end to end with its small parameters and writes what it promises."""

import json
import os
from pathlib import Path

import pytest
import yaml

from atomwork import batch
from tests.notebooks.full import resumed

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SMALL = yaml.safe_load((FOLDER / "parameters/ci.yaml").read_text(encoding="utf-8"))
WRITES = {
    "00_quickstart": {"columns.csv", "report.html", "overlay.png", "maps.png", "histograms.png", "summary.json"},
    "01_simulate": {"dataset.zarr", "gallery.png", "specimen.png", "agreement.png", "beside_real.png", "summary.json"},
    "02_label_series": {"aligned.zspy", "labels.csv", "frames.png", "drift.png", "labels.png", "summary.json"},
    "03_train_detector": {"detector.safetensors", "curves.png", "reliability.png", "examples.png", "last.ckpt", "summary.json"},
    "04_detect": {"columns.csv", "overlay.png", "summary.json"},
    "05_compare_detectors": {
        *(f"{name}.csv" for name in ("scores", "groups", "kinds", "timing")),
        *(f"{name}.png" for name in ("groups", "low_signal", "magnifications", "failures")),
        "summary.json",
    },
    "06_strain": {
        *("strain.zspy", "strain_columns.zspy", "displacements.csv", "summary.json"),
        *(f"{name}.png" for name in ("spectrum", "strain", "checks", "displacements", "unstrained")),
    },
    "07_train_atomgan": {
        *(f"{name}.safetensors" for name in ("atomgan", "cyclegan")),
        *(f"{name}.png" for name in ("crops", "curves", "stages", "rival_stages")),
        *("dataset.zarr", "marks.npz", "defects.csv", "last.ckpt", "summary.json"),
    },
    "08_defects": {"defects.csv", "phases.csv", "fronts.csv", "junction.png", "segmentation.png", "summary.json"},
    "13_tune": {"parameters.yaml", "columns.csv", "overlay.png", "summary.json"},
    "14_movie": {
        *("tracks.csv", "lifetimes.csv", "summary.json"),
        *(f"{name}.png" for name in ("drift", "frames", "history", "survival")),
    },
}


@pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path):
    batch.execute(path, tmp_path / "out", SMALL[path.stem], progress=False)
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert WRITES[path.stem] | {path.name} <= written
    assert not [name for name in written if name.endswith(".partial")]
    summary = json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))
    assert summary
    if "columns" in summary:
        assert summary["columns"] > 50


@pytest.mark.filterwarnings("ignore")
def test_what_was_tuned_runs_again_to_the_same_file(tmp_path):
    notebook = FOLDER / "13_tune.ipynb"
    tuned = {"edits": [["move", 100.0, 100.0, 103.0, 101.0], ["add", 300.0, 300.0]], "lower_bound": 0.3}
    batch.execute(notebook, tmp_path / "first", tuned, progress=False)
    parameters = yaml.safe_load((tmp_path / "first/parameters.yaml").read_text(encoding="utf-8"))
    batch.execute(notebook, tmp_path / "again", parameters, progress=False)
    first, again = ((tmp_path / name / "columns.csv").read_bytes() for name in ("first", "again"))
    assert first == again


def test_a_killed_training_goes_on_and_a_finished_one_starts_anew(tmp_path):
    checkpoint, executed = tmp_path / "last.ckpt", tmp_path / "03_train_detector.ipynb"
    assert resumed(tmp_path, executed.stem) == {}
    checkpoint.touch()
    assert resumed(tmp_path, executed.stem) == {"resume_from": str(checkpoint)}
    executed.touch()
    os.utime(checkpoint, (0, 0))
    assert resumed(tmp_path, executed.stem) == {}
    os.utime(executed, (0, 0))
    os.utime(checkpoint, (1, 1))  # a second run, killed after the first had finished
    assert resumed(tmp_path, executed.stem) == {"resume_from": str(checkpoint)}
