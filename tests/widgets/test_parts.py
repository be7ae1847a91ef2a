"""Panels beside the columns' one: what is set is measured, shown, logged, and found again."""

import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent

from atomwork.analysis import defects, edit_log, restore, strain
from atomwork.analysis.editing import Editing
from atomwork.app import NOTEBOOK
from atomwork.batch import check
from atomwork.micrograph import Micrograph
from atomwork.simulation import forward, structures
from atomwork.widgets import AnomalyPanel, DefectsPanel, RestorationPanel, StrainPanel

SIDE = 256
PANELS = {"strain": StrainPanel, "defects": DefectsPanel, "restoration": RestorationPanel, "anomaly": AnomalyPanel}


@pytest.fixture(scope="module")
def image():
    clean = forward.render(structures.build("MoS2", 60), pixel_size=0.2, shape=(SIDE, SIDE))
    counts = np.random.default_rng(4).poisson(100 * clean.image / clean.image.max())
    return Micrograph(counts.astype(np.float32), 0.2, "MoS2")


@pytest.fixture
def editing(image, tmp_path):
    return Editing(image, log=tmp_path / "parameters.yaml", about={"image": "mos2.npy"})


def mouse(panel, name, ax, y, x):
    event = MouseEvent(name, panel.stage.canvas, *ax.transData.transform((x, y)), button=1)
    panel.stage.canvas.callbacks.process(name, event)


@pytest.mark.parametrize("kind", PANELS)
def test_what_was_set_is_logged_and_found_again(kind, editing, tmp_path):
    panel = PANELS[kind](editing)
    control = {"strain": "resolution", "defects": "lower_bound", "restoration": "strength", "anomaly": "threshold"}[kind]
    slider = getattr(panel, control)
    slider.value = 0.6 * slider.min + 0.4 * slider.max
    assert edit_log.read(panel.log) == panel.parameters()
    assert panel.parameters()["image"] == "mos2.npy"
    assert getattr(PANELS[kind](editing), control).value == slider.value
    for name, make in panel.files().items():
        make(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10
    editing.about["image"] = "other.npy"
    assert getattr(PANELS[kind](editing), control).value != slider.value


@pytest.mark.parametrize(("kind", "stem"), [("strain", "06_strain"), ("defects", "08_defects")])
def test_the_logged_parameters_are_a_notebooks_own(kind, stem, editing):
    check(NOTEBOOK.with_name(f"{stem}.ipynb"), PANELS[kind](editing).parameters())


def test_strain_is_that_of_what_is_set(editing):
    panel = StrainPanel(editing)
    panel.stage.canvas.draw()
    mouse(panel, "button_press_event", panel.ax, 160, 170)
    mouse(panel, "button_release_event", panel.ax, 90, 80)
    assert panel.reference == [90, 160, 80, 170]
    panel.resolution.value = 4.5
    found = strain.gpa(editing.micrograph, *panel.picker.g, resolution=4.5 / 0.2, reference=panel.reference)
    assert panel.maps["GPA"].exx == pytest.approx(found.exx, nan_ok=True)
    assert panel.maps["columns"].reference == (90, 160, 80, 170)
    panel.flattest.click()
    assert panel.reference is None
    for way in panel.show.options:
        panel.show.value = way
        assert panel.ax.images
    assert len([ax for ax in panel.stage.figure.axes if ax.get_label() == "<colorbar>"]) == 1


def test_a_click_on_the_spectrum_takes_another_vector(editing):
    panel = StrainPanel(editing)
    panel.stage.canvas.draw()
    wanted = panel.picker.g.sum(0)
    mouse(panel, "button_press_event", panel.picker.ax, *wanted)
    assert panel.picker.g[1] == pytest.approx(wanted, abs=0.5 / SIDE)
    assert panel.maps["GPA"].g == pytest.approx(panel.picker.g, abs=0.1 / SIDE)


def test_what_cannot_be_measured_has_its_sentence_and_changes_nothing(editing):
    panel = StrainPanel(editing)
    before = panel.maps["GPA"]
    panel.refer([0, 8, 0, 8])
    assert "reference" in panel.said.value
    assert panel.reference is None
    assert panel.maps["GPA"] is before


def test_the_threshold_chooses_among_defects_that_were_found_once(editing, monkeypatch):
    lacking = editing.pixels.copy()
    columns = editing.columns
    middle = columns.iloc[np.linalg.norm(columns[["y", "x"]] - SIDE / 2, axis=1).argsort()[:2]]
    for place in middle[["y", "x"]].to_numpy():
        y, x = np.rint(place).astype(int)
        lacking[y - 4 : y + 5, x - 4 : x + 5] = np.median(lacking)
    panel = DefectsPanel(Editing(Micrograph(lacking, 0.2, "lacking")))
    found = defects.segment(lacking, model="columns", pixel_size=0.2)
    monkeypatch.setattr(defects, "segment", None)
    for least in (0.0, 0.9, 1.0):
        panel.lower_bound.value = least
        count = int((found.points["confidence"] >= least).sum())
        assert panel.said.value.startswith(f"{count} point defects")
    assert len(found.points)


def test_the_wipe_shows_what_was_restored_to_its_right(editing):
    panel = RestorationPanel(editing)
    assert panel.restored == pytest.approx(restore.restore(editing.pixels, task="denoise"))
    panel.stage.canvas.draw()
    mouse(panel, "button_press_event", panel.ax, 100, 63.5)
    assert panel.wipe.value == pytest.approx(0.25)
    pictures = {}
    for share in (0.0, 0.5, 1.0):
        panel.wipe.value = share
        panel.line.set_visible(False)
        panel.stage.canvas.draw()
        pictures[share] = np.array(panel.stage.canvas.buffer_rgba())
    after, half, before = pictures.values()
    middle = int(panel.ax.transData.transform((SIDE / 2, 0))[0])
    right = int(panel.ax.transData.transform((SIDE, 0))[0])
    assert np.array_equal(half[:, : middle - 1], before[:, : middle - 1])
    assert np.array_equal(half[:, middle + 2 :], after[:, middle + 2 :])
    assert (before != after)[:, middle + 2 : right].mean() > 0.1
    panel.task.value = "background"
    assert panel.restored.mean() < editing.pixels.mean()


def test_columns_that_were_mended_are_scored_anew(editing):
    panel = AnomalyPanel(editing)
    editing.edit("add", 128.0 + 3, 128.0 + 3)
    panel.refresh()
    assert len(panel.found.columns) == len(editing.columns)


def test_numbers_can_be_typed_in_place_of_clicks(editing):
    panel = StrainPanel(editing)
    g1, g2 = panel.picker.g
    panel.region.value = "80, 150, 70, 160"
    assert panel.maps["GPA"].reference == (80, 150, 70, 160)
    panel.vectors.value = f"{g1[0]}, {g1[1]}; {(g1 + g2)[0]}, {(g1 + g2)[1]}"
    assert panel.picker.g == pytest.approx(np.array([g1, g1 + g2]))
    assert panel.maps["GPA"].g == pytest.approx(panel.picker.g, abs=0.1 / SIDE)
    for wrong in ("1, 2", "here", ""):
        panel.vectors.value = wrong
        assert "is not 4 numbers with commas between them" in panel.said.value
