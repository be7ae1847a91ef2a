"""What fitted columns leave of an image: peaks where others may stand, and whether more of them explain it better."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from atomwork.columns import counting, fit
from atomwork.simulation import visibility

UNEXPLAINED = 1.3  # dispersion of fits that do not explain their image [-]
LEFT = 0.05  # peaks that they leave for each column, likewise [-]
STANDS = 4.0  # standard deviations from which a peak counts; of noise alone it is one for some thousand columns [-]
CROP = 256  # px, side of the middle of an image in which peaks are sought
WIDER = 2.0  # width of the Gaussian taken off as surroundings, over that of a column [-]
FEWER = 0.5  # share of the peaks that more columns may leave if they are to explain them [-]
BURIED = 0.4  # share of new columns that may be buried by their neighbours; of rims 0.6 to 1 are [-]


def unexplained(image, table, apart):
    """Whether columns leave more of an image than noise, where they stand or away from them.

    Parameters
    ----------
    image, table, apart : see `peaks_per_column`
    """
    return table.attrs["dispersion"] > UNEXPLAINED or peaks_per_column(image, table, apart) > LEFT


def left(image, table):
    """An image less the columns of `fit.refine` that it shows, without their backgrounds: (H, W) float32 array [arb.]."""
    drawn = fit.picture(table, image.shape)
    return np.subtract(image, drawn, out=drawn, casting="same_kind")


def peaks_per_column(image, table, apart):
    """How many peaks the columns in the middle of an image leave away from themselves, for each of them.

    The residual over its counting noise passes the difference of a Gaussian as wide as the columns and one `WIDER`;
    a peak counts from `STANDS` standard deviations on.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    table : DataFrame of `fit.refine`
    apart : float, distance from all columns from which a peak counts [px]

    Returns
    -------
    float [-]; 0 where no fitted column is
    """
    electrons, columns = middle(np.asarray(image), table)
    places = columns[["y", "x"]].to_numpy()
    among = int(((places >= 0) & (places < electrons.shape)).all(1).sum())
    if not among:
        return 0.0
    width = columns["width"].median()
    bins = fit.whole_bins(width)
    width /= bins
    electrons, drawn = (fit.binned(picture, bins) for picture in (electrons, fit.picture(columns, electrons.shape)))
    rest = np.sign(columns["amplitude"].median()) * (electrons - drawn)
    rest -= gaussian_filter(rest, WIDER * width)
    rest /= np.sqrt(max(table.attrs["dispersion"], 1.0) * np.maximum(gaussian_filter(electrons, width), 1.0))
    filtered = gaussian_filter(rest, width) - gaussian_filter(rest, WIDER * width)
    noise = np.sqrt((1 + WIDER**-2 - 4 / (1 + WIDER**2)) / (4 * np.pi)) / width
    highest = maximum_filter(filtered, size=2 * int(apart / bins / 2) + 1)
    peaks = np.argwhere((filtered == highest) & (filtered > STANDS * noise))
    distance = cKDTree(places).query((peaks + 0.5) * bins - 0.5)[0]
    return float((distance > apart).sum() / among)


def middle(image, table):
    """The middle of an image in electrons, and the fitted columns that it shows, amplitudes in electrons as well."""
    starts = [max(0, (length - CROP) // 2) for length in image.shape]
    electrons = counting.rescaled(
        image[tuple(slice(start, start + CROP) for start in starts)], table.attrs["gain"], table.attrs["offset"]
    )
    places, reach = table[["y", "x"]].to_numpy() - starts, fit.DRAWN * table["width"].max()
    shown = table["y_std"].notna() & (places > -reach).all(1) & (places < np.array(electrons.shape) + reach).all(1)
    columns = table.assign(y=places[:, 0], x=places[:, 1], amplitude=table["amplitude"] / table.attrs["gain"])[shown]
    return electrons, columns


def explains(image, table, more, apart):
    """Whether ``more`` columns explain an image better than a table of them, and most that they add stand out in it.

    Parameters
    ----------
    image, table, apart : see `peaks_per_column`; what is farther than that from all of the table is new
    more : DataFrame of `fit.refine`
    """
    if more.attrs["dispersion"] >= table.attrs["dispersion"]:
        before, after = (peaks_per_column(image, columns, apart) for columns in (table, more))
        if after >= FEWER * before:
            return False
    more = more[more["y_std"].notna()]
    new = cKDTree(table[["y", "x"]]).query(more[["y", "x"]])[0] > apart
    return bool(new.any()) and bool(buried(more, image.shape)[new].mean() <= BURIED)


def buried(table, shape):
    """Which columns (N,) do not stand out between their neighbours in a picture of all, by the rule of simulated truth.

    Parameters
    ----------
    table : DataFrame of `fit.refine`, all with error bars
    shape : (H, W) of the image [px]
    """
    gain, offset = table.attrs["gain"], table.attrs["offset"]
    electrons = fit.picture(table, shape)
    electrons += table["background"].median() + offset
    electrons /= gain
    places, amplitude, width, none = (
        torch.from_numpy(np.array(values, np.float32))
        for values in (table[["y", "x"]], table["amplitude"] / gain, table["width"], np.zeros(len(table)))
    )
    one = visibility.Columns(places, none.long(), amplitude, width, none, none)
    pairs, apart, _ = visibility.compare(torch.from_numpy(electrons)[None], one)
    result = np.zeros(len(table), bool)
    result[pairs[apart == visibility.Visibility.HIDDEN]] = True
    return result
