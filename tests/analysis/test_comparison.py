"""The comparison: fair to every detector, whatever it trips over, and right about what each found."""

from functools import partial

import numpy as np
import pytest

from atomwork.analysis import baselines, comparison, timing
from atomwork.columns.labels import LabelledFrame

PLACES = np.array([(20.0, 20.0), (20.0, 50.0), (50.0, 20.0), (50.0, 50.0)])


def frame(height=1.0, group="one", dark=False, seed=0):
    axis = np.arange(72)
    profile = [np.exp(-((axis - PLACES[:, k, None]) ** 2) / 18.0) for k in (0, 1)]
    image = np.random.default_rng(seed).normal(0, 0.02, (72, 72)) + height * profile[0].T @ profile[1]
    return LabelledFrame(-image if dark else image, PLACES, spacing=30.0, dark=dark, name=f"{group} {seed}", group=group)


def perfect(image):
    return PLACES


def half(image):
    return [*PLACES[:2], (5.0, 5.0)]


def broken(image):
    raise RuntimeError("out of luck")


def above(image, threshold=0.9):
    """Whichever of the places are brighter than a threshold."""
    return PLACES[image[tuple(PLACES.astype(int).T)] > threshold]


def test_every_detector_gets_its_row_even_if_it_fails():
    table = comparison.compare(
        [frame(), frame(seed=1)], {"perfect": perfect, "half": half, "broken": broken}, progress=False
    ).set_index(["frame", "detector"])
    assert len(table) == 6
    assert table.loc[(0, "perfect"), "f1"] == 1
    assert table.loc[(1, "half"), ["hits", "found", "truth"]].tolist() == [2, 3, 4]
    assert table.loc[(1, "half"), "f1"] == pytest.approx(4 / 7)
    assert table.loc[(0, "half"), "jaccard"] == pytest.approx(2 / 5)
    assert table.loc[(0, "broken"), "error"] == "RuntimeError: out of luck"
    assert table.loc[(0, "broken"), "f1"] == 0
    assert (table["seconds"] >= 0).all()


def test_pooled_scores_count_columns_not_frames():
    few = LabelledFrame(np.zeros((72, 72)), PLACES[:1], spacing=30.0, group="one")
    table = comparison.compare([frame(), few], {"half": half, "broken": broken}, progress=False)
    pooled = comparison.pooled(table).set_index("detector")
    assert pooled.loc["half", ["hits", "found", "truth", "frames"]].tolist() == [3, 6, 5, 2]
    assert pooled.loc["half", "f1"] == pytest.approx(6 / 11)
    assert pooled.loc["broken", ["hits", "f1", "failures"]].tolist() == [0, 0, 2]
    assert comparison.pooled(table, by=[])["detector"].tolist() == ["half", "broken"]


def test_a_rival_is_spared_dark_columns_and_ours_is_not():
    dark = frame(dark=True)
    assert comparison.shown(dark, partial(baselines.dog, threshold=0.1)).max() == np.ptp(dark.image)
    assert comparison.shown(dark, perfect) is dark.image
    found, _, error = comparison.attempt(baselines.dog, dark, {"threshold": 0.2, "min_sigma": 2, "max_sigma": 4})
    assert not error
    assert dark.agreement(found).f1 == 1


def test_parameters_are_tuned_for_each_group(monkeypatch):
    monkeypatch.setitem(comparison.tuning.GRIDS, above, lambda s: {"threshold": [0.9, 0.3, 3.0]})
    frames = [frame(group="bright"), frame(0.5, group="faint"), frame(0.5, group="faint", seed=1)]
    best = comparison.tune(frames, {"above": above}, workers=1, progress=False)
    assert best["above", "bright"]["threshold"] == 0.9
    assert best["above", "faint"]["threshold"] < 0.5
    table = comparison.compare(frames, {"above": above}, parameters=best, progress=False)
    assert (table["f1"] == 1).all()
    assert comparison.compare(frames, {"above": above}, progress=False)["f1"].min() == 0


def test_processes_find_what_one_finds():
    frames = [frame(group="bright"), frame(0.2, group="faint"), frame(0.2, group="faint", seed=1)]
    dogs = {"DoG": baselines.dog, "wide": partial(baselines.dog, max_sigma=9.0)}
    alone, shared = (comparison.tune(frames, dogs, workers=count, progress=False) for count in (1, 2))
    assert list(shared) == [("DoG", "bright"), ("wide", "bright"), ("DoG", "faint"), ("wide", "faint")]
    assert shared == alone
    assert "max_sigma" in shared["DoG", "faint"]
    assert "max_sigma" not in shared["wide", "faint"]


def test_no_frame_is_judged_with_parameters_found_on_it(monkeypatch):
    monkeypatch.setitem(comparison.tuning.GRIDS, above, lambda s: {"threshold": [3.0, 0.9, 0.3]})
    frames = [frame() if k % 2 == 0 else frame(0.5, seed=k) for k in range(4)]  # even ones want a high threshold
    halved, best = comparison.crosswise(frames, {"above": above}, workers=1, progress=False)
    even, odd = comparison.HALVES
    assert [f.group for f in halved] == [even, odd, even, odd]
    assert best["above", odd]["threshold"] > 0.5 > best["above", even]["threshold"]
    with pytest.raises(ValueError, match="1 labelled frames can't be halved; label two at least"):
        comparison.crosswise(frames[:1], {"above": above})


def test_four_ways_read_the_same_map():
    table = comparison.readouts([frame(seed=2)], progress=False).set_index("detector")
    assert list(table.index) == ["NMS", *comparison.READOUTS]
    assert table.loc["NMS", "f1"] == 1
    assert (table["error"] == "").all()


def test_every_step_is_timed():
    table = timing.steps(frame(seed=2).image.astype(np.float32), repeats=1)
    assert (table["ms"] > 0).all()
    steps = set(table["step"])
    assert {"network", "read-out: NMS", "read-out: LoG", "fit", "AtomID-Net, all of it", *comparison.RIVALS} <= steps
    assert table["device"].str.contains("CPU threads").all()
