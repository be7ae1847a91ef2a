"""The search for parameters, on detectors whose best is known."""

from functools import partial

import numpy as np
import pytest

from atomwork.analysis import baselines, detect, tuning
from tests.analysis.test_baselines import lattice

TRUTH = np.stack(np.meshgrid(np.arange(6) * 10.0, np.arange(7) * 10.0, indexing="ij"), -1).reshape(-1, 2)
FRAMES = [np.full((4, 4), k) for k in range(3)]
SET = {"truths": [TRUTH, TRUTH + 3, TRUTH[:11]], "spacings": 10.0, "progress": False}


def wobbly(image, *, level=9.0, count=1, word="a"):
    """The columns of a frame, moved by how far the level is from 3.2: hits within 2.5 px; a count of 2 adds as many."""
    found = SET["truths"][int(image[0, 0])] + [0, abs(level - 3.2)]
    return np.concatenate([found] + [found + 500] * (count - 1))


def choosy(image, *, level):
    """All columns that stand in a row below the level."""
    truth = SET["truths"][int(image[0, 0])]
    return truth[truth[:, 0] < level]


def broken(image, *, level=1):
    """A detector that fails on the last frame, and on every frame at level 2."""
    if level == 2 or image[0, 0] == 2:
        raise RuntimeError(f"no columns at level {level}")
    return SET["truths"][int(image[0, 0])]


def tune(detector, **options):
    return tuning.tune(detector, FRAMES, **SET | options)


def test_the_best_of_the_grid_is_found_and_its_score_is_that_of_all_frames_together():
    tuned = tune(choosy, grid={"level": [20, 35, 10]}, rounds=0)
    assert tuned.parameters == {"level": 35}
    hits, truth = [28 + 28 + 11, 42 + 42 + 11]
    assert tuned.f1 == pytest.approx(2 * hits / (hits + truth))
    best = tuned.table.iloc[1]
    assert (best["hits"], best["found"], best["truth"]) == (hits, hits, truth)
    assert (best["precision"], best["recall"]) == (1, pytest.approx(hits / truth))


def test_the_defaults_come_first_and_stay_unless_something_is_better():
    tuned = tune(wobbly, grid={"level": [3.0, 9.0], "count": [2]}, rounds=0)
    assert tuned.table[["level", "count"]].to_numpy().tolist() == [[9.0, 1], [3.0, 2], [9.0, 2]]
    assert tune(wobbly, grid={"word": ["b", "c"]}).parameters == {"word": "a"}
    assert tune(wobbly, grid={"level": [3.0, 3.4]}).parameters == {"level": 3.0}
    assert tune(choosy, grid={"level": [99, 98]}, rounds=0).parameters == {"level": 99}


@pytest.mark.parametrize(("values", "best", "share", "expected"), [
    ([1.0, 5.0, 2.0], 2.0, 0.5, [1.5, 3.5]),
    ([1.0, 5.0, 2.0], 1.0, 0.5, [1.5]),
    ([1.0, 5.0], 3.0, 0.25, [2.5, 3.5]),
    ([10, 4], 4, 0.5, [7]),
    ([4, 5], 4, 0.5, []),
    ([None, 4.0, 8.0], None, 0.5, []),
    ([None, 4.0, 8.0], 4.0, 0.5, [6.0]),
    ([True, False], True, 0.5, []),
    (["a", "b"], "a", 0.5, []),
])  # fmt: skip
def test_the_surroundings_lie_towards_the_neighbours(values, best, share, expected):
    assert tuning.between(values, best, share) == expected


def test_each_round_halves_the_distance_that_is_searched():
    """The share found peaks at 3.2. From 4.0, between 0 and 8: 2 and 6 are worse, then 3 is better, then 3.125."""

    def sharp(image, *, level=0.0):
        truth = SET["truths"][int(image[0, 0])]
        return truth[: round(len(truth) * (1 - abs(level - 3.2) / 10))]

    best = [tune(sharp, grid={"level": [0.0, 4.0, 8.0]}, rounds=rounds).parameters["level"] for rounds in range(4)]
    assert best == [4.0, 4.0, 3.0, 3.125]


