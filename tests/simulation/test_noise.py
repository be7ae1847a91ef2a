"""Noise against the statistics it is named for."""

import pytest
import torch

from atomwork.simulation import noise


@pytest.fixture
def flat():
    return torch.ones(2, 200, 220)


def test_counts_have_the_variance_of_their_mean(flat, torch_rng):
    counted = noise.counts(flat, torch_rng, torch.tensor([4.0, 90.0]))
    assert counted.mean((1, 2)).tolist() == pytest.approx([4, 90], rel=0.01)
    assert counted.var((1, 2)).tolist() == pytest.approx([4, 90], rel=0.03)
    assert torch.equal(counted, counted.round())


@pytest.mark.parametrize("mean", [29.0, 31.0, 400.0])
def test_counts_are_poisson_on_both_sides_of_the_switch(torch_rng, mean):
    """Mean, variance and skewness of a Poisson distribution: λ, λ, 1/√λ."""
    drawn = noise.poisson(torch.full((1, 1000, 1000), mean), torch_rng)
    centred = drawn - drawn.mean()
    assert drawn.mean().item() == pytest.approx(mean, rel=1e-3)
    assert drawn.var().item() == pytest.approx(mean, rel=0.01)
    skewness = (centred**3).mean() / drawn.var() ** 1.5
    assert skewness.item() == pytest.approx(mean**-0.5, abs=0.015)
    assert torch.equal(drawn, drawn.round())


def test_readout_adds_its_variance(flat, torch_rng):
    recorded = noise.degrade(flat, rng=torch_rng, dose=50.0, readout=torch.tensor([0.0, 10.0]))
    assert recorded.var((1, 2)).tolist() == pytest.approx([50, 150], rel=0.03)


def test_jitter_moves_whole_lines_and_nothing_else(torch_rng):
    ramp = torch.arange(300.0).expand(2, 400, 300)
    moved = noise.scan_jitter(ramp, torch_rng, torch.tensor([0.0, 2.0]))
    assert torch.equal(moved[0], ramp[0])
    shift = (ramp - moved)[1, :, 50:250]  # a ramp of slope 1 shows its displacement
    assert shift.std(1).max() < 1e-3
    assert shift.mean(1).std().item() == pytest.approx(2.0, rel=0.1)


def test_streaks_scale_lines(flat, torch_rng):
    streaked = noise.streaks(flat, torch_rng, torch.tensor([0.0, 0.1]))
    assert torch.equal(streaked[0], flat[0])
    assert streaked[1].std(1).max() < 1e-6
    assert streaked[1].mean(1).std().item() == pytest.approx(0.1, rel=0.2)


def test_blur_keeps_the_mean_and_halves_the_noise_as_its_kernel_says(torch_rng):
    white = torch.randn(1, 300, 300, generator=torch_rng)
    blurred = noise.detector_blur(white, 1.0)
    assert blurred.mean().item() == pytest.approx(white.mean().item(), abs=1e-3)
    assert blurred.var().item() == pytest.approx((6 / 16) ** 2, rel=0.05)  # Σ of the squared binomial weights, per axis


def test_lag_looks_back_along_the_fast_axis(torch_rng):
    line = torch.zeros(1, 3, 9)
    line[0, :, 4] = 6.0
    lagged = noise.detector_lag(line, 1.0)
    assert lagged[0, 1].tolist() == pytest.approx([0, 0, 0, 0, 0, 4, 2, 0, 0])


def test_lag_moves_the_image_by_its_delay(torch_rng):
    blob = torch.exp(-((torch.arange(60.0) - 25) ** 2) / 18).expand(1, 4, 60)
    for strength in (0.0, 0.4, 1.0):
        lagged = noise.detector_lag(blob, strength)[0, 0]
        centre = (lagged * torch.arange(60)).sum() / lagged.sum()
        assert centre.item() - 25 == pytest.approx(noise.lag_delay(strength), abs=1e-3)


def test_spots_are_as_many_as_asked_and_brighter(flat, torch_rng):
    spotted = noise.bright_spots(flat, torch_rng, torch.tensor([0.0, 0.01]))
    assert torch.equal(spotted[0], flat[0])
    assert (spotted[1] > 1).float().mean().item() == pytest.approx(0.01, rel=0.2)


def test_eight_bit_has_256_levels_and_clips(torch_rng):
    ramp = torch.linspace(-3, 12, 2000).view(1, 40, 50)
    grey = noise.eight_bit(ramp, 1.0, 0.1)
    assert torch.equal(grey, grey.round())
    assert (grey.min().item(), grey.max().item()) == (0, 255)
    assert (grey == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_smooth_fields_have_unit_deviation(torch_rng):
    fields = noise.smooth_field(torch.empty(400, 32, 40), torch_rng, 4)
    assert fields.mean((1, 2)).abs().max() < 1e-5
    assert fields.square().mean().item() == pytest.approx(1, rel=0.1)


def test_the_same_generator_gives_the_same_image(flat):
    first, second = (noise.degrade(flat, rng=torch.Generator().manual_seed(5), dose=9.0, spots=0.01) for _ in range(2))
    assert torch.equal(first, second)
