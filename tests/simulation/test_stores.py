"""A data set is the same however it was drawn: at once or in pieces, by few workers or by many, killed or not."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pytest
import zarr
from distributed import LocalCluster
from threadpoolctl import threadpool_info

from atomwork.simulation import stores

SEED = 5
N_IMAGES = 22  # the last block of 4 is not full
LAST = N_IMAGES - 1
ARRAYS = {
    "image": stores.Array((16, 16), "float32", "(y, x) intensity [e⁻]"),
    "columns": stores.Array((6, 2), "float32", "(column, y x) position [px]"),
    "dose": stores.Array((), "float64", "[e⁻/px]"),
    "n_columns": stores.Array((), "int16", "[-]"),
}


def noise(index, sequence, folder=None, pause=0.0, endless=()):
    """Random values; leaves a file in the folder for each call, so that a test can count them."""
    if folder is not None:
        os.close(tempfile.mkstemp(prefix=f"{index}-", dir=folder)[0])
    time.sleep(600 if index in endless else pause)
    rng = np.random.default_rng(sequence)
    columns = rng.random((rng.integers(1, 7), 2))
    image = rng.random((16, 16), np.float32)
    return {
        "image": image,
        "columns": stores.pad(columns, 6, "columns"),
        "dose": rng.random(),
        "n_columns": np.int16(len(columns)),
    }


def crystals(draw=noise, **changes):
    return replace(
        stores.DataSet("crystals", N_IMAGES, ARRAYS, draw, {"dose": [5.0, 50.0], "beam": {"energy": 80}}, 4), **changes
    )


def one_array(draw, shape=(), dtype="float32", n_images=8):
    return stores.DataSet("one", n_images, {"value": stores.Array(shape, dtype, "[-]")}, draw, {}, 4)


def drawn_in(folder):
    return sorted(int(path.name.partition("-")[0]) for path in folder.iterdir())


def marked(path):
    """Images that a store which isn't complete counts as done."""
    return {k for number in (path / stores.MARKERS).iterdir() for k in range(4 * int(number.name), 4 * int(number.name) + 4)}


@pytest.fixture(scope="module")
def scheduler():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs="CRITICAL") as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture
def write(scheduler):
    return partial(stores.write, seed=SEED, scheduler=scheduler, progress=False)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, scheduler):
    path = tmp_path_factory.mktemp("unbroken") / "crystals.zarr"
    stores.write(crystals(), path, seed=SEED, scheduler=scheduler, progress=False)
    return path


@pytest.fixture
def interrupted(tmp_path, write):
    """A store of which the last block is missing."""
    path = tmp_path / "interrupted.zarr"
    with pytest.raises(RuntimeError):
        write(crystals(partial(failing, path=path)), path)
    return path


def failing(index, sequence, path):
    """Fails at the last image, once all blocks but the last are done."""
    if index == LAST:
        wait_until(lambda: marked(path) >= set(range(20)))
        raise ZeroDivisionError("no lattice has spacing 0")
    return noise(index, sequence)


def wait_until(condition, seconds=60):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline
        time.sleep(0.005)


def test_image_k_is_drawn_from_the_seed_and_k_alone(unbroken):
    group = stores.load(unbroken)
    for k in range(N_IMAGES):
        for name, expected in noise(k, np.random.SeedSequence(SEED, spawn_key=(k,))).items():
            np.testing.assert_array_equal(group[name][k], expected)


