"""Clicks on a spectrum become the vectors that are nearest."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent

from atomwork.analysis import strain
from atomwork.widgets import BraggPicker
from tests.analysis.test_strain import SIDE, G, crystal


@pytest.fixture
def picker(rng):
    yield BraggPicker(rng.poisson(crystal()).astype(float))
    plt.close("all")


def click(picker, y, x):
    picker.figure.canvas.draw()
    at = picker.ax.transData.transform((x, y))
    event = MouseEvent("button_press_event", picker.figure.canvas, *at, button=1)
    picker.figure.canvas.callbacks.process(event.name, event)


def test_two_clicks_give_two_vectors_in_their_order(picker):
    wanted = np.array([G[0] + G[1], -G[0]])
    for y, x in wanted:
        click(picker, y + 0.004, x - 0.003)
    assert picker.g == pytest.approx(wanted, abs=0.1 / SIDE)
    assert {line.get_label() for line in picker.ax.lines} == {"g1", "g2"}
    found = strain.gpa(picker.image, *picker.g, resolution=9.0)
    assert np.nanmedian(np.abs(found.exx)) < 5e-3


def test_a_click_on_the_middle_or_beside_the_axes_changes_nothing(picker):
    before = picker.g.copy()
    click(picker, 0.0, 0.0)
    outside = MouseEvent("button_press_event", picker.figure.canvas, 1, 1, button=1)
    picker.figure.canvas.callbacks.process(outside.name, outside)
    assert np.array_equal(picker.g, before)


def test_it_begins_with_the_vectors_that_gpa_picks(picker):
    assert picker.g == pytest.approx(strain.picked(picker.image))
