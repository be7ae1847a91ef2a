"""kill -9 of driver, worker and scheduler, in the middle of a batch."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pandas as pd
import psutil
import pytest
from dask import config as dask_config

from atomwork import batch
from tests.batch.conftest import written

pytestmark = pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel

MEANS = [1.0, 2.0, 3.0, 4.0]


@contextmanager
def begun(slow, out, *options):
    """A batch in a process of its own, of which one run is complete and others are not."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "atomwork.batch",
        str(slow),
        f"{slow.parent}/image*.npy",
        "--out-dir",
        str(out),
    ]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as driver:
        try:
            for _ in range(1200):
                if list(out.glob("*/run.json")):
                    break
                assert driver.poll() is None, driver.stderr.read()
                time.sleep(0.1)
            yield driver
        finally:
            driver.kill()  # one that hangs would hold up the tests


def kill(process, out):
    """kill -9 a process of a batch that is complete in part."""
    process.send_signal(signal.SIGKILL)
    assert 1 <= len(list(out.glob("*/run.json"))) < len(MEANS)


def continued(slow, out, **how):
    """Run again: every run is right, and those that were complete before were left as they are."""
    complete, before = {path.parent.name for path in out.glob("*/run.json")}, written(out)
    table = batch.run(slow, f"{slow.parent}/image*.npy", out, progress=False, **how)
    assert table["mean"].tolist() == MEANS
    assert all(written(out)[name] == before[name] for name in complete)
    assert not list(out.rglob("*.partial"))


def test_a_killed_driver_loses_what_it_was_at_and_no_more(tmp_path, slow):
    with begun(slow, tmp_path / "out") as driver:
        kill(driver, tmp_path / "out")
        continued(slow, tmp_path / "out")  # at once, whatever its workers are still at


def test_a_killed_worker_is_replaced(tmp_path, slow):
    out = tmp_path / "out"
    with begun(slow, out) as driver:
        kernels = [p for p in psutil.process_iter(["cmdline"]) if "ipykernel_launcher" in " ".join(p.info["cmdline"] or [])]
        workers = [p.parent() for p in kernels if psutil.Process(driver.pid) in p.parents()]
        kill(workers[0], out)
        assert driver.wait(120) == 0
    table = pd.read_csv(out / "summary.csv")
    assert table["mean"].tolist() == MEANS
    assert table["ok"].all()


def dask(*arguments):
    return subprocess.Popen([sys.executable, "-m", "dask", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster(tmp_path):
    """Starts a scheduler and two workers, each a process of its own; all end with the test."""
    started = []

    def start(name):
        file = tmp_path / f"{name}.json"
        started.append(dask("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)))
        while not file.exists():
            time.sleep(0.1)
        workers = ["--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
        started.extend(dask("worker", *workers) for _ in range(2))
        return started[-3], json.loads(file.read_text())["address"]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


def test_a_killed_scheduler_is_named_and_another_continues(tmp_path, slow, cluster):
    scheduler, address = cluster("first")
    with begun(slow, tmp_path / "out", "--scheduler", address) as driver:
        kill(scheduler, tmp_path / "out")
        assert driver.wait(120) == 1
        said = driver.stderr.read().strip().splitlines()[-1]
    assert "the Dask scheduler was lost after" in said
    assert "run again, which continues" in said
    _, address = cluster("second")
    continued(slow, tmp_path / "out", scheduler=address)


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, slow):
    with (
        dask_config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ConnectionError, match="no Dask scheduler"),
    ):
        batch.run(slow, f"{slow.parent}/image*.npy", tmp_path / "out", scheduler="tcp://127.0.0.1:9", progress=False)
