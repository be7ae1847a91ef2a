"""AtomGAN and CycleGAN: published sizes, laws of their losses, exact resume, and a stop at losses that are no numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from atomwork import weights
from atomwork.models import cyclegan, training
from atomwork.models.adversarial import KEPT, Unpaired, judged, moved, steepness
from atomwork.models.atomgan import BRIGHTEST_ATOM, PUBLISHED, AtomGAN, unlike_marks
from atomwork.models.cyclegan import CycleGAN
from atomwork.models.networks import translation
from atomwork.models.networks.resnet import PatchDiscriminator, ResNetGenerator
from atomwork.models.stages import Stages

TINY = translation.Size((8, 12, 16), field=16, code=4, bridged=True, unrepeated=True)
SQUARE = torch.tensor([[6.0, 0.0], [0.0, 6.0]])  # px, a lattice


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(translation.SIZES, "tiny", TINY)


def gan(**settings):
    pl.seed_everything(5, verbose=False)
    return AtomGAN(size="tiny", **settings)


def rival(**settings):
    pl.seed_everything(5, verbose=False)
    return CycleGAN(width=4, blocks=1, **settings)


def with_lattices(image):
    """A batch of images (K, B, 1, H, W), all of one lattice."""
    return Unpaired(image, SQUARE.expand(*image.shape[:2], 2, 2))


class Dots(Dataset):
    """Images of bright dots on a dark ground and drawings of dark ones, other places in either; batch k is always the same."""

    def __init__(self, batches, domains=2, size=32):
        self.batches, self.domains, self.size = batches, domains, size

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(self.batches[index])
        dots = (torch.rand(self.domains, 2, 1, self.size, self.size, generator=rng) > 0.97).float()
        dots = F.avg_pool2d(dots.flatten(0, 1), 5, 1, 2).unflatten(0, (self.domains, 2)) * 12
        return with_lattices(dots * torch.linspace(1, -1, self.domains)[:, None, None, None, None])


def unchanged(batch):
    return batch


class Stream(pl.LightningDataModule):
    """Two batches an epoch, each seen once."""

    def __init__(self, change=unchanged):
        super().__init__()
        self.change = change

    def train_dataloader(self):
        first = self.trainer.global_step
        return DataLoader(list(map(self.change, Dots(range(first, first + 2)))), batch_size=None)


def trained(model, folder, steps, change=unchanged, **resume):
    """The losses of every step of a run."""
    losses = []

    class Recorder(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            losses.append({name: value.item() for name, value in trainer.callback_metrics.items()})

    keeper = pl.callbacks.ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=steps, reload_dataloaders_every_n_epochs=1, callbacks=[Recorder(), keeper], **quiet
    )
    trainer.fit(model, Stream(change), weights_only=True, **resume)
    assert trainer.global_step == steps
    return losses


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_size_has_the_papers_parameters():
    with torch.device("meta"):
        model = AtomGAN(**PUBLISHED)
    # StarGAN v2 of codes of 32 without its mapping network has 75.35 million for colours; grey levels need some thousand fewer
    assert count(model.drawing) + count(model.judging) == pytest.approx(75.35e6, abs=1e4)


def test_cyclegan_has_the_published_size():
    with torch.device("meta"):
        sizes = count(ResNetGenerator()), count(PatchDiscriminator())
    colours = 2 * 49 * 64 + 2 * (49 * 64 + 1), 2 * 16 * 64  # what three channels need beyond one
    assert sizes[0] + colours[0] == pytest.approx(11.378e6, abs=1e3)  # the authors' code prints 11.378 M and 2.765 M
    assert sizes[1] + colours[1] == pytest.approx(2.765e6, abs=1e3)


def test_the_compact_generator_fits_in_sixteen_megabytes(tmp_path):
    weights.save(tmp_path / "w.safetensors", *AtomGAN().to_weights())
    assert (tmp_path / "w.safetensors").stat().st_size < 16e6


@pytest.mark.parametrize("size", ["tiny", "compact"])
def test_a_drawing_has_the_shape_of_its_image(size):
    model = AtomGAN(size=size).eval()
    field = translation.SIZES[size].field
    with torch.inference_mode():
        code = model.code(torch.randn(1, 1, field, field), SQUARE[None], "drawing")
        drawn = model(torch.randn(3, 1, field, 2 * field), SQUARE.expand(3, 2, 2), code)
    assert drawn.shape == (3, 1, field, 2 * field)


def test_the_code_sets_mean_and_deviation(torch_rng):
    norm = translation.AdaptiveNorm(3, 4)
    code, features = torch.randn(2, 4, generator=torch_rng), 5 + 3 * torch.randn(2, 3, 64, 64, generator=torch_rng)
    gamma, beta = norm.linear(code).chunk(2, 1)
    made = norm(features, code)
    assert torch.allclose(made.mean((2, 3)), beta, atol=1e-4)
    assert torch.allclose(made.std((2, 3)), (1 + gamma).abs(), rtol=1e-3)


def test_an_empty_image_has_no_border(torch_rng):
    net = translation.Generator(TINY)
    drawn = net(torch.full((1, TINY.seen, 32, 32), 0.3), torch.randn(1, TINY.code, generator=torch_rng))
    assert drawn.std() < 1e-3  # convolutions that pad with zeros draw a frame


@pytest.mark.parametrize(("make", "batch"), [(gan, (2, 2)), (lambda: gan(domains=("a", "b", "c")), (3, 2)), (rival, (2, 2))])
def test_gradient_reaches_every_parameter_of_its_own_party_alone(make, batch, torch_rng):
    model = make()
    images = with_lattices(torch.randn(*batch, 1, 32, 32, generator=torch_rng))
    made = model.draw(images, torch_rng)
    sum(model.judges_losses(images, made).values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in model.judging.named_parameters() if reached(name))
    assert all(p.grad is None for p in model.drawing.parameters())
    sum(model.drawers_losses(images, made, torch_rng).values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in model.drawing.named_parameters() if reached(name))


def reached(name):
    """Whether a parameter can matter: an offset before an instance normalisation can't, whichever party it is of."""
    return not name.endswith("bias")


