"""Segmentation: whatever the image's size and magnification, what the network draws is read back on the image's own pixels."""

from functools import partial

import numpy as np
import pytest
import torch

from atomwork import weights
from atomwork.analysis import defect_scores, drawings, segmentation
from atomwork.models import unpaired
from atomwork.models.atomgan import AtomGAN
from atomwork.models.cyclegan import CycleGAN
from atomwork.simulation.drawing import DEFECT_LEVEL
from tests.analysis.test_drawings import drawn


class Copy:
    """A network that undoes what was done to grey levels, and else draws what it sees."""

    def __init__(self, levels):
        self.offset, self.spread = np.median(levels), unpaired.SPREAD * levels.std()

    def as_drawing(self, image, vectors):
        assert image.shape[2] % 8 == image.shape[3] % 8 == 0
        assert len(vectors) == len(image)
        return (image * self.spread + self.offset) * (unpaired.DRAWN / DEFECT_LEVEL)


@pytest.mark.parametrize("tile", [512, 96])
def test_what_is_drawn_is_read_on_the_images_pixels(tile, monkeypatch):
    levels, view, truth = drawn(4, 5)
    monkeypatch.setattr(segmentation, "TILE", tile)
    monkeypatch.setattr(segmentation, "network", lambda _: Copy(levels))
    monkeypatch.setattr(unpaired, "BRIGHTEST", 100.0)
    found = segmentation.segment(levels[:, :230])
    kept = truth.points[truth.points[:, 1] < 225]
    scores = defect_scores.scored(found, defect_scores.Truth(truth.columns, kept, truth.front))
    assert found.shape == (256, 230)
    assert found.spacing == pytest.approx(drawings.SPACING / view.pixel_size, rel=0.02)
    assert scores.hits == len(kept)
    assert scores.false <= 1  # one that is cut by the edge
    assert scores.front_rms < 0.3


@pytest.mark.parametrize("make", [lambda: AtomGAN(size="compact"), lambda: CycleGAN(width=4, blocks=1)])
def test_weights_of_either_network_are_known_by_their_settings(make, tmp_path):
    """The network that draws is the one that was saved, of whichever kind."""
    path, model = tmp_path / "w.safetensors", make().eval()
    weights.save(path, *model.to_weights())
    levels = drawn(4, 5)[0]
    image, vectors = torch.rand(1, 1, 64, 64), torch.tensor([[[10.0, 0], [0, 10]]])
    with torch.inference_mode():
        assert torch.allclose(segmentation.network(path).as_drawing(image, vectors), model.as_drawing(image, vectors))
    assert segmentation.drawn(levels, path)[0].max() <= 255 * unpaired.BRIGHTEST / unpaired.DRAWN


def test_a_mirror_image_is_drawn_as_the_mirrored_drawing():
    torch.manual_seed(3)
    net = AtomGAN(size="compact").eval()
    image, vectors, mirror = torch.rand(1, 1, 64, 80), torch.tensor([[[10.0, 1], [4, 9]]]), torch.tensor([1.0, -1.0])

    def alike(draw):
        return torch.allclose(draw(image.flip(3), vectors * mirror), draw(image, vectors).flip(3), atol=1e-4)

    assert alike(partial(segmentation.with_mirrored, net.as_drawing))
    assert not alike(partial(segmentation.by_tiles, net.as_drawing))


def test_a_weight_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"model='atomid' is a weight of neither AtomGAN nor CycleGAN; .* notebook 07"):
        segmentation.network("atomid")


def test_tiles_cover_an_image_once(monkeypatch):
    monkeypatch.setattr(segmentation, "TILE", 128)
    image = torch.rand(1, 1, 304, 224)
    net = Copy(np.zeros(4))
    net.spread, net.offset = DEFECT_LEVEL / unpaired.DRAWN, 0.0
    assert torch.allclose(segmentation.by_tiles(net.as_drawing, image, torch.zeros(1, 2, 2)), image, atol=1e-6)
