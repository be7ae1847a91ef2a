"""Sublattices that nobody names, and local lattices whose stated errors are what many draws scatter by."""

import numpy as np
import pytest

from atomwork.columns import local_lattice, sublattices

SIDE = 300
HEXAGONAL = 12.0 * np.array([[0, 1], [np.sqrt(0.75), 0.5]])
SQUARE = 12.0 * np.eye(2)[::-1]
HONEYCOMB = {(0, 0): 1.0, (1 / 3, 1 / 3): 0.4}
PEROVSKITE = {(0, 0): 1.0, (0.5, 0.5): 0.6, (0.5, 0): 0.2, (0, 0.5): 0.2}


def crystal(vectors, basis, gradient=((1, 0), (0, 1))):
    """Columns (N, 2), how bright they are, and the number of each one's sublattice."""
    vectors = vectors @ np.asarray(gradient).T
    steps = np.stack(np.meshgrid(np.arange(-50, 51), np.arange(-50, 51), indexing="ij"), -1).reshape(-1, 2)
    places = [(steps + np.array(offset)) @ vectors + SIDE / 2 for offset in basis]
    inside = [((part > 0) & (part < SIDE)).all(1) for part in places]
    kinds = np.repeat(np.arange(len(basis)), [part.sum() for part in inside])
    points = np.concatenate([part[own] for part, own in zip(places, inside, strict=True)])
    return points, np.array(list(basis.values()))[kinds], kinds


@pytest.mark.parametrize(("vectors", "basis"), [(HEXAGONAL, HONEYCOMB), (SQUARE, PEROVSKITE)])
@pytest.mark.parametrize("gradient", [np.eye(2), [[1.04, 0.02], [-0.02, 0.95]]])
def test_every_column_is_put_on_its_sublattice_beside_vacancies_and_strays(vectors, basis, gradient, rng):
    points, amplitude, kinds = crystal(vectors, basis, gradient)
    kept = rng.random(len(points)) > 0.05
    strays = rng.uniform(0, SIDE, (15, 2))
    points = np.concatenate([points[kept] + rng.normal(0, 0.1, (kept.sum(), 2)), strays])
    found = sublattices.find(points, np.concatenate([amplitude[kept], np.full(15, 0.3)]))
    assert len(found.offsets) == len(basis)
    labels, kinds = found.labels[:-15], kinds[kept]
    names = [np.bincount(kinds[labels == k]).argmax() for k in range(len(basis))]
    assert sorted(names) == list(range(len(basis)))
    right = labels >= 0
    assert right.mean() > 0.99
    assert np.mean(np.array(names)[labels[right]] == kinds[right]) > 0.99


def test_the_lattice_around_a_place_and_its_error(rng):
    gradient = np.array([[1.03, 0.01], [0.0, 0.98]])
    points, amplitude, _ = crystal(HEXAGONAL, HONEYCOMB, gradient)
    sites = sublattices.find(points, amplitude)
    places = rng.uniform(40, SIDE - 40, (12, 2))
    std = np.where(amplitude[:, None] > 0.5, [0.05, 0.08], [0.2, 0.15])
    exact, _ = local_lattice.around(places, points, std, sites, 14.0)
    cell = np.linalg.inv(HEXAGONAL @ gradient.T)
    assert np.abs(exact @ cell - np.rint(exact @ cell)).max() < 1e-6
    drawn = [
        local_lattice.around(places, points + std * rng.normal(size=points.shape), std, sites, 14.0)[0] for _ in range(200)
    ]
    _, covariance = local_lattice.around(places, points, std, sites, 14.0)
    stated = np.sqrt(np.einsum("paii->pia", covariance))
    scatter = np.sqrt(np.mean(np.var(drawn, 0) / stated**2))
    assert scatter == pytest.approx(1, abs=0.1)


def test_too_few_columns_have_their_sentence():
    with pytest.raises(ValueError, match="3 columns tell no lattice; give 40 or more"):
        sublattices.find(np.eye(3)[:, :2])