@pytest.mark.parametrize("domains", [2, 3, 5])
def test_every_image_is_drawn_into_another_domain(domains, torch_rng):
    model = gan(domains=[str(k) for k in range(domains)])
    images, seen = with_lattices(torch.randn(domains, 2, 1, 16, 16, generator=torch_rng)), set()
    for _ in range(12 * domains):
        own, wanted, *_ = model.draw(images, torch_rng)
        assert (own != wanted).all()
        assert sorted(wanted.tolist()) == sorted(own.tolist())  # every domain is drawn into as often
        seen |= set(zip(own.tolist(), wanted.tolist(), strict=True))
    assert len(seen) == domains * (domains - 1)


def test_the_code_is_of_an_image_of_the_wanted_domain(torch_rng):
    model = gan(domains=("a", "b", "c"))
    images = with_lattices(torch.randn(3, 1, 1, 16, 16, generator=torch_rng))
    made = model.draw(images, torch_rng)
    for k, domain in enumerate(made.wanted):
        assert torch.allclose(
            made.code[k],
            model.drawing["encoder"](model.seen(images.image[domain], SQUARE[None]), made.wanted[k : k + 1])[0],
            atol=1e-5,
        )


@pytest.mark.parametrize("kind", ["logistic", "least squares"])
def test_losses_are_least_where_the_judge_is_right(kind):
    sure = torch.full((4,), 30.0) if kind == "logistic" else torch.ones(4)
    doubt = torch.zeros(4) if kind == "logistic" else torch.full((4,), 0.5)
    wrong = -sure if kind == "logistic" else torch.zeros(4)
    assert judged(sure, True, kind) == pytest.approx(0, abs=1e-6)
    assert judged(sure, True, kind) < judged(doubt, True, kind) < judged(wrong, True, kind)
    assert judged(wrong, False, kind) < judged(doubt, False, kind) < judged(sure, False, kind)
    expected = math.log(2) if kind == "logistic" else 0.25
    assert judged(doubt, True, kind).item() == pytest.approx(expected)


def test_the_steepness_of_a_linear_judge_is_half_its_squared_weight(torch_rng):
    weight = torch.randn(1, 5, 5, generator=torch_rng)
    image = torch.randn(3, 1, 5, 5, generator=torch_rng, requires_grad=True)
    value = steepness((weight * image).sum((1, 2, 3)), image)
    assert value.item() == pytest.approx(0.5 * weight.square().sum().item(), rel=1e-5)


