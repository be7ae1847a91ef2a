"""Defects of SrTiO3 against what their atoms' strength and place imply."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize

from atomwork.simulation.recipes import srtio3_defects
from atomwork.simulation.recipes.srtio3_defects import CELL, KINDS, PIXEL_SIZE, SIZE, Recipe
from tests.simulation.recipes import sequence

STEADY = Recipe(cells=(12, 12), defocus=(0.0, 0.0), source_size=(0.3, 0.3), background=(0.0, 0.0))
PERIOD = CELL / PIXEL_SIZE  # px
STRENGTH = {"Sr": 38**1.7, "Ti": 22**1.7, "O": 8**1.7}


@cache
def drawn(kind, index=0, **changes):
    return srtio3_defects.dataset(recipe=replace(STEADY, kinds=(kind,), **changes)).draw(index, sequence(index))


def brightness(image, places):
    return map_coordinates(image["clean"].astype(float), np.transpose(places), order=3)


def neighbours(site):
    """Of the same sublattice, those that lie well inside the image: (N, 2) [px]."""
    places = site + PERIOD * np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
    return places[((places > 3) & (places < SIZE - 4)).all(1)]


def summit(image, start):
    """The maximum near a place, between the pixels [px]."""
    return minimize(lambda place: -brightness(image, [place])[0], start, method="Nelder-Mead", options={"xatol": 1e-3}).x


def test_images_are_drawn_as_declared():
    dataset = srtio3_defects.dataset()
    image = dataset.draw(11, sequence(11))
    assert image.keys() == dataset.arrays.keys()
    for name, array in dataset.arrays.items():
        assert (image[name].shape, image[name].dtype) == (array.shape, array.dtype), name


def test_kinds_and_doses_come_equally_often_and_within_their_ranges():
    dataset = srtio3_defects.dataset(recipe=Recipe(cells=(4, 8)))
    images = [dataset.draw(k, sequence(k)) for k in range(21)]
    assert dataset.n_images % 21 == 0
    assert {(int(i["kind"]), float(i["dose"])) for i in images} == {(k, d) for k in range(7) for d in (20.0, 100.0, 500.0)}
    for image in images:
        name = dataset.parameters["kinds"][image["kind"]]
        low, high = {"b": (0, 0), "f": (5, 40)}.get(name[0], (0.25, 1))
        assert low <= image["strength"] <= high
        assert np.isnan(image["place"]).all() == (name == "bulk")
        assert image["clean"].max() == pytest.approx(image["dose"], rel=1e-6)


def test_bulk_is_a_perfect_crystal():
    """Moved by a unit cell it looks the same."""
    image = drawn("bulk")
    y, x = np.meshgrid(np.arange(4.0, 36.0), np.arange(4.0, 60.0), indexing="ij")
    here, below = (brightness(image, np.stack([y.ravel() + step, x.ravel()], -1)) for step in (0, PERIOD))
    assert np.abs(here - below).max() < 0.01 * image["clean"].max()


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
@pytest.mark.parametrize(
    ("kind", "whole", "gone"),
    [
        ("Ti vacancy", STRENGTH["Ti"] + STRENGTH["O"], STRENGTH["Ti"]),
        ("Sr vacancy", STRENGTH["Sr"], STRENGTH["Sr"]),
        ("antisite Ti", STRENGTH["Sr"], STRENGTH["Sr"] - STRENGTH["Ti"]),
        ("antisite Sr", STRENGTH["Ti"] + STRENGTH["O"], STRENGTH["Ti"] - STRENGTH["Sr"]),
    ],
)
def test_a_column_is_darker_by_what_its_atoms_lost(kind, whole, gone, share):
    """Brightness is the sum of Z^1.7 of the atoms, but for the tails of the columns around."""
    image = drawn(kind, share=(share, share))
    assert image["strength"] == share
    bulk = brightness(image, neighbours(image["place"])).mean()
    assert brightness(image, [image["place"]])[0] / bulk == pytest.approx(1 - share * gone / whole, abs=0.06)


@pytest.mark.parametrize("index", range(4))
def test_shifts_of_strontium_are_found_again(index):
    image = drawn("ferroelectric Sr", index=index)
    place = image["place"]
    lattice = neighbours(place)  # moved as the defect is, but their columns are not
    start = np.mean([summit(image, p) - (p - place) for p in lattice], axis=0)
    now = summit(image, place)
    assert np.hypot(*(now - place)) * 100 * PIXEL_SIZE < 2  # pm
    assert np.hypot(*(now - start)) * 100 * PIXEL_SIZE == pytest.approx(image["strength"], abs=2)


def test_shifts_of_titanium_leave_the_oxygen_behind():
    """The maximum lies between the place of the oxygen and that of the titanium, near the centre of scattering."""
    image = drawn("ferroelectric Ti", shift=(15.0, 15.0))
    place = image["place"]
    start = np.mean([summit(image, p) - (p - place) for p in neighbours(place)], axis=0)
    moved = np.hypot(*(summit(image, place) - start)) * 100 * PIXEL_SIZE
    assert moved == pytest.approx(15 * STRENGTH["Ti"] / (STRENGTH["Ti"] + STRENGTH["O"]), abs=2)


def test_the_defect_lies_near_the_middle():
    middle = (SIZE - 1) / 2
    away = np.array([drawn("Sr vacancy", index=k)["place"] - middle for k in range(12)])
    assert np.abs(away).max() <= PERIOD / 2
    assert np.ptp(away, axis=0).min() > PERIOD / 2  # and not always at the same place in its cell


def test_images_are_counted():
    """χ² of 1 for a pixel, as Poisson counts have about their mean."""
    image = drawn("bulk", background=(0.2, 0.2), doses=(500.0,))
    clean = image["clean"].astype(float).clip(1)
    assert ((image["image"] - clean) ** 2 / clean).mean() == pytest.approx(1, rel=0.08)


def test_the_same_sequence_gives_the_same_bytes_and_another_index_another_image():
    draw = srtio3_defects.dataset(recipe=replace(STEADY, kinds=("Ti vacancy",), doses=(20.0,))).draw
    seed = sequence(0)
    first, again, other = draw(0, seed), draw(0, seed), draw(1, sequence(1))
    assert all(values.tobytes() == again[name].tobytes() for name, values in first.items())
    assert not np.array_equal(first["image"], other["image"])


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'O vacancy' are unknown; choose from bulk, Ti vacancy"):
        Recipe(kinds=("bulk", "O vacancy"))
    assert set(Recipe().kinds) == set(KINDS)
