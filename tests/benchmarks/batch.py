"""Batches: what two cores give over one, what a frame and a task cost beside detection, and whether memory stays."""

import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import psutil
from dask.system import CPU_COUNT
from distributed import Client
from scipy.stats import median_abs_deviation
from threadpoolctl import threadpool_limits

from atomwork import batch, micrograph
from atomwork.analysis import detect
from atomwork.batch import records, runs, workers
from atomwork.batch.jobs import Job
from atomwork.batch.stages import Detection
from tests.benchmarks.large import frame

FRAMES, ROUNDS, PAIRS, MANY, EMPTY = 200, 5, 60, 1000, 100_000


def frames(folder, count, side=1012, spacing=22):
    """Files of as many different frames of the same lattice."""
    image, _ = frame(side, spacing)
    for number in range(count):
        np.save(folder / f"frame{number:04}.npy", np.roll(image, (7 * number, 3 * number), (0, 1)))
    return folder


def throughput():
    """Frames a second of one worker and of two in turn, while both are there; tables included, the workers' start not."""
    with tempfile.TemporaryDirectory() as scratch, workers.of(None, 1, FRAMES) as one, workers.of(None, 2, FRAMES) as two:
        source, clusters = sorted(frames(Path(scratch), FRAMES).iterdir()), {"one": one, "two": two}

        def rate(chosen, name, turn):
            out = Path(scratch) / f"{name}{turn}"
            return len(chosen) / timed(lambda: batch.detect(chosen, out, scheduler=clusters[name], progress=False))[0]

        for name in clusters:
            rate(source[:8], name, "first")  # each worker loads the model
        table = pd.DataFrame([{name: rate(source, name, turn) for name in clusters} for turn in range(ROUNDS)])
    table["gain"] = table["two"] / table["one"]
    gain = f"two workers give {table['gain'].median():.2f} × one, {CPU_COUNT} cores"
    return f"Frames of 1012² with 2116 columns a second, in a batch: {gain}", table


def overhead():
    """What a frame costs in a batch beside detection, by one thread in one process."""
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        rows = [
            beside(Path(scratch) / f"{side} {spacing}", side, spacing) for side, spacing in ((510, 12), (1012, 22), (1020, 12))
        ]
    return "A frame of a batch without a notebook, beside its detection: reading, tables, thumbnail, record", pd.DataFrame(rows)


def beside(folder, side, spacing):
    """A row of `overhead`: a frame against detection alone, and all of it but the detection within, which scatters less."""
    folder.mkdir()
    stage, known, alone, whole, within = Detection(), detect.detect, [], [], []
    identity = records.identity(stage)

    def kept(*arguments):
        seconds, found = timed(known, *arguments)
        within.append(seconds)
        return found

    for number, path in enumerate(sorted(frames(folder, PAIRS, side, spacing).iterdir())):
        seconds, found = timed(known, micrograph.load(path))
        alone.append(seconds)
        job = Job(str(path), folder / f"out{number}", {"image": str(path)})
        with patch.object(detect, "detect", kept):
            seconds, result = timed(runs.one, stage, job, identity, folder.parent)
        assert result["ok"]
        whole.append(seconds)
    alone, whole, within = 1e3 * np.array([alone, whole, within])[:, 2:]
    row = {"side [px]": side, "columns": len(found), "detect [ms]": np.median(alone), "in a batch [ms]": np.median(whole)}
    error = 1.25 * median_abs_deviation(whole - alone, scale="normal") / np.sqrt(len(whole))
    return row | {
        "difference [ms]": np.median(whole - alone),
        "± [ms]": error,
        "all but detection [ms]": np.median(whole - within),
    }


def timed(function, *arguments):
    """Seconds of a call, and what it returns."""
    start = time.perf_counter()
    found = function(*arguments)
    return time.perf_counter() - start, found


def memory():
    """Memory of a worker over a thousand frames."""
    seen = []
    with tempfile.TemporaryDirectory() as scratch, workers.of(None, 1, MANY) as cluster, Client(cluster) as client:
        source, stage = sorted(frames(Path(scratch), MANY // 10, 510, 12).iterdir()), Detection()
        identity, (pid,) = records.identity(stage), client.run(lambda: psutil.Process().pid).values()
        worker = psutil.Process(pid)
        tasks = (
            (stage, Job(str(path), Path(scratch) / f"out{k}", {"image": str(path)}), identity)
            for k, path in enumerate(source * 10)
        )
        for _, future in runs.ended(client, runs.one, tasks):
            assert future.result()["ok"]
            seen.append(worker.memory_info().rss / 1e6)
    blocks = pd.DataFrame({"frames": range(1, MANY + 1), "MB": seen})
    slope = 100 * np.polyfit(blocks["frames"][MANY // 5 :], blocks["MB"][MANY // 5 :], 1)[0]
    table = blocks.groupby((blocks["frames"] - 1) // 100).agg({"frames": "last", "MB": "median"})
    return f"Memory of a worker over {MANY} frames of 510²: {slope:+.2f} MB per 100 frames after the first 200", table


def nothing():
    """An empty task."""


def empty_tasks():
    """What the scheduler itself takes for a task."""
    with workers.of(None, None, EMPTY) as cluster, Client(cluster) as client:
        for _ in runs.ended(client, nothing, [()] * 2000):
            pass
        start, before = time.perf_counter(), psutil.Process().memory_info().rss
        for _ in runs.ended(client, nothing, [()] * EMPTY):
            pass
        task = (time.perf_counter() - start) / EMPTY
        grown = (psutil.Process().memory_info().rss - before) / 1e6
    rows = [{"tasks": EMPTY, "ms each": 1e3 * task, "tasks per s": 1 / task, "scheduler and client grew by [MB]": grown}]
    return "Empty tasks through a batch's scheduler, client and two workers on two cores", pd.DataFrame(rows)
