"""The house: a file imports only from floors below its own; the training path runs on a bare GPU node."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "atomwork"
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py")
FLOORS = {
    "image": 0,  # what flows between all floors
    "micrograph": 1,
    "dask_workers": 1,
    "parameters": 1,
    "reading": 0.5,
    "pixels": 0.7,
    "weights": 1,
    "simulation": 2,
    "columns": 3,
    "models": 4,
    "analysis": 5,
    "figures": 6,
    "strain_figures": 6.5,  # draws by those
    "track_figures": 6.5,
    "train": 7,
    "widgets": 7,
    "app": 7,
    "batch": 7,
    "report": 6.8,  # batches summarise by it
}
BARE = {"torch", "pytorch_lightning", "numpy", "scipy", "skimage", "safetensors", "pandas", "atomwork"}
ABOUT_OTHER_LIBRARIES = {
    "columns/export.py",
    "columns/gaussian.py",  # numba; whoever trains a network fits no Gaussian
    "simulation/crystals.py",
    "simulation/specimen.py",
    "simulation/structures.py",
    "simulation/point_defects.py",
    "simulation/grains.py",
    "simulation/interfaces.py",
    "simulation/particles.py",
    "simulation/thermal.py",
    "simulation/imaging.py",
    "simulation/multislice.py",
    "simulation/potential.py",
    "simulation/recipes/scans.py",
    "simulation/reuse.py",
    "simulation/scattering.py",
    "simulation/stores.py",
}


def imported(path):
    """Dotted names of all modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floor(dotted):
    return FLOORS[dotted.split(".")[1]]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_come_from_below(path):
    own = FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    room = path.relative_to(PACKAGE).parts[0]
    for name in imported(path):
        if name.startswith("atomwork."):
            same_room = name.split(".")[1] == room
            assert floor(name) < own or same_room, f"{path.name} (floor {own}) imports {name} (floor {floor(name)})"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_training_path_needs_no_microscopy_library(path):
    relative = path.relative_to(PACKAGE).as_posix()
    training = relative == "weights.py" or relative.split("/")[0] in ("simulation", "columns", "models")
    if training and relative not in ABOUT_OTHER_LIBRARIES:
        outside = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - BARE
        assert not outside


def test_training_path_is_imported_where_the_other_libraries_are_missing():
    """Whatever the training path imports, however deep, none of it is one of them."""
    missing = ("abtem", "ase", "hyperspy", "rsciio", "atomap", "numba", "zarr")
    paths = sorted((PACKAGE / "models").rglob("[!_]*.py"))
    rooms = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    rooms += [f"atomwork.{room}" for room in ("weights", "simulation.forward", "simulation.noise", "simulation.datasets")]
    code = f"import sys; sys.modules.update(dict.fromkeys({missing}))\n" + "\n".join(f"import {room}" for room in rooms)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert not said


def test_floors_name_every_room():
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in FILES}
    assert rooms <= set(FLOORS)


def test_importing_the_package_loads_no_library():
    code = "import sys, atomwork; print(sorted({'torch', 'numpy', 'hyperspy', 'scipy'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_nothing_is_unpickled():
    """Weights are safetensors, arrays are read without pickle, checkpoints with weights_only."""
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            options = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            assert options.get("allow_pickle") is not True
            assert options.get("weights_only") is not False
        assert not any(name.split(".")[0] in ("pickle", "joblib", "dill") for name in imported(path))
