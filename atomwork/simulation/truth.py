"""The truth of drawn images: which columns count, their spacing, and the maps that a detector learns."""

import numpy as np
import torch
from scipy.spatial import cKDTree

from atomwork.simulation import forward, visibility
from atomwork.simulation.visibility import Visibility

MIN_COLUMNS_FOR_SPACING = 4


def image_spacing(scene, width, columns, faint):
    """The spacing that sets the target's width: the mean distance of what counts to the nearest visible column.

    Isolated atoms have no lattice: there the spacing is four widths, so that the target is as wide as an atom. Where next
    to nothing counts it is the scene's: of columns that can only be guessed, too, a detector must know how large they are.
    """
    if len(columns) + len(faint) == 0:
        return np.nan
    if scene.family == "isolated":
        return 4 * width
    if len(columns) < MIN_COLUMNS_FOR_SPACING:
        return scene.spacing
    return cKDTree(np.concatenate([columns, faint])).query(columns, k=2)[0][:, 1].mean()


def judge(electrons, drawn, scale, height, widths, readout, unrest):
    """`visibility.judge` for scenes whose columns of brightness 1 stand ``height * scale`` electrons high."""
    index = forward.image_indices([s.positions for s in drawn]).to(electrons.device)
    positions = forward.concatenate([s.positions for s in drawn]).to(electrons.device)

    def spread(values):
        return torch.as_tensor(values, dtype=torch.float32, device=electrons.device)[index]

    columns = visibility.Columns(
        positions=positions,
        image=index,
        amplitude=forward.concatenate([s.brightness for s in drawn], 1).to(electrons.device) * spread(height) * scale[index],
        width=spread(widths),
        readout=spread(readout),
        speckle=visibility.sample(unrest, positions, index),
    )
    return visibility.judge(electrons, columns)


def split(positions, index, kinds, count):
    """Per image, the (y, x) of the columns that count, of the optional and of the hidden ones: three lists."""
    positions, index, kinds = (t.cpu().numpy() for t in (positions, index, kinds))
    order = (Visibility.COUNTS, Visibility.OPTIONAL, Visibility.HIDDEN)
    return [[positions[(index == i) & (kinds == kind)].astype(float) for i in range(count)] for kind in order]


def draw_targets(columns, faint, spacing, widths, shape, device):
    """Confidence map to learn and its weight; see `Batch`."""
    count = len(columns)
    width = torch.as_tensor(np.where(np.isnan(spacing), 4 * widths, spacing) / 4, dtype=torch.float32, device=device)
    transfer = forward.round_transfer(shape, width.clamp_min(forward.SPLAT_WIDTH))
    maps = []
    for points in (columns, faint):
        ones = torch.ones(sum(map(len, points)), device=device)
        rows, index = forward.concatenate(points).to(device), forward.image_indices(points).to(device)
        impulses = forward.splat(rows, ones, index, count, shape)
        maps.append(forward.convolve(impulses, transfer).clamp(0, 1))
    return maps[0], (1 - 1.5 * maps[1]).clamp(0, 1)


def inside(points, recipe, reach=0.0):
    """Canvas coordinates as crop coordinates, those more than ``reach`` [px] outside the crop dropped."""
    points = points - recipe.margin
    return points[((points >= -reach) & (points <= recipe.size - 1 + reach)).all(1)]


def others(columns, faint, hidden, recipe):
    """Places of the columns that a crop shows but does not ask for: too faint ones, and any whose centre lies just beyond."""
    reach = recipe.coarsest / 4  # the largest distance of a hit
    near = inside(columns, recipe, reach)
    beyond = near[((near < 0) | (near > recipe.size - 1)).any(1)]
    return np.concatenate([beyond, *(inside(points, recipe, reach) for points in (faint, hidden))])