def test_a_quarter_of_each_spacing_is_the_tolerance():
    near = partial(wobbly, level=5.2)  # 2 px off
    for spacings, hits in (([10, 10, 10], 95), ([7, 10, 10], 53), ([7, 7, np.nan], 11)):
        tuned = tune(near, grid={"count": [1]}, spacings=spacings)
        assert tuned.table["hits"].tolist() == [hits]


def test_optional_places_neither_help_nor_hurt():
    optional = [TRUTH[11:], TRUTH[:0], TRUTH[:0]]
    truths = [TRUTH[:11], *SET["truths"][1:]]
    tuned = tune(choosy, truths=truths, optional=optional, grid={"level": [99]})
    assert tuned.f1 == 1
    assert tuned.table.loc[0, "found"] == 11 + 42 + 11


def test_a_failure_is_no_hit_and_stands_in_the_table():
    tuned = tune(broken, grid={"level": [2, 3]}, rounds=0)
    assert tuned.parameters == {"level": 1}
    assert tuned.table["failures"].tolist() == [1, 3, 1]
    assert tuned.table["hits"].tolist() == [84, 0, 84]
    assert tuned.table["truth"].tolist() == [95, 95, 95]
    assert tuned.table.loc[1, "error"] == "RuntimeError: no columns at level 2"
    assert (tune(choosy, grid={"level": [5]}).table["error"] == "").all()


def test_a_detector_that_always_fails_is_refused():
    with pytest.raises(ValueError, match="failed on every frame in all 1 trials: RuntimeError: no columns at level 2"):
        tune(partial(broken, level=2), grid={"level": [2]})


@pytest.mark.parametrize(("options", "sentence"), [
    ({"grid": {"levle": [1]}}, "no parameter levle; it takes level, count, word"),
    ({"grid": {"level": []}}, "no value for level"),
    ({"grid": None}, "no default grid"),
    ({"truths": [TRUTH]}, "3 frames, 1 truths"),
    ({"spacings": [10, 10]}, "2 spacings"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        tune(wobbly, **{"grid": {"level": [1]}} | options)


@pytest.mark.parametrize("detector", tuning.GRIDS, ids=lambda detector: detector.__name__)
def test_default_grids_are_of_the_detectors_own_parameters_and_follow_the_spacing(detector):
    small, large = (tuning.default_grid(detector, spacing) for spacing in (8.0, 16.0))
    assert set(tuning.own_values(detector, small)) == set(small)
    assert small != large
    fixed = next(iter(small))
    assert fixed not in tuning.default_grid(partial(detector, **{fixed: small[fixed][0]}), 8.0)


@pytest.mark.parametrize("method", [baselines.findfoci, baselines.log, baselines.dog, baselines.doh])
def test_a_rival_gets_better_than_its_defaults(method):
    """Weak, wide columns on a slope: out of reach of the settings of the literature."""
    y, x = np.mgrid[:96, :96]
    truth = np.stack(np.meshgrid(np.arange(16, 90, 21), np.arange(16, 90, 21), indexing="ij"), -1).reshape(-1, 2)
    columns = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 5**2)) for p in truth)
    frame = np.random.default_rng(3).poisson(60 + 25 * columns + 0.5 * x)
    tuned = tuning.tune(method, [frame], [truth], spacings=[21.0], progress=False)
    assert tuned.table["f1"].iloc[0] < 0.9
    assert tuned.f1 > tuned.table["f1"].iloc[0] + 0.05
    assert tuned.f1 == tuned.table["f1"].max()
    assert (tuned.table["failures"] == 0).all()
    for name, values in tuning.default_grid(method, 21.0).items():
        assert set(values) <= set(tuned.table[name])


@pytest.mark.parametrize(("detector", "grid"), [
    (partial(baselines.atomap, refine=None), {"threshold_rel": [0.02, 0.99]}),
    (partial(detect.detect, refine=False), {"lower_bound": [0.1, 0.98]}),
])  # fmt: skip
def test_atomap_and_our_detector_are_tuned_alike(detector, grid):
    image, truth = lattice(12.0, shape=(96, 96))
    whole = ((truth > 3) & (truth < 92)).all(1)
    labelled = {"optional": [truth[~whole]], "spacings": [12.0], "rounds": 0, "progress": False}
    first, again = (tuning.tune(detector, [image], [truth[whole]], grid=grid, **labelled) for _ in range(2))
    assert first.f1 > 0.97
    assert first.table.equals(again.table)
    assert first.parameters == again.parameters
