"""Movies of vacancies that appear and heal: the truth is where the frames say it is, and as often as the rates say."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from atomwork.simulation import formation
from atomwork.simulation.recipes import movies

SMALL = movies.Recipe(size=128, n_frames=6, dose=400.0, occupied=40.0)


@pytest.fixture(scope="module")
def movie():
    return movies.record(SMALL, 3)


def test_occupied_sites_are_bright_and_vacant_ones_dark_in_every_frame(movie):
    for frame, places, occupied in zip(movie.frames, movie.places, movie.occupied, strict=True):
        inside = ((places > 6) & (places < 121)).all(1)
        level = map_coordinates(frame, places[inside].T, order=1)
        there = occupied[inside]
        assert there.sum() > 40
        assert (~there).any()
        assert level[there].min() > 2 * level[~there].max()


def test_the_brightest_pixels_expect_the_dose(movie):
    """Some of a perfect frame's 70 columns have their centre on a pixel's."""
    assert movie.frames.dtype == np.float32
    assert (movie.frames == np.round(movie.frames)).all()
    assert np.sort(movie.frames.ravel())[-40:].mean() == pytest.approx(SMALL.dose, rel=0.1)


def test_all_sites_drift_alike_and_smoothly():
    recipe = movies.Recipe(size=96, n_frames=30, drift=2.0)
    movie = movies.record(recipe, 0)
    moved = movie.places - movie.places[0]
    path = movies.wander(recipe, formation.generators(np.random.SeedSequence(0))[0])
    assert moved[:, 0] == pytest.approx(path, abs=1e-9)
    assert np.ptp(moved, axis=1).max() < 1e-9
    steps = np.diff(moved[:, 0], axis=0)
    assert np.sqrt(np.mean(steps**2)) == pytest.approx(2.0, rel=0.2)
    assert np.sqrt(np.mean(np.diff(steps, axis=0) ** 2)) < 0.4 * np.sqrt(np.mean(steps**2))


def test_every_site_that_a_frame_shows_is_told(movie):
    """Molybdenum of MoS2 takes 8.6 Å² a site."""
    shown = ((movie.places >= 0) & (movie.places <= 127)).all(-1)
    assert shown.any(0).all()
    assert shown.sum(1).mean() == pytest.approx((127 * 0.2) ** 2 / (3.16**2 * np.sqrt(3) / 2), rel=0.05)
    assert movie.micrograph(2).pixel_size == movie.pixel_size == 0.2
    assert (movie.micrograph(2).image == movie.frames[2]).all()


@pytest.mark.parametrize(("lifetime", "occupied"), [(8.0, 200.0), (1.5, 4.0)])
def test_sites_change_as_often_as_a_chain_in_continuous_time(lifetime, occupied):
    """P(vacant → occupied in a frame) = h / (a + h) (1 − exp(−a − h)) with a = 1/occupied and h = 1/lifetime."""
    recipe = movies.Recipe(n_frames=100, lifetime=lifetime, occupied=occupied)
    there = movies.chains(4000, recipe, np.random.default_rng(1))
    appearing, healing = 1 / occupied, 1 / lifetime
    both = (1 - np.exp(-appearing - healing)) / (appearing + healing)
    before, after = there[:-1], there[1:]
    for state, rate in ((False, healing), (True, appearing)):
        own = before == state
        error = np.sqrt(rate * both * (1 - rate * both) / own.sum())
        assert np.mean(after[own] != state) == pytest.approx(rate * both, abs=4 * error)
    for frame in (0, 99):  # as it is on average, from begin to end
        share = occupied / (occupied + lifetime)
        assert there[frame].mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


@pytest.mark.parametrize(("defect", "left"), [("V_S2", 0.0), ("V_S", 0.5)])
def test_chalcogens_lack_as_many_atoms_as_the_defect_says(defect, left):
    movie = movies.record(movies.Recipe(size=128, n_frames=4, defect=defect, dose=1000.0, occupied=40.0), 1)
    levels = {True: [], False: []}
    for frame, places, occupied in zip(movie.frames, movie.places, movie.occupied, strict=True):
        inside = ((places > 6) & (places < 121)).all(1)
        level = map_coordinates(frame, places[inside].T, order=1)
        for state in levels:
            levels[state] += level[occupied[inside] == state].tolist()
    assert np.mean(levels[False]) / np.mean(levels[True]) == pytest.approx(left, abs=0.12)  # the metals' tails remain


def test_the_seed_decides(movie):
    again, other = movies.record(SMALL, np.random.SeedSequence(3)), movies.record(SMALL, 4)
    assert (again.frames == movie.frames).all()
    assert (again.occupied == movie.occupied).all()
    assert not np.array_equal(other.frames, movie.frames)


def test_what_is_no_vacancy_or_no_time_is_refused():
    with pytest.raises(ValueError, match="'W_Mo' is no vacancy; give V_Mo"):
        movies.record(movies.Recipe(defect="W_Mo"), 0)
    with pytest.raises(ValueError, match="MoS2 has no site for V_W"):
        movies.record(movies.Recipe(defect="V_W"), 0)
    with pytest.raises(ValueError, match="lifetime=0 and occupied=5 frames must be positive"):
        movies.record(movies.Recipe(lifetime=0, occupied=5), 0)
