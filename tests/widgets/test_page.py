"""What a page may bring and take: sizes, kinds and names are held to by the kernel, too, whatever a browser sends."""

import numpy as np
import pytest

from atomwork.widgets.page import Page


@pytest.fixture
def page(tmp_path, monkeypatch):
    came, sent = [], []
    files = {"columns.csv": lambda path: path.write_text("y,x")}
    made = Page(tmp_path / "uploads", came.append, lambda: files, tmp_path / "made")
    monkeypatch.setattr(made, "send", lambda content, buffers=None: sent.append((content, buffers)))
    made.came_in, made.sent = came, sent
    return made


def upload(page, name, content, size=None, at=0):
    size = len(content) if size is None else size
    page.heard(page, {"name": name, "size": size, "at": at}, [memoryview(content)])


def test_a_file_in_parts_is_whole_at_its_end(page, tmp_path):
    content = np.random.default_rng(0).bytes(2500)
    for at in range(0, 2500, 1000):
        assert not page.came_in
        upload(page, "a b.dm3", content[at : at + 1000], 2500, at)
    assert [content for content, _ in page.sent] == [{"next": 1000}, {"next": 2000}, {"stop": True}]
    assert page.came_in == [tmp_path / "uploads/a b.dm3"]
    assert page.came_in[0].read_bytes() == content
    assert [path.name for path in page.came_in[0].parent.iterdir()] == ["a b.dm3"]


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/evil.png", "..\\evil.png", ".evil.png", "e\0vil.png", "a/../b/evil.png"]
)
def test_no_name_leads_out_of_the_folder(page, tmp_path, name):
    upload(page, name, b"x")
    (path,) = page.came_in
    assert path.parent == tmp_path / "uploads"
    assert path.name in ("evil.png", "e_vil.png")


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("a.exe", 1, "a.exe is of no kind that is read here; upload one of .dm3"),
        ("a.png.exe", 1, "of no kind"),
        ("", 1, "of no kind"),
        (".png", 1, "of no kind"),
        ("a.dm3", 500 * 10**6, "a.dm3 has 500 MB, between 0 and 256 are taken"),
        ("a.dm3", 0, "between 0 and 256"),
        ("a.dm3", -1, "between 0 and 256"),
    ],
)
def test_others_are_refused_with_a_sentence(page, tmp_path, name, size, sentence):
    upload(page, name, b"x", size)
    assert sentence in page.said
    assert page.sent == [({"stop": True}, None)]
    assert not (tmp_path / "uploads").exists()


def test_a_page_cannot_widen_what_is_allowed(page):
    page.set_state({"kinds": [".exe"], "largest": 10**9})
    upload(page, "a.exe", b"x")
    assert "of no kind" in page.said
    upload(page, "a.dm3", b"x", 10**12)
    assert "between 0 and 256" in page.said
    assert not page.came_in


def test_parts_that_say_less_than_they_are_do_not_come(page):
    upload(page, "a.dm3", b"x" * 10, size=20)
    upload(page, "a.dm3", b"x" * 11, size=20, at=10)
    assert "wrong order" in page.said
    upload(page, "a.dm3", b"x", size=20, at=15)
    assert not page.came_in


def test_an_image_that_cannot_be_read_has_its_sentence(page):
    def refuse(path):
        raise ValueError(f"{path.name} is constant")

    page.arrived = refuse
    upload(page, "a.png", b"x")
    assert page.said == "a.png is constant"


def test_only_files_that_are_offered_are_given(page, tmp_path):
    page.heard(page, {"want": "columns.csv"}, [])
    assert page.sent == [({"file": "columns.csv"}, [b"y,x"])]
    page.heard(page, {"want": "../../etc/passwd"}, [])
    assert page.said == "../../etc/passwd is not among the files here; choose one of columns.csv."
