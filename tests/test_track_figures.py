"""Figures of movies say what they show: units, errors, one colour a track, rings where vacancies are."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from atomwork import figures, track_figures
from atomwork.analysis import frame_drift, lifetimes, tracking
from atomwork.analysis.lifetimes import COLUMN, NONE, UNSEEN
from atomwork.image import Micrograph
from tests.analysis.test_tracking import SIDE, drawn


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def occupancy():
    shown = np.full((20, 30), COLUMN)
    for site, (begin, end) in enumerate([(2, 8), (5, 12), (9, 19), (0, 4)]):
        shown[begin : end + 1, site] = NONE
    shown[12:, 1] = UNSEEN
    sites = pd.DataFrame({"y": 50.0, "x": 4.0 * np.arange(30), "kind": 0})
    return lifetimes.decided(shown, sites)


def test_a_track_keeps_its_colour_and_vacancies_are_ringed_where_they_are(rng):
    tables, _ = drawn(rng, np.array([[3.0, -2.0]]), jitter=0.02)
    linked = tracking.link(tables)
    events = pd.DataFrame({"y": [60.0, 90.0], "x": [70.0, 100.0], "begin": [0, 1], "end": [1, 1]})
    _, axes = figures.panels(2)
    image = Micrograph(np.eye(SIDE), 0.2, "eye")
    colors = {}
    for frame, ax in enumerate(axes):
        track_figures.draw_tracks(ax, image, linked, frame, events=events, frame_time=0.5)
        dots, *_, ring = ax.collections
        own = linked[linked["frame"] == frame]
        assert np.allclose(dots.get_offsets()[:, ::-1], own[["y", "x"]])
        for track, color in zip(own["track"], dots.get_facecolors(), strict=True):
            assert tuple(color) == colors.setdefault(track, tuple(color))
        assert np.allclose(ring.get_offsets(), [[68, 63], [98, 93]] if frame else [[70, 60]], atol=0.3)
        assert ax.artists  # the scale bar
        assert ax.get_xlim() == (-0.5, SIDE - 0.5)
    assert axes[1].get_title() == f"frame 1, 0.5 s: {len(tables[1])} columns, 2 vacancies"
    assert len(set(colors.values())) == len(track_figures.COLORS)


def test_drift_is_in_its_units_with_three_deviations(rng):
    drifts = frame_drift.by_columns(drawn(rng, np.full((4, 2), [1.0, -2.0]))[0])
    _, (whole, steps) = figures.panels(2)
    track_figures.draw_drift((whole, steps), drifts, pixel_size=0.5, frame_time=0.1)
    assert (whole.get_xlabel(), whole.get_ylabel()) == ("x [Å]", "y [Å]")
    assert whole.yaxis_inverted()
    assert (steps.get_xlabel(), steps.get_ylabel()) == ("time [s]", "step from frame to frame [Å]")
    line, _, [bars] = steps.containers[0].lines
    assert line.get_xdata() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert line.get_ydata()[1:] == pytest.approx(0.5 * drifts["dy"][1:])
    length = np.ptp([segment[:, 1] for segment in bars.get_segments()[1:]], axis=1)
    assert length == pytest.approx(6 * 0.5 * drifts["dy_std"][1:])
    _, (whole, steps) = figures.panels(2)
    track_figures.draw_drift((whole, steps), drifts)
    assert (whole.get_xlabel(), steps.get_xlabel()) == ("x [px]", "time [frames]")


def test_histories_are_vacant_when_the_sites_are(occupancy):
    _, (ax,) = figures.panels(1)
    track_figures.draw_history(ax, occupancy, frame_time=2.0)
    assert ax.get_title() == "4 of 30 sites were vacant"
    shown = ax.images[0].get_array()
    vacant = (shown == np.round(255 * np.array(to_rgba("#d55e00")[:3]))).all(-1)
    assert vacant.sum(1).tolist() == [5, 7, 7, 11]  # in the order in which they begin
    assert vacant[0, :5].all()
    assert (shown[2, 12:] == 205).all()  # out of sight
    assert ax.images[0].get_extent()[:2] == [-1.0, 39.0]


def test_survival_says_what_it_rests_on(occupancy):
    found = lifetimes.measure(occupancy, frame_time=2.0)
    _, (ax,) = figures.panels(1)
    track_figures.draw_survival(ax, found, 0, frame_time=2.0)
    assert ax.get_title() == "sublattice 0: 3 of 4 vacancies are seen to begin, 1 of these to end"
    assert ax.get_xlabel() == "lifetime [s]"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:3] == ["95 % band", "Kaplan–Meier", "2 cut off"]
    row = found.table.loc[0]
    assert labels[3] == f"exponential, {row['mean']:.3g} ± {row['mean_std']:.2g} s"
    curve = ax.lines[0]
    assert curve.get_drawstyle() == "steps-post"
    assert curve.get_xdata().tolist()[:3] == [0, 14, 22]
    assert curve.get_ydata()[:3] == pytest.approx([1, 2 / 3, 2 / 3])


def test_a_movie_without_vacancies_is_drawn_too():
    occupancy = lifetimes.decided(np.zeros((5, 10), int), pd.DataFrame({"y": 0.0, "x": np.arange(10.0), "kind": 0}))
    _, (left, right) = figures.panels(2)
    track_figures.draw_history(left, occupancy)
    track_figures.draw_survival(right, lifetimes.measure(occupancy), 0)
    assert left.get_title() == "0 of 10 sites were vacant"
    assert right.get_title().startswith("sublattice 0: 0 of 0 vacancies")
    left.figure.canvas.draw()
