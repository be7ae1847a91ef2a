"""Monolayers as a scan records them, and images of any material: the truth is in the image."""

import numpy as np
import pytest

from atomwork.simulation.recipes import atomid, catalogue, material


def rows(table):
    return table[~np.isnan(table[:, 0])]


@pytest.fixture(scope="module")
def drawn():
    dataset = atomid.dataset(8)
    return [dataset.draw(k, np.random.SeedSequence(5, spawn_key=(k,))) for k in range(8)]


def test_the_domains_take_turns(drawn):
    assert [int(image["domain"]) for image in drawn] == [0, 1, 2, 3] * 2
    high, low = ([image["settings"][0] for image in drawn[k::2]] for k in (0, 1))
    assert max(high) < min(low)


def test_metal_columns_are_bright_in_the_noise_free_image(drawn):
    for image in drawn:
        columns = rows(image["columns"])
        metal = columns[columns[:, 2] == columns[:, 2].max()]
        values = image["clean"][tuple(np.rint(metal[:, :2]).astype(int).T)]
        assert np.median(values) > 1.2 * image["clean"].mean()


def test_the_brightest_pixel_expects_the_dose(drawn):
    for image in drawn:
        assert image["clean"].max() == pytest.approx(image["settings"][2], rel=1e-4)


def test_every_defect_is_of_a_known_kind(drawn):
    assert sum(len(rows(image["defects"])) for image in drawn) > 10
    for image in drawn:
        assert (rows(image["defects"])[:, 2] < len(atomid.kinds())).all()


@pytest.mark.parametrize("imaging", ["forward", "hrtem"])
def test_any_material_is_imaged_with_its_vacancies(imaging):
    dataset = material.dataset("WS2", imaging, 2)
    image = dataset.draw(0, np.random.SeedSequence(1))
    assert image.keys() == dataset.arrays.keys()
    assert len(rows(image["columns"])) > 80
    assert image["clean"].max() == pytest.approx(image["settings"][1], rel=1e-4)
    again = dataset.draw(0, np.random.SeedSequence(1))
    assert np.array_equal(image["image"], again["image"])


def test_an_unknown_way_to_image_is_refused():
    with pytest.raises(ValueError, match=r"imaging 'xray' is unknown; choose one of forward"):
        material.dataset("MoS2", "xray")


@pytest.mark.parametrize("name", list(catalogue.RECIPES))
def test_every_recipe_is_listed_under_its_name(name):
    dataset = catalogue.RECIPES[name]()
    assert dataset.n_images > 0
    assert dataset.name == ("MoS2 by forward" if name == "material" else name)
