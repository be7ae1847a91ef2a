"""The projected potential against closed forms, and its independence of the grid."""

import abtem
import numpy as np
import pytest
from ase import Atoms

from atomwork.simulation import imaging, multislice, potential

BOX, GPTS = 10.0, (120, 125)
INSIDE = 0.31, 0.77  # of a pixel


def atoms_at(*places, symbols="MoS", box=BOX):
    return Atoms(symbols, [(x, y, 1.0) for x, y in places], cell=(box, box, 2.0), pbc=True)


def silicon(x, y, box=14.0, count=4):
    return Atoms(f"Si{count}", [(x, y, 1.0 + 3.84 * k) for k in range(count)], cell=(box, box, 3.84 * count), pbc=True)


def test_moved_by_part_of_a_pixel_atoms_keep_their_spectrum():
    step = BOX / np.array(GPTS)
    places = np.array([(2.0, 3.0), (6.1, 7.3)])
    spectra = [
        np.abs(np.fft.fft2(potential.projected(atoms_at(*(places + moved)), GPTS).array.sum(0)))[: GPTS[0] // 3, : GPTS[1] // 3]
        for moved in ((0, 0), INSIDE * step, -0.5 * step)
    ]
    for spectrum in spectra[1:]:
        assert np.abs(spectrum - spectra[0]).max() < 1e-4 * spectra[0].max()


def test_beside_an_atom_the_potential_is_lobatos():
    """In real space, where abTEM has the closed form; the far field of the copies of the box is a constant."""
    place = np.array([5.03, 4.96])
    array = potential.projected(atoms_at(place, symbols="Mo"), (800, 800)).array.sum(0)
    x, y = np.meshgrid(*[np.arange(800) * BOX / 800] * 2, indexing="ij")
    r = np.hypot(x - place[0], y - place[1])
    near = (r > 0.1) & (r < 1.5)
    expected = abtem.parametrizations.LobatoParametrization().projected_potential("Mo")(r[near])
    assert np.std(array[near] - expected) < 0.01 * np.std(expected)
    assert np.polyfit(expected, array[near], 1)[0] == pytest.approx(1, abs=0.005)


def test_a_column_scatters_the_same_wherever_it_lies_between_pixels(monkeypatch):
    """abTEM's own potential changes a column's electrons at 60-180 mrad by a tenth."""

    def brightest(moved):
        places = 7.0 + np.array(moved)
        column, row = np.rint(places * 100).astype(int)
        window = (row, row + 1, column, column + 1)
        return multislice.scan(silicon(*places), (1400, 1400), window, imaging.PROBE, 60.0, 180.0, "multislice").item()

    moves = (0.0, 0.0), (0.01, 0.0), (0.01, 0.01)
    ours = [brightest(moved) for moved in moves]
    assert np.ptp(ours) < 0.005 * np.mean(ours)
    monkeypatch.setattr(potential, "ExactPlaces", lambda: None)
    assert np.ptp([brightest(moved) for moved in moves]) > 0.05 * np.mean(ours)


def test_an_empty_slice_has_no_potential():
    array = potential.projected(silicon(5.0, 5.0), (64, 64)).array
    assert (np.abs(array).max((1, 2)) > 0).sum() == 4
