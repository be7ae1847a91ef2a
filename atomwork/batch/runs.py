"""A batch: every run that isn't complete yet, on the workers of a Dask scheduler, and a table of all."""

import logging
import os
import time
from concurrent.futures import CancelledError
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
from dask.system import CPU_COUNT
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed.comm import CommClosedError
from tqdm import tqdm

from atomwork.batch import index, records
from atomwork.batch.jobs import jobs
from atomwork.batch.notebooks import NotebookError, check, execute

FAILURES = "failures"
RETRIES = 3  # workers that may die over one run until it is taken to kill them


def run(notebook, sources, out_dir, *, parameters=None, scheduler=None, progress=True):
    """Run a notebook once for every source; what is complete and unchanged is skipped.

    Parameters
    ----------
    notebook : path of an .ipynb file with a cell tagged ``parameters``
    sources : str, path or sequence of them: image files, ``sample:NAME``, folders of images, patterns such as ``"day1/*.dm4"``,
        a CSV with a row of parameters for each run, or a YAML file of parameters or a list of such; None runs it once without
    out_dir : path; a single file writes into it, all others into a folder each, beside ``summary.csv``, ``index.html`` and the
        tracebacks of those that failed
    parameters : dict, further parameters of the notebook
    scheduler : address of a Dask scheduler, or a cluster; a worker for every core of this machine if None
    progress : bool, show a progress bar

    Returns
    -------
    DataFrame : one row per run: source, out_dir, ok, error, detail (path of the traceback, relative to ``out_dir``) and what
        stands in its summary.json

    Raises
    ------
    FileNotFoundError : no such notebook
    ValueError : a parameter that the notebook doesn't have, nothing that matches, or two sources with one name
    ConnectionError : the scheduler doesn't answer, or was lost; what is complete is skipped the next time
    """
    parameters, out_dir = dict(parameters or {}), Path(out_dir)
    check(notebook, {**parameters, "out_dir": 0})
    every = jobs(sources, out_dir, parameters)
    for job in every:
        check(notebook, {**job.parameters, "out_dir": 0})
    asked = [records.fingerprint(notebook, job.parameters) for job in every]
    known = {k: found for k, job in enumerate(every) if (found := records.read(job.folder, asked[k]))}
    left = {k: (notebook, job, asked[k]) for k, job in enumerate(every) if k not in known}
    alone = every[0].folder == out_dir
    if alone:
        results = {k: one(*task, progress) for k, task in left.items()}
    else:
        results = spread(left, len(every), scheduler, progress) if left else {}
    results |= {k: {"ok": True, "error": "", "summary": found["summary"]} for k, found in known.items()}
    return tabled(Path(notebook).stem, out_dir, every, results, alone)


def one(notebook, job, asked, progress=False):
    """One run: dict with ok, error, detail and summary; its record is written last."""
    start = time.perf_counter()
    try:
        records.forget(job.folder)
        execute(notebook, job.folder, job.parameters, progress)
        found = records.summary(job.folder)
        seconds = round(time.perf_counter() - start, 2)
        records.write(job.folder, {"fingerprint": asked, "seconds": seconds, "summary": found})
    except (NotebookError, OSError) as error:
        return {"ok": False, "error": str(error), "detail": getattr(error, "detail", ""), "summary": {}}
    return {"ok": True, "error": "", "summary": found}


def spread(left, total, scheduler, progress):
    """Runs on the workers of a scheduler: dict of what `one` returns."""
    threads = {"OMP_NUM_THREADS": "1"}  # a core each, however many are left, so that a resumed batch computes the same
    own = {"n_workers": min(CPU_COUNT, len(left)), "threads_per_worker": 1, "env": threads, "dashboard_address": None}
    own |= {"scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}, "silence_logs": logging.CRITICAL}
    bar = tqdm(total=total, initial=total - len(left), desc="batch", unit="run", disable=not progress)
    results = {}
    try:
        with bar, LocalCluster(**own) if scheduler is None else nullcontext(scheduler) as cluster, client_of(cluster) as client:
            futures = {client.submit(one, *task, pure=False, retries=RETRIES): k for k, task in left.items()}
            for future in as_completed(futures):
                results[futures[future]] = result_of(future)
                bar.update()
    except (CancelledError, CommClosedError) as error:
        raise ConnectionError(
            f"the Dask scheduler was lost after {len(results)} of {len(left)} runs; start one and run again, which continues."
        ) from error
    return results


def client_of(cluster):
    """A client of a cluster or an address."""
    try:
        return Client(cluster)
    except OSError as error:
        raise ConnectionError(f"no Dask scheduler answers at {cluster}; start one or leave scheduler=None.") from error


def result_of(future):
    """What a run gave, or that it kills whoever runs it."""
    try:
        return future.result()
    except KilledWorker:
        error = f"killed {RETRIES + 1} workers, perhaps for memory; give them more, or a smaller image"
        return {"ok": False, "error": error, "detail": "", "summary": {}}


def tabled(title, out_dir, every, results, alone):
    """The table of a batch, written beside the runs' folders where they have some."""
    rows = []
    for k, job in enumerate(every):
        found = results[k]
        row = {"source": job.source, "out_dir": str(job.folder), "ok": found["ok"], "error": found["error"], "detail": ""}
        if not found["ok"] and not alone:
            row["detail"] = f"{FAILURES}/{job.folder.name}.txt"
            whole(out_dir / row["detail"], f"{job.source}\n{found['error']}\n\n{found.get('detail') or ''}")
        rows.append({**row, **{name: value for name, value in found["summary"].items() if name not in row}})
    table = pd.DataFrame(rows)
    if not alone:
        whole(out_dir / "summary.csv", table.to_csv(index=False, lineterminator="\n"))
        whole(out_dir / "index.html", index.page(out_dir, title, table))
    return table


def whole(path, text):
    """Write a text file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
