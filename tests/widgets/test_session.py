"""Folders of pages: one for each, found again by its address, never shared by two that live."""

import subprocess
import sys

import pytest

from atomwork.widgets import session


def voila(name=""):
    return {"SERVER_SOFTWARE": "voila/0.5.13", "QUERY_STRING": f"session={name}"}


@pytest.fixture(autouse=True)
def let_go():
    yield
    while session.HELD:
        session.HELD.pop().release()


def test_a_notebook_has_the_folder_that_it_asks_for(tmp_path):
    assert session.folder_of_page(tmp_path, {}) == (tmp_path, "")


def test_every_page_has_a_folder_of_its_own(tmp_path):
    pages = [session.folder_of_page(tmp_path, voila()) for _ in range(3)]
    assert len({folder for folder, _ in pages}) == 3
    assert all(folder == tmp_path / name and folder.is_dir() for folder, name in pages)


@pytest.mark.parametrize("name", ["..", "../..", "a" * 31, "/etc", "G" * 32, "0" * 32])
def test_addresses_that_are_none_lead_to_a_new_one(tmp_path, name):
    folder, own = session.folder_of_page(tmp_path, voila(name))
    assert own != name
    assert folder.parent == tmp_path


def test_a_page_whose_kernel_was_killed_comes_back_and_a_living_one_is_copied(tmp_path):
    code = (
        "import sys, time; from atomwork.widgets import session; "
        "print(session.folder_of_page(sys.argv[1], {'SERVER_SOFTWARE': 'voila'})[1], flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    name = other.stdout.readline().strip()
    (tmp_path / name / "parameters.yaml").write_text("image: a.dm3")
    copied, own = session.folder_of_page(tmp_path, voila(name))
    assert own != name
    assert (copied / "parameters.yaml").read_text() == "image: a.dm3"
    other.kill()
    other.communicate()
    assert session.folder_of_page(tmp_path, voila(name)) == (tmp_path / name, name)
