"""Columns linked in time: by movies of a lattice whose every identity, drift and gap are known by construction."""

import warnings

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import frame_drift, tracking
from atomwork.simulation.recipes import movies

SPACING, SIDE = 12.0, 180  # px


def lattice(turn=0.0):
    """A hexagonal lattice far beyond the frame, (N, 2) [px]."""
    rows, steps = np.mgrid[-60:61, -60:61]
    points = SPACING * np.stack([np.sqrt(3) / 2 * rows, steps + rows / 2], -1).reshape(-1, 2) + [0.3, 0.7]
    return points @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] + SIDE / 2


def table(places, true, **attrs):
    columns = pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "y_std": 0.1, "x_std": 0.1, "confidence": 1.0, "true": true})
    columns.attrs = {"spacing": SPACING, "pixel_size": 0.2, "source": "drawn", **attrs}
    return columns


def drawn(rng, steps, *, jitter=0.1, missing=0.05, vacant=()):
    """Tables of a lattice that moves by steps (T − 1, 2) [px], each column with its number; jitter in spacings along y, x."""
    points = lattice(0.2)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
    tables = []
    for moved in path:
        places = points + moved + rng.normal(0, jitter * SPACING, points.shape)
        seen = ((places >= 0) & (places <= SIDE - 1)).all(1) & (rng.random(len(places)) > missing)
        seen[list(vacant)] = False
        order = rng.permutation(np.flatnonzero(seen))
        tables.append(table(places[order], order))
    return tables, path


def shares(linked, max_gap=2):
    """Share of the links that are right, and of the right ones that are made."""
    frame, track, true = (linked.sort_values(["track", "frame"])[name].to_numpy() for name in ("frame", "track", "true"))
    right = (true[1:] == true[:-1])[track[1:] == track[:-1]]
    frame, track, true = (linked.sort_values(["true", "frame"])[name].to_numpy() for name in ("frame", "track", "true"))
    wanted = (true[1:] == true[:-1]) & (np.diff(frame) <= max_gap + 1)
    return right.mean(), (track[1:] == track[:-1])[wanted].mean()


def partition(linked):
    """Which columns of which frames are one, whatever its number."""
    return {frozenset(zip(own["frame"], own["true"], strict=True)) for _, own in linked.groupby("track")}


def moving(rng, count=20):
    """Steps of 3.5 px on average and 0.5 px about that: columns leave at one border and enter at the other."""
    return rng.normal([2.1, 2.8], 0.5, (count - 1, 2))


def again(tables, change):
    changed = [change(one) for one in tables]
    for one, other in zip(changed, tables, strict=True):
        one.attrs = other.attrs
    return changed


def test_links_under_drift_jitter_and_misses_are_those_of_construction(rng):
    tables, _ = drawn(rng, moving(rng, 30))
    right, made = shares(tracking.link(tables))
    assert right >= 0.999
    assert made >= 0.999


def test_links_are_the_same_in_reverse_in_any_order_and_turned(rng):
    tables, _ = drawn(rng, moving(rng))
    linked = partition(tracking.link(tables))
    back = tracking.link(tables[::-1])
    assert partition(back.assign(frame=len(tables) - 1 - back["frame"])) == linked
    assert partition(tracking.link(again(tables, lambda one: one.sample(frac=1, random_state=1)))) == linked
    turn = [[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]]

    def turned(one):
        places = one[["y", "x"]].to_numpy() @ turn + [100, -37.3]
        return one.assign(y=places[:, 0], x=places[:, 1])

    assert partition(tracking.link(again(tables, turned))) == linked


