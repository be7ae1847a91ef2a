"""The image model against the closed form of a sum of Gaussians."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from atomwork.columns import fit
from atomwork.simulation import forward, particles, structures
from atomwork.simulation.views import View

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


def test_rendered_columns_lie_where_the_truth_puts_them(rng):
    specimen = particles.single_atoms("Au", 60.0, 12, closest=9.0, support_thickness=0.0, rng=rng)
    image = forward.render(specimen, pixel_size=0.25).image
    truth = specimen.columns[["y", "x"]].to_numpy() / 0.25
    truth = truth[((truth > 8) & (truth < np.array(image.shape) - 9)).all(1)]
    assert len(truth) > 4
    found = fit.refine(1e3 * image / image.max(), np.rint(truth))[["y", "x"]].to_numpy()
    assert np.abs(found - truth).max() < 0.1


@pytest.mark.parametrize("material", ["MoS2", "SrTiO3 [001]", "Si [110]"])
def test_spacings_of_an_image_are_those_of_the_cell(material):
    specimen = structures.build(material, 80.0, thickness=20.0)
    image = forward.render(specimen, pixel_size=0.2, shape=(380, 380)).image
    for axis, length in enumerate(specimen.unit.cell.lengths()[1::-1]):
        profile = image.sum(1 - axis)
        profile = (profile - profile.mean()) * np.hanning(len(profile))
        power = np.abs(np.fft.rfft(profile, 64 * len(profile)))
        peak = power.argmax() / (64 * len(profile) * 0.2)  # 1/Å
        order = round(peak * length)
        assert order >= 1
        assert order / peak == pytest.approx(length, rel=0.005)


def test_every_vacancy_is_missing_from_the_image(rng):
    specimen = structures.build("WS2", 50.0, defects={"V_W": 20}, rng=rng)
    view = View(0.15, (220, 220), (25.0, 25.0), 20.0)
    image = forward.render(specimen, **vars(view)).image
    columns, gaps = view.table(specimen.columns), view.table(specimen.defects)
    assert len(gaps) > 3
    metal = columns[columns["species"] == "W"][["y", "x"]].to_numpy()
    _, near = cKDTree(metal).query(gaps[["y", "x"]], k=6)
    for gap, neighbours in zip(gaps[["y", "x"]].to_numpy(), near, strict=True):
        at_gap = image[tuple(np.rint(gap).astype(int))]
        around = np.mean([image[tuple(np.rint(metal[k]).astype(int))] for k in neighbours])
        assert at_gap < 0.25 * around


def test_a_crystal_goes_on_across_the_sides_of_its_box():
    specimen = structures.build("MoS2", 20.0)
    centre, cell = (5.0, 7.0), specimen.unit.cell.lengths()[1::-1]
    image, moved = (
        forward.render(specimen, pixel_size=0.2, shape=(200, 200), centre=tuple(np.array(centre) + k * cell)).image
        for k in (0, 3)
    )
    assert image == pytest.approx(moved, rel=1e-3)


def test_turning_the_view_turns_the_image():
    specimen = structures.build("graphene", 30.0)
    view = {"pixel_size": 0.1, "shape": (100, 100), "centre": (15.0, 14.0)}
    upright, turned = (forward.render(specimen, angle=angle, **view).image for angle in (0.0, 90.0))
    assert turned == pytest.approx(np.rot90(upright, 1), abs=1e-3 * float(upright.max()))


def test_strengths_scale_the_image_of_their_element_alone():
    specimen = structures.build("MoS2", 20.0)
    images = [forward.render(specimen, strength=s).image for s in ({"Mo": 1, "S": 0}, {"Mo": 0, "S": 3}, {"Mo": 1, "S": 3})]
    assert images[0] + images[1] == pytest.approx(images[2], abs=1e-5)
    mean = images[2].mean() * np.prod(specimen.size)  # per unit cell: two Mo and four S
    assert mean == pytest.approx((2 * 1 + 4 * 3) * len(specimen.atoms) / 6, rel=0.01)


def test_amorphous_carbon_shows_without_being_a_column(rng):
    specimen = particles.single_atoms("Pt", 30.0, 2, closest=5.0, support_thickness=10.0, rng=rng)
    bare = particles.single_atoms("Pt", 30.0, 2, closest=5.0, support_thickness=0.0, rng=rng)
    assert len(specimen.columns) == len(bare.columns) == 2
    assert np.median(forward.render(specimen).image) > 20 * np.median(forward.render(bare).image)
