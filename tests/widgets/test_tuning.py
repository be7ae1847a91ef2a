"""Sliders and clicks on an image become its columns."""

import asyncio

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent
from pandas import DataFrame
from scipy.spatial import cKDTree

from atomwork import weights
from atomwork.analysis import edit_log, edits, finetune
from atomwork.widgets import TuningPanel
from tests.analysis.test_editing import monolayer


@pytest.fixture(scope="module")
def image():
    """So few electrons that the network is sure of some columns only."""
    return monolayer(7)


@pytest.fixture
def panel(image, tmp_path):
    return TuningPanel(image, log=tmp_path / "parameters.yaml")


def mouse(panel, name, y, x):
    event = MouseEvent(name, panel.overlay.canvas, *panel.overlay.ax.transData.transform((x, y)), button=1)
    panel.overlay.canvas.callbacks.process(name, event)


def drag(panel, start, end=None):
    panel.overlay.canvas.draw()
    mouse(panel, "button_press_event", *start)
    mouse(panel, "button_release_event", *(start if end is None else end))


def shown(panel):
    """Places of all columns that are drawn, in reading order."""
    lines = (panel.overlay.dots, panel.overlay.by_hand)
    every = np.concatenate([np.array(line.get_data())[::-1].T for line in lines])
    return every[np.lexsort(every.T[::-1])]


def test_sliders_change_what_is_shown_and_keep_the_zoom(panel):
    panel.overlay.ax.set(xlim=(20, 60), ylim=(90, 40))
    before = len(shown(panel))
    for slider, value in ((panel.lower_bound, 0.9), (panel.window_size, panel.window_size.max)):
        slider.value = value
        assert len(shown(panel)) == len(panel.columns) < before
        panel.undo.click()
        assert len(shown(panel)) == before
        assert slider.value < value
    assert (panel.overlay.ax.get_xlim(), panel.overlay.ax.get_ylim()) == ((20, 60), (90, 40))
    assert f"{before} columns" in panel.said.value


def test_sliders_wait_for_process_if_not_in_real_time(panel):
    before = len(shown(panel))
    panel.live.value = False
    panel.lower_bound.value = 0.9
    assert len(shown(panel)) == before
    panel.process.click()
    assert len(shown(panel)) < before


def test_the_mask_is_as_visible_as_asked_for(panel):
    assert not np.any(panel.overlay.mask.get_alpha())
    panel.transparency.value = 0.25
    assert panel.overlay.mask.get_alpha() == pytest.approx(0.75 * panel.editing.seen.confidence)


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
    assert len(edit_log.read(panel.editing.log)["edits"]) == 1


def test_a_panel_that_begins_with_a_log_shows_what_was_left(panel, image):
    panel.mode.value = "remove"
    drag(panel, shown(panel)[10])
    panel.lower_bound.value = 0.3
    again = TuningPanel(image, settings=edits.Settings.of(edit_log.read(panel.editing.log)))
    assert np.array_equal(shown(again), shown(panel))
    assert again.lower_bound.value == 0.3


def press_key(panel, *names):
    for name in names:
        panel.overlay.canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", panel.overlay.canvas, name))


def test_regions_are_dragged_and_drawn(panel):
    every = shown(panel)
    panel.mode.value = "ignore"
    drag(panel, (90, 100), (20, 30))
    inside = ((every >= (20, 30)) & (every <= (90, 100))).all(1)
    assert shown(panel) == pytest.approx(every[~inside])
    corners = panel.overlay.regions["ignore"].get_path().vertices
    assert (corners.min(0), corners.max(0)) == (pytest.approx([30, 20]), pytest.approx([100, 90]))
    panel.undo.click()
    assert not len(panel.overlay.regions["ignore"].get_path().vertices)


