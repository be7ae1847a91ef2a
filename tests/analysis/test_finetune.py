"""Fine-tuning: what is held back judges, and nothing worse is kept."""

import numpy as np
import pandas as pd
import pytest

from atomwork import weights
from atomwork.analysis import detect, finetune
from atomwork.columns import matching


def rings(rng, side=192, spacing=16.0, radius=4.0):
    """Columns that look like rings, as a detector that lets through the rim of the beam shows them: image and places."""
    points = np.stack(np.meshgrid(*[np.arange(spacing, side - 8, spacing)] * 2, indexing="ij"), -1).reshape(-1, 2)
    points = points + rng.uniform(-1, 1, points.shape) + rng.uniform(-4, 4, 2)
    y, x = np.mgrid[:side, :side]
    image = np.full((side, side), 4.0)
    for place in points:
        distance = np.hypot(y - place[0], x - place[1])
        image += 40 * np.exp(-((distance - radius) ** 2) / 2)
    return rng.poisson(image).astype(np.float32), points


def test_labels_come_as_tables_arrays_or_from_a_series(rng):
    image, points = rings(rng)
    table = pd.DataFrame(points, columns=["y", "x"]).assign(visible=np.arange(len(points)) > 10)
    series = pd.concat([table.assign(frame=0), table.assign(frame=1)])
    by_table, by_series = finetune.with_labels([image] * 2, [table] * 2), finetune.with_labels([image] * 2, series)
    for frame in (*by_table, *by_series):
        assert np.array_equal(frame.columns, points[11:])
        assert np.array_equal(frame.optional, points[:11])
        assert frame.spacing == pytest.approx(16, abs=2)
        assert not frame.dark
    (inverted,) = finetune.with_labels([image.max() - image], [points])
    assert inverted.dark
    assert len(inverted.columns) == len(points)


def test_of_few_frames_or_one_place_the_same_quarter_of_each_is_held_back(rng):
    frames = finetune.with_labels(*zip(*[rings(rng) for _ in range(5)], strict=True))
    for some, one_place in ((frames[:2], False), (frames, True)):
        seen, unseen = finetune.split(some, one_place, 0.25, rng)
        assert len(unseen) == len(some)
        assert len(seen) == 3 * len(some)
        assert {part.image.shape for part in (*seen, *unseen)} == {(96, 96)}
        for frame, part in zip(some, unseen, strict=True):
            assert np.array_equal(part.image, frame.image[96:, 96:])
            assert matching.match(part.columns + 96, frame.columns, tolerance=0.01).precision == 1


def test_of_several_frames_a_share_is_held_back_whole(rng):
    frames = finetune.with_labels(*zip(*[rings(rng) for _ in range(8)], strict=True))
    seen, unseen = finetune.split(frames, False, 0.25, rng)
    assert len(unseen) == 2
    assert sorted(map(id, seen + unseen)) == sorted(map(id, frames))


@pytest.mark.parametrize(("frames", "labels", "sentence"), [
    ([np.eye(80)], [], "1 frames and 0 tables of labels; give one table for each frame"),
    ([], [], "0 frames and 0 tables"),
    ([np.eye(80)], [np.ones((1, 2))], "frame 0 has 1 labelled columns; label two at least"),
    ([np.eye(80)], [np.eye(2)], "frame 0 of 80 × 80 px is too small to hold a quarter back; give 4 frames .* 128 px at least"),
])  # fmt: skip
def test_what_can_not_be_learned_from_is_refused(tmp_path, frames, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        finetune.finetune(frames, labels, tmp_path)
    assert not list(tmp_path.iterdir())


def test_columns_unlike_any_in_training_are_learned_in_minutes(rng, tmp_path, monkeypatch):
    """Rings: each shows the shipped detector several columns or none; simulated images must not suffer."""
    monkeypatch.setattr(finetune, "LOST", 0.02)  # two batches know F1 no better
    frames, labels = zip(*[rings(rng) for _ in range(4)], strict=True)
    tuned = finetune.finetune(frames, labels, tmp_path, max_steps=100, validation_batches=2, progress=False)
    before, after = tuned.scores.loc[0.0], tuned.scores.loc[tuned.share]
    assert after["held back"] > before["held back"] + 0.1
    assert after["simulated"] >= before["simulated"] - finetune.LOST
    image, points = rings(rng)
    assert matching.match(detect.locate(image, model=tuned.model), points, tolerance=4).f1 > before["held back"] + 0.1


@pytest.mark.parametrize(("held_back", "simulated", "share"), [
    ([0.80, 0.85, 0.90, 0.95, 0.99], [0.95, 0.95, 0.95, 0.95, 0.95], 1.0),
    ([0.80, 0.85, 0.90, 0.95, 0.99], [0.95, 0.95, 0.948, 0.946, 0.90], 0.5),  # from there on, old images would suffer
    ([0.80, 0.90, 0.70, 0.60, 0.60], [0.95, 0.96, 0.96, 0.96, 0.96], 0.25),
    ([0.90, 0.80, 0.90, 0.70, 0.60], [0.95, 0.95, 0.95, 0.95, 0.95], 0.0),  # nothing gained
    ([0.80, 0.99, 0.99, 0.99, 0.99], [0.95, 0.94, 0.93, 0.92, 0.91], 0.0),  # nothing gained that costs little
])  # fmt: skip
def test_as_far_as_it_gains_and_costs_little(held_back, simulated, share):
    table = pd.DataFrame({"held back": held_back, "simulated": simulated}, index=[0.0, 0.25, 0.5, 0.75, 1.0])
    assert finetune.chosen(table) == share


@pytest.mark.parametrize(("gain", "kept"), [(0.1, True), (-0.1, False)])
def test_the_weight_lies_between_the_old_and_the_trained_one(rng, tmp_path, monkeypatch, gain, kept):
    """And the old one comes back, with no file beside it, where nothing was gained."""
    frames, labels = zip(*[rings(rng) for _ in range(4)], strict=True)
    old = weights.load("atomid")[0]["head.0.bias"]

    def train(net, *_, **__):
        net.average.module.head[0].bias += 1.0

    def scores(_, model):
        moved = float((weights.load(model)[0]["head.0.bias"] - old).mean())
        return {"held back": 0.5 + gain * moved, "simulated": 0.95 if moved < 0.6 else 0.9}

    monkeypatch.setattr(finetune, "train", train)
    monkeypatch.setattr(finetune.judging, "learned_on", lambda start, *_, **__: start)
    monkeypatch.setattr(finetune, "scores", scores)
    tuned = finetune.finetune(frames, labels, tmp_path)
    assert tuned.share == (0.5 if kept else 0.0)
    assert (tmp_path / "finetuned.safetensors").exists() == kept
    assert tuned.model == (str(tmp_path / "finetuned.safetensors") if kept else "atomid")
    assert weights.load(tuned.model)[0]["head.0.bias"] == pytest.approx(old + tuned.share)
