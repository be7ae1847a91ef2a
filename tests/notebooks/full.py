"""Run every notebook with its full parameters: ``python -m tests.notebooks.full OUT_DIR``."""

import sys
from pathlib import Path

import yaml

from atomwork import batch

FOLDER = Path(__file__).parents[2] / "notebooks"

if __name__ == "__main__":
    parameters = yaml.safe_load((FOLDER / "parameters/full.yaml").read_text(encoding="utf-8"))
    for name, chosen in parameters.items():
        batch.execute(FOLDER / f"{name}.ipynb", Path(sys.argv[1]) / name, chosen)