def test_marks_of_the_truth_judge_what_is_shown(panel):
    middle = shown(panel)[np.linalg.norm(shown(panel) - 64, axis=1).argsort()[:7]]
    panel.mode.value = "truth"
    for place in middle:
        drag(panel, place)
    assert "F1 1.000 by 7 marks" in panel.said.value
    panel.mode.value = "remove"
    drag(panel, middle[0])
    assert "F1 0.923 by 7 marks" in panel.said.value


def test_keys_move_a_cursor_that_clicks(panel):
    before = len(shown(panel))
    panel.mode.value = "remove"
    step = 0.25 * panel.editing.seen.spacing
    press_key(panel, *["right"] * 3, *["up"] * 2)
    assert panel.place == pytest.approx([63.5 - 2 * step, 63.5 + 3 * step])
    for _ in range(4):  # to wherever a column is
        press_key(panel, "right", "enter")
    assert len(shown(panel)) < before
    press_key(panel, *["ctrl+z"] * 4)
    assert len(shown(panel)) == before
    panel.mode.value = "ignore"
    press_key(panel, "enter", *["left"] * 8, *["down"] * 8, "enter")
    assert len(panel.editing.settings.among(["ignore"])) == 1
    press_key(panel, "enter", "right", "escape", "right")
    assert panel.start is None
    assert len(panel.editing.settings.edits) == 1


def test_a_drag_of_a_slider_is_one_change_to_undo(panel):
    begun = panel.editing.settings
    for value in (0.2, 0.3, 0.4, 0.5):
        panel.lower_bound.value = value
    panel.undo.click()
    assert panel.editing.settings == begun


def test_a_slider_that_was_not_touched_leaves_the_window_to_the_image(panel):
    panel.lower_bound.value = 0.3
    assert panel.editing.settings.window_size is None


def test_an_image_that_shows_too_little_is_doubted(tmp_path, rng):
    panel = TuningPanel(rng.normal(100, 10, (128, 128)))
    assert "expected to be right" in panel.said.value or panel.said.value.startswith("<b>0 columns")


def test_a_network_that_learned_from_the_columns_looks_at_once(panel, monkeypatch, tmp_path):
    panel.mode.value = "ignore"
    drag(panel, (0, 0), (40, 127))
    learned, asked = tmp_path / "learned.safetensors", {}
    tensors, settings = weights.load("atomid")
    weights.save(learned, tensors, {**settings, "calibration": None})

    def learn(frames, labels, folder, **options):
        asked.update(options, labels=labels[0], folder=folder)
        scores = DataFrame({"held back": [0.5, 0.75], "simulated": [0.9, 0.9]}, index=[0.0, 1.0])
        return finetune.FineTuned(str(learned), scores, 1.0)

    monkeypatch.setattr(finetune, "finetune", learn)
    panel.steps.value = 7
    panel.learn.click()
    assert asked["max_steps"] == 7
    assert asked["folder"] == tmp_path / "finetuned"
    assert set(asked["labels"]["visible"]) == {True, False}
    assert "F1 0.500 → 0.750 on the quarter held back" in panel.said.value
    assert edit_log.read(panel.editing.log)["model"] == str(learned)


def test_files_to_download_are_what_is_shown(panel, tmp_path):
    for name, make in panel.files().items():
        make(tmp_path / name)
    assert edit_log.read(tmp_path / "parameters.yaml")["lower_bound"] == 0.1
    assert (tmp_path / "overlay.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "overlay.png").stat().st_size > 10_000


def test_a_new_window_shows_the_maps_peaks_at_once_and_fits_when_the_slider_rests(panel):
    async def slide():
        panel.window_size.value = 8.6
        panel.window_size.value = 8.5
        at_once, logged = shown(panel), edit_log.read(panel.editing.log)["window_size"]
        await asyncio.sleep(1.0)
        return at_once, logged, shown(panel)

    at_once, logged, rested = asyncio.run(slide())
    assert logged == 8.5
    assert not np.array_equal(at_once, rested)
    assert np.array_equal(rested, panel.columns[["y", "x"]].to_numpy())
    assert abs(len(at_once) - len(rested)) < 0.1 * len(rested)
