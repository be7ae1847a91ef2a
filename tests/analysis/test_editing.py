"""Columns under a user's hands: what is shown is what a replay gives, and every change can be taken back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atomwork.analysis import edit_log, editing, edits
from atomwork.columns import export
from atomwork.simulation import forward, structures

SIDE = 128


def monolayer(peak, seed=3):
    """MoS2 with a number of electrons in the brightest pixel."""
    clean = forward.render(structures.build("MoS2", 32), pixel_size=0.2, shape=(SIDE, SIDE))
    counts = np.random.default_rng(seed).poisson(peak * clean.image / clean.image.max())
    return replace(clean, image=counts.astype(np.float32))


@pytest.fixture(scope="module")
def image():
    return monolayer(100)


@pytest.fixture(scope="module")
def begun(image):
    return editing.Editing(image)


@pytest.fixture
def session(begun):
    begun.become(edits.Settings())
    begun.past.clear()
    begun.future.clear()
    return begun


def places(columns):
    return columns[["y", "x"]].to_numpy()


coordinate = st.floats(0, SIDE - 1)
change = st.one_of(
    st.tuples(st.sampled_from(["add", "remove"]), coordinate, coordinate),
    st.tuples(st.just("move"), coordinate, coordinate, coordinate, coordinate),
    st.tuples(st.sampled_from(["include", "ignore"]), coordinate, coordinate, coordinate, coordinate),
    st.tuples(st.just("truth"), coordinate, coordinate),
    st.tuples(st.just("lower_bound"), st.floats(0.02, 0.9)),
    st.tuples(st.just("window_size"), st.floats(3, 12)),
    st.just(("undo",)),
    st.just(("redo",)),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(change, max_size=8))
def test_a_replay_gives_the_same_file_byte_for_byte(changes, image, session, tmp_path):
    session.log = tmp_path / "parameters.yaml"
    session.update()
    for name, *values in changes:
        if name in edits.NUMBERS:
            session.edit(name, *values)
        elif values:
            session.change(**{name: values[0]})
        else:
            getattr(session, name)()
    again = editing.Editing.__new__(editing.Editing)  # the map is that of the same image
    again.__dict__.update(session.__dict__, log=None, weighed={}, settings=edits.Settings.of(edit_log.read(session.log)))
    again.update()
    for columns, name in ((session.columns, "panel"), (again.columns, "replay")):
        export.to_csv(columns, tmp_path / f"{name}.csv")
    assert (tmp_path / "panel.csv").read_bytes() == (tmp_path / "replay.csv").read_bytes()
    session.log = None


def test_a_replay_from_the_image_alone(image, session, tmp_path):
    session.log = tmp_path / "parameters.yaml"
    session.change(lower_bound=0.2)
    session.edit("remove", *places(session.columns)[40])
    session.edit("add", 30.0, 31.0)
    replayed = editing.replayed(image, edit_log.read(session.log))
    pd.testing.assert_frame_equal(replayed, session.columns)
    session.log = None


def test_a_column_that_was_removed_and_is_added_nearby_is_fitted_where_it_was(session):
    before = session.columns
    target = before.iloc[np.linalg.norm(places(before) - SIDE / 2, axis=1).argmin()]
    session.edit("remove", target["y"] + 1, target["x"])
    assert len(session.columns) == len(before) - 1
    session.edit("add", target["y"] + 1, target["x"] - 1)
    assert len(session.columns) == len(before)
    nearest = session.columns.iloc[
        np.linalg.norm(places(session.columns) - target[["y", "x"]].to_numpy(float), axis=1).argmin()
    ]
    assert abs(nearest["y"] - target["y"]) < target["y_std"]
    assert abs(nearest["x"] - target["x"]) < target["x_std"]
    assert nearest["y_std"] == pytest.approx(target["y_std"], rel=0.2)
    assert nearest["confidence"] == 1


def test_what_was_added_is_taken_hold_of_where_it_was_fitted(session):
    place = places(session.columns)[np.linalg.norm(places(session.columns) - SIDE / 2, axis=1).argmin()]
    grasp = edits.GRASP * session.columns.attrs["spacing"]
    session.edit("remove", *place)
    session.edit("add", place[0], place[1] + 0.8 * grasp)
    assert session.edit("remove", place[0], place[1] - 0.8 * grasp)
    assert np.linalg.norm(places(session.columns) - place, axis=1).min() > grasp


def test_edits_far_away_leave_columns_as_they_are(session):
    before = session.columns
    session.edit("remove", *places(before)[0])
    far = np.linalg.norm(places(session.columns) - places(before)[0], axis=1) > 3 * before.attrs["spacing"]
    kept = pd.merge(before, session.columns[far], how="inner")
    assert len(kept) == far.sum()


def test_a_move_is_a_removal_and_an_addition_and_one_that_grasps_nothing_is_none(session):
    start = places(session.columns)[30]
    session.edit("move", *start, start[0] + 2, start[1])
    moved = session.columns
    session.undo()
    session.edit("remove", *start)
    session.edit("add", start[0] + 2, start[1])
    assert places(moved) == pytest.approx(places(session.columns), abs=0.01)  # once fitted or twice
    before = session.columns
    assert not session.edit("remove", -50.0, -50.0)
    assert len(session.settings.edits) == 2
    pd.testing.assert_frame_equal(before, session.columns)


def test_every_change_can_be_taken_back_and_done_again(session):
    states = [session.columns]
    session.change(lower_bound=0.4)
    states.append(session.columns)
    for k in (5, 20):
        session.edit("remove", *places(session.columns)[k])
        states.append(session.columns)
    for state in states[-2::-1]:
        session.undo()
        pd.testing.assert_frame_equal(session.columns, state)
    session.undo()  # there is nothing to go back to
    for state in states[1:]:
        session.redo()
        pd.testing.assert_frame_equal(session.columns, state)
    session.undo()
    session.change(window_size=6.0)
    session.redo()  # forgotten by the new change
    assert session.settings.window_size == 6.0


def test_edits_that_are_none_have_their_sentence(session):
    for wrong in (("grow", 1, 2), ("add", 1), ("move", 1, 2), ("add", 1, float("nan"))):
        with pytest.raises(ValueError, match="is none; give one of add with 2, remove with 2, move with 4"):
            session.edit(*wrong)
    assert session.settings == edits.Settings()


def test_regions_keep_what_lies_in_any_of_them_and_not_in_those_ignored(session):
    every = places(session.columns)
    session.edit("include", 100.0, 10.0, 60.0, 60.0)  # whatever corner comes first
    session.edit("include", 5.0, 70.0, 40.0, 120.0)
    session.edit("ignore", 20.0, 80.0, 30.0, 90.0)
    y, x = every.T
    first, second = (y >= 60) & (y <= 100) & (x >= 10) & (x <= 60), (y >= 5) & (y <= 40) & (x >= 70) & (x <= 120)
    ignored = (y >= 20) & (y <= 30) & (x >= 80) & (x <= 90)
    assert np.array_equal(places(session.columns), every[(first | second) & ~ignored])
    labels = session.labels()
    assert np.array_equal(places(labels[labels["visible"]]), places(session.columns))
    assert len(labels) == len(every)
    session.undo()
    assert np.array_equal(places(session.columns), every[first | second])


def test_what_is_added_in_a_region_that_is_ignored_stays(session):
    place = places(session.columns)[40]
    session.edit("ignore", *(place - 20), *(place + 20))
    assert np.linalg.norm(places(session.columns) - place, axis=1).min() > 15
    session.edit("add", *place)
    assert np.linalg.norm(places(session.columns) - place, axis=1).min() < 1
    assert session.by_hand(session.columns).sum() == 1


def test_columns_are_judged_by_the_marks_around_them_alone(session):
    assert session.agreement() is None
    every = places(session.columns)
    away = np.sort(np.linalg.norm(every - SIDE / 2, axis=1))[8:16]
    inner = every[np.linalg.norm(every - SIDE / 2, axis=1) <= away[np.diff(away).argmax()]]  # no other column is as near
    for place in inner:
        session.edit("truth", *(place + 0.3))
    assert session.agreement().f1 == 1
    session.edit("remove", *inner[0])
    session.edit("remove", *every[0])  # far from any mark
    assert session.agreement().recall == pytest.approx(1 - 1 / len(inner))
    assert session.agreement().precision == 1
    session.edit("truth", *inner[0])  # taken away again: whoever leaves a place out means that nothing is there
    assert session.agreement().f1 == 1
    assert len(session.truth) == len(inner) - 1


def test_a_column_that_is_added_where_one_lies_is_only_made_sure(session):
    before = session.columns
    place = places(before)[50]
    session.edit("add", *(place + 0.5))
    assert len(session.columns) == len(before)
    assert np.flatnonzero(session.by_hand(session.columns)).tolist() == [50]
    session.change(lower_bound=0.9)
    assert np.linalg.norm(places(session.columns) - place, axis=1).min() < 0.1


def test_movements_that_are_merged_are_undone_together(session):
    begun = session.settings
    session.change(lower_bound=0.3)
    for bound in (0.4, 0.5):
        session.change(merge=True, lower_bound=bound)
    session.undo()
    assert session.settings == begun
    session.redo()
    assert session.settings.lower_bound == 0.5


def test_the_lower_bound_only_chooses_among_columns_that_were_fitted(session, monkeypatch):
    found = {bound: editing.detect.columns(session.pixels, session.seen, lower_bound=bound) for bound in (0.05, 0.3, 0.8)}
    monkeypatch.setattr(editing.detect.fit, "refine", None)
    for bound, table in found.items():
        session.change(lower_bound=bound)
        pd.testing.assert_frame_equal(session.columns, table)


def test_a_glimpse_shows_what_the_fit_will_find(session):
    session.change(window_size=7.5)
    place = places(session.columns)[60]
    session.edit("remove", *place)
    session.edit("ignore", 0.0, 0.0, 30.0, 30.0)
    session.change(window_size=7.4)
    quick = places(session.glimpse())
    fitted = places(session.columns)
    assert abs(len(quick) - len(fitted)) <= 0.02 * len(fitted)
    distance = np.linalg.norm(quick[:, None] - fitted, axis=-1)
    assert np.quantile(distance.min(1), 0.95) < 0.15 * session.seen.spacing
    assert np.linalg.norm(quick - place, axis=1).min() > 3
    assert session.glimpse() is session.columns
