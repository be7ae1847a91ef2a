"""Training in many processes, of one machine or of many: what notebooks 03 and 07 train, as a command for a queue.

``python -m atomwork.train detector|atomgan --out-dir DIR [--devices N] [--nodes N] [-p NAME=VALUE ...]``. Called again it goes
on from ``last.ckpt`` of its folder. The notebook makes the weight of what was trained, with its curves, when it is run with
``resume_from=DIR/last.ckpt`` and ``out_dir=DIR``.
"""

import argparse
import inspect
import sys
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
from filelock import FileLock

from atomwork import parameters, weights
from atomwork.analysis import teaching
from atomwork.models import training, unpaired
from atomwork.models.atomgan import AtomGAN
from atomwork.models.detector import AtomIDNet
from atomwork.models.networks.translation import SIZES
from atomwork.simulation import datasets, stores


def detector(
    out_dir,
    *,
    max_steps=10_000,
    steps_per_epoch=500,
    validation_batches=10,
    batch_size=16,
    dataset="simulated",
    workers=1,
    seed=1,
    **processes,
):
    """Train AtomID-Net, see notebook 03; ``batch_size`` images a step are shared by all, ``workers`` draw beside each process.

    Returns
    -------
    DataFrame : see `training.train`
    """
    if dataset not in datasets.RECIPES:
        raise ValueError(f"dataset={dataset!r} is no recipe of images; choose from {', '.join(sorted(datasets.RECIPES))}.")
    pl.seed_everything(seed, verbose=False)
    model = AtomIDNet(max_steps=max_steps)
    schedule = {"max_steps": max_steps, "steps_per_epoch": steps_per_epoch, "validation_batches": validation_batches}
    images = {"recipe": datasets.RECIPES[dataset], "batch_size": batch_size, "workers": workers, "seed": seed}
    return training.train(model, out_dir, **schedule, **images, **processes)


def atomgan(
    out_dir,
    *,
    dataset,
    max_steps=5000,
    steps_per_epoch=200,
    lessons=4000,
    n_images=600,
    held_back=48,
    validation_batches=4,
    batch_size=8,
    start="compact",
    taught="columns",
    seed=1,
    **processes,
):
    """Train AtomGAN, see notebook 07, on a data set that its recipe made.

    Returns
    -------
    DataFrame : see `training.fit`
    """
    training.check_shared(batch_size, processes["devices"] * processes["nodes"])
    pl.seed_everything(seed, verbose=False)
    planned = {"max_steps": max_steps, "lessons": lessons if taught else 0, "seed": seed}
    model = AtomGAN.from_weights(*weights.load(start), **planned) if start not in SIZES else AtomGAN(size=start, **planned)
    teach = taught and partial(teaching.marks, path=out_dir / "marks.npz", model=taught)
    with FileLock(out_dir / "marks.lock"):  # one process finds what is taught, the others read it
        learned, unseen = unpaired.split(stores.load(dataset), n_images, held_back, teach=teach)
    every = {"max_steps": max_steps, "steps_per_epoch": steps_per_epoch, "seed": seed, "batch_size": batch_size}
    stream = unpaired.UnpairedStream(learned, unseen, side=model.side, validation_batches=validation_batches, **every)
    return training.fit(model, stream, out_dir, **processes)


MODELS = {"detector": detector, "atomgan": atomgan}


def check(model, given):
    """Refuse parameters that a training doesn't have, or lacks."""
    taken = {p.name: p for p in inspect.signature(MODELS[model]).parameters.values() if p.kind is p.KEYWORD_ONLY}
    parameters.refuse(model, given, taken)
    missing = [name for name, p in taken.items() if p.default is p.empty and name not in given]
    if missing:
        raise ValueError(f"{model} needs {missing[0]}; give -p {missing[0]}=VALUE.")


def main(arguments=None):
    """Train from the command line, as Slurm's ``srun`` starts it once for every process."""
    parser = argparse.ArgumentParser(prog="python -m atomwork.train", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--out-dir", required=True, type=Path)
    parser.add_argument("--devices", type=int, default=1, help="GPUs of a node, or processes on its CPU")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="as of the notebook")
    options = parser.parse_args(arguments)
    last = options.out_dir / "last.ckpt"
    processes = {"devices": options.devices, "nodes": options.nodes, "resume_from": last if last.is_file() else None}
    try:
        given = parameters.of_pairs(options.parameter)
        check(options.model, given)
        options.out_dir.mkdir(parents=True, exist_ok=True)
        metrics = MODELS[options.model](options.out_dir, **given, **processes)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(metrics.filter(like="val_").dropna(how="all").tail(1).to_string(index=False))


if __name__ == "__main__":
    main()
