"""Profiles of columns and a network combined: what both see counts once, what the profiles call whole not at all."""

import numpy as np
import pandas as pd
import pytest

from atomwork.analysis import second_opinion
from atomwork.analysis.defect_map import DefectMap

SIDE, SPACING = 100, 10.0


@pytest.fixture
def columns():
    """Sites of a square lattice that the profiles of columns judge: one odd, one in doubt, one column not judged at all."""
    y, x = (axis.ravel() for axis in SPACING * np.indices((10, 10)) + 5)
    sites = pd.DataFrame({"y": y, "x": x, "site": "metal", "odd": False, "deviation": 1.0})
    sites.loc[22, ["odd", "deviation"]] = True, -9.0  # at 25, 25
    sites.loc[55, "deviation"] = -second_opinion.DOUBTFUL - 0.5  # at 55, 55
    points = pd.DataFrame({"y": [25.0], "x": [25.0], "kind": ["V_M"], "confidence": [0.9]})
    judged = sites.drop(index=88)  # not the one at 85, 85
    return DefectMap((SIDE, SIDE), points, [], judged, SPACING, "columns", sites=sites[["y", "x", "site"]])


def drawn(places, fronts=()):
    """What a network finds at places."""
    points = pd.DataFrame(places, columns=["y", "x"]).assign(kind="vacancy", confidence=0.9)
    return DefectMap((SIDE, SIDE), points, list(fronts), points[["y", "x"]], SPACING, "network")


def found(both):
    return sorted(both.points[["y", "x"]].to_numpy().tolist())


def test_what_both_find_counts_once(columns):
    both = second_opinion.combined(columns, drawn([[25.5, 24.0]]))
    assert found(both) == [[25, 25]]
    assert both.points["kind"].tolist() == ["V_M"]
    assert both.source == "columns+network"


def test_a_network_counts_where_the_profiles_doubt(columns):
    both = second_opinion.combined(columns, drawn([[55.0, 56.0]]))
    assert found(both) == [[25, 25], [55, 56]]
    assert both.points["kind"].tolist() == ["V_M", "vacancy"]


def test_a_network_that_is_mostly_wrong_where_the_profiles_know_does_not_count(columns):
    doubted, whole = [55.0, 55.0], [[45.0, 45.0], [35.0, 65.0], [75.0, 15.0]]
    assert found(second_opinion.combined(columns, drawn([doubted, *whole[:1]]))) == [[25, 25], doubted]
    assert found(second_opinion.combined(columns, drawn([doubted, *whole]))) == [[25, 25]]


@pytest.mark.parametrize("place", [[45.0, 45.0], [85.0, 85.0], [60.0, 50.0]], ids=["whole", "not judged", "no site"])
def test_a_network_does_not_count_elsewhere(place, columns):
    assert found(second_opinion.combined(columns, drawn([place]))) == [[25, 25]]


def test_fronts_are_those_of_the_profiles(columns):
    line = np.array([[0.0, 50], [99, 50]])
    assert second_opinion.combined(columns, drawn(np.empty((0, 2)), fronts=[line])).fronts == []
