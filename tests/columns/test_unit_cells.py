"""Unit cells of trigonal crystals: their centres by construction, whatever the contrast and the direction."""

import numpy as np
import pytest

from atomwork.columns import bragg, unit_cells
from atomwork.columns.bragg import Lattice

VECTORS = np.array([[0.0, 14.0], [14 * np.sqrt(3) / 2, 7.0]])  # px, 60° apart
CORNER = np.array([5.3, 2.9])


def honeycomb(heights, shape=(160, 150)):
    """Spots of the given heights at the three centres of each cell of `VECTORS`: (H, W) array, and a threefold centre."""
    y, x = np.indices(shape)
    image = np.zeros(shape)
    first, second = np.linalg.inv(VECTORS).T
    for height, centre in zip(heights, unit_cells.CENTRES, strict=True):
        place = CORNER + centre @ VECTORS
        for g in (first, second, first + second):
            image += height * np.cos(2 * np.pi * (g[0] * (y - place[0]) + g[1] * (x - place[1])))
    return image


def off_centre(place):
    """Distance of a place (2,) from the nearest threefold centre of the honeycomb [px]."""
    steps = (place - CORNER) @ np.linalg.inv(VECTORS) - unit_cells.CENTRES
    return np.hypot(*((steps - np.rint(steps)) @ VECTORS).T).min()


@pytest.mark.parametrize("heights", [(3, 1, 0), (-3, -1, 0), (1, 1, -2), (0.2, 1, 0.7)])
def test_corners_are_threefold_centres_at_any_contrast(heights, rng):
    image = honeycomb(heights) + 0.1 * rng.normal(size=(160, 150))
    turns = ((np.array, np.array), (np.transpose, np.flip), (np.flipud, lambda place: np.array([159, 0]) + [-1, 1] * place))
    for turn, back in turns:
        turned = turn(image)
        cells = unit_cells.find(turned, bragg.find(turned))
        assert off_centre(back(cells.corner)) < 0.15
        assert cells.spacing == pytest.approx(14 / np.sqrt(3), rel=2e-3)


def test_steps_and_places_are_inverse(rng):
    cells, steps = unit_cells.Cells(VECTORS, CORNER), rng.normal(size=(7, 2))
    assert np.allclose(cells.steps(cells.places(steps)), steps)


def test_cut_cells_are_alike_and_lie_within(rng):
    image, cells = honeycomb((3, 1, 0)), unit_cells.Cells(VECTORS, CORNER)
    pictures, corners = unit_cells.cut(image, cells)
    assert np.abs(pictures - pictures.mean(0)).max() < 0.05 * np.ptp(image)
    assert pictures[:, 0, 0].mean() == pytest.approx(pictures.mean(0).max(), rel=0.02)  # the brightest spot is at the corner
    ends = cells.places(corners[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    assert (ends >= 0).all()
    assert (ends <= np.array(image.shape) - 1).all()


def test_what_is_not_trigonal_or_too_small_is_refused():
    square = Lattice(np.array([[0.1, 0], [0, 0.1]]), np.zeros((2, 2)), 1.0)
    with pytest.raises(ValueError, match=r"sides of 10.0 and 10.0 px at 90° isn't hexagonal within 15%"):
        unit_cells.sides(square)
    with pytest.raises(ValueError, match=r"20 × 20 px holds \d whole cells of 14 px; three are needed"):
        unit_cells.cut(np.zeros((20, 20)), unit_cells.Cells(VECTORS, CORNER))


def test_upright_takes_shear_away_and_no_turn(rng):
    turn = np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    cells = unit_cells.Cells(VECTORS @ turn, CORNER)
    assert np.allclose(cells.upright, np.eye(2), atol=1e-9)
    sheared = unit_cells.Cells(VECTORS @ [[1.0, 0.06], [0.02, 0.95]], CORNER)
    first, second = sheared.vectors @ sheared.upright
    lengths = [np.linalg.norm(v) for v in (first, second, first - second)]
    assert lengths == pytest.approx([np.sqrt(3) * sheared.spacing] * 3)
