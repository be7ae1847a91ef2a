"""Images of two crystals on one lattice, by construction."""

import numpy as np

from atomwork.columns import sites
from atomwork.columns.unit_cells import Cells

SHAPE, SIDE = (150, 170), 15.0
VECTORS = SIDE * np.array([[np.cos(0.2), np.sin(0.2)], [np.cos(0.2 + np.pi / 3), np.sin(0.2 + np.pi / 3)]])
CELLS = Cells(VECTORS, np.array([4.2, 7.7]))
HEIGHTS = np.array([30.0, 22.0, 14.0, 12.0, 13.0])  # of the kinds of sites; those of metals differ between the crystals


def layout():
    """The sites: metals at the cells' corners."""
    return sites.lay_out(SHAPE, CELLS, 0, 1)


def stepped(places):
    """Sides of metals beside a front with a step half-way down the image: (M,) int array."""
    along = places.metals @ VECTORS[1] / SIDE
    row = np.rint(CELLS.steps(places.metals)[:, 0]).astype(int)
    return (row + (along > np.median(along)) > np.median(row)).astype(int)


def drawn(places, side, *, hollow=False, occupancy=None, rng=None):
    """The image: a Gaussian spot at each site on a ground of 40, with noise of 0.5 if there is an ``rng``: (H, W) array."""
    heights = HEIGHTS.copy()
    heights[sites.BRIDGING] *= not hollow
    heights = heights[places.kinds(side)] * (1.0 if occupancy is None else occupancy)
    near = places.near
    spots = np.exp(-(near.distance**2) / (2 * (0.32 * places.spacing) ** 2))
    image = 40 + near.sum(heights[near.site] * spots)
    return image if rng is None else image + rng.normal(0, 0.5, SHAPE)
