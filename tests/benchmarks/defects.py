"""Point defects, fronts and phases of simulated junctions by each method, on images that nothing was chosen by.

``python -m tests.benchmarks.defects STORE`` scores all test images of a data set of the recipe ``atomgan`` instead.
"""

import sys
import tempfile
from pathlib import Path

from atomwork.analysis import defect_comparison
from atomwork.simulation import stores
from atomwork.simulation.recipes import atomgan

SEED, IMAGES = 61_301, 32
METHODS = ("columns", "pca", "kmeans")


def junctions(path=None):
    """Each method's scores on images of junctions, those of a store's test if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        images = None
        if path is None:
            path, images = Path(folder) / "junctions.zarr", range(IMAGES)
            stores.write(atomgan.dataset(IMAGES), path, seed=SEED, progress=False)
        table = defect_comparison.compare(path, METHODS, images=images)
    return f"Defects of {table['image'].nunique()} simulated junctions", defect_comparison.pooled(table).reset_index()


if __name__ == "__main__":
    title, rows = junctions(*sys.argv[1:])
    print(f"## {title}\n\n{rows.to_markdown(index=False, floatfmt='.4g')}")
