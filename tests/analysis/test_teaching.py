"""Marks that a network learns from: what a method finds, drawn, kept over a kill, and nothing where it finds no crystal."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from atomwork.analysis import defect_scores, defects, drawings, teaching
from atomwork.analysis.defect_scores import Truth
from atomwork.simulation.recipes import atomgan


@pytest.fixture(scope="module")
def junction():
    return atomgan.junction(np.random.SeedSequence(77), n_defects=3)


def test_marks_say_what_was_found(junction):
    """Read as any drawing, they give back the points and the front."""
    found = defects.segment(junction["image"], model="columns")
    again = drawings.read(drawings.marks(found), found.spacing)
    points = found.points[["y", "x"]].to_numpy(float)
    scores = defect_scores.scored(again, Truth(np.empty((0, 2)), points, found.fronts[0]))
    assert (scores.hits, scores.false, scores.missed) == (3, 0, 0)
    assert scores.front_rms < 0.1


def test_columns_are_drawn_where_they_are_known(junction):
    """All of a drawing's atoms are the specimen's, up to the border, and none is missing; none is said of without sites."""
    found = defects.segment(junction["image"], model="columns")
    levels = drawings.marks(found)
    assert (levels >= 0).mean() > 0.99
    alone = drawings.marks(replace(found, sites=None))
    assert (alone > 0).any()
    assert (levels[alone > 0] > 150).all()
    assert (alone[levels < 150] == drawings.UNKNOWN).all()
    drawn = drawings.read(levels, found.spacing).columns[["y", "x"]].to_numpy(float)
    truth, line = Truth.of(junction), cKDTree(defect_scores.dense(found.fronts[0], (256, 256)))
    columns, drawn = (places[line.query(places)[0] > found.spacing] for places in (truth.columns, drawn))  # it covers others
    near = 0.4 * found.spacing
    inner, seen = (places[((places > 4) & (places < 251)).all(1)] for places in (columns, drawn))  # no discs that are cut off
    assert (cKDTree(drawn).query(inner)[0] < near).mean() > 0.99
    assert (cKDTree(np.concatenate([truth.columns, truth.points])).query(seen)[0] < near).mean() > 0.99


def test_a_killed_call_goes_on_where_it_was(junction, rng, tmp_path, monkeypatch):
    images = np.stack([junction["image"], rng.integers(0, 255, (256, 256)), junction["image"][::-1]]).astype(np.uint8)
    monkeypatch.setattr(teaching, "BLOCK", 2)
    path = tmp_path / "new" / "marks.npz"
    write, written = teaching.write, []

    def killed(*args):
        write(*args)
        written.append(len(args[-1]))
        if len(written) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(teaching, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        teaching.marks(images, path, progress=False)
    marks = teaching.marks(images, path, progress=False)
    assert written == [2, 3]
    assert (marks[0] > 200).sum() > 100
    assert np.isnan(marks[1]).all()
    assert (marks[0][::-1] > 150).sum() == pytest.approx((marks[2] > 150).sum(), rel=0.02)
    assert np.array_equal(teaching.marks(images, path, progress=False), marks, equal_nan=True)
    assert written == [2, 3]
    teaching.marks(images[:1], path, progress=False)  # other images
    assert written == [2, 3, 1]
