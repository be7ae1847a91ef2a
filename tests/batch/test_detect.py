"""Detection in batch without notebooks: what notebook 04 finds, for every image that holds one."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from atomwork import batch
from atomwork.batch import thumbnail
from tests.broken import broken_files

NOTEBOOK = Path(__file__).parents[2] / "notebooks/04_detect.ipynb"
pytestmark = pytest.mark.filterwarnings("ignore")


def lattice(number, size=64, spacing=9.0):
    """Counts of a square lattice, another one for every number."""
    axis = np.arange(size) + number % 9
    profile = np.exp(-((axis % spacing - spacing / 2) ** 2) / 8)
    return np.random.default_rng(number).poisson(80 * (0.1 + np.outer(profile, profile))).astype(np.float32)


def hundreds(folder, rng):
    """285 images and 15 files that are corrupt in ten ways; names of the latter and what their sentences say."""
    for number in range(285):
        np.save(folder / f"image{number:03}.npy", lattice(number))
    sentences = broken_files(folder, rng) | {"tiny.npy": "8 × 8 px"}
    del sentences["missing.tif"]
    np.save(folder / "tiny.npy", np.arange(64.0).reshape(8, 8))
    assert len(sentences) == 10
    for name in list(sentences)[:5]:
        shutil.copy(folder / name, folder / f"again_{name}")
        sentences[f"again_{name}"] = sentences[name]
    return sentences


def times(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*") if path.parent.name != "failures"}


def test_of_300_images_15_corrupt_in_ten_ways_285_are_complete(tmp_path, rng, two_workers):
    folder, out = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    sentences = hundreds(folder, rng)
    table = batch.detect(folder, out, progress=False, scheduler=two_workers)
    assert len(table) == 300
    failed = table[~table["ok"]]
    assert len(failed) == 15
    for source, error, detail in failed[["source", "error", "detail"]].itertuples(index=False):
        assert sentences[Path(source).name] in error
        assert "\n" not in error
        assert error in (out / detail).read_text()
    assert table["columns"].notna().sum() == 285
    assert table["columns"].min() > 20
    read = pd.read_csv(out / "summary.csv")

    before = times(out)
    again = batch.detect(folder, out, progress=False, scheduler=two_workers)
    pd.testing.assert_frame_equal(again, table)
    pd.testing.assert_frame_equal(pd.read_csv(out / "summary.csv"), read)
    assert times(out) == before

    np.save(folder / "image007.npy", lattice(1007))
    batch.detect(folder, out, progress=False, scheduler=two_workers)
    after = times(out)
    assert {path.parent.name for path in after if after[path] != before.get(path)} == {"image007.npy"}
    assert not (out / ".locks").exists()


def test_columns_are_those_of_the_notebook_byte_for_byte(tmp_path, two_workers):
    """On workers, which have a thread each: sums of floats depend on how many share them."""
    np.save(tmp_path / "square.npy", lattice(0, 128))
    sources = [str(tmp_path / "square.npy"), "sample:perovskite_adf", "sample:perovskite_abf"]
    for name, parameters in {"default": {}, "tuned": {"lower_bound": 0.3, "window_size": 6.0}}.items():
        quick, slow = tmp_path / f"{name}_quick", tmp_path / f"{name}_slow"
        how = {"parameters": parameters, "progress": False, "scheduler": two_workers}
        table, same = batch.detect(sources, quick, **how), batch.run(NOTEBOOK, sources, slow, **how)
        for source in ("square.npy", "sample_perovskite_adf", "sample_perovskite_abf"):
            assert (quick / source / "columns.csv").read_bytes() == (slow / source / "columns.csv").read_bytes()
        told = [column for column in table if " columns" in column or "error" in column or column == "columns"]
        pd.testing.assert_frame_equal(table[told], same[told])
        assert table["faint columns"].isna().tolist() == [True, False, False]
        assert table["ok"].all()
        assert table["columns"].min() > 100


def test_frames_of_a_stack_and_unknown_parameters(tmp_path, two_workers):
    np.save(tmp_path / "movie.npy", np.stack([lattice(0), lattice(1)]))
    (tmp_path / "frames.csv").write_text("image,frame\nmovie.npy,0\nmovie.npy,1\nmovie.npy,2\n")
    table = batch.detect(tmp_path / "frames.csv", tmp_path / "out", progress=False, scheduler=two_workers)
    assert table["ok"].tolist() == [True, True, False]
    assert "holds 2 frames" in table["error"][2]
    named = batch.detect(f"{tmp_path}/movie.npy[:]", tmp_path / "named", progress=False, scheduler=two_workers)
    assert named["columns"].tolist() == table["columns"][:2].tolist()
    assert named["image"].tolist() == ["movie.npy[0]", "movie.npy[1]"]
    with pytest.raises(ValueError, match=r"detect has no parameter 'lower'; it takes frame, image, lower_bound, model"):
        batch.detect(tmp_path / "movie.npy", tmp_path / "none", parameters={"lower": 0.2})
    with pytest.raises(ValueError, match="detect has no sources"):
        batch.detect(None, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_detection_warns_of_stands_in_the_row(tmp_path, rng, two_workers):
    np.save(tmp_path / "noise.npy", rng.poisson(3.0, (96, 96)).astype(float))
    grey = (255 * lattice(0) / lattice(0).max()).astype(np.uint8)
    Image.fromarray(np.stack([grey, grey, np.minimum(grey, 254)], -1)).save(tmp_path / "grey.png")  # one channel clipped
    table = batch.detect(
        [tmp_path / "grey.png", tmp_path / "noise.npy"], tmp_path / "out", progress=False, scheduler=two_workers
    )
    assert table["ok"].all()
    assert "saved in colour" in table["warning"][0]


@pytest.mark.parametrize("shape", [(64, 64), (1000, 700), (33, 2000)])
def test_a_thumbnail_is_small_and_marks_columns(shape):
    ramp = np.add.outer(np.zeros(shape[0]), np.arange(shape[1], dtype=float))
    columns = pd.DataFrame({"y": [shape[0] / 2, shape[0] + 99], "x": [shape[1] / 2, 1.0]})
    for spacing, dots in ((40.0, 1), (2.0, 0)):
        columns.attrs["spacing"] = spacing
        drawn = np.asarray(thumbnail.draw(ramp, columns).convert("RGB"))
        assert max(drawn.shape) <= thumbnail.SIDE
        assert (drawn == thumbnail.PALETTE[-1]).all(-1).sum() == dots
    assert (np.diff(drawn[0, :, 0].astype(int)) >= 0).all()