def test_noise_hides_the_way_back(torch_rng):
    model = gan(hiding=0.0, recorded=())
    images = with_lattices(torch.randn(2, 2, 1, 16, 16, generator=torch_rng))

    def cycle(hiding):
        model.hparams.hiding = hiding
        losses = model.drawers_losses(images, made, torch.Generator().manual_seed(1))
        return losses["cycle"].item()

    made = model.draw(images, torch_rng)
    assert cycle(0.0) == cycle(0.0) != pytest.approx(cycle(0.5), rel=1e-3)


def test_a_texture_is_no_way_back():
    """A checkerboard, of the highest frequency that pixels have, is far below the noise; what is as wide as columns stays."""
    model = gan(hiding=0.15)
    parity = torch.arange(32)[:, None] + torch.arange(32)
    column = torch.exp(-0.5 * (torch.hypot(torch.arange(32)[:, None] - 15.0, torch.arange(32) - 15.0) / 2) ** 2)

    def kept(pattern):
        drawn, vectors = pattern.expand(2, 1, 32, 32), SQUARE.expand(2, 2, 2)
        parts = [model.seen(image, vectors) for image in (drawn, torch.zeros(2, 1, 32, 32))]
        marked, noise = (model.hidden(part, vectors, torch.Generator().manual_seed(1))[:, :1] for part in parts)
        return ((marked - noise) * pattern).sum() / (drawn * pattern).sum()

    assert kept(torch.where(parity % 2 == 0, 1.0, -1.0)) < 0.15
    assert kept(column) > 0.8


def test_what_is_drawn_as_a_recorded_domain_has_the_noise_of_its_reference(torch_rng):
    model, without = gan(), gan(recorded=())
    drawings = torch.zeros(4, 1, 32, 32)
    images = 0.4 * torch.randn(4, 1, 32, 32, generator=torch_rng)
    batch = with_lattices(torch.stack([images, drawings]))
    drawn, clean = (m.draw(batch, torch.Generator().manual_seed(3)).drawn[:, :1] for m in (model, without))
    noise = drawn - clean  # domain 0 is drawn as domain 1 and the other way round
    assert noise[:4].abs().max() == 0
    assert noise[4:].std().item() == pytest.approx(0.4, rel=0.15)


def marked(batch):
    """A batch of dots with drawings of its images as marks, those of the other sign; of the last image nothing is known."""
    marks = -batch.image.clamp(max=0.5) + 0.5
    marks[0, -1], marks[1] = math.nan, math.nan
    return batch._replace(marks=marks)


def test_drawings_are_taught_their_marks_and_nothing_else():
    """Any atoms may be drawn where nothing is marked; images, and drawings of images of which nothing is known, are free."""
    marks = torch.zeros(2, 1, 16, 16)
    marks[0, :, 4:7], marks[0, :, 10:] = 1.0, -0.01
    marks[1] = math.nan
    right = torch.where(marks[:1] > 0, 1.0, 0.5)

    def unlike(first, second=right, above=BRIGHTEST_ATOM):
        return unlike_marks(torch.cat([first, second]), marks, above).item()

    assert unlike(right) == unlike(right, -right) == 0
    assert unlike(torch.full_like(right, 0.5)) > 0.01  # a mark is missed
    assert unlike(torch.ones_like(right)) > 0.01  # all is marked
    exact = torch.where(marks[:1] < 0, 0.5, marks[:1])  # any atoms where these are not known
    assert unlike(exact, above=-0.001) == 0
    assert unlike(right, above=-0.001) > 0.01


def test_only_drawings_of_marked_images_are_judged_by_marks(torch_rng):
    model, batch = gan(), marked(Dots([3])[0])
    made = model.draw(batch, torch_rng)
    assert made.wanted.tolist() == [1, 1, 0, 0]

    def taught(index, level):
        drawn = made.drawn.clone()
        drawn[index, 0] = level
        return model.drawers_losses(batch, made._replace(drawn=drawn), torch_rng)["taught"].item()

    assert taught(0, -3.0) != taught(0, 3.0)
    assert taught(1, -3.0) == taught(1, 3.0) == taught(2, 3.0) == taught(3, 3.0)  # not known; images


