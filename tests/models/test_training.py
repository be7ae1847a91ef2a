"""Training in several processes: they share every batch, and their scores are those of one."""

import subprocess
import sys

import pytest
import torch

from atomwork.models import training

SCRIPT = """
import sys
import pytorch_lightning as pl, torch
from atomwork.models.detector import AtomIDNet
from atomwork.models.training import train
from atomwork.simulation.batches import Recipe

out, devices = sys.argv[1], int(sys.argv[2])
pl.seed_everything(3)
net = AtomIDNet(widths=(8, 12, 16, 24), max_steps=4)
how = {"batch_size": 4, "steps_per_epoch": 2, "workers": 0, "validation_batches": 3, "progress": False}
train(net, out, recipe=Recipe(size=64), max_steps=4, devices=devices, **how)
torch.save(dict(net.network.named_parameters()), f"{out}/rank{net.global_rank}.pt")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of the same run in one process and in two."""
    folder = tmp_path_factory.mktemp("runs")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    for devices in (1, 2):
        (folder / str(devices)).mkdir()
        command = [sys.executable, "-W", "ignore", script, folder / str(devices), str(devices)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def test_processes_that_share_a_batch_end_with_the_same_weights(runs):
    first, second = (torch.load(runs / "2" / f"rank{rank}.pt") for rank in (0, 1))
    alone = torch.load(runs / "1" / "rank0.pt")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], alone[name]) for name in first)  # half as many images of either seed


def test_scores_of_several_processes_are_those_of_all_validation_images(runs):
    one, two = (training.read_metrics(runs / devices).iloc[0] for devices in ("1", "2"))
    for score in ("val_map", "val_spacing", "val_dark", "val_f1"):
        assert two[score] == pytest.approx(one[score], rel=1e-4), score


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("workers", "left"), [(0, 2), (1, 1), (5, 1)])
def test_workers_have_cores_of_their_own_while_they_draw(workers, left, two_threads):
    def interrupted():  # as by the notebook's stop button
        with training.cores_left_by(workers):
            seen.append(torch.get_num_threads())
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen == [left]
    assert torch.get_num_threads() == 2


def test_a_batch_that_can_not_be_shared_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a batch of 16 images can't be shared by 3 devices; give a multiple of 3\."):
        training.train(None, tmp_path, max_steps=1, devices=3)
