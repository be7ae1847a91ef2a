"""Point defects, fronts and phases of simulated junctions by each method, on images that nothing was chosen by.

``python -m tests.benchmarks.defects FOLDER [METHOD …]`` scores the 1330 test images instead, hours on two cores: it draws them
into the folder, keeps each hundred's scores there, and goes on with what is missing when it is called again.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from atomwork import figures
from atomwork.analysis import defect_comparison
from atomwork.simulation import stores
from atomwork.simulation.recipes import atomgan

SEED, IMAGES = 61_301, 32
TEST_SEED, BLOCK = 201, 100  # of the test images, and how many are scored between two writes
CLUSTERING = ("pca", "kmeans")  # both look at whole spacings, and would take hours for magnified images
METHODS = ("columns+atomgan", "columns", "atomgan", *CLUSTERING)
MAGNIFICATIONS, EVERY = (0.5, 0.7, 1.0, 1.4, 2.0), 10  # and of how many test images one is magnified
SHOWN = ["precision", "recall", "f1", "fronts_found", "front_rms", "within_2_percent"]


def junctions():
    """Each method's scores on images of junctions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "junctions.zarr"
        stores.write(atomgan.dataset(IMAGES), path, seed=SEED, progress=False)
        table = defect_comparison.compare(path, METHODS, images=range(IMAGES))
    return f"Defects of {IMAGES} simulated junctions", defect_comparison.pooled(table).reset_index()


def scores(folder, methods, images, magnifications=(1.0,)):
    """The scores of test images, read where they are in the folder already."""
    folder, tables = Path(folder), []
    path = folder / "test.zarr"
    stores.write(atomgan.test_images(), path, seed=TEST_SEED)
    name = "scores" if magnifications == (1.0,) else "magnified"
    for start in range(0, len(images), BLOCK):
        file = folder / f"{name}_{'_'.join(Path(m).stem for m in methods)}_{start:04d}.csv"
        if not file.exists():
            block = images[start : start + BLOCK]
            table = defect_comparison.compare(path, methods, images=block, magnifications=magnifications)
            table.to_csv(file.with_suffix(".partial"), index=False)
            file.with_suffix(".partial").replace(file)
        tables.append(pd.read_csv(file))
    return pd.concat(tables, ignore_index=True)


def by(name, table):
    """Each method's scores by a column of a table of `defect_comparison.compare`."""
    parts = {method: defect_comparison.pooled(own, name) for method, own in table.groupby("method", sort=False)}
    return pd.concat(parts, names=["method"]).reset_index()[["method", name, "images", *SHOWN]]


def of_the_test(folder, methods):
    """Tables of the test images: all, by the noise's strength, and by magnification; the latter two also as a picture."""
    table = scores(folder, methods, range(atomgan.TEST[0]))
    yield "Test images", defect_comparison.pooled(table).reset_index()
    by_noise = by("alpha", table.assign(alpha=np.floor(table["alpha"] / 0.05 + 1e-3) * 0.05))
    yield "By the strength of the noise", by_noise
    others = [method for method in methods if method not in CLUSTERING] or methods
    magnified = by("magnification", scores(folder, others, range(0, atomgan.TEST[0], EVERY), MAGNIFICATIONS))
    yield "By magnification", magnified
    figures.save(drawn({"alpha": by_noise, "magnification": magnified}), Path(folder) / "curves.png")


def drawn(curves):
    """Precision and recall against what they are listed by, a row of Axes for each table: a figure."""
    picture, axes = figures.grid(len(curves), 2, 4)
    for row, (name, table) in zip(axes, curves.items(), strict=True):
        for ax, value in zip(row, ("precision", "recall"), strict=True):
            for method, own in table.groupby("method", sort=False):
                ax.plot(own[name], own[value], marker=".", label=Path(method).stem)
            ax.set(xlabel=name, ylabel=f"{value} of point defects", ylim=(-0.02, 1.02))
    axes[0, 0].legend(frameon=False, fontsize=8)
    return picture


if __name__ == "__main__":
    for title, rows in of_the_test(sys.argv[1], sys.argv[2:] or METHODS):
        print(f"\n## {title}\n\n{rows.convert_dtypes().to_markdown(index=False, floatfmt='.4g')}", flush=True)
