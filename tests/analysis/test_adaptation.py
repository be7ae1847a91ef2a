"""Simulation brought to another microscope: pixel for pixel, at its intensities, resumed after a kill."""

import numpy as np
import pytest

from atomwork.analysis import adaptation
from tests.models.test_lattice import HEXAGONAL, waves


@pytest.fixture
def heaps(rng):
    simulated = [waves(96, k * HEXAGONAL).numpy() for k in rng.uniform(0.8, 1.2, 10)]
    recorded = [
        500 - 30 * waves(128, k * HEXAGONAL).numpy()[:, :100] + rng.normal(0, 4, (128, 100)) for k in rng.uniform(0.9, 1.4, 10)
    ]
    return simulated, recorded


def test_every_image_is_redrawn_at_the_intensities_of_the_recorded_ones(heaps, tmp_path):
    made = adaptation.adapt(*heaps, tmp_path / "whole", max_steps=2, progress=False)
    assert [image.shape for image in made] == [(96, 96)] * 10
    assert np.median(made) == pytest.approx(500, abs=60)
    checkpoint = tmp_path / "whole" / "last.ckpt"
    again = adaptation.adapt(*heaps, tmp_path / "whole", max_steps=2, resume_from=checkpoint, progress=False)
    assert np.allclose(again, made)


def test_few_images_are_refused(heaps, tmp_path):
    with pytest.raises(ValueError, match=r"3 recorded images are too few .* 10 at least"):
        adaptation.adapt(heaps[0], heaps[1][:3], tmp_path)
