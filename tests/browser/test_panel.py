"""The panel as people meet it: in a real Chromium, against JupyterLab and against Voilà."""

import os
import re

import pytest
import yaml

from atomwork.micrograph import find_sample, package_folder
from tests.browser.conftest import Panel, amid_columns, open_lab, open_voila


@pytest.fixture(scope="module", params=["lab", "voila"])
def panel(request, chromium):
    opened = {"lab": open_lab, "voila": open_voila}[request.param](request.getfixturevalue(request.param))
    panel = Panel(chromium, opened, request.param)
    yield panel
    panel.page.close()


def test_it_loads_without_an_error(panel):
    panel.settled()
    panel.screenshot("columns")
    assert not panel.wrong
    assert panel.counted() > 3000


@pytest.mark.parametrize(("name", "key"), [("Lower Bound", "PageUp"), ("Window Size", "PageUp"), ("Transparency", "PageDown")])
def test_each_slider_changes_the_overlay(panel, name, key):
    before = panel.settled()
    panel.slide(name, key)
    panel.changed(before)
    panel.slide(name, {"PageUp": "PageDown", "PageDown": "PageUp"}[key])
    panel.settled()


def test_without_real_time_a_slider_waits_for_process(panel):
    before = panel.settled()
    panel.page.get_by_label("Real-time").uncheck()
    panel.slide("Lower Bound", "PageUp", 3)
    assert panel.settled() == before
    panel.button("Process")
    panel.changed(before)
    panel.page.get_by_label("Real-time").check()
    panel.slide("Lower Bound", "PageDown", 3)
    panel.settled()


@pytest.fixture(scope="module")
def hollow():
    """Shares of the figure's height and width, amid a ring of columns, farther from each than half a spacing."""
    return amid_columns()


def test_clicks_add_and_remove_and_undo_takes_them_back(panel, hollow):
    begun, before = panel.settled(), panel.counted()
    panel.button("add")
    panel.click(*hollow)
    panel.says(f"{before + 1} columns")
    panel.changed(begun)
    one_more = panel.settled()
    panel.button("remove")
    panel.click(*hollow)
    panel.says(f"{before} columns")
    panel.changed(one_more)
    panel.click(*hollow)
    panel.says("no column within half a spacing of the click")
    for count, picture in ((before + 1, one_more), (before, begun)):
        panel.button("Undo")
        panel.says(f"{count} columns")
        panel.becomes(picture)
    panel.button("look")


def test_keys_do_what_the_mouse_does(panel):
    panel.settled()
    before = panel.counted()
    panel.page.get_by_role("button", name="remove", exact=True).focus()
    panel.page.keyboard.press("Enter")
    panel.page.locator(".jupyter-matplotlib-canvas-div").first.focus()
    for _ in range(8):  # two spacings, by quarters
        panel.page.keyboard.press("ArrowRight")
        panel.page.keyboard.press("Enter")
    panel.page.get_by_text(re.compile("[1-9] edits")).wait_for()
    panel.settled()
    removed = before - panel.counted()
    assert removed > 0
    for _ in range(removed):
        panel.page.keyboard.press("Control+z")
    panel.says(f"{before} columns")
    panel.button("look")


def test_a_region_is_dragged_and_leaves_no_trace(panel):
    begun, before = panel.settled(), panel.counted()
    panel.button("ignore")
    panel.drag(0.3, 0.45)
    panel.says("1 edits")
    panel.changed(begun)
    assert panel.settled() != begun
    assert panel.counted() < before - 50
    panel.button("Undo")
    panel.says(f"{before} columns")
    panel.becomes(begun)
    panel.button("look")


def test_zoom_is_kept_while_a_slider_moves(panel):
    begun = panel.settled()
    panel.page.locator(".jupyter-matplotlib-canvas-div").first.hover()
    panel.page.locator(".jupyter-matplotlib-toolbar button").nth(4).click()
    panel.drag(0.2, 0.4)
    panel.changed(begun)
    zoomed = panel.settled()
    panel.slide("Lower Bound", "PageUp", 4)
    panel.changed(zoomed)
    panel.slide("Lower Bound", "PageDown", 4)
    panel.changed(panel.picture())
    panel.becomes(zoomed)


def test_the_parameters_download_as_they_are(panel, tmp_path):
    with panel.page.expect_download() as waited:
        panel.button("Download parameters.yaml")
    waited.value.save_as(tmp_path / "parameters.yaml")
    found = yaml.safe_load((tmp_path / "parameters.yaml").read_text())
    assert found["image"] == "sample:mos2"
    assert found["edits"] == []
    with panel.page.expect_download() as waited:
        panel.button("Download columns.csv")
    waited.value.save_as(tmp_path / "columns.csv")
    assert (tmp_path / "columns.csv").read_text().count("\n") > panel.counted()


@pytest.mark.parametrize(
    ("name", "sentence", "control", "file"),
    [
        ("Strain", "of how the lattice changes", "Resolution", "06_strain.yaml"),
        ("Defects", "point defects on", "Least confidence", "08_defects.yaml"),
        ("Restoration", "what was taken off", "Before | after", "restoration.yaml"),
        ("Anomaly", "columns (", "Threshold", "anomaly.yaml"),
    ],
)
def test_the_other_panels_answer(panel, tmp_path, name, sentence, control, file):
    panel.button(name)
    panel.page.locator(".widget-html", has_text=sentence).first.wait_for()
    before = panel.settled()
    panel.slide(control, "PageUp", 4)
    panel.changed(before)
    with panel.page.expect_download() as waited:
        panel.button(f"Download {file}")
    waited.value.save_as(tmp_path / file)
    assert yaml.safe_load((tmp_path / file).read_text())["image"] == "sample:mos2"
    panel.screenshot(name)
    panel.button("Columns")
    panel.settled()
    assert not panel.wrong


def test_too_large_and_other_files_are_refused_with_a_sentence(panel, tmp_path):
    begun = panel.settled()
    large, program = tmp_path / "large.dm3", tmp_path / "program.exe"
    large.touch()
    os.truncate(large, 500 * 10**6)
    program.write_bytes(b"MZ")
    panel.page.locator("input[type=file]").set_input_files(large)
    panel.says("large.dm3 has 500 MB, between 0 and 256 are taken; crop or bin it first.")
    panel.page.locator("input[type=file]").set_input_files(program)
    panel.says("program.exe is of no kind that is read here; upload one of .dm3")
    panel.becomes(begun)


def test_a_dm3_is_uploaded_and_opened(panel, tmp_path):
    sample = find_sample("mos2")
    real = package_folder(sample) / sample.path
    assert real.stat().st_size > 4e6
    mine = tmp_path / "mine of today.dm3"
    mine.write_bytes(real.read_bytes())
    panel.page.locator("input[type=file]").set_input_files(mine)
    panel.says("mine of today.dm3 is here.")
    chosen = "() => document.querySelector('.widget-dropdown select').selectedOptions[0].text.startsWith('mine')"
    panel.page.wait_for_function(chosen, polling=100)
    panel.settled()
    assert panel.counted() > 3000
    assert not panel.wrong
