"""The training loop that every model shares: epochs of a fixed number of steps, checkpoints, resume, curves."""

from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from atomwork.models import shares
from atomwork.models.networks import halved
from atomwork.simulation import datasets


class ImageStream(pl.LightningDataModule):
    """Training images made on the fly, one epoch after the other, and the fixed validation set.

    Parameters
    ----------
    recipe : batches.Recipe
    images : `datasets.TrainingImages` or a data set that is made with the same arguments
    batch_size : int
    seed : int
    steps_per_epoch, max_steps : int
    workers : int, processes that make images beside the training; 0 makes them in the training process,
        on its device
    validation_batches : int
    """

    def __init__(self, recipe, *, images, batch_size, seed, steps_per_epoch, max_steps, workers, validation_batches):
        super().__init__()
        self.images = images
        self.recipe, self.batch_size, self.seed, self.workers = recipe, batch_size, seed, workers
        self.steps_per_epoch, self.max_steps, self.validation_batches = steps_per_epoch, max_steps, validation_batches

    def device(self):
        """Where images are made: beside the model, unless worker processes make them."""
        return "cpu" if self.workers else self.trainer.strategy.root_device

    def train_dataloader(self):
        """This process's part of the current epoch."""
        mine = shares.training(self.trainer, self.steps_per_epoch, self.max_steps)
        images = self.images(self.recipe, self.batch_size // self.trainer.world_size, self.seed, mine, self.device())
        return DataLoader(images, batch_size=None, num_workers=self.workers, worker_init_fn=single_thread)

    def val_dataloader(self):
        """This process's part of the fixed validation set."""
        mine = shares.validation(self.trainer, self.validation_batches)
        images = datasets.validation_batches(mine, self.batch_size, self.device())
        return DataLoader(images, batch_size=None, num_workers=self.workers, worker_init_fn=single_thread)


def single_thread(_):
    """Leave the cores to the training process."""
    torch.set_num_threads(1)


@contextmanager
def cores_left_by(workers):
    """Keep this process to the threads that as many busy processes leave it: where there are more, all wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def precision(accelerator):
    """bf16 autocast where the hardware computes in it, else 32 bits."""
    fast = torch.cuda.is_bf16_supported() if accelerator == "cuda" else halved.in_hardware()
    return "bf16-mixed" if fast else "32-true"


def train(
    model,
    out_dir,
    *,
    max_steps,
    recipe=None,
    images=datasets.TrainingImages,
    batch_size=16,
    seed=0,
    steps_per_epoch=250,
    workers=1,
    validation_batches=10,
    resume_from=None,
    devices=1,
    nodes=1,
    progress=True,
):
    """Train a model on images made on the fly.

    Parameters
    ----------
    model : LightningModule that takes a `batches.Batch`
    out_dir : path for checkpoints and metrics
    max_steps : int, steps in all, those before a resume counted in
    recipe : batches.Recipe; the default one if None
    images : what makes them, see `ImageStream`
    batch_size, seed : int
    steps_per_epoch : int, steps between two validations and checkpoints
    workers : int, processes that make images; 0 makes them on the model's device
    validation_batches : int
    resume_from : path of a checkpoint (out_dir/last.ckpt of the killed run); a fresh start if None
    devices : int, GPUs of a node, or processes on its CPU, that share each batch; more than one in scripts only. On a CPU two
        processes of one thread with ``workers=0`` are faster than two threads
    nodes : int, machines, each of which runs the same script, as Slurm's ``srun`` starts it
    progress : bool, show a progress bar

    Returns
    -------
    pandas.DataFrame : one row per logged step with the training and validation metrics, earlier runs included

    Raises
    ------
    FileNotFoundError : the checkpoint to resume from does not exist
    ValueError : the run to resume was to end before ``max_steps``; a batch that can't be shared
    """
    check_shared(batch_size, devices * nodes)
    stream = ImageStream(
        recipe or datasets.RECIPES["simulated"],
        images=images,
        batch_size=batch_size,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        max_steps=max_steps,
        workers=workers,
        validation_batches=validation_batches,
    )
    best = ModelCheckpoint(out_dir, filename="best", monitor="val_f1", mode="max", enable_version_counter=False)
    settings = {"gradient_clip_val": 1.0, "callbacks": [best], "devices": devices, "nodes": nodes}
    with cores_left_by(workers):
        return fit(model, stream, out_dir, resume_from=resume_from, progress=progress, **settings)


def check_shared(batch_size, processes):
    """Refuse a batch of which processes can't have an equal share."""
    if batch_size % processes:
        raise ValueError(
            f"a batch of {batch_size} images can't be shared by {processes} devices; give a multiple of {processes}."
        )


def fit(model, stream, out_dir, *, resume_from=None, progress=True, devices=1, nodes=1, callbacks=(), **settings):
    """Train a model on a stream of batches, from the start or from where a run was killed.

    Parameters
    ----------
    model : LightningModule
    stream : LightningDataModule with the attributes ``max_steps`` and ``steps_per_epoch``
    out_dir : path for checkpoints and metrics
    resume_from, progress, devices, nodes : see `train`
    callbacks : sequence of pytorch_lightning.Callback, beside the checkpoint ``last.ckpt`` after every epoch
    settings : further ones of pytorch_lightning.Trainer

    Returns
    -------
    pandas.DataFrame : see `train`
    """
    out_dir = Path(out_dir)
    if resume_from is not None:
        check_resumable(resume_from, stream.max_steps)
    # one that keeps the best alone would write nothing for as long as the score does not rise
    latest = ModelCheckpoint(out_dir, filename="last", enable_version_counter=False)
    trainer = pl.Trainer(
        **hardware(devices, nodes, model.automatic_optimization),
        max_steps=stream.max_steps,
        reload_dataloaders_every_n_epochs=1,
        logger=CSVLogger(out_dir, name="metrics", version=len(list((out_dir / "metrics").glob("version_*")))),
        log_every_n_steps=min(50, stream.steps_per_epoch),
        callbacks=[*callbacks, latest, *([TQDMProgressBar(refresh_rate=10)] if progress else [])],
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **settings,
    )
    if resume_from is None:
        trainer.validate(model, stream, verbose=False)  # the curves start at what the untrained model scores
    model.to(memory_format=torch.channels_last)  # pooling and convolutions of few channels take a third of the time less
    trainer.fit(model, stream, ckpt_path=resume_from, weights_only=True)
    return read_metrics(out_dir)


def hardware(devices, nodes, whole):
    """What a Trainer has to know of processors: the GPU if there is one, and how processes share it or the CPU.

    ``whole`` : bool, every step moves all parameters
    """
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    shared = "ddp" if whole else "ddp_find_unused_parameters_true"
    return {
        "accelerator": accelerator,
        "devices": devices,
        "num_nodes": nodes,
        "strategy": shared if devices * nodes > 1 else "auto",
        "use_distributed_sampler": False,  # the images' seeds share them out
        "precision": precision(accelerator),
    }


def check_resumable(checkpoint, max_steps):
    """Refuse a checkpoint that is missing, isn't one, or whose learning rate was to end before ``max_steps``."""
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f"resume_from={checkpoint} does not exist; give the last.ckpt of the run to go on with.")
    try:
        planned = torch.load(checkpoint, weights_only=True)["hyper_parameters"]["max_steps"]
    except Exception as error:  # whatever its parser trips over, and all code that a pickle would run
        raise ValueError(
            f"resume_from={checkpoint} is no checkpoint of a training here ({type(error).__name__}); give the last.ckpt of one."
        ) from error
    if max_steps > planned:
        raise ValueError(f"max_steps={max_steps} is beyond the {planned} planned for {checkpoint}; give at most {planned}.")


def read_metrics(out_dir):
    """The metrics of all runs in ``out_dir``, later runs overriding the steps that they repeated."""
    tables = [pd.read_csv(path) for path in sorted(Path(out_dir).glob("metrics/version_*/metrics.csv"))]
    if not tables:
        return pd.DataFrame()
    return pd.concat(tables).groupby("step").last().reset_index()
