"""Run notebooks with their full parameters, all if none is named: ``python -m tests.notebooks.full OUT_DIR [NAME …]``.

A training that was killed goes on from its last checkpoint.
"""

import sys
from pathlib import Path

import yaml

from atomwork import batch

FOLDER = Path(__file__).parents[2] / "notebooks"


def resumed(out_dir, name):
    """The parameter that goes on with a killed training in ``out_dir``; none after a finished one."""
    checkpoint, finished = out_dir / "last.ckpt", out_dir / f"{name}.ipynb"
    if not checkpoint.is_file() or (finished.is_file() and finished.stat().st_mtime > checkpoint.stat().st_mtime):
        return {}
    return {"resume_from": str(checkpoint.absolute())}


if __name__ == "__main__":
    parameters = yaml.safe_load((FOLDER / "parameters/full.yaml").read_text(encoding="utf-8"))
    target, names = Path(sys.argv[1]), sys.argv[2:] or list(parameters)
    if unknown := sorted(set(names) - set(parameters)):
        sys.exit(f"there is no notebook {', '.join(unknown)}; choose from {', '.join(parameters)}.")
    for name in names:
        batch.execute(FOLDER / f"{name}.ipynb", target / name, {**parameters[name], **resumed(target / name, name)})