def test_columns_that_stay_have_not_moved_whatever_their_contrast(torch_rng):
    image = Dots([3])[0].image[0]
    assert moved(0.2 * image + 3, image) == 0
    assert moved(-image, image).item() == pytest.approx(KEPT + 1, abs=1e-5)
    assert moved(image.roll(8, 3), image) > 0.3 * KEPT
    batch, model = Dots([3])[0], gan(kept_weight=2.0)
    made = model.draw(batch, torch_rng)
    of_itself = made._replace(drawn=made.source)
    assert model.drawers_losses(batch, of_itself, torch_rng)["kept"] == 0
    assert model.drawers_losses(batch, of_itself._replace(drawn=-made.source), torch_rng)["kept"] > 2


def test_lessons_come_first_and_leave_the_judges_as_they_are(tmp_path):
    """Marks alone are learned from, there and back, and the rate ends at zero; then all take part."""
    model = gan(lessons=60, lesson_rate=3e-3)
    before = {name: tensor.clone() for name, tensor in model.judging.state_dict().items()}
    losses = trained(model, tmp_path, 60, change=marked)
    assert losses[0].keys() == {"train_taught", "train_cycle", "train_odd"}
    for name in ("train_taught", "train_cycle"):
        assert np.mean([loss[name] for loss in losses[-10:]]) < 0.5 * np.mean([loss[name] for loss in losses[:10]])
    assert model.optimizers()[-1].param_groups[0]["lr"] < 1e-5
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.judging.state_dict().items())
    last = tmp_path / "last.ckpt"
    later = trained(gan(lessons=60), tmp_path, 62, change=marked, ckpt_path=last)
    assert {"train_taught", "train_real", "train_deceiving"} < later[-1].keys()


def test_networks_that_see_grey_levels_alone_learn_with_the_same_settings(tmp_path, monkeypatch):
    """As the paper's do: a lesson and a step with judges, with no loss of what they don't see."""
    monkeypatch.setitem(translation.SIZES, "tiny", replace(TINY, unrepeated=False))
    losses = trained(gan(lessons=1), tmp_path, 2, change=marked)
    assert losses[0].keys() == {"train_taught", "train_cycle"}
    assert "train_real" in losses[1]
    assert "train_odd" not in losses[1]


def test_without_marks_lessons_teach_to_leave_images_as_they_are(tmp_path):
    model, batch = gan(lessons=80, lesson_rate=3e-3, hiding=0.05, averaging=0.9), Dots([900])[0]

    def copied():
        """Correlation of images with what is drawn of them to look as they do, of either domain."""
        parts = zip(batch.image, batch.vectors, model.codes_of(batch), strict=True)
        return [np.corrcoef(part[0].flatten(), model(*part).detach().flatten())[0, 1] for part in parts]

    assert max(copied()) < 0.5
    losses = trained(model, tmp_path, 80)
    assert all(loss.keys() == {"train_cycle", "train_odd"} for loss in losses)
    assert min(copied()) > 0.75


@pytest.mark.parametrize("done", [1, 3, 9, 50, 99])
def test_the_rate_of_lessons_rises_and_falls(done):
    model = gan(lessons=100)
    rates = [model.share_of_rate(step) for step in (done - 1, done, done + 1)]
    assert 0 <= min(rates) <= max(rates) <= 1
    assert (rates[1] > rates[0]) == (done < 10)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="adversarial='hinge' is no loss of ours; choose from logistic, least squares"):
        judged(torch.zeros(3), True, "hinge")


@pytest.mark.parametrize(("make", "change"), [
    (gan, unchanged),
    (rival, unchanged),
    (lambda: gan(r1=0.1, adversarial="logistic"), unchanged),
    (lambda: gan(lessons=6), marked),  # killed in a lesson
    (lambda: gan(lessons=2), marked),
    (lambda: gan(lessons=6), unchanged),
])  # fmt: skip
def test_a_killed_run_resumes_to_the_same_losses(make, change, tmp_path, monkeypatch):
    monkeypatch.setattr(cyclegan, "REMEMBERED", 3)  # full before the run is killed
    whole = trained(make(), tmp_path / "whole", 8, change)
    trained(make(), tmp_path / "killed", 4, change)
    rest = trained(make(), tmp_path / "killed", 8, change, ckpt_path=tmp_path / "killed" / "last.ckpt")
    assert len(rest) == 4
    for expected, losses in zip(whole[4:], rest, strict=True):
        assert losses == pytest.approx(expected, rel=1e-5)
    assert whole[4] != pytest.approx(whole[5], rel=1e-5)


