"""What is recorded of the shipped weight holds on the images that no training and no tuning has seen."""

import json

import pytest

from atomwork import weights
from tests.benchmarks import accuracy

RECORD = json.loads((weights.DATA / "results" / "atomid.json").read_text(encoding="utf-8"))["test"]


@pytest.fixture(scope="module")
def f1():
    _, table = accuracy.held_out_groups()
    assert table["images"].max() >= 300
    return table.set_index("group")["F1"]


def test_f1_of_the_fixed_test_set_is_the_recorded_one(f1):
    assert f1[list(RECORD["f1"])].to_dict() == pytest.approx(RECORD["f1"], abs=0.01)


def test_f1_of_every_group_is_at_least_090(f1):
    assert f1.min() >= 0.90


def test_f1_of_all_groups_together_is_at_least_095(f1):
    assert f1["all"] >= 0.95


def test_one_structure_over_five_fields_of_view():
    _, table = accuracy.fields_of_view()
    assert len(table) == 5
    assert table["F1"].tolist() == pytest.approx(list(RECORD["fields_of_view"].values()), abs=0.01)
    assert table["F1"].min() >= 0.96
