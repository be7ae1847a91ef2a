"""Training from the command line, as Slurm starts it: two processes of two nodes, which are both this machine."""

import os
import subprocess
import sys

import pytest

from atomwork import train
from atomwork.models.training import read_metrics
from atomwork.simulation import stores
from atomwork.simulation.recipes import atomgan
from tests.ports import free_port

DETECTOR = [
    "-p",
    "max_steps=8",
    "-p",
    "steps_per_epoch=4",
    "-p",
    "batch_size=8",
    "-p",
    "validation_batches=2",
    "-p",
    "workers=0",
]
ATOMGAN = [
    "-p",
    "max_steps=4",
    "-p",
    "steps_per_epoch=2",
    "-p",
    "batch_size=2",
    "-p",
    "validation_batches=2",
    "-p",
    "lessons=2",
]


def started(nodes, *arguments):
    """The command in a process for every node, with what Slurm would tell it."""
    slurm = {"SLURM_NTASKS": str(nodes), "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "atomid", "SLURM_JOB_ID": "7"}
    slurm |= {"SLURM_NODELIST": "localhost", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "SLURM_LOCALID": "0"}
    command = [sys.executable, "-W", "ignore", "-m", "atomwork.train", *map(str, arguments), "--nodes", str(nodes)]
    for node in range(nodes):
        own = {"SLURM_PROCID": str(node), "SLURM_NODEID": str(node), "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **slurm, **own} if nodes > 1 else {**os.environ, "OMP_NUM_THREADS": "1"}
        yield subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def trained(nodes, *arguments):
    """The same, to its end: the metrics of the run."""
    for process in list(started(nodes, *arguments)):
        said = process.communicate(timeout=600)
        assert process.returncode == 0, said[1]
    return read_metrics(arguments[arguments.index("--out-dir") + 1])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("heaps") / "heaps.zarr"
    stores.write(atomgan.dataset(8), path, seed=5, progress=False)
    return path


def test_two_nodes_score_and_learn_as_one(tmp_path):
    """The untrained network scores the same; trained on as many images, within what another seed changes."""
    one, other, two = (
        trained(nodes, "detector", "--out-dir", tmp_path / name, *DETECTOR, "-p", f"seed={seed}")
        for name, nodes, seed in (("one", 1, 1), ("other", 1, 2), ("two", 2, 1))
    )
    for score in ("val_map", "val_spacing", "val_f1"):
        assert two[score].dropna().iloc[0] == pytest.approx(one[score].dropna().iloc[0], rel=1e-3), score
    alone, seeds, shared = (table["val_map"].dropna().iloc[-1] for table in (one, other, two))
    assert abs(shared - alone) < 2 * abs(seeds - alone) + 0.02 * alone


def test_atomgan_on_two_nodes(tmp_path, store):
    how = [*ATOMGAN, "-p", f"dataset={store}", "-p", "n_images=4", "-p", "held_back=2"]
    one, two = (trained(nodes, "atomgan", "--out-dir", tmp_path / str(nodes), *how) for nodes in (1, 2))
    for score in ("val_cycle", "val_odd"):
        first, second = (table[score].dropna() for table in (one, two))
        assert second.iloc[0] == pytest.approx(first.iloc[0], rel=1e-3), score
        assert second.iloc[-1] == pytest.approx(first.iloc[-1], rel=0.2), score


def test_called_again_it_goes_on(tmp_path):
    first = trained(1, "detector", "--out-dir", tmp_path, *DETECTOR)
    assert first["step"].max() == 7
    again = trained(1, "detector", "--out-dir", tmp_path, *DETECTOR)
    assert len(again) == len(first)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["detector", "-p", "max_stps=3"], "detector has no parameter 'max_stps'; it takes batch_size, dataset"),
        (["atomgan"], "atomgan needs dataset; give -p dataset=VALUE."),
        (["detector", "--devices", "3"], "a batch of 16 images can't be shared by 3 devices; give a multiple of 3."),
        (["atomgan", "-p", "dataset=none.zarr"], "none.zarr"),
        (["detector", "-p", "dataset=unknown"], "dataset='unknown' is no recipe of images; choose from crystals"),
    ],
)
def test_what_is_wrong_has_its_sentence(tmp_path, arguments, sentence):
    with pytest.raises(SystemExit) as stopped:
        train.main([*arguments, "--out-dir", str(tmp_path / "out")])
    assert str(stopped.value).startswith("error: ")
    assert sentence in str(stopped.value)