def test_drift_is_that_of_construction_within_its_error():
    """Also along the way: at the border in front columns are seen twice that strayed back, which says nothing of the drift."""
    pulls, along = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        steps = rng.normal([2.1, 2.8], 0.3, (5, 2))
        found = frame_drift.by_columns(drawn(rng, steps)[0])
        error, told = found[["dy", "dx"]].to_numpy()[1:] - steps, found[["dy_std", "dx_std"]].to_numpy()[1:]
        pulls.append(error / told)
        along.append((error * steps).sum(1) / np.sqrt(((told * steps) ** 2).sum(1)))
        assert np.allclose(found[["y", "x"]].diff()[1:], found[["dy", "dx"]][1:])
        assert told.max() < 0.02 * SPACING
    assert np.std(pulls) == pytest.approx(1, abs=0.1)
    assert abs(np.mean(along)) < 3 / np.sqrt(np.size(along))


def test_still_places_are_places_less_the_drift(rng):
    tables, path = drawn(rng, moving(rng), jitter=0.02)
    linked = tracking.link(tables)
    sites = lattice(0.2)[linked["true"]]
    assert np.hypot(*(linked[["y_still", "x_still"]] - sites).to_numpy().T).max() < 0.15 * SPACING
    assert np.abs(np.array(linked.attrs["drift"]) - path).max() < 0.03 * SPACING
    assert linked.attrs["frames"] == len(tables)
    assert set(tables[0].columns) < set(linked.columns)


