"""Putting images together from cells and defects, with simulations simple enough to know the answer."""

import numpy as np
import pytest

from atomwork.simulation import point_defects, reuse, structures
from atomwork.simulation.reuse import Parts

PARTS = Parts(grid=(12, 8), reach=6.0, margin=2.0, link=1.0, repeats=True)
WIDTH = 0.8  # Å


class Gaussians:
    """A simulation that adds a Gaussian for every atom, in a periodic box, and counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, atoms, shape, window):
        self.calls += 1
        size = atoms.cell.lengths()[1::-1]
        image = np.ones(shape)
        grids = [np.arange(n) * length / n for n, length in zip(shape, size, strict=True)]
        for number, (x, y, _) in zip(atoms.numbers, atoms.positions, strict=True):
            profiles = []
            for grid, place, length in zip(grids, (y, x), size, strict=True):
                away = np.abs(grid - place) % length
                profiles.append(np.exp(-(np.minimum(away, length - away) ** 2) / (2 * WIDTH**2)))
            image += number * np.outer(*profiles)
        return image[window[0] : window[1], window[2] : window[3]]


def whole(specimen):
    repeats = np.rint(np.array(specimen.size) / specimen.unit.cell.lengths()[1::-1]).astype(int)
    shape = tuple(np.array(PARTS.grid) * repeats)
    return Gaussians()(specimen.atoms, shape, (0, shape[0], 0, shape[1]))


@pytest.fixture
def sheet():
    return structures.build("MoS2", (60, 60))


def test_a_perfect_crystal_is_its_cell_repeated(sheet):
    simulate = Gaussians()
    assert reuse.assemble(sheet, simulate, PARTS) == pytest.approx(whole(sheet), rel=1e-6)
    assert simulate.calls == 1


@pytest.mark.parametrize("defects", [{"V_S": 6}, {"V_Mo": 2, "W_Mo": 3}, {"Mo_S2": 2, "S2_Mo": 2}, {"Mo_i": 2}])
def test_defects_of_every_kind_are_where_they_are(sheet, defects, rng):
    specimen = point_defects.introduce(sheet, defects, rng=rng)
    assert reuse.assemble(specimen, Gaussians(), PARTS) == pytest.approx(whole(specimen), rel=1e-5)


def test_a_defect_on_the_corner_of_the_box_goes_on_across_its_sides(sheet):
    first = np.argmin(np.hypot(*sheet.atoms.positions[:, :2].T))
    specimen = sheet.with_atoms(sheet.atoms[np.arange(len(sheet.atoms)) != first])
    assert reuse.assemble(specimen, Gaussians(), PARTS) == pytest.approx(whole(specimen), rel=1e-5)


def test_neighbours_within_the_link_are_computed_together(sheet, rng):
    """What two neighbours do to the image need not be the sum of what each does."""

    def squared(atoms, shape, window):
        return Gaussians()(atoms, shape, window) ** 2

    order = np.argsort(np.hypot(*(sheet.atoms.positions[:, :2] - 30).T))
    specimen = sheet.with_atoms(sheet.atoms[~np.isin(np.arange(len(sheet.atoms)), order[:4])])
    linked = Parts(**{**vars(PARTS), "link": 4.0})
    expected = whole(specimen) ** 2
    assert reuse.assemble(specimen, squared, linked) == pytest.approx(expected, rel=1e-5)
    assert np.abs(reuse.assemble(specimen, squared, PARTS) / expected - 1).max() > 0.1


def test_the_work_does_not_grow_with_the_number_of_equal_defects(sheet, rng):
    calls = []
    for count in (12, 40):
        simulate = Gaussians()
        reuse.assemble(point_defects.introduce(sheet, {"V_Mo": count}, rng=rng, apart=2.0), simulate, PARTS)
        calls.append(simulate.calls)
    assert calls[0] == calls[1] == 3  # the cell and its two places of Mo


def test_a_cache_serves_the_next_specimen(sheet, rng):
    cache, simulate = {}, Gaussians()
    for _ in range(3):
        specimen = point_defects.introduce(sheet, {"V_Mo": 8}, rng=rng)
        assert reuse.assemble(specimen, simulate, PARTS, cache) == pytest.approx(whole(specimen), rel=1e-5)
    assert simulate.calls <= 3


def test_a_block_with_and_without_its_defect_agree_on_the_other_atoms(sheet, rng):
    specimen = point_defects.introduce(sheet, {"W_Mo": 1}, rng=rng)
    blocks = reuse.Blocks(specimen, PARTS)
    plain, changed = blocks.pair(blocks.clusters()[0])
    shared = np.isin(changed.arrays["site"], plain.arrays["site"])
    assert (~shared).sum() == 1
    assert changed.positions[shared] == pytest.approx(plain.positions[changed.arrays["site"][shared]])
    assert (changed.symbols[~shared] == ["W"]).all()


def test_vibrating_atoms_get_the_same_answer_from_pairs_of_blocks(sheet, rng):
    specimen = point_defects.introduce(sheet, {"V_S": 5}, rng=rng)
    vibrating = Parts(**{**vars(PARTS), "repeats": False})
    assert reuse.assemble(specimen, Gaussians(), vibrating) == pytest.approx(whole(specimen), rel=1e-5)


def test_a_change_as_large_as_the_specimen_is_left_to_the_caller(sheet):
    half = sheet.with_atoms(sheet.atoms[sheet.atoms.positions[:, 0] < 30])
    assert reuse.assemble(half, Gaussians(), Parts(**{**vars(PARTS), "link": 4.0})) is None
