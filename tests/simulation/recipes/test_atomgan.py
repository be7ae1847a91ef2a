"""AtomGAN's data: the paper's counts, nothing paired, the same seed the same bytes."""

from itertools import pairwise

import numpy as np
import pytest

from atomwork.simulation import drawing
from atomwork.simulation.recipes import atomgan


@pytest.fixture(scope="module")
def drawn():
    dataset = atomgan.dataset(40)
    return dataset, [dataset.draw(k, np.random.SeedSequence(2, spawn_key=(k,))) for k in (0, 1, 39)]


def test_the_whole_set_has_the_papers_counts():
    dataset = atomgan.dataset()
    assert dataset.n_images == 5314
    assert dataset.parameters["training"] == {"images": 3984, "point_defects": 6610, "fronts": 3984}
    assert dataset.parameters["test"] == {"images": 1330, "point_defects": 3380, "fronts": 1330}
    defects, drawn, test = atomgan.counts(5314)
    assert defects[~test].sum() == drawn[~test].sum() == 6610
    assert defects[test].sum() == drawn[test].sum() == 3380
    assert not np.array_equal(defects, drawn)


def test_a_smaller_set_keeps_the_shares():
    defects, _, test = atomgan.counts(531)
    assert test.sum() == 133
    assert defects[test].mean() == pytest.approx(3380 / 1330, rel=0.01)


def test_every_image_has_exactly_its_defects_and_one_front(drawn):
    dataset, images = drawn
    counts = dataset.draw.keywords["defects"]
    for index, image in zip((0, 1, 39), images, strict=True):
        found = image["defects"][~np.isnan(image["defects"][:, 0])]
        assert len(found) == counts[index]
        assert ((found[:, :2] >= 0) & (found[:, :2] <= 255)).all()
        front = image["front"][~np.isnan(image["front"][:, 0])]
        middle = np.concatenate([np.linspace(a, b, 5) for a, b in pairwise(front)])
        assert ((middle > 0) & (middle < 255)).all(1).sum() > 20
    assert images[2]["is_test"]
    assert not images[0]["is_test"]


def test_no_column_stands_on_a_double_vacancy_and_every_other_site_is_taken(drawn):
    for image in drawn[1]:
        defects, columns = image["defects"], image["columns"]
        columns = columns[~np.isnan(columns[:, 0])]
        assert len(columns) > 300
        pixel = image["settings"][0]
        for y, x, kind in defects[~np.isnan(defects[:, 0])]:
            distance = np.hypot(columns[:, 0] - y, columns[:, 1] - x).min() * pixel
            empty = list(atomgan.KINDS)[int(kind)] != "V_S"
            assert (distance > 1.0) == empty


def test_the_drawing_is_of_another_specimen(drawn):
    for image in drawn[1]:
        columns = image["columns"][~np.isnan(image["columns"][:, 0])]
        level = image["drawing"][tuple(np.rint(columns[:, :2]).astype(int).T)]
        share = (level > 0).mean()  # a paired drawing has a disc on every column
        assert share < 0.8
        assert image["drawing"].max() in (drawing.LINE_LEVEL, drawing.DEFECT_LEVEL)


def test_the_same_sequence_gives_the_same_bytes(drawn):
    dataset, images = drawn
    again = dataset.draw(1, np.random.SeedSequence(2, spawn_key=(1,)))
    assert all(np.array_equal(again[name], images[1][name], equal_nan=name not in ("image", "drawing")) for name in again)
    other = dataset.draw(1, np.random.SeedSequence(3, spawn_key=(1,)))
    assert not np.array_equal(other["image"], images[1]["image"])


def test_test_images_alone_are_those_of_the_whole_set():
    whole, alone = atomgan.dataset(), atomgan.test_images()
    assert alone.n_images == 1330
    last = whole.draw(5313, np.random.SeedSequence(9, spawn_key=(5313,)))
    same = alone.draw(1329, np.random.SeedSequence(9, spawn_key=(1329,)))
    assert same["is_test"]
    assert all(np.array_equal(last[name], same[name], equal_nan=name not in ("image", "drawing")) for name in last)
