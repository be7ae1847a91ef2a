"""Named image formations against the means and variances that their formulas imply."""

import pytest
import torch

from atomwork.simulation import formation


@pytest.fixture
def halves():
    """An image of three levels in broad bands, and what 0…255 makes of them: 0, 102 and 255."""
    bands = torch.tensor([1.0, 3.0, 6.0]).repeat_interleave(100)
    return bands.expand(2, 400, 300), slice(0, 80), slice(120, 180), slice(220, 300)


@pytest.mark.parametrize("alpha", [0.4, 0.7])
def test_atomgan_has_the_mean_and_variance_of_its_formula(halves, torch_rng, alpha):
    """GB + α Poisson(GB): mean (1 + α) GB, variance α² GB."""
    image, *bands = halves
    recorded = formation.atomgan(image, rng=torch_rng, alpha=alpha, blur=1.5)
    for band, level in zip(bands, (0.0, 102.0, 255.0), strict=True):
        pixels = recorded[..., band]
        assert pixels.mean().item() == pytest.approx((1 + alpha) * level, rel=2e-3)
        assert pixels.var().item() == pytest.approx(alpha**2 * level, rel=0.03)


def test_atomgan_takes_a_strength_for_every_image(halves, torch_rng):
    image, _, _, bright = halves
    recorded = formation.atomgan(image, rng=torch_rng, alpha=torch.tensor([0.0, 0.5]), blur=torch.tensor([0.0, 2.0]))
    assert set(recorded[0].unique().tolist()) == {0.0, 102.0, 255.0}
    assert recorded[1, :, bright].var().item() == pytest.approx(0.25 * 255, rel=0.05)


def test_a_blurred_point_is_a_gaussian_of_the_given_width():
    image = torch.zeros(3, 61, 61)
    image[:, 30, 30] = 1.0
    blurred = formation.gaussian_blur(image, torch.tensor([0.0, 1.5, 3.0]))
    offsets = torch.arange(61.0) - 30
    assert torch.equal(blurred[0], image[0])
    assert blurred.sum((1, 2)).tolist() == pytest.approx([1, 1, 1], rel=1e-5)
    for picture, width in zip(blurred[1:], (1.5, 3.0), strict=True):
        for axis in (0, 1):
            assert (picture.sum(axis) * offsets**2).sum().item() == pytest.approx(width**2, rel=0.01)
        assert torch.allclose(picture, picture.T, atol=1e-9)


def test_a_blur_keeps_a_flat_image_to_its_border():
    flat = torch.full((1, 9, 7), 3.0)
    assert torch.allclose(formation.gaussian_blur(flat, 2.0), flat)  # also where the kernel is wider than the image


def test_backgrounds_are_smooth_and_as_high_as_asked(torch_rng):
    image = torch.rand(3, 64, 80, generator=torch_rng)
    added = formation.with_background(image, rng=torch_rng, height=torch.tensor([0.0, 0.5, 4.0])) - image
    peaks = image.amax((1, 2))
    assert torch.equal(added[0], torch.zeros(64, 80))
    assert added.amin((1, 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert added.amax((1, 2)).tolist() == pytest.approx([0, 0.5 * peaks[1].item(), 4 * peaks[2].item()], rel=1e-4)
    steepest = 2 * torch.pi * formation.WAVES / 64  # of a wave that goes from 0 to 1 and has as many half-waves again
    assert added[2].diff(dim=0).abs().max() < 4 * steepest * peaks[2]


def test_temimagenet_counts_electrons(torch_rng):
    """A flat image without background expects the dose everywhere, and its variance is its mean plus that of the readout."""
    flat = torch.ones(2, 200, 220)
    dose, readout = torch.tensor([20.0, 300.0]), torch.tensor([0.0, 10.0])
    recorded = formation.temimagenet(flat, rng=torch_rng, dose=dose, background=0.0, jitter=0.5, readout=readout)
    assert recorded.mean((1, 2)).tolist() == pytest.approx([20, 300], rel=0.01)
    assert recorded.var((1, 2)).tolist() == pytest.approx([20, 400], rel=0.03)


def test_a_background_takes_its_part_of_the_dose(torch_rng):
    """Its highest place is 2 above an image of 1, so that it holds between 1/3 of the dose and all of it."""
    recorded = formation.temimagenet(torch.ones(1, 300, 300), rng=torch_rng, dose=9e4, background=2.0, jitter=0.0)
    assert recorded.min().item() == pytest.approx(3e4, rel=0.03)
    assert recorded.max().item() == pytest.approx(9e4, rel=0.03)


def test_the_same_generator_gives_the_same_image():
    image = torch.rand(1, 32, 32)
    strengths = {"dose": 30.0, "background": 0.3, "jitter": 0.4, "readout": 1.0}
    twice = [formation.temimagenet(image, rng=torch.Generator().manual_seed(5), **strengths) for _ in range(2)]
    assert torch.equal(*twice)
    twice = [formation.atomgan(image, rng=torch.Generator().manual_seed(5), alpha=0.5, blur=1.0) for _ in range(2)]
    assert torch.equal(*twice)
