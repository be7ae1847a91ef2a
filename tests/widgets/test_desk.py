"""The desk: images to choose from, each with its own edits, and none that lies elsewhere."""

import numpy as np
import pytest

from atomwork.analysis import edit_log
from atomwork.widgets import Desk
from tests.analysis.test_editing import monolayer


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name, seed in (("one.npy", 1), ("two.npy", 2)):
        np.save(images / name, monolayer(50, seed).image)
    (images / "broken.npy").write_bytes(b"nothing")
    (images / "notes.txt").write_text("notes")
    (tmp_path / "secret.npy").write_bytes(b"secret")
    (images / "link.npy").symlink_to(tmp_path / "secret.npy")
    return images


@pytest.fixture
def desk(folder, tmp_path):
    return Desk(str(folder / "one.npy"), folder=folder, out_dir=tmp_path / "out")


def test_images_of_the_folder_are_offered_but_links_and_other_files_are_not(desk):
    names = [name for name, _ in desk.source.options]
    assert names[:3] == ["one.npy", "broken.npy", "two.npy"]
    assert all(name.startswith("sample:") for name in names[3:])


def test_images_that_take_turns_keep_their_edits(desk, folder):
    desk.panel.editing.edit("ignore", 0.0, 0.0, 50.0, 50.0)
    first = desk.panel.columns
    desk.source.value = str(folder / "two.npy")
    assert not desk.panel.editing.settings.edits
    assert edit_log.read(desk.log)["image"] == str(folder / "two.npy")
    assert desk.space.children == (desk.panel.box,)
    desk.source.value = str(folder / "one.npy")
    assert desk.panel.columns.equals(first)


def test_an_image_that_cannot_be_read_leaves_everything_as_it_was(desk, folder):
    before = desk.panel
    desk.source.value = str(folder / "broken.npy")
    assert "broken.npy can't be read as .npy" in desk.said.value
    assert desk.panel is before
    assert desk.source.value == str(folder / "one.npy")
    assert edit_log.read(desk.log)["image"] == str(folder / "one.npy")


def test_a_desk_that_begins_anew_goes_on_where_it_was(desk, folder, tmp_path):
    desk.panel.editing.edit("add", 30.0, 31.0)
    again = Desk(str(folder / "one.npy"), out_dir=tmp_path / "out")
    assert again.panel.columns.equals(desk.panel.columns)
    asked = Desk(str(folder / "one.npy"), out_dir=tmp_path / "out", asked={"lower_bound": 0.3})
    assert not asked.panel.editing.settings.edits


def test_a_folder_that_is_none_has_its_sentence(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; give a folder of images"):
        Desk(str(folder / "one.npy"), folder=folder / "none", out_dir=tmp_path / "out")


def test_what_is_uploaded_is_opened_and_offered(desk, folder, tmp_path):
    content = (folder / "two.npy").read_bytes()
    desk.page.heard(desk.page, {"name": "mine.npy", "size": len(content), "at": 0}, [content])
    assert desk.source.value == str(tmp_path / "out/uploads/mine.npy")
    assert desk.panel.editing.micrograph.name == "mine.npy"
    assert desk.page.said == "mine.npy is here."
