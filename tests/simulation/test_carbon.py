"""Amorphous carbon: its strength, its spectrum, and how much of it a column has to stand out of."""

import numpy as np
import pytest
import torch

from atomwork.simulation import batches, carbon

SHAPE = (192, 192)


def rng(seed=1):
    return torch.Generator().manual_seed(seed)


def test_a_film_has_the_deviation_asked_for_and_no_other_image_is_touched():
    film = carbon.speckle(rng(), [0.2, 0.0, 0.05], torch.tensor([2.0, 2.0, 3.0]), SHAPE)
    assert film.std((1, 2)).tolist() == pytest.approx([0.2, 0.0, 0.05], rel=1e-3)
    assert film.mean((1, 2)).abs().max() < 0.02


@pytest.mark.parametrize("slope", [1.0, 1.5, 2.0])
def test_amplitudes_of_a_support_fall_with_the_power_of_the_frequency(slope):
    count = 12
    texture, _ = carbon.support(rng(), np.ones(count), torch.full((count,), slope), torch.full((count,), 0.8), SHAPE)
    power = torch.fft.fft2(texture).abs().square()
    frequency = torch.hypot(*(f[:, : SHAPE[1]] for f in torch.meshgrid(*[torch.fft.fftfreq(SHAPE[0])] * 2, indexing="ij")))
    bands = [(0.04, 0.05), (0.08, 0.1)]  # far above what holes add, far below the probe's own limit
    low, high = (power[:, (frequency > a) & (frequency < b)].mean(1).log().median() for a, b in bands)
    assert float(low - high) / (2 * np.log(2)) == pytest.approx(slope, abs=0.2)


def test_a_support_is_nowhere_negative_and_half_of_them_have_holes():
    count = 40
    texture, _ = carbon.support(rng(), np.full(count, 0.7), torch.full((count,), 1.5), torch.full((count,), 2.0), SHAPE)
    assert texture.min() >= 0
    whole = texture.std((1, 2)).sub(0.7).abs() < 1e-3
    assert 0.25 < whole.float().mean() < 0.75


def test_a_column_feigns_itself_and_an_even_ground_nothing():
    width = torch.tensor([3.0, 5.0])
    away = torch.arange(SHAPE[0]) - 96.0
    column = torch.exp(-(away[:, None] ** 2 + away**2) / (2 * width[:, None, None] ** 2))
    height = carbon.feigned(1.7 * column + 4.0, width)
    assert height[:, 96, 96].tolist() == pytest.approx([1.7, 1.7], rel=1e-4)
    assert height[:, :40].abs().max() < 0.01


def test_the_unrest_is_the_deviation_of_what_is_feigned():
    parameters = np.array([0.5, 2.0]), torch.tensor([1.2, 1.8]), torch.tensor([2.0, 4.0])
    texture, unrest = carbon.support(rng(3), *parameters, SHAPE)
    feigned = carbon.feigned(texture, parameters[2])
    assert unrest.square().mean((1, 2)).tolist() == pytest.approx(feigned.square().mean((1, 2)).tolist(), rel=1e-3)


def test_fewer_columns_count_on_a_rough_support():
    counts = []
    for share in (0.0, 1.0):
        recipe = batches.Recipe(families={"isolated": 1}, dose=(200.0, 300.0), spacing=(10.0, 14.0), support_share=share)
        batch = batches.seeded_batch(np.random.SeedSequence(4), recipe, 24)
        counts.append((sum(map(len, batch.columns)), sum(map(len, batch.optional))))
    (clear, _), (left, optional) = counts
    assert 0.1 * clear < left < 0.7 * clear
    assert optional > clear - left - 50
