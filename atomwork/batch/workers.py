"""Who does the work of a batch: processes of this machine, a running Dask scheduler, or jobs in a cluster's queue."""

from contextlib import contextmanager

from atomwork import dask_workers

QUEUES = ("slurm", "pbs", "sge")
JOBS = 10  # jobs in a queue if nobody says how many


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
        with dask_workers.local(tasks, n_workers) as cluster:
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
