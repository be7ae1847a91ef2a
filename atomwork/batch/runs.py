"""A batch: every job that isn't complete yet, on the workers of a Dask scheduler, and a table of all."""

import shutil
import time
import traceback
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
from distributed import KilledWorker, as_completed
from distributed.comm import CommClosedError
from filelock import FileLock
from tqdm import tqdm

from atomwork import dask_workers
from atomwork.batch import index, records, workers
from atomwork.batch.disk import Full, check_writable, is_full, whole
from atomwork.batch.jobs import jobs
from atomwork.batch.notebooks import plain
from atomwork.batch.stages import Detection, Notebook

FAILURES, LOCKS = "failures", ".locks"
RETRIES = 3  # workers that may die over one job until it is taken to kill them
AHEAD = 10_000  # jobs that the scheduler knows of at a time: more than a cluster has cores, however many there are


def run(notebook, sources, out_dir, *, parameters=None, scheduler=None, n_workers=None, progress=True):
    """Run a notebook once for every source; what is complete and unchanged is skipped.

    Parameters
    ----------
    notebook : path of an .ipynb file with a cell tagged ``parameters``
    sources : str, path or sequence of them: image files, ``sample:NAME``, folders of images, patterns such as ``"day1/*.dm4"``,
        a CSV with a row of parameters for each run, or a YAML file of parameters or a list of such; None runs it once without
    out_dir : path; a single file writes into it, all others into a folder each, beside ``summary.csv``, ``index.html`` and the
        tracebacks of those that failed
    parameters : dict, further parameters of the notebook
    scheduler : address of a Dask scheduler, a cluster, or a queue, see `workers.QUEUES`; this machine if None
    n_workers : int, processes on this machine (one for every core if None) or jobs in a queue (`workers.JOBS` if None)
    progress : bool, show a progress bar

    Returns
    -------
    DataFrame : one row per run: source, out_dir, ok, error, detail (path of the traceback, relative to ``out_dir``) and what
        stands in its summary.json

    Raises
    ------
    FileNotFoundError : no such notebook
    ValueError : a parameter that the notebook doesn't have, nothing that matches, two sources with one name, or a queue that
        this machine doesn't have
    PermissionError : ``out_dir`` can't be written
    ConnectionError : the scheduler doesn't answer, or was lost; what is complete is skipped the next time
    disk.Full : no room is left; what is complete is skipped the next time
    """
    stage = Notebook(str(Path(notebook).absolute()))
    return over(stage, sources, out_dir, parameters, scheduler, n_workers, progress)


def detect(sources, out_dir, *, parameters=None, scheduler=None, n_workers=None, progress=True):
    """Columns of every source without a notebook: columns.csv, a thumbnail and a row each, as fast as detection is.

    Parameters
    ----------
    sources, out_dir, scheduler, n_workers, progress : see `run`
    parameters : dict, those of `analysis.detect.detect`, and ``frame`` of stacks

    Returns
    -------
    DataFrame : see `run`, with warning, what detection warned of

    Raises
    ------
    see `run`
    """
    if sources is None:
        raise ValueError("detect has no sources; give image files, folders, patterns or tables of them.")
    return over(Detection(), sources, out_dir, parameters, scheduler, n_workers, progress)


def over(stage, sources, out_dir, parameters, scheduler, n_workers, progress):
    """A stage on every source: the table of `run`."""
    out_dir = Path(out_dir)
    stage.check(parameters or {})
    every = jobs(sources, out_dir, parameters or {})
    for job in every:
        stage.check(job.parameters)
    check_writable(out_dir)
    identity, alone = records.identity(stage), every[0].folder == out_dir
    try:
        if alone:
            results = {0: settled(one(stage, every[0], identity, progress=progress), 0, 1)}
        else:
            with workers.of(scheduler, n_workers, len(every)) as cluster:
                results = spread(stage, every, identity, cluster, out_dir.absolute() / LOCKS, progress)
        return tabled(stage.title, out_dir, every, results, alone)
    except OSError as error:
        if isinstance(error, Full) or not is_full(error):
            raise
        raise Full(f"out_dir={out_dir}: {plain(error)}; make room and run again, which continues.") from error


def one(stage, job, identity, locks=None, progress=False):
    """One job: dict with ok, error, detail, full and summary; its record is written last."""
    start = time.perf_counter()
    try:
        fingerprint = records.fingerprint(identity, job.parameters)
        # a worker that has lost its scheduler may still be at it
        with FileLock(locks / job.folder.name) if locks else nullcontext():
            if known := records.read(job.folder, fingerprint):
                return {"ok": True, "error": "", "summary": known["summary"]}
            records.forget(job.folder)
            found = stage.run(job.folder.absolute(), job.parameters, progress)
            seconds = round(time.perf_counter() - start, 2)
            records.write(job.folder, {"fingerprint": fingerprint, "seconds": seconds, "summary": found})
    except Exception as error:  # whatever is wrong with one image, the others go on
        detail = getattr(error, "detail", None) or traceback.format_exc()
        sentence = plain(error) or type(error).__name__
        return {"ok": False, "error": sentence, "detail": detail, "full": is_full(error), "summary": {}}
    return {"ok": True, "error": "", "summary": found}


def spread(stage, every, identity, cluster, locks, progress):
    """Jobs on the workers of a cluster: dict of what `one` returns by number."""
    results, bar = {}, tqdm(total=len(every), desc=stage.title, unit="run", disable=not progress)
    locks.mkdir(parents=True, exist_ok=True)
    # workers may have another working directory
    tasks = ((stage, replace(job, folder=job.folder.absolute()), identity, locks) for job in every)
    try:
        with bar, dask_workers.client_of(cluster) as client:
            bar.set_postfix_str("waiting for a worker")
            for number, future in ended(client, one, tasks):
                bar.set_postfix_str("", refresh=False)
                results[number] = settled(result_of(future), len(results), len(every))
                bar.update()
    except (CancelledError, CommClosedError) as error:
        raise ConnectionError(
            f"the Dask scheduler was lost after {len(results)} of {len(every)} runs; start one and run again, which continues."
        ) from error
    shutil.rmtree(locks, ignore_errors=True)
    return results


def ended(client, function, tasks):
    """Calls of a function as they end, of which the scheduler knows `AHEAD` at a time: yields number and future."""
    numbers, waiting = {}, enumerate(tasks)

    def submit(number, arguments):
        future = client.submit(function, *arguments, pure=False, retries=RETRIES)
        numbers[future] = number
        return future

    futures = as_completed([submit(*task) for task in islice(waiting, AHEAD)])
    for future in futures:
        yield numbers.pop(future), future
        for task in islice(waiting, 1):
            futures.add(submit(*task))


def result_of(future):
    """What a job gave, or that it kills whoever runs it."""
    try:
        return future.result()
    except KilledWorker:
        error = f"killed {RETRIES + 1} workers, perhaps for memory; give them more, or a smaller image"
        return {"ok": False, "error": error, "detail": "", "summary": {}}


def settled(result, done, total):
    """What a job gave; a batch of which nothing more can be written stops."""
    if result.get("full"):
        raise Full(f"{result['error']}; stopped after {done} of {total} runs, make room and run again, which continues.")
    return result


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
