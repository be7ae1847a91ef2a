"""TEMImageNet's images against the truth they were made from, and all recipes beside it as stores."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from distributed import LocalCluster

from atomwork.simulation import stores
from atomwork.simulation.recipes import srtio3_defects, temimagenet, tomography, wei
from tests.simulation.recipes import sequence

SIZE = temimagenet.SIZE
EASY = temimagenet.Recipe(
    field_of_view=(12.0, 12.0),
    thickness=(5.0, 6.0),
    resolution=(0.6, 0.6),
    source_size=(0.2, 0.2),
    defocus=(0.0, 0.0),
    dose=(400.0, 400.0),
    background=(0.0, 0.0),
    jitter=(0.0, 0.0),
)


@cache
def drawn(crystal, **changes):
    """An image of one crystal under easy conditions."""
    recipe = replace(EASY, materials={"one": (crystal,)}, **changes)
    return temimagenet.dataset(recipe=recipe).draw(0, sequence(0))


def visible(image, border=0):
    """Places of the columns that have a mask, not nearer to the border [px]."""
    places = image["columns"][image["visible"]][:, :2]
    return places[((places >= border) & (places <= SIZE - 1 - border)).all(1)]


@pytest.mark.parametrize("index", range(9), ids=list(temimagenet.MATERIALS))
def test_every_material_is_drawn_as_declared(index):
    dataset = temimagenet.dataset()
    image = dataset.draw(index, sequence(index))
    assert image.keys() == dataset.arrays.keys()
    for name, array in dataset.arrays.items():
        assert (image[name].shape, image[name].dtype) == (array.shape, array.dtype), name
    for name in ("image", "no_noise", "no_background", "super_resolution"):
        assert image[name].min() >= 0
        assert image[name].max() == 1
    assert image["material"] == index
    assert 8 <= SIZE * image["pixel_size"] <= 30
    assert len(visible(image)) > 0


def test_materials_and_their_zone_axes_come_equally_often():
    assert temimagenet.IMAGES == 9 * 1596
    assert all(1596 % len(crystals) == 0 for crystals in temimagenet.MATERIALS.values())
    materials = {"Pt": ("Pt [110]", "Pt [100]"), "C": ("graphene × 1",), "SrTiO3": ("SrTiO3 [001]", "SrTiO3 [111]")}
    dataset = temimagenet.dataset(12, recipe=replace(EASY, materials=materials, field_of_view=(30.0, 30.0)))
    images = [dataset.draw(k, sequence(k)) for k in range(12)]
    assert np.bincount([image["material"] for image in images]).tolist() == [4, 4, 4]
    assert np.bincount([image["crystal"] for image in images]).tolist() == [2, 2, 4, 2, 2]


@pytest.mark.parametrize("name", ["no_background", "super_resolution", "gaussian_mask"])
@pytest.mark.parametrize("crystal", ["Pt [110]", "SrTiO3 [001]", "DyScO3 [101]", "MoS2 × 1"])
def test_every_visible_column_is_a_maximum_of_each_picture(crystal, name):
    image = drawn(crystal)
    places = visible(image, border=12)
    assert len(places) >= 8
    for y, x in places:
        row, column = round(float(y)), round(float(x))
        patch = image[name][row - 8 : row + 9, column - 8 : column + 9].astype(float)
        top = np.argwhere(patch == patch.max()).mean(0) - 8 + (row, column)  # float16 has plateaus: their middle
        assert np.hypot(*(top - (y, x))) < 1


def test_masks_have_the_stated_size_and_stand_on_visible_columns_alone():
    image = drawn("Pt [110]")
    places, radius = visible(image), EASY.circle / image["pixel_size"]
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(y[..., None] - places[:, 0], x[..., None] - places[:, 1]).min(-1)
    assert np.array_equal(image["circular_mask"], distance <= radius)
    gaussian = np.exp(-0.5 * (distance * image["pixel_size"] / EASY.gaussian) ** 2)
    assert np.abs(image["gaussian_mask"] - gaussian).max() < 1e-3
    inner = visible(image, border=radius + 1)
    y0, x0 = inner[0].round().astype(int)
    reach = int(radius) + 2
    area = image["circular_mask"][max(0, y0 - reach) : y0 + reach + 1, max(0, x0 - reach) : x0 + reach + 1].sum()
    assert area == pytest.approx(np.pi * radius**2, rel=0.05)


def test_what_nobody_sees_has_no_mask():
    """The oxygen of SrTiO3 [001] is below a tenth of Sr; at a hundredth of an electron a pixel nothing is to be seen."""
    image = drawn("SrTiO3 [001]")
    columns = image["columns"][~np.isnan(image["columns"][:, 0])]
    assert set(columns[image["visible"][: len(columns)], 2]) == {38, 22}
    assert set(columns[:, 2]) == {38, 22, 8}
    nothing = drawn("SrTiO3 [001]", dose=(0.01, 0.01))
    assert not nothing["visible"].any()
    assert not nothing["circular_mask"].any()
    assert not nothing["gaussian_mask"].any()


def test_the_super_resolved_probe_is_half_as_wide():
    """The area above half of the maximum goes with the square of the width."""
    image = drawn("Pt [110]", field_of_view=(8.0, 8.0))
    wide, narrow = ((image[name] > 0.5).sum() for name in ("no_background", "super_resolution"))
    assert narrow / wide == pytest.approx(0.25, rel=0.1)


def test_images_count_the_electrons_of_their_label():
    """Whole numbers, and χ² of 1 for a pixel, as Poisson counts have about their mean."""
    image = drawn("Pt [110]", background=(0.5, 0.5))
    counted = image["image"].astype(float) * image["electrons"][0]
    assert np.abs(counted - counted.round()).max() < 0.2  # of float16
    expected = image["no_noise"].astype(float) * image["electrons"][1]
    assert image["electrons"][1] == 400
    assert ((counted - expected) ** 2 / expected).mean() == pytest.approx(1, rel=0.03)


def test_the_background_is_smooth_and_as_high_as_asked():
    image = drawn("Pt [110]", background=(0.5, 0.5))
    _, with_background, without = map(float, image["electrons"])
    background = image["no_noise"].astype(float) * with_background - image["no_background"].astype(float) * without
    assert background.min() == pytest.approx(0, abs=0.005 * without)
    assert background.max() == pytest.approx(0.5 * without, rel=0.01)
    assert np.abs(np.diff(background, axis=0)).max() < 0.02 * without


def test_the_same_sequence_gives_the_same_bytes_and_another_index_another_image():
    draw = temimagenet.dataset(recipe=replace(EASY, field_of_view=(30.0, 30.0))).draw
    seed = sequence(4)
    first, again, other = draw(4, seed), draw(4, seed), draw(13, sequence(13))
    for name, values in first.items():
        assert values.tobytes() == again[name].tobytes(), name
    assert first["material"] == other["material"]
    assert not np.array_equal(first["image"], other["image"])


def test_stores_hold_what_the_recipes_draw(tmp_path):
    sweeps = {"dose": (10.0,), "jitter": (1.0,)}
    datasets = [temimagenet.dataset(3), srtio3_defects.dataset(3), wei.dataset(4, sweeps=sweeps), tomography.dataset(3)]
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs="CRITICAL") as cluster:
        for dataset in datasets:
            path = tmp_path / dataset.name
            group = stores.write(dataset, path, seed=3, scheduler=cluster.scheduler_address, progress=False)
            index = dataset.n_images - 1
            for name, values in dataset.draw(index, sequence(index)).items():
                assert np.array_equal(group[name][index], values, equal_nan=values.dtype.kind == "f"), (dataset.name, name)
