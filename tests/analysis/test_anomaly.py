"""Odd columns: those that were planted are found and named, a perfect crystal has none, and what changes slowly isn't odd."""

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import anomaly

VECTORS = np.array([[0.0, 12.0], [10.4, 6.0]])
ODD = {310: "brightness", 340: "width", 370: "displacement"}
NOISE = 0.05  # of positions [px], and of brightness and width over their means


def crystal(rng, side=24):
    """Columns of two sublattices with independent noise."""
    cells = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2) @ VECTORS
    places = np.concatenate([cells, cells + VECTORS.sum(0) / 3]) + rng.normal(0, NOISE, (2 * side**2, 2))
    kind = np.repeat([0, 1], side**2)
    values = {"amplitude": np.array([100.0, 40.0])[kind], "width": np.array([2.5, 2.0])[kind]}
    table = pd.DataFrame(places, columns=["y", "x"]).assign(y_std=NOISE, x_std=NOISE, confidence=1.0)
    for name, value in values.items():
        table[name] = value * rng.normal(1, NOISE, len(kind))
    table.attrs.update(spacing=7.0, pixel_size=0.2)
    return table


def test_a_perfect_crystals_scores_are_those_of_chance(rng):
    found = anomaly.score(crystal(rng))
    for name in ("brightness", "width"):
        values = found.columns[name].dropna()
        assert values.std() == pytest.approx(1, abs=0.1)
        assert values.mean() == pytest.approx(0, abs=0.1)
    # two components: Rayleigh's distribution, whose median is √(2 ln 2); at corners neighbours lie to one side
    assert found.columns["displacement"].median() == pytest.approx(np.sqrt(2 * np.log(2)), rel=0.1)
    assert len(found.beyond(6)) == 0


def test_planted_columns_are_found_and_named(rng):
    table = crystal(rng)
    table.loc[310, "amplitude"] *= 1.6
    table.loc[340, "width"] *= 1.5
    table.loc[370, "y"] += 0.8
    found = anomaly.score(table)
    odd = found.beyond(7)
    places = table.loc[list(ODD), ["y", "x"]].to_numpy()
    assert len(odd) == 3
    for place, what in zip(places, ODD.values(), strict=True):
        (row,) = odd[np.isclose(odd[["y", "x"]], place).all(1)].itertuples()
        assert row.what == what
    assert found.columns.loc[310, "brightness"] == pytest.approx(0.6 / NOISE, rel=0.4)


def test_what_changes_slowly_and_whole_sublattices_are_not_odd(rng):
    table = crystal(rng)
    y = table["y"] / table["y"].max()
    table["amplitude"] *= 1 + y  # twice as thick at one side
    table["x"] += 3 * y**2  # strained and sheared
    assert len(anomaly.score(table).beyond(6)) == 0


def test_a_column_between_the_lattices_sites_is_named_so(rng):
    table = crystal(rng)
    stray = table.iloc[[300]].assign(y=table["y"][300] - 3.0, x=table["x"][300] - 2.5)
    odd = anomaly.score(pd.concat([table, stray], ignore_index=True)).beyond(100)
    assert odd["what"].tolist() == [anomaly.STRAY]


def test_columns_without_a_lattice_have_their_sentence(rng):
    with pytest.raises(ValueError, match="lattice"):
        anomaly.score(crystal(rng).head(10))
