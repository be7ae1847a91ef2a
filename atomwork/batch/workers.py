"""Who does the work of a batch: processes of this machine, a running Dask scheduler, or jobs in a cluster's queue.

A Dask worker runs whatever it is sent, so those that are started here answer to nobody without the batch's own certificate.
"""

import logging
from contextlib import contextmanager

from dask import config
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster

QUEUES = ("slurm", "pbs", "sge")
JOBS = 10  # jobs in a queue if nobody says how many
THREADS = {"OMP_NUM_THREADS": "1"}  # a core each, however many are left, so that a resumed batch computes the same
# Dask's own make the C library fetch each large array from the system anew: detection took 0.30 s, and takes 0.18 s
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**29, "MALLOC_MMAP_THRESHOLD_": 2**25}  # bytes


@contextmanager
def of(scheduler, n_workers, tasks):
    """A cluster, or the address of one that runs already; what was started here ends with it.

    Parameters
    ----------
    scheduler, n_workers : see `runs.run`
    tasks : int, what there is to do at most

    Raises
    ------
    ValueError : a queue that isn't here, or that hasn't been told what a job is
    """
    if scheduler is None:
        own = {"n_workers": min(n_workers or CPU_COUNT, tasks), "threads_per_worker": 1, "env": THREADS}
        own |= {"dashboard_address": None, "silence_logs": logging.CRITICAL, "security": True}
        own["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
        lean = {f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in MALLOC.items()}
        lean["distributed.worker.profile.enabled"] = False  # its history takes 5 MB in 100 frames
        with config.set(lean), LocalCluster(**own) as cluster:
            yield cluster
    elif scheduler in QUEUES:
        # not at the top: its library takes over the process's signals
        from atomwork.batch import queues

        with queues.cluster(scheduler) as cluster:
            cluster.scale(jobs=min(n_workers or JOBS, tasks))
            yield cluster
    elif n_workers is not None:
        raise ValueError(f"n_workers={n_workers} can't be had of the scheduler {scheduler}; start its workers where it runs.")
    else:
        yield scheduler


def client_of(cluster):
    """A client of a cluster or an address."""
    try:
        return Client(cluster)
    except OSError as error:
        raise ConnectionError(f"no Dask scheduler answers at {cluster}; start one or leave scheduler=None.") from error
