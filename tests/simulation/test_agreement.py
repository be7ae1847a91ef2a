"""The comparison of two images, with images whose answer is known, and the real one at its smallest."""

import numpy as np
import pytest

from atomwork.image import Micrograph
from atomwork.simulation import agreement, lookalikes, structures
from atomwork.simulation.optics import Lens


def test_intensities_are_those_at_the_columns_over_the_brightest():
    specimen = structures.build("WS2", 12.0)
    y, x = np.meshgrid(*(np.arange(0, length, 0.1) for length in specimen.size), indexing="ij")
    pictures = []
    for sulphur in (0.5, 0.4):
        image = np.zeros(y.shape)
        for column in specimen.columns.itertuples():
            height = 1.0 if column.species == "W" else sulphur
            away = np.stack([y - column.y, x - column.x])
            away -= np.array(specimen.size)[:, None, None] * np.round(away / np.array(specimen.size)[:, None, None])
            image += height * np.exp(-np.square(away).sum(0) / (2 * 0.3**2))
        pictures.append(Micrograph(image, 0.1, "made"))
    table = agreement.intensities(specimen, *pictures).set_index("species")
    assert table.loc["W"].tolist() == [1, 1, 1]
    assert table.loc["S", "linear"] == pytest.approx(0.5, abs=0.01)
    assert table.loc["S", "quotient"] == pytest.approx(0.5 / 0.4, rel=0.02)


def test_linear_and_multislice_agree_on_a_monolayer():
    lens = Lens(energy=80e3, semiangle_cutoff=25.0)
    agreed = agreement.compare(structures.build("MoS2", 10.0), inner=80.0, outer=160.0, phonons=1, lens=lens)
    assert agreed.correlation > 0.97
    assert agreed.intensities["quotient"].between(0.85, 1.15).all()
    assert agreed.linear.image.mean() == pytest.approx(agreed.multislice.image.mean(), rel=0.3)  # of one configuration
    assert agreed.seconds[0] < agreed.seconds[1]


@pytest.mark.parametrize("sample", ["mos2", "perovskite_adf", "au_nanoparticles"])
def test_lookalikes_have_the_samples_pixels_and_noise(sample):
    first, again, other = (lookalikes.lookalike(sample, 0.12, shape=(90, 110), seed=seed) for seed in (1, 1, 2))
    assert first.image.shape == (90, 110)
    assert first.pixel_size == 0.12
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_a_sample_without_a_simulation_is_refused():
    with pytest.raises(ValueError, match=r"sample 'tilt_series' has no simulation; choose one of mos2"):
        lookalikes.lookalike("tilt_series", 0.1)
