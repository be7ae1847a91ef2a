"""Parameters as people write them."""

import pytest
import yaml

from atomwork import parameters


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3", 3),
        ("1e-3", 0.001),  # a text to YAML 1.1
        ("-2.5E+02", -250.0),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("", None),
        ("[0, 99]", [0, 99]),
        ("{HAADF: 1e5}", {"HAADF": 1e5}),
        ("'007'", "007"),
        ("run #3.tif", "run #3.tif"),  # "run" to YAML
        ("run: 3.tif", "run: 3.tif"),  # a dict to YAML
        ("@home", "@home"),  # no YAML at all
        ("- 1", "- 1"),
        ("2024-11-28", "2024-11-28"),
        ("1e", "1e"),
        ("e5", "e5"),
    ],
)
def test_a_value_is_what_a_person_means(text, meant):
    assert parameters.of_pairs([f"name={text}"]) == {"name": meant}


def test_values_with_an_equals_sign_and_what_is_said_last_count():
    assert parameters.of_pairs(["a=1", "b=x=y", "a=2"]) == {"a": 2, "b": "x=y"}


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [("0.2", "-p 0.2 is no NAME=VALUE; write"), ("=2", "-p =2 is no NAME=VALUE"), ("a=[1", r"-p a=\[1 is no YAML")],
)
def test_what_is_no_pair_has_its_sentence(pair, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        parameters.of_pairs([pair])
    assert "\n" not in str(caught.value)


def test_a_file_is_read_as_it_was_written_and_as_people_write(tmp_path):
    path, given = tmp_path / "parameters.yaml", {"a": 1e-7, "b": [1, None, "1:e5"], "c": {"d": "no: 3 #"}, "e": "2024-11-28"}
    path.write_text(yaml.safe_dump(given))
    assert parameters.of_file(path) == given
    path.write_text("dose: 1e5\ndate: 2024-11-28\n")
    assert parameters.of_file(path) == {"dose": 1e5, "date": "2024-11-28"}
    path.write_text("")
    assert parameters.of_file(path) == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "is no YAML"),
        (b"\xff\xfe", "is no YAML .* save it as UTF-8"),
        (b"- 1", "holds a list, not parameters by name"),
        (b"!!python/name:os.system {}", "is no YAML"),
    ],
)
def test_what_is_no_parameters_has_its_sentence(tmp_path, content, sentence):
    (tmp_path / "parameters.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        parameters.of_file(tmp_path / "parameters.yaml")


def test_unknown_names_are_listed_with_those_that_are_taken():
    parameters.refuse("detect", ["image"], ("lower_bound", "image"))
    with pytest.raises(ValueError, match=r"detect has no parameter 'a', 'b'; it takes image, lower_bound\."):
        parameters.refuse("detect", {"b": 1, "image": 2, "a": 3}, ("lower_bound", "image"))
