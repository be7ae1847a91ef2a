"""Deformed crystals whose strain is known, for either way of measuring it."""

import numpy as np
import pytest

NAMES = ("exx", "exy", "eyy", "rotation", "hydrostatic")
LIMIT = 5e-4
POISSON = 0.3


def assert_uniform_strain(measured, e, small, axis):
    """What ``measured`` gives of a gradient, by name, is e along an axis in one convention and small in the other."""
    gradient = np.eye(2)
    gradient[axis, axis] += e
    name, other = ("eyy", "exx") if axis == 0 else ("exx", "eyy")
    for convention, expected in (("finite", e), ("small", small)):
        parts = measured(gradient, convention=convention)
        assert parts[name] == pytest.approx(expected, abs=LIMIT)
        assert parts["hydrostatic"] == pytest.approx(expected / 2, abs=LIMIT)
        assert np.abs([parts[other], parts["exy"], parts["rotation"]]).max() < LIMIT


def assert_rotation_and_shear(measured):
    """A rotation, clockwise as displayed, is no strain, and shear no rotation but half the angle that is lost."""
    angle = np.radians(4)
    cos, sin = np.cos(angle), np.sin(angle)
    turned, sheared = measured([[cos, sin], [-sin, cos]]), measured([[1, 0.02], [0.02, 1]])  # x to where y points
    assert turned["rotation"] == pytest.approx(angle, abs=LIMIT)
    assert sheared["exy"] == pytest.approx(0.02, abs=LIMIT)
    assert np.abs([turned["exx"], turned["exy"], turned["eyy"]]).max() < LIMIT
    assert np.abs([sheared["exx"], sheared["rotation"], sheared["eyy"]]).max() < LIMIT


def dislocation(y, x, burgers):
    """Displacements, y and x, about an edge dislocation whose Burgers vector [px] is along x; elastic solution."""
    square = x**2 + y**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - POISSON) * square)
    across = (1 - 2 * POISSON) / (4 * (1 - POISSON)) * np.log(square) + (x**2 - y**2) / (4 * (1 - POISSON) * square)
    return burgers / (2 * np.pi) * np.stack([-across, along])


def assert_dislocation(found, y, x, burgers, away):
    """A map has the strain of that dislocation ``away`` from its core; the reference's mean is taken off either."""
    square, factor = x**2 + y**2, burgers / (2 * np.pi)
    exact = {
        "exx": -factor * y / square * (3 * x**2 + y**2 - 2 * POISSON * square) / (2 * (1 - POISSON) * square),
        "eyy": factor * y / square * (x**2 - y**2 + 2 * POISSON * square) / (2 * (1 - POISSON) * square),
        "exy": factor * x * (x**2 - y**2) / (2 * (1 - POISSON) * square**2),
    }
    for name, expected in exact.items():
        left = (getattr(found, name) - expected)[away]
        assert np.abs(left - np.median(left)).max() < LIMIT, name
