"""Maps that disagree, and rows of a scan that strain a crystal."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from atomwork.analysis import strain, strain_checks
from tests.analysis.test_strain import PLACES, SIDE, G, crystal

REFERENCE = (40, 280, 40, 280)


def gpa(displacement, rng, dose=1.0):
    image = rng.poisson(dose * crystal(displacement)).astype(float)
    return strain.gpa(image, *G, resolution=8.0, reference=REFERENCE, convention="small")


def drifting(rng, y_too=True):
    """Displacements of rows that wander, by a strain of about 1 %."""
    path = gaussian_filter1d(rng.normal(size=(2, SIDE)), 25, axis=1).cumsum(1)
    path -= path.mean(1, keepdims=True)
    path *= 0.01 / np.gradient(path, axis=1).std(1, keepdims=True)
    return np.broadcast_to((path * [[y_too], [1]])[..., None], (2, SIDE, SIDE))


@pytest.mark.parametrize("y_too", [True, False])
def test_rows_that_wander_are_told(y_too, rng):
    found = strain_checks.scan_distortion(gpa(drifting(rng, y_too), rng))
    assert found.suspected
    assert found.rows > 0.9 > 0.3 > found.columns
    assert found.strain == pytest.approx(0.01 * np.sqrt(1 + y_too), rel=0.35)
    assert "Scan distortion is likely" in str(found)


def test_what_is_no_scan_distortion(rng):
    """An inclusion, layers across the rows, and nothing but noise."""
    y, x = (part - SIDE / 2 for part in PLACES)
    inclusion = 0.03 * np.exp(-(y**2 + x**2) / (2 * 40**2)) * np.stack([y, x])
    layers = np.stack([0 * x, 0.01 * 25 * np.sin(x / 25)])
    for shift in (inclusion, layers, 0 * layers):
        found = strain_checks.scan_distortion(gpa(shift, rng))
        assert not found.suspected
        assert "No sign of scan distortion" in str(found)


def test_maps_of_one_crystal_agree_and_what_one_of_them_lacks_is_seen(rng):
    first, second = (gpa(0.0, rng, 0.3) for _ in range(2))
    apart = strain_checks.disagreement(first, second)
    known = np.isfinite(apart)
    assert np.isnan(first.exx[~known]).all()
    assert np.mean(apart[known] > 3) < 0.03
    bent = second.exx.copy()
    bent[150:170, 150:170] += 8 * second.exx_std[150:170, 150:170]
    assert np.mean(strain_checks.disagreement(first, replace(second, exx=bent))[150:170, 150:170] > 3) > 0.9


def test_maps_that_cannot_be_compared_have_their_sentence(rng):
    found = gpa(0.0, rng)
    for change, message in (
        ({"convention": "finite"}, "convention is small and finite"),
        ({"reference": (0, 9, 0, 9)}, "reference is"),
        ({"resolution": 9.0}, "resolutions are 8 and 9 px"),
        ({"exx": found.exx[1:]}, "shapes are"),
    ):
        with pytest.raises(ValueError, match=message):
            strain_checks.disagreement(found, replace(found, **change))
