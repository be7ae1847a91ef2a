"""Quick pictures are those that a whole drawing gives."""

import numpy as np
import pytest

from atomwork.widgets.stage import Stage


@pytest.fixture
def stage(rng):
    stage = Stage((3, 3))
    stage.ax = stage.figure.add_subplot()
    stage.image = stage.ax.imshow(rng.random((20, 20)), cmap="gray")
    (stage.dots,) = stage.ax.plot([3, 4], [5, 6], "o")
    stage.move(stage.dots)
    return stage


def picture(stage):
    stage.canvas.draw()
    return np.array(stage.canvas.buffer_rgba())


def whole(stage):
    stage.still = None
    return picture(stage)


def test_what_moves_is_drawn_quickly_and_as_if_all_were_drawn(stage, monkeypatch):
    before = picture(stage)
    monkeypatch.setattr(type(stage.image), "draw", None)  # whoever draws the image again fails
    stage.dots.set_data([10, 12], [10, 3])
    quick = picture(stage)
    monkeypatch.undo()
    assert (quick != before).any()
    assert np.array_equal(quick, whole(stage))


def test_whatever_else_changes_is_drawn(stage):
    begun = picture(stage)
    for change in (
        lambda: stage.ax.set_xlim(0, 10),
        lambda: stage.image.set_data(np.zeros((20, 20))),
        lambda: stage.ax.set_title("new"),
        lambda: stage.figure.set_size_inches(4, 4),
    ):
        change()
        changed = picture(stage)
        assert not np.array_equal(changed, begun)
        assert np.array_equal(changed, whole(stage))
        begun = changed


def test_a_figure_that_is_saved_shows_what_moves(stage, tmp_path):
    stage.figure.savefig(tmp_path / "with.png")
    stage.dots.set_visible(False)
    stage.figure.savefig(tmp_path / "without.png")
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()
