"""Figures and the report, as files and as drawn."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from atomwork import figures, report
from atomwork.columns.labels import LabelledFrame
from atomwork.micrograph import Micrograph
from atomwork.simulation import structures


@pytest.fixture
def picture(rng):
    return Micrograph(rng.poisson(20, (100, 200)).astype(np.float32), 0.1, "picture")


@pytest.fixture
def columns(rng):
    table = pd.DataFrame(rng.uniform(0, 99, (30, 2)), columns=["y", "x"])
    table["y_std"] = table["x_std"] = 0.1
    table["amplitude"] = 5.0
    table.attrs.update(pixel_size=0.1, spacing=12.0)
    return table


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(("pixel_size", "label", "length"), [
    (0.1, "2 Å", 20),  # 20 Å wide: a fifth is 4 Å, the round length below is 2 Å
    (1.0, "2 nm", 20),
    (None, "20 px", 20),
    (0.26, "1 nm", 10 / 0.26),
])  # fmt: skip
def test_the_scale_bar_is_as_long_as_it_says(rng, pixel_size, label, length):
    _, (ax,) = figures.panels(1)
    figures.draw_image(ax, Micrograph(rng.random((100, 200)), pixel_size, "p"))
    bar = ax.artists[-1] if len(ax.artists) else ax.get_children()[-2]
    assert bar.txt_label.get_text() == label
    assert bar.size_bar.get_children()[0].get_width() == pytest.approx(length)


def test_dots_lie_on_the_columns(picture, columns):
    _, (ax,) = figures.panels(1)
    assert figures.draw_overlay(ax, picture, columns) is ax
    assert np.allclose(ax.collections[-1].get_offsets(), columns[["x", "y"]])


def test_agreement_shows_hits_misses_and_false_columns():
    truth = np.array([(20.0, 20.0), (20.0, 60.0), (60.0, 20.0)])
    frame = LabelledFrame(np.eye(80), truth, np.array([(60.0, 60.0)]), spacing=40.0)
    found = np.array([(21.0, 20.0), (60.0, 59.0), (40.0, 40.0), (5.0, 70.0)])  # a hit, an optional one, two false ones
    _, (ax,) = figures.panels(1)
    figures.draw_agreement(ax, frame, found, "mine")
    hits, missed, false = (line.get_xydata()[:, ::-1].tolist() for line in ax.lines)
    assert hits == [[21.0, 20.0]]
    assert missed == truth[1:].tolist()
    assert false == [[40.0, 40.0], [5.0, 70.0]]
    assert ax.get_title() == "mine: F1 0.333"


def test_every_detector_has_its_mark_in_every_group():
    table = pd.DataFrame({"group": ["a", "a", "b", "b"], "detector": ["x", "y"] * 2, "f1": [0.1, 0.2, 0.3, 0.4]})
    _, (ax,) = figures.panels(1)
    figures.draw_scores(ax, table)
    assert [line.get_xydata().tolist() for line in ax.lines] == [[[0.1, 0], [0.3, 1]], [[0.2, 0], [0.4, 1]]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_a_specimen_shows_every_column_and_defect():
    specimen = structures.build("MoS2", 20.0, defects={"V_S2": 2, "V_Mo": 1}, rng=np.random.default_rng(0))
    _, (ax,) = figures.panels(1)
    figures.draw_specimen(ax, specimen)
    assert sum(len(dots.get_offsets()) for dots in ax.collections) == len(specimen.columns) + 3
    assert sorted(text.get_text() for text in ax.texts) == ["V_Mo", "V_S2", "V_S2"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # as in images, y grows downwards


def test_a_gallery_names_every_image(picture):
    figure = figures.gallery([picture] * 5, across=3)
    assert [ax.get_title() for ax in figure.axes] == ["picture"] * 5 + [""]


def test_profiles_are_those_of_the_row(picture):
    _, (ax,) = figures.panels(1)
    figures.draw_profiles(ax, [picture], 7, ["mine"])
    assert ax.lines[0].get_ydata() == pytest.approx(picture.image[7] / picture.image[7].max())
    assert ax.lines[0].get_xdata()[-1] == pytest.approx(0.1 * (picture.image.shape[1] - 1))


def test_maps_show_the_values_and_what_they_are(picture, columns):
    figure, (ax,) = figures.panels(1)
    values = np.linspace(1, 2, len(columns))
    figures.draw_map(ax, picture, columns, values, "spacing [Å]")
    assert np.allclose(ax.collections[-1].get_array(), values)
    assert "spacing [Å]" in [a.get_ylabel() for a in figure.axes]


def test_no_columns_are_no_failure(tmp_path, picture, columns):
    none = columns.iloc[:0]
    figure, axes = figures.panels(3)
    figures.draw_overlay(axes[0], picture, none)
    figures.draw_map(axes[1], picture, none, np.empty(0), "spacing [Å]")
    figures.draw_histogram(axes[2], np.empty(0), "spacing [Å]")
    summary = report.summarise(none, np.empty(0, int), np.empty(0))
    assert summary["columns"] == 0
    report.write(tmp_path / "r.html", "none", summary=summary, figures={"all": figure}, columns=none, notes=["No column."])
    assert "No column." in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_report_is_one_file_that_needs_nothing_else(tmp_path, columns):
    figure, _ = figures.panels(1)
    path = report.write(tmp_path / "r.html", "<b>mine</b>", summary={"columns": 30}, figures={"all": figure}, columns=columns)
    page = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;mine" in page  # names from files are text, not markup
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_the_summary_is_in_angstrom(columns):
    columns["x_std"] = columns["y_std"] = 0.3
    summary = report.summarise(columns, np.zeros(30, int), np.full(30, 31.6))
    assert summary["median spacing of bright columns [Å]"] == pytest.approx(3.16)
    assert summary["median position error (1σ) [Å]"] == pytest.approx(0.03)


def test_files_are_whole_or_absent(tmp_path, monkeypatch):
    figure, _ = figures.panels(1)
    monkeypatch.setattr(type(figure), "savefig", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        figures.save(figure, tmp_path / "f.png")
    assert not (tmp_path / "f.png").exists()
    report.write_summary(tmp_path / "s.json", {"columns": 3, "unit": "Å"})
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["unit"] == "Å"


def test_notes_say_what_to_know_before_trusting_the_columns(columns):
    assert report.notes(columns) == []
    columns.attrs.update(pixel_size=None, expected_precision=0.53, source="mine")
    scale, doubt = report.notes(columns)
    assert "no pixel size" in scale
    assert doubt.startswith("mine: only 53% of the 30 columns found are expected to be right")
    assert report.notes(columns[:0])[0] == "No column was found in this image."
