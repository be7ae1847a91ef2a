"""Series of drifting frames: the truth is where the images say it is."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates, maximum_filter

from atomwork.simulation.recipes import series
from atomwork.simulation.visibility import Visibility

SMALL = series.Recipe(size=128, n_frames=4, defocus=10.0)


@pytest.fixture(scope="module")
def drawn():
    return series.record(SMALL, 3)


def test_the_rows_say_where_each_column_of_each_frame_is(drawn):
    """A column's place is its pixel plus its row's displacement, in every frame the same."""
    truth = drawn.truth
    displaced = np.stack([
        [np.interp(c.y, np.arange(128), drawn.rows[c.frame, :, axis]) for c in truth.itertuples()] for axis in (0, 1)
    ], -1)  # fmt: skip
    places = truth.assign(**dict(zip(("y", "x"), (truth[["y", "x"]].to_numpy() + displaced).T, strict=True)))
    spread = places.groupby("column")[["y", "x"]].agg(np.ptp)
    assert truth.groupby("column").size().max() == 4
    assert spread.to_numpy().max() < 1e-6


def test_bright_columns_stand_on_maxima_of_every_expected_image(drawn):
    for frame, clean in enumerate(drawn.clean):
        own = drawn.truth[(drawn.truth["frame"] == frame) & (drawn.truth["species"] == "Mo")]
        inner = own[own[["y", "x"]].min(axis=1).gt(6) & own[["y", "x"]].max(axis=1).lt(121)]
        peaks = np.argwhere(clean == maximum_filter(clean, 7))
        distance = np.linalg.norm(inner[["y", "x"]].to_numpy()[:, None] - peaks, axis=-1).min(1)
        assert len(inner) > 20
        assert distance.max() < 1.0


def test_frames_count_what_is_expected(drawn):
    for frame, clean in zip(drawn.frames, drawn.clean, strict=True):
        assert clean.max() == pytest.approx(frame.metadata["dose"], rel=0.15)
        assert frame.image.mean() == pytest.approx(clean.mean(), rel=0.03)
    assert sorted(frame.metadata["dose"] for frame in drawn.frames) == pytest.approx(np.geomspace(2, 200, 4))


def test_vacancies_are_no_columns(drawn):
    """Where sites are empty, the sharpest expected image is dark and the truth has nothing."""
    brightness = drawn.truth[drawn.truth["frame"] == drawn.sharpest]
    heights = map_coordinates(drawn.clean[drawn.sharpest], brightness[["y", "x"]].to_numpy().T, order=1)
    mo = heights[(brightness["species"] == "Mo").to_numpy()]
    assert mo.min() > 0.6 * mo.max()


def test_what_is_asked_for_counts_and_is_whole(drawn):
    asked, optional = drawn.asked(0)
    there = drawn.truth[drawn.truth["frame"] == 0]
    assert len(asked) + len(optional) == len(there)
    assert (asked["visibility"] == Visibility.COUNTS).all()
    sharp = drawn.truth[drawn.truth["frame"] == drawn.sharpest].set_index("column").loc[asked["column"]]
    assert sharp[["y", "x"]].min().min() >= drawn.spacing / 2
    assert asked["brightness"].min() >= series.FAINTEST
    assert set(drawn.asked(0, faintest=0.0)[0]["column"]) >= set(asked["column"])


def test_the_data_set_holds_the_series():
    dataset = series.dataset(1, SMALL)
    arrays = dataset.draw(0, np.random.SeedSequence(3))
    drawn = series.record(SMALL, 3)
    assert arrays.keys() == dataset.arrays.keys()
    assert {name: np.shape(a) for name, a in arrays.items()} == {name: a.shape for name, a in dataset.arrays.items()}
    assert np.array_equal(arrays["image"], np.stack([frame.image for frame in drawn.frames]))
    row = drawn.truth.iloc[-1]
    assert arrays["positions"][row.frame, row.column] == pytest.approx([row.y, row.x], abs=1e-4)
    assert arrays["columns"][row.column] == pytest.approx(
        [42 if row.species == "Mo" else 16, row.n_atoms, row.brightness, row.visibility]
    )
    assert np.isfinite(arrays["positions"][..., 0]).sum() == len(drawn.truth)


def test_another_seed_is_another_series(drawn):
    assert not np.array_equal(series.record(SMALL, 4).clean, drawn.clean)
