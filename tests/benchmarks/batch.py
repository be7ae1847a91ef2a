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
        source, clusters = sorted(frames(Path(scratch), FRAMES).iterdir()), {"one [1/s]": one, "two [1/s]": two}

        def rate(chosen, name, number):
            out = Path(scratch) / f"{name[:3]}{number}"
            return len(chosen) / timed(lambda: batch.detect(chosen, out, scheduler=clusters[name], progress=False))[0]

        for name in clusters:
            rate(source[:8], name, "first")  # each worker loads the model
        rows = [{"round": k, **{name: rate(source, name, k) for name in clusters}} for k in range(ROUNDS)]
    table = pd.DataFrame(rows)
    table["gain"] = table["two [1/s]"] / table["one [1/s]"]
    return (
        f"Batch of 1012² frames with 2116 columns: two workers give {table['gain'].median():.2f} × one, {CPU_COUNT} cores",
        table,
    )


def overhead():
    """What a frame costs in a batch beside detection, by one thread in one process: against detection alone, and all of it but
    the detection within, which scatters less."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        for side, spacing in ((510, 12), (1012, 22), (1020, 12)):
            folder, locks = Path(scratch) / f"{side} {spacing}", Path(scratch)
            folder.mkdir()
            source, stage = sorted(frames(folder, PAIRS, side, spacing).iterdir()), Detection()
            identity, times = records.identity(stage), []
            for number, path in enumerate(source):
                recorded = micrograph.load(path)
                alone, found = timed(detect.detect, recorded)
                job, within = Job(str(path), folder / f"out{number}", {"image": str(path)}), []
                with patch.object(detect, "detect", lambda *a, known=detect.detect, kept=within: keep(kept, known, *a)):
                    whole, result = timed(runs.one, stage, job, identity, locks)
                assert result["ok"]
                times.append((alone, whole, *within))
            alone, whole, within = 1e3 * np.array(times[2:]).T
            row = {
                "side [px]": side,
                "columns": len(found),
                "detect [ms]": np.median(alone),
                "in a batch [ms]": np.median(whole),
            }
            error = 1.25 * median_abs_deviation(whole - alone, scale="normal") / np.sqrt(len(whole))
            row.update({"difference [ms]": np.median(whole - alone), "± [ms]": error})
            rows.append({**row, "all but detection [ms]": np.median(whole - within)})
    return "A frame of a batch without a notebook, beside its detection: reading, tables, thumbnail, record", pd.DataFrame(rows)


def timed(function, *arguments):
    """Seconds of a call, and what it returns."""
    start = time.perf_counter()
    found = function(*arguments)
    return time.perf_counter() - start, found


def keep(times, function, *arguments):
    """What a call returns, its seconds kept."""
    seconds, found = timed(function, *arguments)
    times.append(seconds)
    return found


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
