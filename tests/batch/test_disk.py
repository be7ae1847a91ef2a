"""A disk that is full, and one that can't be written."""

import subprocess
import sys

import numpy as np
import pytest

from tests.batch.test_detect import lattice

MOUNTED = 'mount -t tmpfs -o size={size} none "{out}" && {then}'


def in_a_small_world(folder, size, then):
    """Run shell commands where folder/out is a disk of that size, which nobody else sees."""
    script = MOUNTED.format(size=size, out=folder / "out", then=then)
    return subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True, cwd=folder)


@pytest.fixture
def images(tmp_path):
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("this kernel lets nobody mount a disk of their own")
    for number in range(12):
        np.save(tmp_path / f"image{number:02}.npy", lattice(number, 256))
    (tmp_path / "out").mkdir()
    return tmp_path


BATCH = f'{sys.executable} -W ignore -m atomwork.batch detect "image*.npy" --out-dir out'


def test_a_full_disk_stops_the_batch_and_room_lets_it_go_on(images):
    """The disk holds the results of a few images; then it is given more room."""
    then = f"! {BATCH} && ls out/*/run.json | wc -l && mount -o remount,size=50m out && {BATCH} && ls out/*/run.json | wc -l"
    ran = in_a_small_world(images, "512k", then)
    assert ran.returncode == 0, ran.stderr
    some, every = map(int, ran.stdout.split())
    assert 0 < some < every == 12
    assert "No space left on device" in ran.stderr
    assert "make room and run again, which continues" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_disk_that_can_only_be_read_is_refused_at_once(images):
    ran = in_a_small_world(images, "1m", f"mount -o remount,ro out && {BATCH}")
    assert ran.returncode == 1
    assert "error: out_dir=out can't be written (Read-only file system); choose a folder of your own." in ran.stderr
    assert not list((images / "out").iterdir())
