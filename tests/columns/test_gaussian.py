"""The fit's compiled kernels against numerical derivatives, plain sums and LAPACK."""

import numpy as np
import pytest

from atomwork.columns import gaussian, scoring

REACH, FLOOR = 6, 1e-3
SHAPE = (26, 24)
# by a corner, in the middle, and a neighbour that overlaps it
ROUND = np.array([[2.3, 21.2, 8.0, 3.0, 0.2], [12.4, 11.7, 20.0, 2.0, 0.25], [14.1, 15.2, 11.0, 4.0, 0.16]])
TILTED = np.c_[ROUND, [0.3, 0.15, 0.2], [0.05, -0.08, 0.1]]


@pytest.fixture(params=["round", "tilted"])
def columns(request):
    return ROUND if request.param == "round" else TILTED


def formula(p):
    """One column over all pixels, from the definition."""
    y, x = np.indices(SHAPE) - p[:2, None, None]
    yy, xx, yx = p[4:] if len(p) > 5 else (p[4], p[4], 0.0)
    return p[2] * np.exp(-0.5 * (yy * y**2 + xx * x**2) - yx * y * x)


def slopes(p, inside):
    """Derivatives (P, K²) of a column and its background by its parameters in a window, numerically."""
    result = []
    for k, step in enumerate(1e-6 * np.eye(len(p))):
        change = (formula(p + step) - formula(p - step)) / 2e-6
        result.append(np.ones(inside.sum()) if k == gaussian.BACKGROUND else change[inside])
    return np.array(result)


@pytest.fixture
def scene(columns, rng):
    """Counts, the picture of all columns, middle pixels and, for each column, window and weights."""
    picture, centre = sum(map(formula, columns)), np.rint(columns[:, :2]).astype(int)
    near = [(np.abs(np.indices(SHAPE) - c[:, None, None]) <= REACH).all(0) for c in centre]
    weights = [1 / (picture[w] + p[gaussian.BACKGROUND]) for p, w in zip(columns, near, strict=True)]
    return rng.poisson(picture + 3).astype(np.float32), picture, centre, near, weights


def test_pictures_are_those_of_the_formula(columns):
    centre, picture = np.rint(columns[:, :2]).astype(int), np.zeros(SHAPE)
    gaussian.paint(picture, columns, centre, 40, 1.0)
    assert picture == pytest.approx(sum(map(formula, columns)), abs=1e-12)
    gaussian.paint(picture, columns, centre, 40, -1.0)
    assert np.abs(picture).max() < 1e-12


def test_information_and_gradient_are_sums_of_numerical_derivatives(columns, scene):
    image, picture, centre, near, weights = scene
    told = gaussian.inform(image, picture, columns, centre, np.array([2, 0, 1]), REACH, FLOOR)
    for information, gradient, misfit, n in zip(*told, (2, 0, 1), strict=True):
        slope, residual = slopes(columns[n], near[n]), image[near[n]] - 1 / weights[n]
        assert information == pytest.approx((slope * weights[n]) @ slope.T, rel=1e-5, abs=1e-6)
        assert gradient == pytest.approx((slope * weights[n]) @ residual, rel=1e-4, abs=1e-5)
        assert misfit == pytest.approx(np.sum(weights[n] * residual**2), rel=1e-6)


def test_shared_information_is_the_sum_over_the_first_window(columns, scene):
    image, picture, centre, near, weights = scene
    here, there = slopes(columns[1], near[1]), slopes(columns[2], near[1])
    here[gaussian.BACKGROUND] = there[gaussian.BACKGROUND] = 0
    shared = gaussian.share(image, picture, columns, centre, np.array([[1, 2]]), REACH, FLOOR)[0]
    assert shared == pytest.approx((here * weights[1]) @ there.T, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_pieces_for_threads_come_back_in_order(threads, monkeypatch):
    monkeypatch.setattr(scoring.torch, "get_num_threads", lambda: threads)
    rows = np.arange(3 * scoring.FEW + 1)
    assert (scoring.in_threads(lambda some: (2 * some,), rows)[0] == 2 * rows).all()
