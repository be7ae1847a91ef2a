"""Methods compared: every image by every method, scored as one by one, test images unless others are asked for."""

import pytest

from atomwork.analysis import defect_comparison, defect_scores, defects
from atomwork.simulation import stores
from atomwork.simulation.recipes import atomgan


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("junctions") / "four.zarr"
    stores.write(atomgan.dataset(4), path, seed=5, progress=False)
    return path


def test_scores_are_those_of_each_image_alone(store):
    table = defect_comparison.compare(store, ["columns", "pca"], images=[2, 0], progress=False)
    assert table[["image", "method"]].to_numpy().tolist() == [[2, "columns"], [2, "pca"], [0, "columns"], [0, "pca"]]
    arrays = stores.load(store)
    truth = defect_scores.Truth.of({name: arrays[name][2] for name in ("columns", "defects", "front")})
    alone = defect_scores.scored(defects.segment(arrays["image"][2], model="columns"), truth)
    first = table.iloc[0]
    assert (first["hits"], first["false"], first["missed"]) == (alone.hits, alone.false, alone.missed)
    assert first[["whole_whole", "whole_odd", "odd_whole", "odd_odd"]].tolist() == alone.confusion.ravel().tolist()
    assert 0.4 <= first["alpha"] <= 0.7
    rows = defect_comparison.pooled(table)
    assert rows.loc["columns", "images"] == 2
    assert rows.loc["columns", "f1"] >= rows.loc["pca", "f1"]


def test_test_images_are_the_default(store):
    table = defect_comparison.compare(store, ["columns"], progress=False)
    assert table["image"].tolist() == [3]


def test_an_image_and_its_truth_are_magnified_together(store):
    """Brought to half as many pixels again, the same vacancies are found, and where the truth has them."""
    table = defect_comparison.compare(store, ["columns"], images=[0], magnifications=(1.0, 1.5), progress=False)
    assert table["magnification"].tolist() == [1.0, 1.5]
    assert table["hits"].nunique() == 1 <= table["hits"].min()
    assert (table["missed"] == 0).all()
    assert table["front_rms"].max() < 0.5
