"""Logs of sessions: nothing that was clicked is overwritten, and each image gets its own back."""

import pytest

from atomwork.analysis import edit_log
from atomwork.analysis.edits import Settings

PLAIN = Settings().parameters()
MENDED = {**PLAIN, "edits": [["remove", 3.0, 4.0]]}


def about(image, settings=PLAIN, model="atomid"):
    return {"image": image, "model": model, **settings}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "parameters.yaml"


def test_an_image_goes_on_where_it_was_left(log):
    assert edit_log.resumed(log, about("a.dm3")) == about("a.dm3")
    edit_log.write(log, about("a.dm3", MENDED, "mine.safetensors"))
    assert edit_log.resumed(log, about("a.dm3")) == about("a.dm3", MENDED, "mine.safetensors")


def test_images_that_take_turns_keep_their_own_edits(log):
    edit_log.write(log, about("/some/a.dm3", MENDED))
    assert edit_log.resumed(log, about("/some/b.dm3")) == about("/some/b.dm3")
    edit_log.write(log, about("/some/b.dm3"))
    assert edit_log.resumed(log, about("/some/a.dm3")) == about("/some/a.dm3", MENDED)


def test_what_is_asked_for_counts_and_what_was_there_is_set_aside(log):
    edit_log.write(log, about("a.dm3", MENDED))
    asked = about("a.dm3", {**PLAIN, "lower_bound": 0.4})
    assert edit_log.resumed(log, asked) == asked
    assert edit_log.read(edit_log.aside(log, "a.dm3")) == about("a.dm3", MENDED)


def test_the_same_again_sets_nothing_aside(log):
    edit_log.write(log, about("a.dm3", MENDED))
    assert edit_log.resumed(log, about("a.dm3", MENDED)) == about("a.dm3", MENDED)
    assert [path.name for path in log.parent.iterdir()] == ["parameters.yaml"]


@pytest.mark.parametrize("content", [b"- 1\n", b"a: [", b"\xff\xfe\x00", b""])
def test_a_broken_log_has_its_sentence(log, content):
    log.write_bytes(content)
    with pytest.raises(ValueError, match=r"parameters.yaml holds no parameters .*; mend it, or move it away"):
        edit_log.resumed(log, about("a.dm3"))
    assert log.read_bytes() == content


def test_names_of_logs_stay_in_their_folder(log):
    assert edit_log.aside(log, "../../etc/pass wd").parent == log.parent
    assert edit_log.aside(log, "sample:mos2").name == "parameters.sample_mos2.yaml"
