"""Workers as jobs in a cluster's queue."""

import shutil
from contextlib import contextmanager

from dask_jobqueue import PBSCluster, SGECluster, SLURMCluster

from atomwork.batch.notebooks import plain

KINDS = {"slurm": SLURMCluster, "pbs": PBSCluster, "sge": SGECluster}
TEMPLATES = "docs/cluster"


@contextmanager
def cluster(name):
    """A cluster whose workers are jobs in a queue, as Dask's configuration describes them; neither jobs nor keys outlive it.

    Parameters
    ----------
    name : str, one of `workers.QUEUES`

    Raises
    ------
    ValueError : a queue that isn't here, or that hasn't been told what a job is
    """
    kind = KINDS[name]
    submit = kind.job_cls.submit_command.split()[0]
    if shutil.which(submit) is None:
        raise ValueError(f"scheduler={name!r} needs {submit}, which isn't on this machine; run where jobs are submitted.")
    try:
        made = kind(security=True)
    except ValueError as error:
        raise ValueError(
            f"scheduler={name!r} doesn't know what a job is ({plain(error)}); copy {TEMPLATES}/{name}.yaml to ~/.config/dask/ "
            "and fill it in."
        ) from error
    try:
        with made:
            yield made
    finally:
        for key in ("ca_file", "cert", "key"):  # files in a folder that all nodes see, removed when they are closed
            if file := getattr(made, f"_job_{key}", None):
                file.close()
