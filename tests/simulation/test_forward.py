"""The image model against the closed form of a sum of Gaussians."""

import math

import numpy as np
import pytest
import torch

from atomwork.simulation import forward

SHAPE = (64, 80)


def rendered(positions, width, ratio=1.0, angle=0.0, tail_share=0.0, tail_ratio=3.0):
    positions = torch.tensor(positions, dtype=torch.float32)
    ones, image = torch.ones(len(positions)), torch.zeros(len(positions), dtype=torch.long)
    impulses = forward.splat(positions, ones, image, 1, SHAPE)
    shape = {"ratio": ratio, "angle": angle, "tail_share": tail_share, "tail_ratio": tail_ratio}
    probe = forward.probe_transfer(SHAPE, torch.tensor([width]), **{k: torch.tensor([v]) for k, v in shape.items()})
    return forward.convolve(impulses, probe)[0].numpy()


def gaussian(y0, x0, width_y, width_x):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.exp(-0.5 * ((y - y0) / width_y) ** 2 - 0.5 * ((x - x0) / width_x) ** 2)


@pytest.mark.parametrize("width", [0.8, 1.5, 4.0])
@pytest.mark.parametrize("place", [(30.0, 40.0), (30.37, 40.5), (29.81, 41.02)])
def test_a_column_is_a_gaussian_at_its_exact_place(place, width):
    assert np.abs(rendered([place], width) - gaussian(*place, width, width)).max() < 1e-3


def test_columns_add_up():
    both = rendered([(20.3, 30.2), (31.6, 44.9)], 2.5)
    assert np.allclose(both, rendered([(20.3, 30.2)], 2.5) + rendered([(31.6, 44.9)], 2.5), atol=1e-5)


def test_an_elliptical_probe_keeps_its_two_widths():
    # ratio 2.25 at 90°: the larger width, 2·√2.25 = 3 px, along y; the smaller, 2/√2.25 = 4/3 px, along x
    image = rendered([(32.0, 40.0)], 2.0, ratio=2.25, angle=math.pi / 2)
    assert np.abs(image - gaussian(32, 40, 3, 4 / 3)).max() < 1e-3


def test_tails_move_intensity_outwards_and_keep_its_sum():
    sharp, tailed = (rendered([(32.0, 40.0)], 1.5, tail_share=share, tail_ratio=3.0) for share in (0.0, 0.4))
    assert tailed.sum() == pytest.approx(sharp.sum(), rel=1e-4) == pytest.approx(2 * math.pi * 1.5**2, rel=1e-3)
    assert tailed[32, 40] == pytest.approx(0.6 + 0.4 / 9, rel=1e-3)
    assert tailed[32, 48] > 10 * sharp[32, 48]


def test_shifting_columns_by_a_pixel_shifts_the_image():
    places = np.array([(20.3, 30.2), (31.6, 44.9)])
    assert np.allclose(np.roll(rendered(places, 2.0), (3, -5), (0, 1)), rendered(places + (3, -5), 2.0), atol=1e-4)


def test_images_of_a_batch_do_not_mix():
    positions, index = torch.tensor([[20.0, 20.0], [40.0, 50.0]]), torch.tensor([0, 2])
    batch = forward.splat(positions, torch.tensor([1.0, 5.0]), index, 3, SHAPE)
    assert batch.sum((1, 2)).tolist() == pytest.approx([1, 0, 5], rel=1e-3)
