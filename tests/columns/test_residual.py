"""What columns leave of an image: peaks where others are missing, none where all are there."""

import numpy as np
import pandas as pd
import pytest

from atomwork.columns import fit, residual

SIZE, SPACING, WIDTH = 320, 22.0, 2.9
APART = 0.275 * SPACING


def two_sublattices(faint=0.3, dose=150.0, sign=1, seed=3):
    """Counts of bright columns on a square lattice with faint ones in the cells' middles, and the places of either [px]."""
    bright = np.mgrid[10 : SIZE - 8 : SPACING, 10 : SIZE - 8 : SPACING].reshape(2, -1).T
    middles = bright + SPACING / 2
    middles = middles[(middles < SIZE - 8).all(1)]
    axis = np.arange(SIZE)[:, None]
    rows, columns = (np.exp(-((axis - np.concatenate([bright, middles])[:, k]) ** 2) / (2 * WIDTH**2)) for k in (0, 1))
    heights = np.repeat([1.0, faint], [len(bright), len(middles)])
    expected = dose * ((0.2 if sign > 0 else 1.6) + sign * (rows * heights) @ columns.T)
    return np.random.default_rng(seed).poisson(expected).astype(np.float32), bright, middles


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.02, -7.0)])
def test_a_missing_sublattice_leaves_a_peak_for_each_column(sign, scale, offset):
    counts, bright, middles = two_sublattices(sign=sign)
    image = scale * counts + offset
    half = fit.refine(image, bright, spacing=SPACING)
    whole = fit.refine(image, np.concatenate([bright, middles]), spacing=SPACING / np.sqrt(2))
    assert residual.peaks_per_column(image, half, APART) == pytest.approx(1, abs=0.15)
    assert residual.peaks_per_column(image, whole, APART) < 0.01
    assert residual.unexplained(image, half, APART)
    assert not residual.unexplained(image, whole, APART)
    assert residual.explains(image, half, whole, APART)
    assert not residual.explains(image, whole, half, APART)


def test_noise_leaves_no_peaks(rng):
    """Columns' heights of zero: a flat image, of which one peak in some thousand columns stands out."""
    counts = rng.poisson(40, (SIZE, SIZE)).astype(np.float32)
    _, bright, _ = two_sublattices()
    table = pd.DataFrame(bright, columns=["y", "x"]).assign(amplitude=0.1, width=WIDTH, y_std=0.1)
    table.attrs.update(gain=1.0, offset=0.0, dispersion=1.0)
    assert residual.peaks_per_column(counts, table, APART) <= 0.01


def test_only_the_middle_of_a_large_image_is_looked_at():
    """What lies farther out changes nothing, and costs nothing."""
    counts, bright, _ = two_sublattices()
    table = fit.refine(counts, bright, spacing=SPACING)
    margin = SIZE
    framed = np.pad(counts, margin, mode="reflect")
    moved = table.assign(y=table["y"] + margin, x=table["x"] + margin)
    assert residual.peaks_per_column(framed, moved, APART) == residual.peaks_per_column(counts, table, APART)


def test_where_nothing_is_fitted_nothing_is_left():
    counts, bright, _ = two_sublattices()
    table = fit.refine(counts, bright, spacing=SPACING).assign(y_std=np.nan)
    assert residual.peaks_per_column(counts, table, APART) == 0


def test_columns_in_the_flank_of_a_brighter_one_are_buried():
    """Two unequal columns one width and a half apart show one maximum; five widths apart the faint one has its own."""
    rows = {"y": [50.0, 50.0], "amplitude": [1000.0, 300.0], "width": 5.0, "y_std": 0.1, "background": 100.0}
    for apart, hidden in ((1.5, [False, True]), (5.0, [False, False])):
        table = pd.DataFrame({**rows, "x": [40.0, 40 + apart * 5]})
        table.attrs.update(gain=1.0, offset=0.0)
        assert residual.buried(table, (100, 120)).tolist() == hidden
