"""Examples for the judge: the truth of every candidate, optional ones left out."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from atomwork.analysis import detect, judging, labelled
from atomwork.analysis.confidence import VIEWS, confidence_map
from atomwork.columns import evidence
from atomwork.simulation import datasets


@pytest.fixture(scope="module")
def frames():
    return list(islice(labelled.drawn(2, "training"), 4))


def test_examples_are_the_judged_candidates_of_all_frames(frames):
    numbers, right = judging.examples(frames, progress=False)
    maps = [confidence_map(f.image, views=views) for f, views in zip(frames, (1, VIEWS, 1, VIEWS), strict=True)]
    tables = [detect.candidates(f.image, seen) for f, seen in zip(frames, maps, strict=True)]
    matches = [f.agreement(table) for f, table in zip(frames, tables, strict=True)]
    assert numbers.shape == (sum(m.n_found for m in matches), len(evidence.NAMES))
    assert right.sum() == sum(len(m.pairs) for m in matches)
    assert 0.3 < right.mean() < 1


def test_the_judge_knows_more_than_the_height_of_the_map(frames):
    """On frames from which it did not learn: its loss is below that of the best curve through the heights."""
    numbers, right = judging.examples(labelled.drawn(3, "validation"), progress=False)
    seen = confidence_map(frames[0].image)
    height = 1 / (1 + np.exp(-numbers[:, 0] - np.log(detect.EVEN / (1 - detect.EVEN))))

    def loss(probability):
        return -np.log(np.where(right, probability, 1 - probability).clip(1e-6)).mean()

    assert loss(seen.judge.probability(numbers)) < 0.9 * loss(seen.calibrated(height))


def test_a_user_s_frames_are_half_of_what_a_judge_learns_on_from(frames, monkeypatch):
    """Each of them looked at once and several times."""
    told = {}
    monkeypatch.setattr(judging.judge, "learn", lambda numbers, right, **_: told.update(numbers=numbers, right=right))
    judging.learned_on(None, frames[:1], frames[1:], model="atomid", progress=False)
    numbers, right = judging.examples(frames[:1] * 2, progress=False)
    simulated, own = np.split(told["numbers"], [len(judging.examples(frames[1:], progress=False)[1])])
    assert len(told["right"]) == len(told["numbers"])
    assert len(simulated) <= len(own) < len(simulated) + len(right)
    assert np.array_equal(own[: len(right)], numbers)
    assert np.array_equal(told["right"][-len(right) :], right)


def test_a_judge_stays_as_it_is_where_a_user_s_frames_show_it_nothing(frames):
    """All candidates at optional places, of which nobody knows whether they are right."""
    seen = confidence_map(frames[0].image)
    everywhere = np.stack(np.indices(frames[0].image.shape), -1).reshape(-1, 2)
    blank = replace(frames[0], columns=np.empty((0, 2)), optional=everywhere)
    assert judging.learned_on(seen.judge, [blank], frames, model="atomid", progress=False) is seen.judge


def test_frames_for_the_judge_are_of_training():
    """Its images share neither seeds nor cells with validation and test."""
    groups = {which: datasets.GROUPED[which] for which in ("training", "validation", "test")}
    assert len({seed for _, seed in groups.values()}) == 3
    assert all(recipe.cells == datasets.RECIPES["simulated"].cells for recipe in groups["training"][0].values())
