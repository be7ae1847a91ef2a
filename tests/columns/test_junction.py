"""Junctions: the line and the metal of simulated images, at any contrast; none in one crystal."""

import numpy as np
import pytest

from atomwork import micrograph
from atomwork.columns import bragg, junction, unit_cells
from atomwork.simulation.recipes import atomgan

DRAWN = {}


def seen(index):
    """An image of a junction with its truth; each is drawn once."""
    if index not in DRAWN:
        DRAWN[index] = atomgan.dataset(40).draw(index, np.random.SeedSequence(17, spawn_key=(index,)))
    return DRAWN[index]


def found(image):
    """The image's cells and its junction."""
    cells = unit_cells.find(image, bragg.find(image))
    return cells, junction.find(image, cells)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("sign", [1, -1])
def test_the_metal_is_where_the_crystals_differ(index, sign):
    drawn = seen(index)
    cells, line = found(sign * drawn["image"].astype(float))
    metals = drawn["columns"][drawn["columns"][:, 2] > 20]
    steps = cells.steps(metals[:, :2]) - unit_cells.CENTRES[line.metal]
    off = np.hypot(*((steps - np.rint(steps)) @ cells.vectors).T)
    assert np.median(off) * drawn["settings"][0] < 0.05  # Å
    assert line.is_there


@pytest.mark.parametrize("index", range(4))
def test_the_line_parts_the_metals(index):
    drawn = seen(index)
    _, line = found(drawn["image"].astype(float))
    metals = drawn["columns"][drawn["columns"][:, 2] > 20]
    heavy, beyond = metals[:, 2] > 50, line.beyond(metals[:, :2]) > 0
    right = (heavy == beyond).mean()
    assert max(right, 1 - right) > 0.93  # fronts are rough, the line is straight


def test_the_line_turns_with_the_image():
    image = seen(0)["image"].astype(float)
    _, line = found(image)
    _, turned = found(image.T)
    assert turned.symmetry == pytest.approx(line.symmetry, abs=0.01)
    assert abs(turned.normal @ line.normal[::-1]) > np.cos(np.radians(6))


def test_one_crystal_has_no_junction():
    _, line = found(micrograph.load("sample:mos2").image)
    assert not line.is_there
