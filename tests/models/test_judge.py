"""The judge learns probabilities, and travels with the weight of its detector."""

import numpy as np
import pytest
import torch

from atomwork import weights
from atomwork.columns import evidence
from atomwork.models import judge
from atomwork.models.detector import AtomIDNet


def draws(rng, count=20_000):
    numbers = rng.normal(0, 1, (count, len(evidence.NAMES))).astype(np.float32)
    truth = 1 / (1 + np.exp(-2 * numbers[:, 0] * numbers[:, 1]))  # no single number tells
    return numbers, truth, rng.random(count) < truth


@pytest.fixture(scope="module")
def learned():
    numbers, _, right = draws(np.random.default_rng(0))
    return judge.learn(numbers, right, progress=False)


def test_it_weighs_all_the_evidence():
    assert len(judge.Judge().mean) == len(evidence.NAMES)


def test_it_learns_the_probability(learned, rng):
    numbers, truth, _ = draws(rng)
    assert np.abs(learned.probability(numbers) - truth).mean() < 0.05


def test_numbers_beyond_all_examples_count_as_the_outermost(learned, rng):
    signs = np.sign(draws(rng, 100)[0])
    assert np.array_equal(learned.probability(1e3 * signs), learned.probability(1e4 * signs))


def test_the_same_seed_gives_the_same_judge(rng):
    numbers, _, right = draws(rng, 2000)
    first, second, other = (
        judge.learn(numbers, right, epochs=2, seed=s, progress=False).probability(numbers) for s in (3, 3, 4)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_judge_that_learns_on_remembers(learned, rng):
    """A few hundred examples teach a new one little; the old one's ends stay, though these examples don't reach them."""
    numbers, _, right = draws(rng, 1000)
    inner = np.abs(numbers).max(1) < 2.5
    new, again = (judge.learn(numbers[inner], right[inner], start=s, epochs=2, progress=False) for s in (None, learned))
    assert torch.equal(again.high, learned.high)
    assert (new.high < learned.high).all()
    fresh, truth, _ = draws(rng)
    new, again = (np.abs(one.probability(fresh) - truth).mean() for one in (new, again))
    assert again < 0.07 < new


def test_a_judge_is_saved_with_its_detector(learned, rng, tmp_path):
    model = AtomIDNet(widths=(4, 8))
    assert AtomIDNet.from_weights(*model.to_weights()).judge is None
    model.take(learned)
    weights.save(tmp_path / "own.safetensors", *model.to_weights())
    again = AtomIDNet.from_weights(*weights.read(tmp_path / "own.safetensors"))
    numbers = draws(rng, 50)[0]
    assert np.array_equal(again.judge.probability(numbers), learned.probability(numbers))
    image = torch.rand(1, 1, 32, 32)
    assert all(torch.equal(a, b) for a, b in zip(again.eval()(image), model.eval()(image), strict=True))
    assert not any(p.requires_grad for p in again.judge.parameters())  # a detector's training leaves it alone
