"""What a lattice does not repeat: defects at full contrast without ghosts, no lattice, and noise of the same spectrum."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from atomwork.models.networks.lattice import noise_like, unrepeated

HEXAGONAL = np.array([[10.5, 0.3], [5.0, 9.2]])  # px, rows (y, x)


def waves(size, vectors):
    """A crystal with several harmonics of a lattice's reciprocal vectors: (size, size) tensor."""
    first, second = np.linalg.inv(vectors).T
    y, x = np.mgrid[:size, :size]
    gs = (first, second, first + second, 2 * first, first - second)
    return torch.from_numpy(sum(np.cos(2 * np.pi * (g[0] * y + g[1] * x)) / (k + 1) for k, g in enumerate(gs))).float()


def spot(size, y, x):
    """A round spot of height 1."""
    grid = np.mgrid[:size, :size] - np.array([y, x])[:, None, None]
    return torch.from_numpy(np.exp(-(grid**2).sum(0) / 8)).float()


def test_a_lattice_leaves_nothing():
    crystal = waves(96, HEXAGONAL)
    left = unrepeated(crystal[None, None], torch.tensor(HEXAGONAL[None]).float())
    assert left.std() < 0.02 * crystal.std()  # of the interpolation


def test_an_odd_column_stays_whole_and_has_no_ghosts():
    alone, crystal = spot(96, 50, 45), waves(96, HEXAGONAL)
    left = unrepeated((crystal - alone)[None, None], torch.tensor(HEXAGONAL[None]).float())[0, 0]
    assert (left + alone).std() < 0.02 * crystal.std()
    assert left.min().item() == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("turn", [lambda t: t.rot90(1, (-2, -1)), lambda t: t.mT])
def test_turned_and_transposed_images_leave_the_same(turn, torch_rng):
    image, vectors = torch.randn(1, 1, 64, 64, generator=torch_rng), torch.tensor(HEXAGONAL[None]).float()
    swapped = vectors.flip(2)  # of a transposed image
    if not torch.equal(turn(image), image.mT):
        swapped = swapped * torch.tensor([-1.0, 1.0])
    assert torch.allclose(unrepeated(turn(image), swapped), turn(unrepeated(image, vectors)), atol=1e-4)


def test_it_does_not_depend_on_which_shortest_vectors_span_the_lattice(torch_rng):
    image = torch.randn(1, 1, 64, 64, generator=torch_rng)
    a, b = HEXAGONAL
    spans = [[a, b], [b, -a], [a - b, a]]
    first, *others = (unrepeated(image, torch.tensor(np.array([span])).float()) for span in spans)
    assert all(torch.allclose(first, other, atol=1e-4) for other in others)


@pytest.mark.parametrize("smooth", [False, True])
def test_noise_has_the_spectrum_of_the_images_noise(smooth, torch_rng):
    noise = 0.3 * torch.randn(16, 1, 160, 160, generator=torch_rng)
    noise = (
        F.interpolate(noise, (96, 96), mode="bilinear", antialias=True, align_corners=False) if smooth else noise[..., :96, :96]
    )
    crystal = waves(96, HEXAGONAL) - spot(96, 30, 30)
    made = noise_like(crystal + noise, torch.tensor(HEXAGONAL).float().expand(16, 2, 2), torch_rng)
    assert made.std().item() == pytest.approx(noise.std().item(), rel=0.12)
    spectra = [torch.fft.fft2(of)[:, 0].abs().square().mean(0) for of in (made, noise)]
    for low, high in ((0.05, 0.2), (0.2, 0.35), (0.35, 0.5)):
        y = torch.fft.fftfreq(96)
        band = (torch.hypot(y[:, None], y) >= low) & (torch.hypot(y[:, None], y) < high)
        assert 1 / 1.5 < spectra[0][band].mean() / spectra[1][band].mean() < 1.5
