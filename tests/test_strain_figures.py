"""Figures of strain say what they show: units, errors, colours that part at zero."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from atomwork import figures, strain_figures
from atomwork.analysis import strain
from atomwork.image import Micrograph
from tests.analysis.test_strain import LEFT, G, half_deformed


@pytest.fixture(scope="module")
def found():
    image = Micrograph(half_deformed(np.diag([1.0, 1.03])), 0.2, "half")
    return strain.gpa(image, *G, resolution=8.0, reference=LEFT)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_maps_share_a_scale_that_parts_at_zero_and_state_their_error(found):
    _, axes = figures.grid(2, 4)
    strain_figures.draw_strains(axes, {"GPA": found, "half as much": replace(found, exx=found.exx / 2)})
    for column in axes.T:
        limits = {ax.images[0].get_clim() for ax in column}
        assert len(limits) == 1
        low, high = limits.pop()
        assert low == -high
    assert axes[0, 0].images[0].get_clim()[1] == pytest.approx(3, rel=0.1)
    assert axes[0, 0].get_title().startswith("GPA: exx, ± ")
    assert axes[0, 3].get_title().endswith("°")
    assert all(ax.artists for ax in axes.flat)  # scale bars


def test_histograms_state_mean_and_deviation(found):
    _, (ax,) = figures.panels(1)
    strain_figures.draw_strain_histogram(ax, {"a": np.array([0.01, 0.03, np.nan]), "b": np.array([-0.01, 0.01])})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a: +2.000 ± 1.000 %", "b: +0.000 ± 1.000 %"]


def test_the_spectrum_is_bright_where_the_vectors_are(found):
    _, (ax,) = figures.panels(1)
    strain_figures.draw_spectrum(ax, half_deformed(np.eye(2)), G)
    shown = ax.images[0]
    left, right, bottom, top = shown.get_extent()
    height, width = shown.get_array().shape
    for y, x in G:
        row, column = int((y - top) / (bottom - top) * height), int((x - left) / (right - left) * width)
        assert shown.get_array()[row - 1 : row + 2, column - 1 : column + 2].max() > shown.get_array().max() - 1


def test_disagreement_says_its_share_and_displacements_their_length(found):
    _, (left, right) = figures.panels(2)
    strain_figures.draw_disagreement(left, np.where(np.arange(100) < 25, 4.0, 0.0).reshape(10, 10), 0.2)
    assert left.get_title() == "beyond 3: 25.0% of the area"
    moved = pd.DataFrame({"y": [5.0, 20], "x": [5.0, 20], "dy": [0.5, 0.5], "dx": [0.0, 0.0]})
    moved.attrs["vectors"] = 10 * np.eye(2)
    strain_figures.draw_displacements(right, Micrograph(np.eye(30), 0.2, "eye"), moved)
    assert "an arrow as long as a cell is 10 pm" in right.get_title()
