"""Clicks on a spectrum become the vectors that are nearest; sliders and clicks on an image become its columns."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from scipy.spatial import cKDTree

from atomwork.analysis import editing, strain
from atomwork.widgets import BraggPicker, TuningPanel
from tests.analysis.test_editing import monolayer
from tests.analysis.test_strain import SIDE, G, crystal


@pytest.fixture(scope="module")
def image():
    """So few electrons that the network is sure of some columns only."""
    return monolayer(7)


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


@pytest.fixture
def panel(image, tmp_path):
    return TuningPanel(image, log=tmp_path / "parameters.yaml")


def mouse(panel, name, y, x):
    event = MouseEvent(name, panel.figure.canvas, *panel.ax.transData.transform((x, y)), button=1)
    panel.figure.canvas.callbacks.process(name, event)


def drag(panel, start, end=None):
    panel.figure.canvas.draw()
    mouse(panel, "button_press_event", *start)
    mouse(panel, "button_release_event", *(start if end is None else end))


def shown(panel):
    return np.array(panel.dots.get_data())[::-1].T


def test_sliders_change_what_is_shown_and_keep_the_zoom(panel):
    panel.ax.set(xlim=(20, 60), ylim=(90, 40))
    before = len(shown(panel))
    for slider, value in ((panel.lower_bound, 0.9), (panel.window_size, panel.window_size.max)):
        slider.value = value
        assert len(shown(panel)) == len(panel.columns) < before
        panel.undo.click()
        assert len(shown(panel)) == before
        assert slider.value < value
    assert (panel.ax.get_xlim(), panel.ax.get_ylim()) == ((20, 60), (90, 40))
    assert f"{before} columns" in panel.said.value


def test_sliders_wait_for_process_if_not_in_real_time(panel):
    before = len(shown(panel))
    panel.live.value = False
    panel.lower_bound.value = 0.9
    assert len(shown(panel)) == before
    panel.process.click()
    assert len(shown(panel)) < before


def test_the_mask_is_as_visible_as_asked_for(panel):
    assert not panel.mask.get_alpha().any()
    panel.transparency.value = 0.25
    assert panel.mask.get_alpha() == pytest.approx(0.75 * panel.editing.seen.confidence)


def test_clicks_remove_add_and_move_columns(panel):
    begin = shown(panel)
    place = begin[np.linalg.norm(begin - 64, axis=1).argmin()]
    drag(panel, place)  # only looks
    assert np.array_equal(shown(panel), begin)
    panel.mode.value = "remove"
    drag(panel, place + 0.7)
    assert np.linalg.norm(shown(panel) - place, axis=1).min() > 3
    panel.mode.value = "add"
    drag(panel, place + 1)
    assert np.linalg.norm(shown(panel) - place, axis=1).min() < 0.3
    panel.mode.value = "remove"
    between = np.argwhere(np.ones((128, 128)))
    nothing = between[cKDTree(shown(panel)).query(between)[0].argmax()]
    drag(panel, nothing)
    assert "2 edits; no column within half a spacing" in panel.said.value
    panel.mode.value = "move"
    drag(panel, place, place + [0, 1])
    assert "3 edits" in panel.said.value
    for _ in range(3):
        panel.undo.click()
    assert np.array_equal(shown(panel), begin)
    panel.redo.click()
    assert len(shown(panel)) == len(begin) - 1
    assert len(editing.read_log(panel.editing.log)["edits"]) == 1


def test_a_panel_that_begins_with_a_log_shows_what_was_left(panel, image):
    panel.mode.value = "remove"
    drag(panel, shown(panel)[10])
    panel.lower_bound.value = 0.3
    again = TuningPanel(image, settings=editing.Settings.of(editing.read_log(panel.editing.log)))
    assert np.array_equal(shown(again), shown(panel))
    assert again.lower_bound.value == 0.3
