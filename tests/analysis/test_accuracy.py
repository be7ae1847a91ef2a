"""What is recorded of the shipped weight holds on the images that no training and no tuning has seen."""

import json

import pytest

from atomwork import weights
from tests.benchmarks import accuracy

RECORD = json.loads((weights.DATA / "results" / "atomid.json").read_text(encoding="utf-8"))["test"]


def test_f1_of_the_fixed_test_set_and_of_each_of_its_groups():
    _, table = accuracy.held_out_groups()
    assert table["images"].max() == 300
    assert dict(zip(table["group"], table["F1"], strict=True)) == pytest.approx(RECORD["f1"], abs=0.01)


def test_one_structure_over_five_fields_of_view():
    _, table = accuracy.fields_of_view()
    assert table["F1"].tolist() == pytest.approx(list(RECORD["fields_of_view"].values()), abs=0.01)
    assert table["F1"].min() >= 0.96