def test_neither_blocks_nor_workers_change_the_values_but_the_seed_does(unbroken, tmp_path, write):
    with socket.socket() as taken:  # the port of Dask's dashboard; a second run must not mind
        with suppress(OSError):
            taken.bind(("", 8787))
            taken.listen()
        stores.write(crystals(block=7), tmp_path / "own_workers", seed=np.int64(SEED), progress=False)
    write(crystals(block=100), tmp_path / "one_block")
    write(crystals(), tmp_path / "other_seed", seed=SEED + 1)
    digests = {path.name: stores.digest(path) for path in tmp_path.iterdir()}
    assert digests["own_workers"] == digests["one_block"] == stores.digest(unbroken) != digests["other_seed"]
    for name, shape in {"flat": (4,), "square": (2, 2)}.items():  # the same bytes
        write(one_array(partial(constant, shape=shape), shape), tmp_path / name)
    assert stores.digest(tmp_path / "flat") != stores.digest(tmp_path / "square")


def constant(index, sequence, value=0.0, shape=()):
    return {"value": np.full(shape, value)}


def test_a_store_says_what_it_holds_and_nothing_else_is_in_it(unbroken):
    group = stores.load(unbroken)
    attributes = dict(group.attrs)
    assert attributes.pop("atomwork")
    assert attributes == {
        "name": "crystals",
        "n_images": N_IMAGES,
        "seed": SEED,
        "block": 4,
        "parameters": {"dose": [5.0, 50.0], "beam": {"energy": 80}},
        "arrays": {name: {"shape": list(a.shape), "dtype": a.dtype, "axes": a.axes} for name, a in ARRAYS.items()},
        "complete": True,
    }
    assert group.metadata.zarr_format == 3
    assert group.read_only
    assert {name for name, _ in group.members()} == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert group[name].shape == (N_IMAGES, *array.shape)
        assert group[name].chunks == (4, *array.shape)
        assert group[name].dtype == array.dtype
        assert group[name].attrs["axes"] == array.axes
    assert {path.name for path in unbroken.iterdir()} == {"zarr.json", *ARRAYS}
    assert [path.name for path in unbroken.parent.iterdir()] == [unbroken.name]


def test_a_complete_store_is_returned_without_drawing_or_connecting(unbroken):
    before = stores.digest(unbroken)
    dataset = crystals(partial(given, value=None), block=9)
    group = stores.write(dataset, unbroken, seed=SEED, scheduler="tcp://127.0.0.1:1", progress=False)
    assert group.attrs["block"] == 4
    assert stores.digest(unbroken) == before


@pytest.mark.parametrize(
    ("changes", "seed", "said"),
    [
        ({}, 6, "seed=5, not 6"),
        ({"name": "metals"}, SEED, "name='crystals', not 'metals'"),
        ({"n_images": 23}, SEED, "n_images=22, not 23"),
        ({"parameters": {"dose": (5.0, 50.0), "beam": {"energy": 60}}}, SEED, "parameters.beam.energy=80, not 60"),
        ({"parameters": {"dose": (5.0, 50.0)}}, SEED, "parameters.beam={'energy': 80}, not None"),
        ({"arrays": {**ARRAYS, "dose": replace(ARRAYS["dose"], dtype="float32")}}, SEED, "dtype='float64', not 'float32'"),
    ],
)
def test_a_store_of_something_else_is_refused_and_kept(unbroken, interrupted, write, changes, seed, said):
    before, parts = stores.digest(unbroken), marked(interrupted)
    for path in (unbroken, interrupted):
        with pytest.raises(ValueError, match=re.escape(said) + ".*; choose another path or delete it"):
            write(crystals(**changes), path, seed=seed)
    assert stores.digest(unbroken) == before
    assert marked(interrupted) == parts


def test_another_version_reads_a_store_but_does_not_go_on_drawing_it(unbroken, interrupted, write, monkeypatch):
    monkeypatch.setattr(stores, "version", lambda name: "99.0")
    write(crystals(), unbroken)
    with pytest.raises(ValueError, match=r"atomwork='.*', not '99\.0'"):
        write(crystals(), interrupted)


