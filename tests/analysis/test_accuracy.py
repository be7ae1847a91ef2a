"""What README promises of the shipped weight, on the images that no training and no tuning has seen."""

from tests.benchmarks import accuracy


def test_f1_of_the_fixed_test_set_and_of_each_of_its_groups():
    _, table = accuracy.held_out_groups()
    f1 = table.set_index("group")["F1"]
    assert table["images"].max() >= 300
    assert f1["all"] >= 0.95
    assert f1.drop("all").min() >= 0.90


def test_one_structure_over_five_fields_of_view():
    _, table = accuracy.fields_of_view()
    assert len(table) == 5
    assert table["F1"].min() >= 0.96
