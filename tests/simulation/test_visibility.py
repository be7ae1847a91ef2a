"""What counts as a column: numbers against direct sums and against a fit's own scatter."""

import numpy as np
import pytest
import torch

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


def test_two_columns_show_two_maxima_from_the_distance_at_which_they_count_twice():
    x = np.linspace(-10, 10, 4001)
    for distance, maxima in ((1.95, 1), (2.05, 2)):  # in widths: Sparrow's limit is 2
        profile = sum(np.exp(-0.5 * (x - s * distance / 2) ** 2) for s in (-1, 1))
        assert np.sum((profile[1:-1] > profile[:-2]) & (profile[1:-1] > profile[2:])) == maxima
        positions = np.array([[0, 0], [0, distance]])
        assert len(visibility.merge(positions, np.ones(2), 1.0)[0]) == maxima


def test_merging_keeps_the_brightness_and_its_centre(rng):
    positions, brightness = rng.uniform(0, 30, (60, 2)), rng.uniform(0.2, 1, 60)
    merged, total, members = visibility.merge(positions, brightness, 1.0)
    assert members.sum() == 60
    assert total.sum() == pytest.approx(brightness.sum())
    assert np.allclose((merged * total[:, None]).sum(0), (positions * brightness[:, None]).sum(0))


def kinds(amplitude, neighbour=0.0, distance=6.0, readout=0.0, speckle=0.0):
    """Visibility of a column of width 2 px on 5 electrons beside a neighbour."""
    y, x = np.mgrid[:41, :41]

    def gaussian(height, x0):
        return height * np.exp(-((y - 20) ** 2 + (x - x0) ** 2) / 8)

    image = torch.tensor(5 + gaussian(amplitude, 20) + gaussian(neighbour, 20 + distance), dtype=torch.float32)[None]
    one = torch.ones(1)
    return visibility.classify(
        image, torch.tensor([[20.0, 20.0]]), torch.zeros(1, dtype=torch.long), amplitude * one, 2 * one, readout * one,
        torch.ones(1, dtype=torch.long), speckle=speckle * one,
    ).item()  # fmt: skip


def test_bright_counts_faint_is_optional_fainter_is_hidden():
    # on 5 electrons and 2 px of width the signal-to-noise ratio is about 1.5 per electron of amplitude
    assert [kinds(a) for a in (10.0, 3.0, 0.8)] == [Visibility.COUNTS, Visibility.OPTIONAL, Visibility.HIDDEN]


def test_a_dark_column_is_judged_like_a_bright_one():
    assert kinds(-4.5) == Visibility.COUNTS
    assert kinds(-0.8) == Visibility.HIDDEN


def test_a_column_on_the_flank_of_a_brighter_one_is_hidden():
    assert kinds(30.0) == Visibility.COUNTS
    assert kinds(30.0, neighbour=600.0, distance=4.5) == Visibility.HIDDEN


def test_readout_noise_and_speckle_hide_columns():
    assert kinds(10.0) == Visibility.COUNTS
    assert kinds(10.0, readout=20.0) == Visibility.HIDDEN
    assert kinds(10.0, speckle=3.0) == Visibility.OPTIONAL
