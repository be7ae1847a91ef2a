"""Evidence on candidates: closed forms, invariances, and a lattice told from chance."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from atomwork.columns import evidence, fit
from atomwork.simulation import visibility

SPACING = 10.0


def lattice(rng, count=14, jitter=0.2):
    grid = np.stack(np.meshgrid(range(count), range(count), indexing="ij"), -1).reshape(-1, 2)
    return SPACING * (grid + 1) + rng.normal(0, jitter, (count**2, 2))


def drawn(points, rng, amplitude=60.0, level=20.0, width=2.0, size=160):
    y, x = (np.exp(-((np.arange(size) - points[:, k, None]) ** 2) / (2 * width**2)) for k in (0, 1))
    return rng.poisson(level + amplitude * y.T @ x).astype(float)


@pytest.fixture
def table(rng):
    points = lattice(rng)
    fitted = fit.refine(drawn(points, rng), points, spacing=SPACING)
    return fitted.assign(height=rng.uniform(0.05, 0.9, len(points)), way=rng.uniform(0, 1, len(points)))


def support(points, weight):
    pairs = cKDTree(points).query_pairs(evidence.FAR * SPACING, output_type="ndarray")
    return evidence.support(points, np.full(len(points), weight), SPACING, pairs)


def named(table, spacing=SPACING):
    return pd.DataFrame(evidence.gather(table, spacing, 9.0, 0.1), columns=evidence.NAMES)


def test_signal_to_noise_is_that_of_the_rule_of_what_counts(table):
    """Of 60 electrons on 20, and 2 px wide, by the image alone."""
    told = np.expm1(named(table)["log signal to noise"])
    assert told.median() == pytest.approx(float(visibility.signal_to_noise(60.0, 2.0, 20.0)), rel=0.1)


def test_units_origin_and_magnification_do_not_matter(table):
    reference = named(table)
    lengths = ["y", "x", "y_std", "x_std", "way"]
    moved = table.assign(y=table["y"] + 31.0, x=table["x"] - 7.0)
    brighter = table.assign(**{name: 3.0 * table[name] for name in ("amplitude", "background")})
    brighter.attrs = {**table.attrs, "gain": 3 * table.attrs["gain"], "offset": 3 * table.attrs["offset"]}
    coarser = table.assign(**{name: 2.0 * table[name] for name in [*lengths, "width"]})
    for other, spacing in ((moved, SPACING), (brighter, SPACING), (coarser, 2 * SPACING)):
        same = [name for name in evidence.NAMES if spacing == SPACING or "signal" not in name]
        assert named(other, spacing)[same].to_numpy() == pytest.approx(reference[same].to_numpy(), abs=2e-3)


def test_a_candidate_off_the_lattice_has_no_support(rng):
    points = np.concatenate([lattice(rng), [[73.0, 86.5]]])
    log_support, share = support(points, 0.9)
    assert share[:-1].mean() > 0.95
    assert share[-1] < 0.5
    assert log_support[-1] < log_support[:-1].min() - 1


def test_without_a_lattice_nothing_recurs(rng):
    points = rng.uniform(0, 40 * SPACING, (1600, 2))
    log_support, _ = support(points, 1.0)
    assert np.median(log_support) == pytest.approx(0, abs=0.1)


def test_a_vacancy_does_not_take_its_neighbours_support(rng):
    whole = lattice(rng)
    middle = len(whole) // 2 + 7
    beside = np.delete(whole, middle, axis=0)
    found = [support(points, 0.9)[0] for points in (whole, beside)]
    neighbour = np.argsort(np.linalg.norm(beside - whole[middle], axis=1))[0]
    assert found[1][neighbour] == pytest.approx(np.delete(found[0], middle)[neighbour], abs=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_candidates_have_numbers_too(table, count):
    few = table.iloc[:count].reset_index(drop=True)
    numbers = evidence.gather(few, SPACING, 9.0, 0.1)
    assert numbers.shape == (count, len(evidence.NAMES))
    assert np.isfinite(numbers).all()


def test_candidates_around_are_those_two_and_a_half_spacings_away(table):
    """On a square lattice 20 others, by the Gauss circle; a quarter of them in its corner, and those along the edges."""
    around = named(table)["candidates around"].to_numpy().reshape(14, 14)
    assert (around[3:-3, 3:-3] == 1 + 20).all()
    assert around[0, 0] == 1 + 7