def test_what_is_no_store_is_refused(tmp_path, write):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    zarr.create_array(tmp_path / "array", shape=(3,), dtype="f4")
    zarr.create_group(tmp_path / "group", attributes={"name": "crystals"})
    for name in ("notes", "file", "array", "group"):
        with pytest.raises(ValueError, match="is no data set of atomwork; choose another path"):
            stores.load(tmp_path / name)
        with pytest.raises(ValueError, match="is no data set of atomwork; choose another path"):
            write(crystals(), tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"does not exist; make it with stores\.write"):
        stores.load(tmp_path / "nothing")
    assert (tmp_path / "notes" / "a.txt").read_text() == (tmp_path / "file").read_text() == "mine"


def test_an_empty_folder_and_the_rest_of_a_killed_start_are_no_hindrance(unbroken, tmp_path, write):
    (tmp_path / "crystals").mkdir()
    zarr.create_group(tmp_path / ".crystals.partial").create_array("columns", shape=(3,), dtype="f4")
    write(crystals(), tmp_path / "crystals")
    assert stores.digest(tmp_path / "crystals") == stores.digest(unbroken)
    assert [path.name for path in tmp_path.iterdir()] == ["crystals"]


def test_a_chunk_of_zeros_is_there_and_a_chunk_that_is_lost_is_missed(tmp_path, write):
    write(one_array(constant), tmp_path / "zeros")
    (tmp_path / "zeros" / "value" / "c" / "1").unlink()
    with pytest.raises(ValueError, match="lacks 1 of 2 chunks of 'value'"):
        stores.load(tmp_path / "zeros")


def test_parameters_that_json_cannot_hold_leave_nothing_behind(tmp_path, write):
    for parameters in ({"rng": np.random.default_rng(1)}, {"dose": float("nan")}):
        with pytest.raises((TypeError, ValueError), match="JSON"):
            write(crystals(parameters=parameters), tmp_path / "crystals")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys
