"""Counts, densities and lengths of defects, by construction."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import defects
from atomwork.analysis.defects import DefectMap
from tests.columns.test_junction import seen


@pytest.fixture
def crystal():
    """A square lattice of 20 × 20 sites, 10 px apart; three are vacant, one is odd; a front between two phases."""
    y, x = (axis.ravel() for axis in 10.0 * np.indices((20, 20)) + 5)
    vacant = [21, 150, 333]
    points = pd.DataFrame(
        {"y": y[[*vacant, 210]], "x": x[[*vacant, 210]], "kind": ["vacancy"] * 3 + ["dopant"], "confidence": 0.9}
    )
    columns = pd.DataFrame({"y": np.delete(y, vacant), "x": np.delete(x, vacant)})
    front = np.array([[-30, 79.5], [230, 79.5]])
    return DefectMap((200, 200), points, [front], columns, 10.0, "construction", pixel_size=0.25)


def test_every_site_counts_once(crystal):
    report = defects.quantify(crystal)
    assert report.n_sites == 400  # 397 columns, one of them odd, and three vacant sites
    assert report.ratio == pytest.approx(4 / 400)
    assert report.counts.set_index("kind")["count"].to_dict() == {"vacancy": 3, "dopant": 1}


def test_densities_and_lengths_are_of_the_image(crystal):
    report = defects.quantify(crystal)
    assert report.density == pytest.approx(4 / (5.0 * 5.0))  # the field is 5 nm wide
    assert report.fronts["length"].tolist() == pytest.approx([200])
    assert report.fronts["length_nm"].tolist() == pytest.approx([5.0])
    assert report.phases["share"].tolist() == pytest.approx([0.6, 0.4])
    assert report.defects["y_angstrom"].tolist() == pytest.approx((0.25 * crystal.points["y"]).tolist())


def test_empty_ground_is_no_crystal(crystal):
    labels = np.ones(crystal.shape, int)
    labels[:, :79], labels[:50] = 2, 0
    report = defects.quantify(replace(crystal, labels=labels))
    assert report.area == 150 * 200
    assert report.density == pytest.approx(4 / (5.0 * 3.75))


def test_without_a_pixel_size_nothing_is_given_in_lengths(crystal):
    report = defects.quantify(replace(crystal, pixel_size=None))
    assert np.isnan(report.density)
    assert report.defects[["y_angstrom", "x_angstrom"]].isna().all(axis=None)
    assert report.phases["area_nm2"].isna().all()
    assert report.ratio == pytest.approx(0.01)


def test_a_perfect_crystal_has_no_defects(crystal):
    report = defects.quantify(replace(crystal, points=crystal.points[:0], fronts=[]))
    assert (report.ratio, report.density, len(report.counts), len(report.fronts)) == (0, 0, 0, 0)
    assert report.phases["share"].tolist() == [1.0]


@pytest.mark.parametrize("model", ["columns", "pca", "kmeans", "columns+atomgan"])
def test_every_method_is_called_by_its_name(model):
    found = defects.segment(seen(1)["image"], model=model, pixel_size=0.2)
    assert found.source == model
    assert found.pixel_size == 0.2
    assert defects.quantify(found).n_sites > 100


def test_what_is_no_image_or_no_method_is_refused(rng):
    with pytest.raises(ValueError, match=r"image has shape \(2, 64, 64\); segment takes one \(H, W\) image"):
        defects.segment(np.zeros((2, 64, 64)))
    with pytest.raises(
        ValueError, match=r"model='nonesuch' .* choose from columns, kmeans, pca, atomgan, columns\+atomgan, or"
    ):
        defects.segment(seen(1)["image"], model="nonesuch")