@pytest.mark.parametrize("make", [gan, rival])
def test_training_writes_curves_and_goes_on_after_a_kill(make, tmp_path):
    """As users train: one call, validation on other images, and the same curves if the run was killed on the way."""

    def stream(steps):
        module = Stream()
        module.max_steps, module.steps_per_epoch = steps, 2
        module.val_dataloader = lambda: DataLoader(Dots([10**6, 10**6 + 1]), batch_size=None)
        return module

    pictures = Stages(tmp_path / "whole", Dots([7])[0], 4, count=2)
    whole = training.fit(make(), stream(4), tmp_path / "whole", callbacks=[pictures], progress=False)
    assert [drawn.shape for drawn in pictures.read().values()] == [(2, 2, 1, 32, 32)] * 2
    assert not np.array_equal(*pictures.read().values())
    training.fit(make(), stream(2), tmp_path / "killed", progress=False)
    last = tmp_path / "killed" / "last.ckpt"
    resumed = training.fit(make(), stream(4), tmp_path / "killed", resume_from=last, progress=False)
    losses = [name for name in whole.columns if name.startswith("val_")]
    assert len(losses) >= 3
    assert resumed[losses].iloc[-1].to_numpy() == pytest.approx(whole[losses].iloc[-1].to_numpy(), rel=1e-5)
    assert whole[losses].iloc[-1].to_numpy() != pytest.approx(whole[losses].iloc[0].to_numpy(), rel=1e-5)


@pytest.mark.parametrize("make", [gan, rival])
def test_losses_that_are_no_numbers_stop_the_training(make, tmp_path):
    model = make()
    with torch.no_grad():
        next(model.judging.parameters()).fill_(math.nan)
    before = {name: value.clone() for name, value in model.drawing.state_dict().items()}
    with pytest.raises(FloatingPointError, match=r"the loss '.*' is nan at step 0 with learning_rate=.*lower learning_rate"):
        trained(model, tmp_path, 2)
    assert all(torch.equal(value, model.drawing.state_dict()[name]) for name, value in before.items())


def test_dots_learn_the_sign_of_the_other_domain(tmp_path):
    model = gan(learning_rate=2e-3, averaging=0.9, recorded=(), odd_weight=0.0, hiding=0.0, r1=0.0)
    trained(model, tmp_path, 160)
    images = Dots([1_000_000])[0]
    image, lattice = images.image[0], images.vectors[0]
    with torch.inference_mode():
        drawn = model.eval()(image, lattice, model.code(images.image[1], lattice, "drawing"))
    assert drawn.mean() < 0 < image.mean()
    assert torch.corrcoef(torch.stack([drawn.flatten(), image.flatten()]))[0, 1] < -0.5


def test_weights_survive_the_file(tmp_path, torch_rng):
    image = torch.randn(1, 1, 32, 32, generator=torch_rng)
    for model, asked in ((gan(), (image, SQUARE[None], torch.randn(1, 4, generator=torch_rng))), (rival(), (image, "drawing"))):
        weights.save(tmp_path / "w.safetensors", *model.to_weights())
        again = type(model).from_weights(*weights.read(tmp_path / "w.safetensors")).eval()
        with torch.inference_mode():
            assert torch.equal(model.eval()(*asked), again(*asked))


def test_codes_are_the_means_of_their_domains_and_survive_the_file(tmp_path, torch_rng):
    model = gan()
    batches = [with_lattices(torch.randn(2, 3, 1, 16, 16, generator=torch_rng)) for _ in range(2)]
    model.learn_codes(batches)
    images = torch.cat([batch.image[1] for batch in batches])
    with torch.inference_mode():
        expected = model.code(images, SQUARE.expand(6, 2, 2), "drawing").mean(0)
    assert torch.allclose(model.codes[1], expected, atol=1e-5)
    weights.save(tmp_path / "w.safetensors", *model.to_weights())
    again = AtomGAN.from_weights(*weights.read(tmp_path / "w.safetensors"), max_steps=7)
    assert again.hparams.max_steps == 7
    assert torch.equal(again.codes, model.codes)


def test_unknown_domains_are_refused():
    with pytest.raises(ValueError, match=r"domain='strain' is none of this model's; choose from image, drawing\."):
        gan().domain("strain")
    with pytest.raises(ValueError, match="domain='strain'"):
        rival()(torch.zeros(1, 1, 16, 16), "strain")
    with pytest.raises(ValueError, match=r"domains=\('image',\) are 1; name at least 2\."):
        gan(domains=("image",))
