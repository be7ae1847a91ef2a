"""Steps and inverses against LAPACK, and the laws of a bounded step."""

import numpy as np
import pytest

from atomwork.columns import gaussian, newton

COUNT, SIZE = 40, 7


@pytest.fixture
def information(rng):
    """Symmetric positive matrices whose rows have the most different units; no error exceeds 1."""
    half, unit = rng.normal(size=(COUNT, SIZE, 3 * SIZE)), 10.0 ** rng.uniform(0, 4, (COUNT, SIZE, 1))
    return unit * (half @ half.swapaxes(1, 2)) * unit.swapaxes(1, 2)


@pytest.fixture
def parameters(rng):
    """Elliptical columns."""
    result = rng.uniform(1, 2, (COUNT, SIZE))
    result[:, gaussian.SHAPE + 2] = 0
    return result


def stepped(information, gradient, parameters, *, low=-1e9, high=1e9, known=0.0, rows=None, settled=1e-3, caution=0.5):
    """`newton.step` under bounds that are the same for all."""
    rows = np.arange(COUNT) if rows is None else rows
    bounds = tuple(np.full(parameters.shape, float(end)) for end in (low, high))
    prior = (np.full(parameters.shape, 3.0), np.full(SIZE, known))
    arrays = information[rows].copy(), gradient[rows].copy()
    return newton.step(*arrays, parameters, rows, bounds, prior, np.full(COUNT, caution), settled)


def test_elimination_agrees_with_lapack(rng):
    half, sides = rng.normal(size=(SIZE, 9)), rng.normal(size=(SIZE, 3))
    matrix = half @ half.T
    expected = np.linalg.solve(matrix, sides)
    newton.eliminate(matrix, sides)
    assert sides == pytest.approx(expected, rel=1e-6)


def test_inverses_agree_with_lapack(information):
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))[..., None]
    found = newton.inverses(information.copy()) * scale * scale.swapaxes(1, 2)
    assert found == pytest.approx(np.linalg.inv(information / scale / scale.swapaxes(1, 2)), abs=1e-5)


def test_a_free_step_is_the_cautious_share_of_newtons(information, parameters, rng):
    error = 1 / np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    change = 0.1 * error * rng.normal(size=error.shape)
    gradient = (information @ change[..., None])[..., 0]
    new, _ = stepped(information, gradient, parameters)
    assert (new - parameters) / error == pytest.approx(0.5 * change / error, abs=1e-5)


def test_what_is_known_beforehand_draws_the_columns_to_it(information, parameters):
    new, _ = stepped(information, np.zeros((COUNT, SIZE)), parameters, known=1e20, caution=1.0)
    reach = 0.5 / np.sqrt(parameters[:, [gaussian.SHAPE]])
    assert new[:, :2] == pytest.approx(np.minimum(parameters[:, :2] + reach, 3), rel=1e-6)
    assert new[:, [gaussian.AMPLITUDE, gaussian.BACKGROUND]] == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize("sign", [-1, 1])
def test_steps_stay_within_bounds_and_keep_ellipses(information, parameters, sign):
    gradient = sign * 1e3 * np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    new, moved = stepped(information, gradient, parameters, low=0.9, high=2.1)
    yy, xx, yx = new[:, gaussian.SHAPE :].T
    assert moved.any()
    assert ((new[:, : gaussian.SHAPE + 2] >= 0.9) & (new[:, : gaussian.SHAPE + 2] <= 2.1)).all()
    assert (yy * xx > yx**2).all()
    widths = slice(gaussian.SHAPE, gaussian.SHAPE + 2)
    free, _ = stepped(information, gradient, parameters)
    share = free[:, widths] / parameters[:, widths]
    assert ((share > 0.5 - 1e-9) & (share < 2 + 1e-9)).all()


def test_columns_rest_once_they_move_less_than_their_share_of_an_error(information, parameters):
    error = 1 / np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    change = np.zeros((COUNT, SIZE))
    change[:, 0] = np.where(np.arange(COUNT) % 2, 0.11, 0.09) * error[:, 0]
    gradient = (information @ change[..., None])[..., 0]
    _, moved = stepped(information, gradient, parameters, settled=0.1, caution=1.0)
    assert (moved == (np.arange(COUNT) % 2 == 1)).all()


def test_some_columns_step_as_they_do_among_all(information, parameters, rng):
    gradient, rows = rng.normal(size=(COUNT, SIZE)), np.array([5, 0, 17])
    every, which = stepped(information, gradient, parameters)
    some, moved = stepped(information, gradient, parameters, rows=rows)
    assert (some == every[rows]).all()
    assert (moved == which[rows]).all()


def test_information_is_lost_to_both_columns_of_a_pair(rng):
    cross, inverse = rng.normal(size=(2, SIZE, SIZE)), rng.normal(size=(3, SIZE, SIZE))
    lost = newton.lost(cross, inverse, np.array([[0, 2], [2, 1]]))
    assert lost[0] == pytest.approx(cross[0, :2] @ inverse[2] @ cross[0, :2].T)
    assert lost[1] == pytest.approx(cross[1, :, :2].T @ inverse[2] @ cross[1, :, :2])
    assert lost[2] == pytest.approx(
        cross[0, :, :2].T @ inverse[0] @ cross[0, :, :2] + cross[1, :2] @ inverse[1] @ cross[1, :2].T
    )
