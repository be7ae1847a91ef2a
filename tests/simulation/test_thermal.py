"""Thermal displacements against their definition, B = 8π²u², and statistics."""

import numpy as np
import pytest

from atomwork.simulation import crystals, structures, thermal


def test_displacements_follow_the_debye_waller_factor():
    found = thermal.displacements(["Sr", "Au"])
    assert 8 * np.pi**2 * found["Sr"] ** 2 == pytest.approx(0.62)
    assert found["Au"] == pytest.approx(0.087, abs=0.002)  # Å at room temperature


@pytest.mark.parametrize(
    "symbol", sorted({symbol for name in crystals.CRYSTALS for symbol in crystals.find(name).atoms.symbols} | {"Nb", "Te"})
)
def test_every_element_of_the_crystals_moves_by_some_hundredths(symbol):
    assert symbol in thermal.DEBYE_WALLER
    assert 0.05 < thermal.displacements([symbol])[symbol] < 0.12


def test_the_mean_square_grows_with_temperature():
    cold, warm, none = (thermal.displacements(["Pt", "Kr"], t) for t in (300, 1200, 0))
    for symbol in ("Pt", "Kr"):
        assert warm[symbol] == pytest.approx(2 * cold[symbol])
        assert none[symbol] == 0
    assert 8 * np.pi**2 * cold["Kr"] ** 2 == pytest.approx(thermal.OTHERS)


def test_a_frozen_specimen_strays_as_far_as_asked():
    whole = structures.build("SrTiO3", 40, thickness=40)
    frozen = thermal.freeze(whole, rng=np.random.default_rng(0), temperature=450)
    step = frozen.atoms.positions - whole.atoms.positions
    for symbol in ("Sr", "Ti", "O"):
        own = step[whole.atoms.symbols == symbol]
        expected = thermal.displacements([symbol], 450)[symbol]
        assert own.std(0) == pytest.approx(expected, rel=4 / np.sqrt(2 * len(own)))
        assert (abs(own.mean(0)) < 4 * expected / np.sqrt(len(own))).all()
    assert frozen.unit is None
    assert whole.unit is not None
    assert (frozen.atoms.numbers == whole.atoms.numbers).all()


def test_columns_of_a_frozen_specimen_are_the_means_of_its_atoms():
    """A column of n atoms strays by u/√n."""
    whole = structures.build("Pt", 50, thickness=4 * 2.775 * 4)
    frozen = thermal.freeze(whole, rng=np.random.default_rng(0))
    assert len(frozen.columns) == len(whole.columns)
    step = frozen.columns[["y", "x"]].to_numpy() - whole.columns[["y", "x"]].to_numpy()
    count = whole.columns["n_atoms"].to_numpy()[:, None]
    box = np.array(whole.size)
    step -= box * np.round(step / box)
    assert (step * np.sqrt(count)).std() == pytest.approx(thermal.displacements(["Pt"])["Pt"], rel=0.1)


def test_at_rest_nothing_moves():
    whole = structures.build("Si", 20, thickness=8)
    assert (thermal.freeze(whole, rng=np.random.default_rng(0), temperature=0).atoms.positions == whole.atoms.positions).all()


def test_the_seed_decides():
    whole = structures.build("Si", 20, thickness=8)
    first, again, other = (thermal.freeze(whole, rng=np.random.default_rng(s)).atoms.positions for s in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="temperature=-1 K must not be negative"):
        thermal.displacements(["Pt"], -1)
    with pytest.raises(ValueError, match="'Qq' is no chemical element"):
        thermal.displacements(iter(["Pt", "Qq"]))