def test_half_a_lattice_vector_is_the_limit_of_a_step_without_a_guess(rng):
    """A perfect lattice looks alike moved by 6.5 px or, the other way, by 5.5 px."""
    steps = np.full((5, 2), [0, 1]) @ [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]  # along a lattice vector
    short, long = (drawn(rng, length * steps, jitter=0.02, missing=0)[0] for length in (3.5, 6.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(frame_drift.by_columns(short)[["dy", "dx"]][1:], 3.5 * steps, atol=0.3)
    with pytest.warns(frame_drift.Ambiguous, match=r"frame 1, one of 5: a step of 5\.\d+ px is near half a lattice vector"):
        found = frame_drift.by_columns(long)
    assert np.allclose(found[["dy", "dx"]][1:], (6.5 - SPACING) * steps, atol=0.3)
    assert found["rival"][1:].to_numpy() == pytest.approx(6.5, abs=0.6)
    assert np.allclose(frame_drift.by_columns(long, guess=5 * steps)[["dy", "dx"]][1:], 6.5 * steps, atol=0.3)


def test_vacancies_in_common_tell_a_step_beyond_the_limit(rng):
    inside = np.flatnonzero(((lattice(0.2) > 25) & (lattice(0.2) < SIDE - 45)).all(1))
    tables, path = drawn(rng, [[4.0, 6.5]], jitter=0.02, missing=0.01, vacant=rng.choice(inside, 16, replace=False))
    found = frame_drift.by_columns(tables)
    assert np.allclose(found.loc[1, ["y", "x"]].to_numpy(float), path[1], atol=0.2)


def test_images_tell_a_step_beyond_the_limit():
    """Half a lattice vector of MoS2 is 1.58 Å; vacancies that both frames show say where the place went."""
    movie = movies.record(movies.Recipe(n_frames=2, lifetime=1e6, occupied=2e7, drift=8.0), 4)
    step = movie.places[1, 0] - movie.places[0, 0]
    assert np.hypot(*step) > 1.58 / movie.pixel_size
    assert (movie.occupied[0] == movie.occupied[1]).all()
    assert (~movie.occupied[0]).sum() >= 8
    assert np.allclose(frame_drift.by_images(*movie.frames), step, atol=0.1)


def test_gaps_are_closed_as_long_as_asked(rng):
    tables, _ = drawn(rng, np.zeros((8, 2)), jitter=0.02, missing=0)
    lost = tables[0]["true"].iloc[0]
    for length in (2, 3):
        gap = [one[(one["true"] != lost) | (k < 3) | (k >= 3 + length)] for k, one in enumerate(tables)]
        for limit in (0, 2, 3):
            linked = tracking.link(again(gap, pd.DataFrame.copy), max_gap=limit)
            assert linked.loc[linked["true"] == lost, "track"].nunique() == (1 if length <= limit else 2)


def test_a_neighbour_does_not_pass_for_a_column_that_went_missing():
    points = lattice()
    points = points[((points > 0) & (points < SIDE)).all(1)]
    one = len(points) // 2
    other = np.argsort(np.hypot(*(points - points[one]).T))[1]
    tables = [table(np.delete(points, k, 0), np.delete(np.arange(len(points)), k)) for k in (one, other)]
    linked = tracking.link(tables)
    tracks = [linked.loc[linked["true"] == k, "track"].item() for k in (one, other)]
    assert tracks[0] != tracks[1]
    assert linked["track"].nunique() == len(points)


def test_an_empty_frame_is_tolerated(rng):
    """The drift over it is as fast as beside it, though both steps together exceed the limit."""
    tables, path = drawn(rng, np.full((9, 2), [2.5, 3.0]), jitter=0.05, missing=0)
    tables[4] = tables[4].head(0)
    linked = tracking.link(tables)
    assert shares(linked)[0] == 1
    assert shares(linked)[1] > 0.99
    assert np.abs(np.array(linked.attrs["drift"]) - path).max() < 1.0
    assert frame_drift.by_columns(tables).loc[4, "dy_std"] != frame_drift.by_columns(tables).loc[4, "dy_std"]  # NaN


def test_no_columns_at_all_and_one_frame(rng):
    tables, _ = drawn(rng, np.zeros((2, 2)))
    nothing = tracking.link([one.head(0) for one in tables])
    assert len(nothing) == 0
    assert {"frame", "track", "y_still", "x_still"} <= set(nothing.columns)
    assert nothing.attrs["frames"] == 3
    single = tracking.link(tables[:1])
    assert sorted(single["track"]) == list(range(len(tables[0])))
    assert (single["y_still"] == tables[0]["y"]).all()
    ordered = single.sort_values("track")[["y", "x"]].to_numpy()
    assert (np.lexsort(ordered.T[::-1]) == np.arange(len(ordered))).all()


def test_a_few_columns_tell_no_drift_but_are_linked():
    tables = [table(np.array([[10.0, 10.0], [40.0, 40.0]]) + k, np.arange(2)) for k in range(3)]
    linked = tracking.link(tables)
    assert linked["track"].nunique() == 2
    assert np.array_equal(linked.attrs["drift"], np.zeros((3, 2)))


def test_what_cannot_be_linked_has_its_sentence(rng):
    tables, _ = drawn(rng, np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"max_step=6 px is not between 0 and 6 px, half the spacing"):
        tracking.link(tables, max_step=SPACING / 2)
    with pytest.raises(ValueError, match=r"max_gap=-1 is no number of frames"):
        tracking.link(tables, max_gap=-1)
    with pytest.raises(ValueError, match="drifts has 2 rows for 3 frames"):
        tracking.link(tables, drifts=frame_drift.by_columns(tables).head(2))
    with pytest.raises(ValueError, match=r"guess has shape \(3, 2\) for 3 frames; give \(2, 2\)"):
        frame_drift.by_columns(tables, guess=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="none of 0 frames states its spacing"):
        tracking.link([])
    for name, value, sentence in (
        ("spacing", 14.0, "spacings differ, 12 px in frame 0 and 14 px in frame 1"),
        ("pixel_size", 0.25, "pixel sizes differ, 0.2 to 0.25 Å"),
    ):
        mixed = [tables[0], tables[1].copy(), tables[2]]
        mixed[1].attrs[name] = value
        with pytest.raises(ValueError, match=sentence):
            tracking.link(mixed)
    tables[0].attrs = tables[1].attrs = tables[2].attrs = {}
    with pytest.raises(ValueError, match="none of 3 frames states its spacing"):
        frame_drift.by_columns(tables)
