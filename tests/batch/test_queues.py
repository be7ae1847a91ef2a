"""Batches through the queue of a cluster: real jobs, submitted to programs that stand in for Slurm's, PBS's and SGE's."""

import os
import subprocess
import time
from pathlib import Path

import dask
import psutil
import pytest
import yaml

from atomwork import batch
from atomwork.batch import queues, workers

TEMPLATES = Path(__file__).parents[2] / queues.TEMPLATES
pytestmark = pytest.mark.filterwarnings("ignore")
SUBMIT = """#!/bin/sh
for script; do true; done
cp "$script" "$QUEUE/$$.script"
setsid sh "$QUEUE/$$.script" > "$QUEUE/$$.log" 2>&1 &
echo $! >> "$QUEUE/jobs"
echo "Submitted batch job $!"
"""
CANCEL = """#!/bin/sh
for job; do kill -- -"$job"; done
"""


@pytest.fixture
def configured(tmp_path):
    """Fills in a template as a user does in ~/.config/dask, for jobs as small as a test's if asked for."""

    def fill(name, **changed):
        settings = yaml.safe_load((TEMPLATES / f"{name}.yaml").read_text())
        settings["jobqueue"][name] |= {"interface": "lo", "shared-temp-directory": str(tmp_path), **changed}
        (tmp_path / "dask").mkdir()
        (tmp_path / "dask" / f"{name}.yaml").write_text(yaml.safe_dump(settings))
        dask.config.refresh(paths=[str(tmp_path / "dask")])

    yield fill
    dask.config.refresh()


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Programs that run each job at once, on this machine; jobs that are left at the end fail the test."""
    folder = tmp_path / "queue"
    folder.mkdir()
    for name, text in {"sbatch": SUBMIT, "scancel": CANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE", str(folder))
    monkeypatch.chdir(tmp_path)
    (folder / "jobs").touch()
    yield folder
    for _ in range(100):
        left = [job for job in map(int, (folder / "jobs").read_text().split()) if psutil.pid_exists(job)]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"jobs {left} were left in the queue")


def test_jobs_of_a_queue_do_the_work(tmp_path, notebook, queue, configured):
    configured("slurm", cores=1, processes=1, memory="2GB")
    table = batch.run(notebook, f"{tmp_path}/*.npy", tmp_path / "out", scheduler="slurm", n_workers=2, progress=False)
    assert table["ok"].tolist() == [False, True, True]
    assert (tmp_path / "out/two.npy/mean.txt").read_text() == "2"
    scripts = [path.read_text() for path in queue.glob("*.script")]
    assert len(scripts) == 2
    for script in scripts:
        assert "#SBATCH -J atomwork" in script
        assert "export OMP_NUM_THREADS=1" in script
        assert "tls://" in script
        assert ".dask-jobqueue.worker.key" in script
    assert not list(tmp_path.glob(".dask-jobqueue*"))  # keys of this batch


@pytest.mark.parametrize("name", workers.QUEUES)
def test_templates_make_scripts_that_a_shell_takes(tmp_path, name, configured):
    configured(name)
    with queues.KINDS[name]() as cluster:
        (tmp_path / "job.sh").write_text(cluster.job_script())
    assert subprocess.run(["sh", "-n", tmp_path / "job.sh"], check=False).returncode == 0
    script = (tmp_path / "job.sh").read_text()
    assert "--nworkers 8" in script
    assert "--nthreads 1" in script
    assert "export OMP_NUM_THREADS=1" in script
    assert "02:00:00" in script


def test_what_is_missing_is_named(tmp_path, notebook, queue):
    how = {"sources": f"{tmp_path}/*.npy", "out_dir": tmp_path / "out", "progress": False}
    with pytest.raises(ValueError, match=r"scheduler='pbs' needs qsub, which isn't on this machine"):
        batch.run(notebook, **how, scheduler="pbs")
    with pytest.raises(ValueError, match=r"doesn't know what a job is .*; copy docs/cluster/slurm.yaml to ~/.config/dask/"):
        batch.run(notebook, **how, scheduler="slurm")
    with pytest.raises(ValueError, match="n_workers=3 can't be had"):
        batch.run(notebook, **how, scheduler="tcp://127.0.0.1:9", n_workers=3)
