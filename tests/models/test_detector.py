"""The laws that a model must obey before anyone trains it in earnest."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from atomwork import weights
from atomwork.models import training
from atomwork.models.detector import AtomIDNet, shift_to_published
from atomwork.models.networks.unet import pool_scale, standardise
from atomwork.simulation import batches

SMALL = (8, 12, 16, 24)


@pytest.fixture(scope="module")
def batch():
    recipe = batches.Recipe(size=64, spacing=(8.0, 16.0), dose=(50.0, 500.0))
    return batches.seeded_batch(np.random.SeedSequence(2), recipe, 8)


def model(**settings):
    pl.seed_everything(3, verbose=False)
    return AtomIDNet(widths=SMALL, max_steps=100, **settings)


def test_gradient_reaches_every_parameter(batch):
    net = model()
    net.total(net.losses(net.network, batch)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.network.parameters())


@pytest.mark.parametrize("max_steps", [5, 10, 100])
def test_the_learning_rate_rises_and_falls_in_short_runs_too(max_steps):
    net = AtomIDNet(widths=SMALL, max_steps=max_steps)
    made = net.configure_optimizers()
    schedule, rates = made["lr_scheduler"]["scheduler"], []
    for _ in range(max_steps):
        rates.append(schedule.get_last_lr()[0])
        made["optimizer"].step()
        schedule.step()
    assert 0.8 * net.hparams.learning_rate < max(rates) <= net.hparams.learning_rate
    assert rates[-1] < 0.01 * net.hparams.learning_rate


def test_it_overfits_one_batch(batch):
    net = model()
    optimizer = torch.optim.AdamW(net.network.parameters(), 5e-3)
    history = []
    for _ in range(60):
        losses = net.losses(net.network, batch)
        optimizer.zero_grad()
        net.total(losses).backward()
        optimizer.step()
        history.append(losses["map"].item())
    assert history[-1] < 0.35 * history[0]
    with torch.inference_mode():
        log_spacing, _ = pool_scale(net.network(batch.image)[1])
    shown = ~batch.spacing.isnan()
    assert (log_spacing[shown].exp() / batch.spacing[shown]).log().abs().median() < 0.1


def test_the_same_seed_gives_the_same_weights():
    first, second = (model().network.state_dict() for _ in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_the_loss_of_a_perfect_map_is_zero(batch):
    logits = torch.logit(batch.target, eps=1e-6)
    losses = model().losses(lambda image: (logits, torch.zeros(8, 3, 4, 4)), batch)
    assert losses["map"].item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 100.0), (0.01, 0.0), (1e4, -5.0)])
def test_units_and_offsets_do_not_matter(batch, gain, offset):
    assert torch.allclose(standardise(batch.image), standardise(gain * batch.image + offset), atol=2e-2)


def test_a_tile_is_seen_as_part_of_the_whole(torch_rng):
    image = torch.rand(1, 1, 512, 512, generator=torch_rng)
    whole, tile = standardise(image)[..., 128:384, 128:384], standardise(image[..., 128:384, 128:384])
    inner = slice(64, -64)
    assert torch.allclose(whole[..., inner, inner], tile[..., inner, inner], atol=0.02)


@pytest.mark.parametrize("bright", [0.0, 1e2, 1e3])
def test_a_faint_column_stands_out_of_the_noise_beside_bright_ones(torch_rng, bright):
    y, x = np.mgrid[:256, :256]
    faint = 2.5 * np.exp(-((y - 128) ** 2 + (x - 128) ** 2) / (2 * 2.0**2))
    others = sum(np.exp(-((y - 128) ** 2 + (x - x0) ** 2) / (2 * 2.0**2)) for x0 in (108, 148))
    image = torch.tensor(faint + bright * others, dtype=torch.float32) + torch.randn(256, 256, generator=torch_rng)
    seen = standardise(image[None, None])[0, 2:]
    alone = torch.randn(256, 256, generator=torch_rng)
    noise = standardise(alone[None, None])[0, 2:].std((1, 2))
    assert (seen[:, 126:131, 126:131].amax((1, 2)) > 2 * noise).all()
    assert torch.allclose(noise, torch.tensor(0.65), atol=0.15)  # log(1 + |ratio|) of a ratio of about one


def test_folding_the_normalisation_changes_nothing_but_the_shift(batch):
    net = model(map_shift=-1.5)
    for layer in net.average.modules():  # as after training, not as initialised
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(), layer.running_var.uniform_(0.5, 2)
    net.eval()
    with torch.inference_mode():
        plain, folded = net.average(batch.image), net.inference_network()(batch.image)
    assert torch.allclose(plain[0] - 1.5, folded[0], atol=1e-3)
    assert torch.allclose(plain[1], folded[1], atol=1e-3)


def test_the_shift_makes_the_best_bound_the_published_one():
    shift = shift_to_published(0.4)
    assert torch.sigmoid(torch.logit(torch.tensor(0.4)) + shift).item() == pytest.approx(0.1)


def test_weights_survive_the_file(tmp_path, batch):
    net = model(map_shift=-0.7).eval()
    weights.save(tmp_path / "w.safetensors", *net.to_weights())
    again = AtomIDNet.from_weights(*weights.read(tmp_path / "w.safetensors")).eval()
    assert again.hparams.map_shift == -0.7
    with torch.inference_mode():
        assert torch.equal(net(batch.image)[0], again(batch.image)[0])


RUN = {"recipe": batches.Recipe(size=64), "batch_size": 4, "steps_per_epoch": 3, "workers": 0, "validation_batches": 1}


@pytest.mark.parametrize("frozen", [False, True])
def test_a_training_may_keep_the_statistics_of_the_normalisation(tmp_path, frozen):
    net = model(frozen_statistics=frozen)
    before = {name: value.clone() for name, value in net.network.state_dict().items()}
    training.train(net, tmp_path, max_steps=4, progress=False, **RUN)  # validates in between
    after = net.network.state_dict()
    unmoved = {name for name in before if torch.equal(before[name], after[name])}
    statistics = {name for name in before if "running" in name}
    assert statistics
    assert unmoved & statistics == (statistics if frozen else set())
    assert "head.0.weight" not in unmoved


def test_a_killed_run_resumes_to_the_same_result(tmp_path, monkeypatch):
    def train(out_dir, **options):
        net = model()
        metrics = training.train(net, tmp_path / out_dir, max_steps=9, seed=5, progress=False, **RUN, **options)
        return net, metrics

    whole, metrics = train("whole")

    class Killed(Exception):
        pass

    def killing_step(self, batch, index, step=AtomIDNet.training_step):
        if self.global_step == 7:  # in the middle of the third epoch
            raise Killed
        return step(self, batch, index)

    with monkeypatch.context() as patched:
        patched.setattr(AtomIDNet, "training_step", killing_step)
        with pytest.raises(Killed):
            train("killed")
    kept = torch.load(tmp_path / "killed" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 6  # the last whole epoch, whether or not its score was the best
    resumed, resumed_metrics = train("killed", resume_from=tmp_path / "killed" / "last.ckpt")
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key]), key
    # the resumed run validates once more where it starts; every figure is one of the whole run's
    assert set(metrics["val_map"].dropna()) == set(resumed_metrics["val_map"].dropna())


def test_resuming_from_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="resume_from="):
        training.train(model(), tmp_path, max_steps=1, resume_from=tmp_path / "no.ckpt")


def test_resuming_beyond_the_planned_steps_is_refused(tmp_path):
    torch.save({"hyper_parameters": {"max_steps": 6}}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"max_steps=7 is beyond the 6 planned .* at most 6"):
        training.train(model(), tmp_path, max_steps=7, resume_from=tmp_path / "last.ckpt")
