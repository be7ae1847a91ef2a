"""Dask's workers on this machine, one thread each, and the client of a scheduler.

A worker runs whatever it is sent, so those that are started here answer to nobody without a certificate of their own.
"""

import logging
from contextlib import contextmanager

from dask import config
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster

THREADS = {"OMP_NUM_THREADS": "1"}  # a core each, however many there are, so that what is continued computes the same
# Dask's own make the C library fetch each large array from the system anew: detection took 0.30 s, and takes 0.18 s
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**29, "MALLOC_MMAP_THRESHOLD_": 2**25}  # bytes


@contextmanager
def local(tasks, n_workers=None):
    """A cluster of processes that ends with the context.

    Parameters
    ----------
    tasks : int, what there is to do at most
    n_workers : int, one for every core if None; never more than there are tasks
    """
    settings = {f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in MALLOC.items()}
    settings["distributed.worker.profile.enabled"] = False  # its history takes 5 MB in 100 frames
    own = {"n_workers": min(n_workers or CPU_COUNT, tasks), "threads_per_worker": 1, "env": THREADS, "security": True}
    # no dashboard; Dask serves its health page all the same, and on a fixed port it would warn of every second run
    own |= {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    with config.set(settings), LocalCluster(**own, silence_logs=logging.CRITICAL) as cluster:
        yield cluster


def client_of(cluster):
    """A client of a cluster or an address.

    Raises
    ------
    ConnectionError : nobody answers there
    """
    try:
        return Client(cluster)
    except OSError as error:
        raise ConnectionError(f"no Dask scheduler answers at {cluster}; start one or leave scheduler=None.") from error
