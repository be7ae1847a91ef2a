"""Fine-tuning: what is held back judges, and nothing worse is kept."""

import numpy as np
import pandas as pd
import pytest

from atomwork import weights
from atomwork.analysis import detect, finetune
from atomwork.columns import matching


def rings(rng, side=192, spacing=16.0):
    """Columns that look like rings, as a detector that lets through the rim of the beam shows them: image and places."""
    points = np.stack(np.meshgrid(*[np.arange(spacing, side - 8, spacing)] * 2, indexing="ij"), -1).reshape(-1, 2)
    points = points + rng.uniform(-1, 1, points.shape) + rng.uniform(-4, 4, 2)
    y, x = np.mgrid[:side, :side]
    image = np.full((side, side), 4.0)
    for place in points:
        distance = np.hypot(y - place[0], x - place[1])
        image += 40 * np.exp(-((distance - 5) ** 2) / 2)
    return rng.poisson(image).astype(np.float32), points


def test_labels_come_as_tables_arrays_or_from_a_series(rng):
    image, points = rings(rng)
    table = pd.DataFrame(points, columns=["y", "x"]).assign(visible=np.arange(len(points)) > 10)
    series = pd.concat([table.assign(frame=0), table.assign(frame=1)])
    by_table, by_series = finetune.labelled([image] * 2, [table] * 2), finetune.labelled([image] * 2, series)
    for frame in (*by_table, *by_series):
        assert np.array_equal(frame.columns, points[11:])
        assert np.array_equal(frame.optional, points[:11])
        assert frame.spacing == pytest.approx(16, abs=2)
        assert not frame.dark
    (inverted,) = finetune.labelled([image.max() - image], [points])
    assert inverted.dark
    assert len(inverted.columns) == len(points)


def test_few_frames_are_cut_into_quarters(rng):
    frames = finetune.labelled(*zip(*[rings(rng) for _ in range(2)], strict=True))
    quarters = finetune.split(frames)
    assert len(quarters) == 8
    assert {quarter.image.shape for quarter in quarters} == {(96, 96)}
    assert sum(len(q.columns) for q in quarters) >= 0.95 * sum(len(f.columns) for f in frames)
    bottom_right = quarters[3].columns + 96
    assert matching.match(bottom_right, frames[0].columns, tolerance=0.01).precision == 1
    assert finetune.split(frames * 2) == frames * 2


@pytest.mark.parametrize(("frames", "labels", "sentence"), [
    ([np.eye(80)], [], "1 frames and 0 tables of labels; give one table for each frame"),
    ([], [], "0 frames and 0 tables"),
    ([np.eye(80)], [np.ones((1, 2))], "frame 0 has 1 labelled columns; label two at least"),
    ([np.eye(80)], [np.eye(2)], "1 frames of 80 × 80 px are too little to hold some back; give 4 frames, or .* 128 px"),
])  # fmt: skip
def test_what_can_not_be_learned_from_is_refused(tmp_path, frames, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        finetune.finetune(frames, labels, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")  # tips on workers and folders
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec:DeprecationWarning")
def test_columns_unlike_any_in_training_are_learned_in_minutes(rng, tmp_path, monkeypatch):
    """Rings: each shows the shipped detector several columns or none; simulated images must not suffer."""
    monkeypatch.setattr(finetune, "SIMULATED", 1)
    frames, labels = zip(*[rings(rng) for _ in range(4)], strict=True)
    tuned = finetune.finetune(frames, labels, tmp_path, max_steps=60, progress=False)
    print(tuned.scores)
    before, after = tuned.scores.iloc[0], tuned.scores.iloc[-1]
    assert tuned.kept
    assert after["held back"] > before["held back"] + 0.1
    assert after["simulated"] >= before["simulated"] - finetune.LOST
    image, points = rings(rng)
    assert matching.match(detect.detect(image, model=tuned.model), points, tolerance=4).f1 > before["held back"] + 0.1


def test_nothing_is_kept_that_gained_nothing(rng, tmp_path, monkeypatch):
    """The given weight comes back, and what was tried is told."""
    monkeypatch.setattr(finetune, "scores", lambda frames, model: {"held back": 0.9, "simulated": 0.95})
    monkeypatch.setattr(finetune, "train", lambda *_, **__: None)
    frames, labels = zip(*[rings(rng) for _ in range(4)], strict=True)
    tuned = finetune.finetune(frames, labels, tmp_path)
    assert (tuned.model, tuned.kept) == ("atomid", False)
    assert len(tuned.scores) == 1 + finetune.ATTEMPTS
    assert not (tmp_path / "finetuned.safetensors").exists()


def test_a_gain_that_costs_the_old_images_is_tried_again_more_gently(rng, tmp_path, monkeypatch):
    seen = iter([(0.80, 0.95), (0.99, 0.90), (0.95, 0.947)])
    rates = []
    monkeypatch.setattr(finetune, "scores", lambda *_: dict(zip(("held back", "simulated"), next(seen), strict=True)))
    monkeypatch.setattr(finetune, "train", lambda net, *_, **__: rates.append(net.hparams.learning_rate))
    frames, labels = zip(*[rings(rng) for _ in range(4)], strict=True)
    tuned = finetune.finetune(frames, labels, tmp_path)
    assert tuned.kept
    assert rates[1] == pytest.approx(rates[0] / 3)
    assert weights.load(tuned.model)[1]["widths"]
