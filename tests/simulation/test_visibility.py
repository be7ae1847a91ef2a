"""What counts as a column: numbers against direct sums and against a fit's own scatter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from atomwork.simulation import visibility
from atomwork.simulation.visibility import Visibility


@pytest.mark.parametrize(("amplitude", "level"), [(20.0, 1.0), (3.0, 30.0), (-8.0, 10.0)])
def test_signal_to_noise_is_the_poisson_information_of_the_amplitude(amplitude, level):
    y, x = np.mgrid[-40:41, -40:41]
    shape = np.exp(-(y**2 + x**2) / (2 * 2.5**2))
    information = np.sum(shape**2 / (amplitude * shape + level))  # 1/variance of the amplitude, all else known
    expected = abs(amplitude) * np.sqrt(information)
    assert visibility.signal_to_noise(amplitude, 2.5, level).item() == pytest.approx(expected, rel=1e-3)


def test_without_background_it_is_the_root_of_the_electrons():
    electrons = 7.0 * 2 * np.pi * 1.8**2
    assert visibility.signal_to_noise(7.0, 1.8, 0.0).item() == pytest.approx(np.sqrt(electrons), rel=1e-3)


LEVEL = 5.0


def judged(*sites, width=2.0, readout=0.0, speckle=0.0):
    """(x, kind) of every place of the truth, in order of x, for columns ``(height, x)`` on one line."""
    y, x = np.mgrid[:41, :81]
    image = LEVEL + sum(h * np.exp(-((y - 20) ** 2 + (x - x0) ** 2) / (2 * width**2)) for h, x0 in sites)
    every = torch.ones(len(sites))
    columns = visibility.Columns(
        positions=torch.tensor([[20.0, x0] for _, x0 in sites]),
        image=torch.zeros(len(sites), dtype=torch.long),
        amplitude=torch.tensor([h for h, _ in sites]),
        width=width * every,
        readout=readout * every,
        speckle=speckle * every,
    )
    positions, _, kinds = visibility.judge(torch.tensor(image, dtype=torch.float32)[None], columns)
    return sorted((x0, Visibility(k)) for x0, k in zip(positions[:, 1].tolist(), kinds.tolist(), strict=True))


def kind(height, **surroundings):
    """Visibility of a column on its own."""
    return judged((height, 40.0), **surroundings)[0][1]


def test_two_columns_show_two_maxima_from_the_distance_at_which_they_count_twice():
    x = np.linspace(-10, 10, 4001)
    for distance, maxima in ((1.95, 1), (2.3, 2)):  # in widths: Sparrow's limit is 2
        profile = sum(np.exp(-0.5 * (x - s * distance / 2) ** 2) for s in (-1, 1))
        assert np.sum((profile[1:-1] > profile[:-2]) & (profile[1:-1] > profile[2:])) == maxima
        truth = judged((1e5, 40.0), (1e5, 40 + 2 * distance))  # so bright that noise hides nothing
        assert [k for _, k in truth] == maxima * [Visibility.COUNTS]


@pytest.mark.parametrize("distance", [2.5, 3.0])  # the places lie on whole pixels
def test_a_pair_counts_twice_from_the_dose_at_which_its_dip_meets_the_rose_criterion(distance):
    top, dip = 1 + np.exp(-(distance**2) / 2), 2 * np.exp(-(distance**2) / 8)

    def stature(height):
        return visibility.signal_to_noise(height * (top - dip), 4.0, LEVEL + height * dip).item()

    needed = brentq(lambda height: stature(height) - visibility.ROSE, 1, 1e6)
    for height, counting in ((0.9 * needed, 0), (1.1 * needed, 2)):
        truth = judged((height, 35.0), (height, 35 + 4 * distance), width=4.0)
        assert [k for _, k in truth].count(Visibility.COUNTS) == counting


@pytest.mark.parametrize("height", [60.0, 8.0])
def test_a_pair_that_noise_blurs_may_be_found_as_one_or_as_two(height):
    truth = judged((height, 40.0), (height, 45.0))
    assert truth == [(x, Visibility.OPTIONAL) for x in (40.0, 42.5, 45.0)]


def test_a_pair_within_sparrows_limit_counts_once_at_its_centre_of_brightness():
    truth = judged((20.0, 40.0), (10.0, 43.0))
    assert truth == [(pytest.approx(41.0), Visibility.COUNTS)]


@pytest.mark.parametrize(("height", "counting"), [(20.0, 2), (4.0, 0)])
def test_a_joined_pair_must_stand_above_the_dip_towards_its_neighbours_too(height, counting):
    truth = judged(*((height, x) for x in (40.0, 42.0, 48.0, 50.0)))
    assert [k for _, k in truth].count(Visibility.COUNTS) == counting
    assert kind(2 * height) == Visibility.COUNTS  # alone, it would count at either height


def test_a_row_of_columns_that_run_into_each_other_is_never_asked_for():
    truth = judged(*((20.0, 30 + 3.5 * k) for k in range(5)))
    assert {k for _, k in truth} == {Visibility.OPTIONAL}
    assert {x for x, _ in truth} >= {30 + 3.5 * k for k in range(5)}


def test_joining_keeps_the_brightness_and_its_centre(rng):
    count = 30
    positions = torch.tensor(rng.uniform(0, 30, (count, 2)))
    amplitude = torch.tensor(rng.uniform(0.2, 1, count))
    columns = visibility.Columns(positions, torch.zeros(count, dtype=torch.long), *(amplitude,) * 4)
    joined = visibility.join(columns, torch.arange(count).reshape(-1, 2))
    assert joined.amplitude.sum().item() == pytest.approx(amplitude.sum().item())
    moments = [(c.positions * c.amplitude[:, None]).sum(0) for c in (columns, joined)]
    assert torch.allclose(*moments)


def test_columns_of_different_images_never_meet():
    columns = visibility.Columns(
        torch.tensor([[20.0, 20.0], [20.0, 21.0]]), torch.tensor([0, 1]), *(torch.full((2,), 50.0),) * 2, *(torch.zeros(2),) * 2
    )
    assert len(visibility.near_pairs(columns)) == 0
    assert len(visibility.near_pairs(replace(columns, image=torch.zeros(2, dtype=torch.long)))) == 1


def test_bright_counts_faint_is_optional_fainter_is_hidden():
    # on 5 electrons and 2 px of width the signal-to-noise ratio is about 1.5 per electron of amplitude
    assert [kind(a) for a in (10.0, 3.0, 0.8)] == [Visibility.COUNTS, Visibility.OPTIONAL, Visibility.HIDDEN]


def test_a_dark_column_is_judged_like_a_bright_one():
    assert kind(-4.5) == Visibility.COUNTS
    assert kind(-0.8) == Visibility.HIDDEN


def test_a_dark_pair_is_judged_like_a_bright_one():
    assert [k for _, k in judged((-4.5, 40.0), (-4.5, 50.0))] == 2 * [Visibility.COUNTS]
    assert len(judged((-2.4, 40.0), (-2.4, 43.0))) == 1


def test_a_column_on_the_flank_of_a_brighter_one_is_hidden():
    assert kind(30.0) == Visibility.COUNTS
    assert judged((30.0, 40.0), (600.0, 44.5)) == [(40.0, Visibility.HIDDEN), (44.5, Visibility.COUNTS)]


def test_readout_noise_and_speckle_hide_columns():
    assert kind(10.0) == Visibility.COUNTS
    assert kind(10.0, readout=20.0) == Visibility.HIDDEN
    assert kind(10.0, speckle=3.0) == Visibility.OPTIONAL


def test_an_image_is_judged_alike_alone_and_in_a_batch(rng):
    """Many columns that run into each other, so that pairs are joined, in three images."""
    y, x = np.mgrid[:80, :80]
    sites = rng.uniform(8, 72, (3, 120, 2))
    heights = rng.uniform(2, 40, (3, 120))
    images = [LEVEL + sum(h * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for h, (a, b) in zip(*one, strict=True))
              for one in zip(heights, sites, strict=True)]  # fmt: skip
    electrons = torch.tensor(np.array(images), dtype=torch.float32)
    every = torch.ones(360)
    columns = visibility.Columns(
        positions=torch.tensor(sites.reshape(-1, 2), dtype=torch.float32),
        image=torch.arange(3).repeat_interleave(120),
        amplitude=torch.tensor(heights.ravel(), dtype=torch.float32),
        width=2 * every,
        readout=0 * every,
        speckle=0 * every,
    )
    places, index, kinds = visibility.judge(electrons, columns)
    assert len(set(kinds.tolist())) == 3
    for k in range(3):
        alone = replace(columns[columns.image == k], image=torch.zeros(120, dtype=torch.long))
        expected, _, expected_kinds = visibility.judge(electrons[k : k + 1], alone)
        assert torch.equal(places[index == k], expected)
        assert torch.equal(kinds[index == k], expected_kinds)
