"""Cross sections against abTEM, closed forms and published facts."""

import numpy as np
import pytest
from abtem.parametrizations import LobatoParametrization
from ase import Atoms

from atomwork.simulation import multislice, scattering
from atomwork.simulation.elements import ATOMIC_NUMBER
from atomwork.simulation.optics import REST_ENERGY, Lens, wavelength


@pytest.mark.parametrize("symbol", ["C", "W"])
def test_of_an_atom_scanned_whole_multislice_counts_its_cross_section(symbol, monkeypatch):
    """Born's approximation would be a third too much for tungsten."""
    monkeypatch.setattr(multislice, "TWICE", 1.8)
    atom = Atoms(symbol, [(3.0, 3.0, 1.0)], cell=(8.0, 8.0, 2.0), pbc=True)
    scanned = multislice.scan(atom, (32, 32), (0, 32, 0, 32), scattering.PROBE, 70.0, 140.0, "multislice")
    section = scattering.cross_sections([symbol], outer=140.0)[symbol]
    assert scanned.mean() * 64 == pytest.approx(section, rel=0.02)


def test_weakly_scattering_atoms_obey_born():
    """γ times the electron scattering factor, which abTEM tabulates."""
    angle, energy = np.linspace(30, 200, 20), 300e3
    born = LobatoParametrization().scattering_factor("H")((1e-3 * angle / wavelength(energy)) ** 2)
    seen = np.abs(scattering.amplitude("H", angle, energy))
    assert seen == pytest.approx((1 + energy / REST_ENERGY) * born, rel=3e-3)


def test_a_wide_cone_moves_electrons_onto_the_detector_and_off_it():
    """A probe of no width sees the ring itself; cones share out what they send, so that touching rings add up."""
    narrow, wide = Lens(semiangle_cutoff=0.1), Lens(semiangle_cutoff=30.0)
    rings = (60.0, 90.0), (90.0, 200.0), (60.0, 200.0)
    for lens in (narrow, wide):
        inner, outer, both = (scattering.cross_sections(["Si"], inner=a, outer=b, lens=lens)["Si"] for a, b in rings)
        assert inner + outer == pytest.approx(both, rel=3e-3)
    angle = 1e-3 * np.linspace(90, 200, 2000)
    share = np.abs(scattering.amplitude("Si", 1e3 * angle, narrow.energy)) ** 2 * 2 * np.pi * angle
    far = {lens: scattering.cross_sections(["Si"], inner=90.0, outer=200.0, lens=lens)["Si"] for lens in (narrow, wide)}
    assert far[narrow] == pytest.approx(np.trapezoid(share, angle), rel=2e-3)
    assert far[wide] > 1.05 * far[narrow]


@pytest.mark.parametrize("energy", [200e3, 300e3])
@pytest.mark.parametrize(("light", "heavy"), [("S", "Mo"), ("Mo", "W")])
def test_contrast_grows_with_a_power_of_z_between_three_halves_and_two(light, heavy, energy):
    # between screened and unscreened Rutherford scattering; 1.6 to 1.9 by Krivanek et al., Nature 464 (2010) 571
    sections = scattering.cross_sections([light, heavy], lens=Lens(energy))
    exponent = np.log(sections[heavy] / sections[light]) / np.log(ATOMIC_NUMBER[heavy] / ATOMIC_NUMBER[light])
    assert 1.5 < exponent < 2.0


@pytest.mark.parametrize("distance", [0.5, 3.0, 4.0, 5.0, 7.0])
def test_discs_have_in_common_what_a_fine_grid_counts(distance):
    """Radii of 1.5 and 4.5: one within the other, across it, apart."""
    side = np.linspace(-1.5, 1.5, 1501)
    y, x = np.meshgrid(side, side, indexing="ij")
    counted = ((y**2 + x**2 < 1.5**2) & ((x + distance) ** 2 + y**2 < 4.5**2)).mean() * 9.0
    assert scattering.common_area(distance, 1.5, 4.5) == pytest.approx(counted, abs=0.02)
