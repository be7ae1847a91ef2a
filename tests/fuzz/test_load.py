"""2000 damaged files: every one loads or gives its one sentence, within 10 s and 2 GB."""

import hashlib
import os
import subprocess
import sys

import pytest

from tests.fuzz.__main__ import faults
from tests.fuzz.bombs import bombs
from tests.fuzz.mutations import Mutations
from tests.fuzz.runs import PROGRAM, Answer, Worker
from tests.fuzz.seeds import Seed

PARTS = 4
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and measured as on Linux")


@pytest.fixture(scope="module")
def mutations(tmp_path_factory):
    return Mutations(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_damaged_file_loads_or_gives_its_one_sentence(tmp_path, mutations, part):
    assert list(faults(mutations, range(part, 2000, PARTS), tmp_path)) == []


def test_every_bomb_is_among_them(mutations):
    names = {mutations[number].name for number in range(2000)}
    assert {bomb.name for bomb in mutations.bombs} <= names


def test_bombs_take_next_to_nothing(tmp_path, mutations):
    """What they state is seen before it is allocated or repeated."""
    with Worker(tmp_path, mutations.seeds) as worker:
        answers = {bomb.name: worker.load(worker.written(bomb), bomb.frame) for bomb in mutations.bombs}
    assert {name: taken for name, answer in answers.items() if (taken := answer.grown) > 2**26} == {}
    assert {name: taken for name, answer in answers.items() if (taken := answer.seconds) > 3} == {}


def test_the_same_number_gives_the_same_file(tmp_path, mutations):
    """In another process, whose sets and dictionaries may be in another order."""
    code = (
        "import hashlib, sys; from tests.fuzz.mutations import Mutations; found = Mutations(sys.argv[1]); "
        "print(hashlib.sha256(b''.join(found[number].content for number in range(200))).hexdigest())"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "3"}
    ).stdout
    here = hashlib.sha256(b"".join(mutations[number].content for number in range(200))).hexdigest()
    assert printed.strip() == here


@pytest.mark.parametrize(("load", "fault"), [
    ("time.sleep(60)", "hangs"),
    ("os.abort()", "crashes"),
    ("sys.exit('image.npy is gone; give up.')", "SystemExit"),
    ("bytearray(3 * 2**30)", "MemoryError"),
    ("micrograph.Micrograph(np.full((2, 2), np.inf, np.float32), None, '')", "unsound"),
    ("micrograph.Micrograph(np.ones((2, 2), np.float32), 0.0, '')", "unsound"),
])  # fmt: skip
def test_a_broken_loader_is_caught(tmp_path, load, fault):
    program = PROGRAM.replace("; ", f"; import os, sys, time; from atomwork import micrograph; import numpy as np; "
                              f"worker.micrograph.load = lambda path, frame: {load}; ")  # fmt: skip
    with Worker(tmp_path, program=program) as worker:
        path = worker.written(Seed("nothing", ".npy", b""))
        assert worker.load(path, seconds=2 if fault == "hangs" else 10).fault(path) in (fault, "takes too much")


@pytest.mark.parametrize(("message", "fault"), [
    ("image.npy is empty; export it again.", ""),
    ("image.npy is empty;\nexport it again.", "more than a sentence"),
    ("a file is empty; export it again.", "names no file, or where it lies"),
    ("/tmp/image.npy is empty; export it again.", "names no file, or where it lies"),
    ("image.npy is empty.", "no reason or remedy"),
    ("image.npy can't be read as .npy (); export it again.", "no reason or remedy"),
    ("image.npy can't be read as .npy (MemoryError); export it again.", "takes too much"),
])  # fmt: skip
def test_a_poor_sentence_is_caught(tmp_path, message, fault):
    path = tmp_path / "image.npy"
    assert Answer("ValueError", message.replace("/tmp", str(tmp_path))).fault(path) == fault


def test_bombs_are_small(tmp_path):
    """They state much and hold little; else it would be no wonder that they take much."""
    assert max(len(bomb.content) for bomb in bombs(tmp_path)) < 2**24
