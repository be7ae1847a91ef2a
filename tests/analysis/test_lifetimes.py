"""Lifetimes of vacancies: by movies drawn from exponential ones, by closed forms, and by sums over all that may have been."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import lattice_sites, lifetimes, tracking
from atomwork.analysis.lifetimes import COLUMN, DIM, NONE, UNSEEN
from atomwork.simulation.recipes import movies
from tests.analysis.test_tracking import SIDE, SPACING, drawn, lattice

SHAPE = (SIDE, SIDE)


def in_a_row(count, kind=0):
    return pd.DataFrame({"y": 0.0, "x": np.arange(float(count)), "kind": kind})


def chains(rng, lifetime, occupied=400.0, count=100, frames=200):
    """Which of some sites are vacant at the frames, exponential in continuous time: (T, N) bool array."""
    recipe = movies.Recipe(n_frames=frames, lifetime=lifetime, occupied=occupied)
    return ~movies.chains(count, recipe, rng)


def as_shown(vacant, rng=None, recall=1.0, false=0.0):
    """What a detector shows of vacant and other sites that finds a share of the columns, and some where there are none."""
    chance = rng.random(vacant.shape) if rng else np.zeros(vacant.shape)
    return np.where(np.where(vacant, chance < false, chance < recall), COLUMN, NONE)


def told(shown, **options):
    return lifetimes.measure(lifetimes.decided(shown, in_a_row(shown.shape[1])), **options)


@pytest.mark.parametrize(("recall", "false"), [(1.0, 0.0), (0.98, 0.002)])
def test_mean_lifetimes_are_right_within_their_error_in_50_movies(recall, false):
    """Vacancies of 40 frames in movies of 200: many are cut off, and the mean of those that aren't is far too small."""
    pulls, counted, naive = [], [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        found = told(as_shown(chains(rng, 40.0, count=60), rng, recall, false))
        row = found.table.loc[0]
        pulls.append((row["mean"] - 40) / row["mean_std"])
        counted.append((row["counted"] - 40) / row["counted_std"])
        whole = found.events[found.events["begun"] & found.events["ended"]]
        naive.append(whole["frames"].mean())
    for pull in (pulls, counted):
        assert np.std(pull) == pytest.approx(1, abs=0.2)
        assert abs(np.mean(pull)) < 3 / np.sqrt(50)
    assert np.mean(naive) < 40 - 5 * np.std(naive) / np.sqrt(50)


def test_short_lifetimes_are_right_though_the_shortest_vacancies_pass_for_columns_not_found():
    """At a recall of 0.95 nothing below three frames is told; those that are, are five frames long on average and not four."""
    pulls, lengths = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = told(as_shown(chains(rng, 4.0, occupied=200.0), rng, 0.95, 0.002))
        pulls.append((found.table.loc[0, "mean"] - 4) / found.table.loc[0, "mean_std"])
        lengths.append(found.events["frames"].mean())
    assert abs(np.mean(pulls)) < 3 / np.sqrt(20)
    assert np.mean(lengths) > 5


def test_events_are_those_of_construction_where_every_column_is_found(rng):
    vacant = chains(rng, 10.0)
    found = told(as_shown(vacant)).events
    again = np.zeros_like(vacant)
    for event in found.itertuples():
        again[event.begin : event.end + 1, event.site] = True
    assert (again == vacant).all()
    assert (found["frames"] == found["end"] - found["begin"] + 1).all()
    assert (found["begun"] == (found["begin"] > 0)).all()
    assert (found["ended"] == (found["end"] < 199)).all()
    assert not found["border"].any()


def test_events_are_right_within_a_frame_at_a_recall_of_098(rng):
    """Those of four frames and more, but for what a second event on a site or a column seen by mistake joins or parts."""
    vacant = chains(rng, 12.0)
    truth, found = told(as_shown(vacant)).events, told(as_shown(vacant, rng, 0.98, 0.001)).events
    near = [
        ((found["site"] == one.site) & (abs(found["begin"] - one.begin) <= 1) & (abs(found["end"] - one.end) <= 1)).any()
        for one in truth[truth["frames"] >= 4].itertuples()
    ]
    assert len(near) > 30
    assert np.mean(near) > 0.95
    false = [not vacant[one.begin : one.end + 1, one.site].any() for one in found.itertuples()]
    missed = (as_shown(vacant, np.random.default_rng(0), 0.98) == NONE) & ~vacant
    assert np.sum(false) <= 2 < 300 < missed.sum()  # of some 400 columns that were not found


def test_the_chain_explains_what_all_paths_together_explain(rng):
    """Likelihood, expected counts and probabilities of vacancy, against the sum over all 2⁶ courses of each site."""
    given = [rng.dirichlet(np.ones(len(row))) for row in lifetimes.START]
    shown = rng.choice([COLUMN, DIM, NONE, UNSEEN], (6, 5))
    weight = rng.uniform(1, 3, 5)
    likelihood, counts, vacant = lifetimes.explained(shown, given, weight)
    total, moves, shows = 0.0, np.zeros((2, 2)), np.zeros((2, 3))
    for site in range(5):
        chances, paths = [], list(product((0, 1), repeat=6))
        for path in paths:
            chance = given[0][path[0]] * np.prod([given[1 + a][b] for a, b in pairwise(path)])
            fits = [given[3 + s][k] for s, k in zip(path, shown[:, site], strict=True) if k != UNSEEN]
            chances.append(chance * np.prod(fits))
        share = np.array(chances) / np.sum(chances)
        total += weight[site] * np.log(np.sum(chances))
        assert vacant[:, site] == pytest.approx(share @ np.array(paths))
        for part, path in zip(weight[site] * share, paths, strict=True):
            for a, b in pairwise(path):
                moves[a, b] += part
            for s, k in zip(path, shown[:, site], strict=True):
                shows[s, k] += part * (k != UNSEEN)
    assert likelihood == pytest.approx(total)
    assert np.array(counts[1:3]) == pytest.approx(moves)
    assert np.array(counts[3:]) == pytest.approx(shows)
    assert counts[0].sum() == pytest.approx(weight.sum())


def test_the_chances_told_are_those_that_a_movie_was_drawn_with():
    rng = np.random.default_rng(1)
    rates = lifetimes.decided(as_shown(chains(rng, 10.0, count=600), rng, 0.95, 0.01), in_a_row(600)).rates.loc[0]
    assert rates["recall"] == pytest.approx(0.95, abs=0.003)
    assert rates["false"] == pytest.approx(0.01, abs=0.006)
    assert rates["healing"] == pytest.approx(1 - np.exp(-1 / 10), rel=4 * rates["healing_std"])
    assert rates["appearing"] == pytest.approx(1 / 400, rel=0.25)
    assert rates["shortest"] in (3, 4)


def test_counted_lifetimes_and_curve_by_hand():
    """Five vacancies of 1, 2 (cut off), 3, 3 and 5 (cut off) frames, and one that is there at first."""
    shown = np.full((12, 6), COLUMN)
    for site, (begin, end) in enumerate([(2, 2), (10, 11), (4, 6), (5, 7), (7, 11), (0, 3)]):
        shown[begin : end + 1, site] = NONE
    vacant = np.where(shown == NONE, 1.0, 0.0)
    sites, rates = in_a_row(6), lifetimes.decided(shown, in_a_row(6)).rates
    found = lifetimes.measure(lifetimes.Occupancy(sites, shown, vacant, rates.assign(shortest=1.0)), frame_time=0.5)
    assert found.events[["site", "begin", "end"]].to_numpy().tolist() == [
        [0, 2, 2], [1, 10, 11], [2, 4, 6], [3, 5, 7], [4, 7, 11], [5, 0, 3]
    ]  # fmt: skip
    assert found.events["seconds"].tolist() == [0.5, 1.0, 1.5, 1.5, 2.5, 2.0]
    row = found.table.loc[0]
    assert row[["sites", "vacancies", "begun", "ended"]].tolist() == [6, 6, 5, 4]
    risk = 1 + 1 + 3 + 3 + 4 + 4  # from each frame that shows one to the next frame
    assert row["counted"] == pytest.approx(-0.5 / np.log(1 - 4 / risk))
    curve = found.curves[0]
    assert curve["time"].tolist() == [0, 0.5, 1.0, 1.5, 2.5]
    assert curve["surviving"].to_numpy() == pytest.approx([1, 4 / 5, 4 / 5, 4 / 5 / 3, 4 / 5 / 3])
    assert (curve["low"] <= curve["surviving"]).all()
    assert (curve["high"] >= curve["surviving"]).all()


def test_the_band_is_nothing_where_all_live_and_everything_below_the_last_one_where_none_do():
    """Greenwood's formula has no value there."""
    events = pd.DataFrame({"frames": [2, 3], "ended": [False, True]})
    curve = lifetimes.curve(events, 1.0)
    assert curve[["time", "surviving", "low", "high"]].to_numpy().tolist() == [[0, 1, 1, 1], [2, 1, 1, 1], [3, 0, 0, 1]]


def test_the_border_hides_and_is_no_end():
    shown = np.full((20, 40), COLUMN)
    shown[5:12, 0] = NONE
    shown[12:, 0] = UNSEEN
    shown[:5, 1], shown[5:9, 1] = UNSEEN, NONE
    shown[5:9, 2] = NONE
    found = told(shown).events.set_index("site")
    assert found.loc[0, ["begun", "ended", "border"]].tolist() == [True, False, True]
    assert found.loc[1, ["begun", "ended", "border"]].tolist() == [False, True, True]
    assert found.loc[2, ["begun", "ended", "border"]].tolist() == [True, True, False]
    assert np.isnan(lifetimes.decided(shown, in_a_row(40)).vacant[15, 0])


def test_nothing_vacant_has_no_lifetime():
    found = told(np.zeros((10, 20), int))
    assert len(found.events) == 0
    assert np.isnan(found.table.loc[0, "mean"])
    assert found.curves[0]["surviving"].tolist() == [1]
    alone = np.zeros((10, 20), int)
    alone[3, 4] = alone[7, 9] = NONE
    assert len(told(np.tile(alone, 5)).events) == 0  # rather columns that weren't found


def movie(rng, vacant, steps, **options):
    """Tables of `drawn` without the sites that are vacant, a dict of site to frames; and the sites' places."""
    tables, path = drawn(rng, steps, jitter=0.03, **options)
    kept = []
    for k, one in enumerate(tables):
        gone = [site for site, times in vacant.items() if k in times]
        kept.append(one[~one["true"].isin(gone)].assign(amplitude=lambda t: 100 * np.exp(0.03 * np.sin(t["true"]))))
        kept[-1].attrs = one.attrs
    return kept, path


def site_at(y, x):
    return int(np.hypot(*(lattice(0.2) - [y, x]).T).argmin())


def test_vacancies_of_drawn_columns_are_found_from_tables_to_events(rng):
    """Also one that was never filled, beside an adatom that is no site though it is always there."""
    times = {site_at(60, 60): range(5, 14), site_at(90, 120): range(12, 30), site_at(120, 60): range(30)}
    tables, _ = movie(rng, times, np.tile([0.4, -0.6], (29, 1)), missing=0.01)
    adatom = lattice(0.2)[site_at(100, 90)] + 0.5 * SPACING * np.array([np.sin(0.9), np.cos(0.9)])
    tables = [
        pd.concat([one, one.head(1).assign(y=adatom[0] + 0.4 * k, x=adatom[1] - 0.6 * k)]) for k, one in enumerate(tables)
    ]
    for one in tables:
        one.attrs = {"spacing": SPACING, "pixel_size": 0.2}
    linked = tracking.link(tables)
    sites = lattice_sites.of_tracks(linked, shape=SHAPE)
    places = lattice(0.2)
    distance = np.hypot(*(sites[["y", "x"]].to_numpy()[:, None] - places).T).min(0)
    assert distance.max() < 0.1 * SPACING
    inner = (places > [SPACING, 3 * SPACING]).all(1) & (places < SIDE - SPACING).all(1)
    reached = np.hypot(*(places[inner][:, None] - sites[["y", "x"]].to_numpy()).T).min(0)
    assert reached.max() < 0.1 * SPACING
    found = lifetimes.measure(lifetimes.occupancy(linked, sites, shape=SHAPE), frame_time=2.0)
    assert len(found.events) == 3
    for site, frames in times.items():
        [own] = [e for e in found.events.itertuples() if np.hypot(*(places[site] - (e.y, e.x))) < 0.3 * SPACING]
        assert (own.begin, own.end, own.seconds) == (frames[0], frames[-1], 2.0 * len(frames))
        assert (own.begun, own.ended) == (frames[0] > 0, frames[-1] < 29)


def test_sites_end_where_the_crystal_does(rng):
    """Half of the frame is empty: no site is there, but every gap in the other half is one."""
    places = lattice(0.2)
    hole = site_at(90, 40)
    tables, _ = drawn(rng, np.zeros((5, 2)), jitter=0.03, missing=0, vacant=[*np.flatnonzero(places[:, 1] > 90), hole])
    sites = lattice_sites.of_tracks(tracking.link(tables), shape=SHAPE)[["y", "x"]].to_numpy()
    there = places[(places[:, 1] <= 90) & (places > SPACING / 2).all(1) & (places[:, 0] < SIDE - 1 - SPACING / 2)]
    assert len(sites) == pytest.approx(len(there), abs=2)  # some are just within the border and just beyond it
    assert sites[:, 1].max() < 91
    assert np.hypot(*(sites - places[hole]).T).min() < 0.1 * SPACING


def test_dim_columns_are_vacancies_like_missing_ones(rng):
    tables, _ = movie(rng, {}, np.zeros((19, 2)), missing=0.01)
    lost = site_at(90, 90)
    for k, one in enumerate(tables):
        one.loc[(one["true"] == lost) & (6 <= k < 15), "amplitude"] *= 0.5
    linked = tracking.link(tables)
    sites = lattice_sites.of_tracks(linked, shape=SHAPE)
    [event] = lifetimes.events(lifetimes.occupancy(linked, sites, shape=SHAPE)).itertuples()
    assert (event.begin, event.end) == (6, 14)
    assert np.hypot(*(lattice(0.2)[lost] - (event.y, event.x))) < 1


def test_a_simulated_movie_from_images_to_events():
    """Mo vacancies of a simulated MoS2 movie by the detector itself: nearly every vacant site in every frame, and no other."""
    from atomwork.analysis import detect

    drawn_movie = movies.record(movies.Recipe(n_frames=10, size=160), 3)
    tables = [detect.detect(drawn_movie.micrograph(k)) for k in range(10)]
    linked = tracking.link(tables)
    moved = drawn_movie.places[:, 0] - drawn_movie.places[0, 0]
    assert np.abs(np.array(linked.attrs["drift"]) - moved).max() < 0.1
    sites = lattice_sites.of_tracks(linked, shape=(160, 160))
    occupancy = lifetimes.occupancy(linked, sites, shape=(160, 160))
    apart = np.hypot(*(sites[["y", "x"]].to_numpy()[:, None] - drawn_movie.places[0]).T).T
    own = apart.min(1) < 2
    assert set(sites.loc[own, "kind"]) == {0}
    truth = ~drawn_movie.occupied[:, apart.argmin(1)[own]] & (occupancy.shown[:, own] != UNSEEN)
    found = np.nan_to_num(occupancy.vacant) > 0.5
    assert truth.sum() > 20
    assert (found[:, own] & truth).sum() > 0.95 * truth.sum()
    assert (found[:, own] & ~truth).sum() == 0
    assert not found[:, ~own].any()


def test_what_tells_no_lifetime_has_its_sentence(rng):
    with pytest.raises(ValueError, match=r"frame_time=-1 s must be positive"):
        told(np.zeros((10, 20), int), frame_time=-1)
    tables, _ = drawn(rng, np.zeros((3, 2)))
    few = [one[(one[["y", "x"]] < 60).all(axis=1)] for one in tables]
    for one in few:
        one.attrs = tables[0].attrs
    with pytest.raises(ValueError, match=r"columns tell no lattice; give 40 or more"):
        lattice_sites.of_tracks(tracking.link(few), shape=SHAPE)
