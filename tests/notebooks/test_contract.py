"""The notebooks' contract: short, stripped, literal parameters, no definitions."""

import ast
from pathlib import Path

import nbformat
import pytest
import yaml

from atomwork import batch

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SMALL = yaml.safe_load((FOLDER / "parameters/ci.yaml").read_text(encoding="utf-8"))
FULL = yaml.safe_load((FOLDER / "parameters/full.yaml").read_text(encoding="utf-8"))
CONTRACT = {
    "00_quickstart": {"image"},
    "01_simulate": {"material", "n_images", "imaging"},
    "02_label_series": {"series"},
    "03_train_detector": {"max_steps", "dataset", "resume_from"},
    "04_detect": {"image", "lower_bound", "window_size", "model"},
    "05_compare_detectors": {"dataset", "model"},
    "06_strain": {"image", "resolution"},
    "07_train_atomgan": {"max_steps", "resume_from"},
    "08_defects": {"image", "model", "lower_bound"},
    "13_tune": {"image", "folder", "lower_bound", "window_size", "edits"},
    "14_movie": {"movie", "frames", "frame_time", "max_step", "model", "lower_bound"},
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param.stem, nbformat.read(request.param, as_version=4)


def code(content):
    return [cell for cell in content.cells if cell.cell_type == "code"]


def test_every_notebook_is_listed():
    names = {p.stem for p in NOTEBOOKS}
    assert names == set(SMALL) == set(FULL) == set(CONTRACT)


def test_it_is_short_and_stripped(notebook):
    _, content = notebook
    nbformat.validate(content)
    assert content.metadata.kernelspec.language == "python"
    assert "widgets" not in content.metadata
    assert len(content.cells) <= 25
    assert content.cells[0].source.startswith("# ")
    for cell in code(content):
        assert len(cell.source.splitlines()) <= 12
        assert not cell.outputs
        assert cell.execution_count is None


def test_it_defines_nothing_and_installs_nothing(notebook):
    _, content = notebook
    for cell in code(content):
        assert not any(line.lstrip().startswith(("!", "%")) for line in cell.source.splitlines())
        forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.Lambda)
        assert not any(isinstance(node, forbidden) for node in ast.walk(ast.parse(cell.source)))


def test_its_parameters_are_literals_with_a_comment(notebook):
    name, content = notebook
    tagged = [cell for cell in code(content) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    found = {}
    for line, node in zip(tagged[0].source.splitlines(), ast.parse(tagged[0].source).body, strict=True):
        found[node.targets[0].id] = ast.literal_eval(node.value)
        assert "  # " in line
    assert CONTRACT[name] | {"out_dir", "seed"} <= set(found)


def test_its_last_cell_asserts_and_summarises(notebook):
    last = code(notebook[1])[-1].source
    assert "assert " in last
    assert "write_summary" in last


def test_the_parameter_files_name_real_parameters():
    for listed in (SMALL, FULL):
        for name, parameters in listed.items():
            batch.check(FOLDER / f"{name}.ipynb", parameters)
