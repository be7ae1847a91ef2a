"""Displacement of a lattice: a known field is found, and none where there is none; polarity."""

import numpy as np
import pytest

from atomwork import micrograph
from atomwork.columns.displacement import displacement
from atomwork.columns.polarity import polarity
from tests.columns.test_unit_cells import VECTORS, honeycomb


def moved(field, shape=(300, 280)):
    """A honeycomb whose every point is displaced by a field (H, W, 2)."""
    y, x = np.indices(shape)
    first, second = np.linalg.inv(VECTORS).T
    y, x = y - field[..., 0], x - field[..., 1]
    return sum(np.cos(2 * np.pi * (g[0] * y + g[1] * x)) for g in (first, second, first + second))


def test_a_slow_field_is_found_less_its_mean():
    y, x = np.indices((300, 280))
    field = np.stack([1.5 * np.sin(y / 60), 1.2 * np.cos(x / 70)], -1)
    found = displacement(moved(field), VECTORS, 20.0)
    inner = (slice(50, -50), slice(50, -50))
    difference = (found - field)[inner]
    assert (difference - difference.mean((0, 1))).std((0, 1)).max() < 0.12


def test_a_perfect_lattice_has_none():
    found = displacement(honeycomb((3, 1, 0)), VECTORS, 20.0)
    assert np.abs(found[40:-40, 40:-40]).max() < 0.05


@pytest.mark.parametrize("sign", [1, -1])
def test_bright_columns_are_told_from_dark_ones(sign):
    assert polarity(sign * micrograph.load("sample:mos2").image.astype(float)) == sign
