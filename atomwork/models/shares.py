"""Which batches of an endless series each of several training processes has: all of them, and none twice.

A step takes one batch from every process, each of a share of the images, so that it learns from as many as one process would.
"""


def training(trainer, steps_per_epoch, max_steps):
    """Numbers of this process's batches in the current epoch: range.

    Parameters
    ----------
    trainer : pytorch_lightning.Trainer
    steps_per_epoch, max_steps : int
    """
    first = trainer.current_epoch * steps_per_epoch
    last = min(first + steps_per_epoch, max_steps)
    return range(trainer.global_rank, last * trainer.world_size, trainer.world_size)[first:]


def validation(trainer, batches):
    """Numbers of this process's among the first so many batches: range."""
    return range(trainer.global_rank, batches, trainer.world_size)
