"""Scans that ship: they are of the sets' own specimens, abTEM makes the same ones, and others are never taken for them."""

import numpy as np
import pytest
from safetensors import safe_open

from atomwork.simulation import scattering
from atomwork.simulation.recipes import scans

CHEAP = "NbSe2"  # seconds


def marks(which):
    """Fingerprints of a set's specimens."""
    return scans.fingerprints(which, scans.specimens(which))


@pytest.mark.parametrize("path", sorted(scans.SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_what_ships_belongs_to_the_specimens(path):
    known = marks(path.stem)
    shipped = scans.stored(path, known)
    with safe_open(path, "np") as file:
        assert shipped.keys() == set(file.keys())  # none is of an earlier specimen


@pytest.mark.parametrize("path", sorted(scans.SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_what_ships_counts_the_electrons_that_its_atoms_scatter(path):
    """Dark field adds the atoms' cross sections, but for interference along the beam; bright field keeps most of the beam."""
    which, drawn = path.stem, scans.specimens(path.stem)
    for name, image in scans.stored(path, marks(which)).items():
        assert image.min() >= 0, name
        assert image.max() < 1, name
        if scans.SETS[which][name].dark:
            assert 0.25 < image.mean() < 1, name
            continue
        optics = {key: scans.SETS[which][name].imaging[key] for key in ("inner", "outer", "lens")}
        symbols = drawn[name].atoms.get_chemical_symbols()
        sections = scattering.cross_sections(symbols, **optics)
        counted = image.mean() * np.prod(drawn[name].size)  # Å²
        assert 0.5 < counted / sum(sections[symbol] for symbol in symbols) < 1.5, name


def test_abtem_makes_the_scan_that_ships_and_only_what_is_missing_is_computed(tmp_path):
    which, path = "validation", tmp_path / "validation.safetensors"
    shipped = scans.stored(scans.SHIPPED / path.name, marks(which))
    others = {name: np.zeros((1, 1), np.float32) for name in marks(which) if name != CHEAP}
    scans.write(path, others, marks(which))
    scans.complete(which, tmp_path, workers=1)
    found = scans.stored(path, marks(which))
    assert np.allclose(found.pop(CHEAP), shipped[CHEAP], rtol=1e-3, atol=1e-6)
    assert all(np.array_equal(found[name], others[name]) for name in others)
    assert len(found) == len(others)


def test_another_specimen_is_never_served_a_shipped_scan(monkeypatch):
    monkeypatch.setattr(scans, "computed", lambda *_: "computed")
    own = scans.specimen("validation", CHEAP, scans.SEEDS["validation"])
    assert np.ndim(scans.scan("validation", CHEAP, own)) == 2
    own.atoms.positions[0] += 0.01
    assert scans.scan("validation", CHEAP, own) == "computed"