from functools import partial
from atomwork.simulation import stores
from tests.simulation.test_stores import LAST, SEED, crystals, noise
stores.write(crystals(partial(noise, pause=0.02, endless=(LAST,))), sys.argv[1], seed=SEED, progress=False)
"""


def test_a_killed_run_goes_on_to_the_same_bytes(unbroken, tmp_path, write):
    path, calls = tmp_path / "crystals.zarr", tmp_path / "calls"
    calls.mkdir()
    run = subprocess.Popen([sys.executable, "-c", KILLED, path], cwd=Path(__file__).parents[2], start_new_session=True)
    wait_until(lambda: run.poll() is not None or ((path / stores.MARKERS).exists() and marked(path)))
    os.killpg(run.pid, signal.SIGKILL)  # the process and all its workers
    assert run.wait() == -signal.SIGKILL
    done = marked(path)
    assert 0 < len(done) < N_IMAGES
    with pytest.raises(ValueError, match=rf"holds {len(done)} of 22 images; stores\.write with seed=5 continues it"):
        stores.load(path)
    spoil_unmarked(path)
    write(crystals(partial(noise, folder=calls)), path)
    assert drawn_in(calls) == sorted(set(range(N_IMAGES)) - done)
    assert stores.digest(path) == stores.digest(unbroken)
    assert list(path.rglob("*.partial")) == []


def spoil_unmarked(path):
    """What a broken file system may leave of a block without a marker: a chunk cut short, and a temporary file."""
    whole = next((path / "image" / "c").iterdir()) / "0" / "0"
    for number in {k // 4 for k in range(N_IMAGES)} - {k // 4 for k in marked(path)}:
        for name, rest in {"image": "0/0", "columns": "0/0", "dose": "", "n_columns": ""}.items():
            chunk = path / name / "c" / str(number) / rest
            chunk.parent.mkdir(parents=True, exist_ok=True)
            chunk.write_bytes(whole.read_bytes()[:50])
            chunk.with_suffix(".partial").write_bytes(b"half")


def dying(index, sequence, folder, times):
    if index == 9 and len(list(folder.iterdir())) < times:
        os.close(tempfile.mkstemp(dir=folder)[0])
        os.kill(os.getpid(), signal.SIGKILL)
    return noise(index, sequence)


def test_a_killed_worker_changes_nothing(unbroken, tmp_path, write):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    write(crystals(partial(dying, folder=deaths, times=1)), tmp_path / "crystals")
    assert len(list(deaths.iterdir())) == 1
    assert stores.digest(tmp_path / "crystals") == stores.digest(unbroken)


def test_a_draw_that_kills_every_worker_is_named(unbroken, tmp_path, write):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    with pytest.raises(RuntimeError, match="drawing 'crystals' kills its workers, perhaps for memory; give them more"):
        write(crystals(partial(dying, folder=deaths, times=99)), tmp_path / "crystals")
    write(crystals(), tmp_path / "crystals")
    assert stores.digest(tmp_path / "crystals") == stores.digest(unbroken)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_to_the_same_bytes(small_disk, tmp_path, write):
    dataset = one_array(random, (64, 64), n_images=100)  # 1.6 MB
    write(dataset, tmp_path / "unbroken")
    with pytest.raises(OSError, match="can't be written") as caught:
        stores.write(dataset, small_disk / "crystals", seed=SEED, progress=False)
    done = len(marked(small_disk / "crystals"))
    assert 20 < done < 100
    assert str(caught.value) == (
        f"{small_disk}/crystals can't be written (No space left on device) and holds {done} of 100 images safely; "
        "free space and write again, which continues."
    )
    assert caught.value.__cause__ is None  # whose traceback would be Dask's
    with pytest.raises(ValueError, match=f"holds {done} of 100 images"):
        stores.load(small_disk / "crystals")
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    write(dataset, small_disk / "crystals")
    assert stores.digest(small_disk / "crystals") == stores.digest(tmp_path / "unbroken")


def random(index, sequence):
    return {"value": np.random.default_rng(sequence).random((64, 64), np.float32)}


def test_a_disk_that_is_full_from_the_start_is_one_sentence(small_disk, write):
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(2**21))
    with pytest.raises(OSError, match=r"No space left on device\) and holds 0 of 22 images safely; free space and write again"):
        write(crystals(), small_disk / "crystals")
    (small_disk / "filler").unlink()
    write(crystals(), small_disk / "crystals")


def test_an_image_that_cannot_be_drawn_is_named_and_the_others_stay(unbroken, interrupted, tmp_path, write):
    with pytest.raises(RuntimeError, match=r"image 21 of 'crystals' can't be drawn \(ZeroDivisionError: no lattice") as caught:
        write(crystals(partial(failing, path=interrupted)), interrupted)
    assert "in failing" in caught.value.__notes__[0]
    calls = tmp_path / "calls"
    calls.mkdir()
    write(crystals(partial(noise, folder=calls), block=16), interrupted)
    assert drawn_in(calls) == [20, 21]
    assert stores.digest(interrupted) == stores.digest(unbroken)


@pytest.mark.parametrize(
    ("value", "shape", "dtype", "said"),
    [
        ({"values": 1.0}, (), "float32", "image 0 of 'one' is drawn with the arrays ['values'], not ['value']"),
        ({"value": 1.0, "more": 1.0}, (), "float32", "arrays ['value', 'more'], not ['value']"),
        ([1.0], (), "float32", "image 0 of 'one' can't be drawn (AttributeError"),
        ({"value": np.zeros((3, 2))}, (2, 3), "float32", "array 'value' of image 0 of 'one' has shape (3, 2), not (2, 3)"),
        ({"value": np.array([1.0, np.nan])}, (2,), "int32", "has dtype float64, whose values int32 can't hold"),
        ({"value": -1}, (), "uint8", "has dtype int64, whose values uint8 can't hold"),
        ({"value": 40_000}, (), "int16", "has dtype int64, whose values int16 can't hold"),
        ({"value": 1e300}, (), "float32", "has dtype float64, whose values float32 can't hold"),
        ({"value": 1j}, (), "float32", "has dtype complex128, whose values float32 can't hold"),
        ({"value": "Mo"}, (), "float32", "whose values float32 can't hold"),
    ],
)
def test_an_array_that_does_not_fit_is_named(tmp_path, write, value, shape, dtype, said):
    with pytest.raises((ValueError, RuntimeError), match=re.escape(said)):
        write(one_array(partial(given, value=value), shape, dtype, n_images=4), tmp_path / "one")
    with pytest.raises(ValueError, match="holds 0 of 4 images"):
        stores.load(tmp_path / "one")


def given(index, sequence, value):
    return value


def test_an_array_that_fits_may_lose_only_digits(tmp_path, write):
    for value, dtype in [
        (0.1, "float32"),
        (np.nan, "float32"),
        (np.inf, "float32"),
        (7, "int16"),
        (True, "bool"),
        (3, "float64"),
    ]:
        path = tmp_path / f"{value}{dtype}"
        group = write(one_array(partial(given, value={"value": value}), dtype=dtype), path)
        np.testing.assert_array_equal(group["value"][:], np.full(8, value, dtype))


def test_a_worker_has_one_thread(tmp_path, monkeypatch):
    import torch  # here, so that the workers of the other tests don't have to import it

    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # which Dask would pass on

    def threads(index, sequence):
        pools = [pool["num_threads"] for pool in threadpool_info()]
        return {"value": [torch.get_num_threads(), len(pools), *(max(pools) for _ in pools[:1])]}

    group = stores.write(one_array(threads, (3,), "int32", n_images=1), tmp_path / "threads", seed=1, progress=False)
    torch_threads, n_pools, most = group["value"][0]
    assert n_pools >= 2  # OpenMP and BLAS
    assert torch_threads == most == 1


def test_the_progress_bar_starts_at_what_is_there(interrupted, write, capsys):
    write(crystals(), interrupted, progress=True)
    shown = capsys.readouterr().err
    assert re.match(r"\s*crystals: +91%.* 20/22 ", shown)
    assert re.search(r"crystals: 100%.* 22/22 ", shown)
    assert shown.count("\n") == 1
    write(crystals(), interrupted, progress=True)
    assert capsys.readouterr().err == ""


def test_a_scheduler_that_is_not_there_is_named(tmp_path):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}),
        pytest.raises(
            ConnectionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1; start one or leave scheduler=None"
        ),
    ):
        stores.write(crystals(), tmp_path / "crystals", seed=SEED, scheduler="tcp://127.0.0.1:1", progress=False)


def test_a_scheduler_that_is_lost_is_named_and_another_one_continues(unbroken, tmp_path, write):
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=":0", silence_logs="CRITICAL"
    ) as cluster:
        closing = threading.Timer(1.0, cluster.close)
        closing.start()
        with pytest.raises(ConnectionError, match="the Dask scheduler was lost; start one and write again, which continues"):
            stores.write(
                crystals(partial(noise, pause=0.2)),
                tmp_path / "crystals",
                seed=SEED,
                scheduler=cluster.scheduler_address,
                progress=False,
            )
        closing.join()
    write(crystals(), tmp_path / "crystals")
    assert stores.digest(tmp_path / "crystals") == stores.digest(unbroken)


def test_rows_are_padded_with_nan_and_too_many_are_refused():
    rows = np.arange(6.0).reshape(3, 2)
    padded = stores.pad(rows, 5, "columns")
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded[:3], rows)
    assert padded.shape == (5, 2)
    assert np.isnan(padded[3:]).all()
    assert np.isnan(stores.pad(np.zeros((0, 4)), 2, "defects")).all()
    np.testing.assert_array_equal(stores.pad(rows, 3, "columns"), rows)
    with pytest.raises(ValueError, match="3 columns exceed the 2 that the data set has room for; raise its length"):
        stores.pad(rows, 2, "columns")
