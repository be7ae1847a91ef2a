"""The lens against published wavelengths, the closed form of its zeros and Airy's disc."""

import numpy as np
import pytest

from atomwork.simulation import optics
from atomwork.simulation.optics import Lens


@pytest.mark.parametrize(("energy", "expected"), [(60e3, 0.04866), (80e3, 0.04176), (200e3, 0.02508), (300e3, 0.01969)])
def test_wavelengths_are_those_of_the_textbooks(energy, expected):
    # Williams & Carter, Transmission Electron Microscopy, table 1.2 (60 kV by the same formula)
    assert optics.wavelength(energy) == pytest.approx(expected, abs=1e-5)


def test_zeros_of_a_lens_without_spherical_aberration():
    lens = Lens(energy=300e3, defocus=400.0)
    expected = np.sqrt(np.arange(1, 5) / (optics.wavelength(300e3) * 400))
    assert lens.zeros(4) == pytest.approx(expected, rel=1e-6)


def test_the_phase_is_a_multiple_of_pi_at_every_zero():
    lens = Lens(energy=200e3, Cs=1.2e7, defocus=670.0)  # Cs 1.2 mm at Scherzer's defocus
    zeros = lens.zeros(5)
    assert len(zeros) == 5
    assert np.sin(lens.phase(np.zeros(5), zeros)) == pytest.approx(np.zeros(5), abs=1e-5)


def test_scherzers_defocus_moves_the_first_zero_to_the_point_resolution():
    # Δf = 1.2 √(Cs λ) puts it at 1.5 Cs^(-1/4) λ^(-3/4) (Williams & Carter, chapter 28)
    lam, cs = optics.wavelength(200e3), 1.2e7
    lens = Lens(energy=200e3, Cs=cs, defocus=1.2 * np.sqrt(cs * lam))
    assert lens.zeros(1)[0] == pytest.approx(1.5 * cs**-0.25 * lam**-0.75, rel=0.05)


def probe(lens, n=256, extent=32.0):
    return np.fft.fftshift(optics.probe_intensity(lens, (n, n), (extent, extent)))


def test_the_probe_of_a_perfect_lens_is_airys():
    lens = Lens(energy=200e3, semiangle_cutoff=25.0)
    profile = probe(lens)[128, 128:]
    first_minimum = np.flatnonzero(np.diff(profile) > 0)[0] * 32 / 256
    assert first_minimum == pytest.approx(0.61 * optics.wavelength(200e3) / 0.025, abs=0.125)


def test_every_aberration_spreads_the_probe_and_keeps_its_sum():
    sharp = probe(Lens())
    for changed in ({"defocus": 100.0}, {"Cs": 1e6}, {"astigmatism": 80.0}, {"focal_spread": 60.0}):
        blurred = probe(Lens(**changed))
        assert blurred.sum() == pytest.approx(1)
        assert blurred.max() < 0.9 * sharp.max()


def test_astigmatism_turns_with_its_angle():
    y, x = np.mgrid[-128:128, -128:128]
    moments = []
    for angle in (0.0, 45.0, 90.0):  # with defocus, so that the two line foci don't balance
        image = probe(Lens(defocus=60.0, astigmatism=60.0, astigmatism_angle=angle))
        near = image * (np.hypot(y, x) < 40)
        moments.append([(near * (x**2 - y**2)).sum(), (near * 2 * x * y).sum()])
    assert np.abs(moments[0][0]) > 5 * np.abs(moments[0][1])
    assert np.abs(moments[1][1]) > 5 * np.abs(moments[1][0])
    assert moments[2][0] == pytest.approx(-moments[0][0], rel=1e-6)


def test_a_lens_or_a_grid_that_makes_no_probe_is_refused():
    with pytest.raises(ValueError, match=r"energy -1 eV and semiangle_cutoff .* must be positive"):
        Lens(energy=-1)
    with pytest.raises(ValueError, match=r"semiangle_cutoff=25.0 mrad .* does not fit between"):
        optics.probe_intensity(Lens(), (16, 16), (16.0, 16.0))


def test_defocus_delocalises_by_its_angle():
    # α·Δf, and with spherical aberration alone Cs·α³
    assert Lens(semiangle_cutoff=20.0, defocus=-100.0).delocalisation == pytest.approx(0.02 * 100)
    assert Lens(semiangle_cutoff=20.0, Cs=1e6).delocalisation == pytest.approx(1e6 * 0.02**3)


def test_a_focal_spread_leaves_no_fine_details_to_delocalise():
    sharp, spread = (Lens(energy=300e3, semiangle_cutoff=40.0, defocus=100.0, focal_spread=f) for f in (0.0, 100.0))
    assert spread.delocalisation < 0.5 * sharp.delocalisation
