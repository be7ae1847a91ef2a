"""What speaks for a candidate being a column: its height on the map, its fit, its neighbours and the lattice around it.

The map sees each place with what surrounds it. The fit knows how far a candidate stands above the noise, and all
candidates together show which displacements recur in the frame: a column has many others where the lattice puts them,
a speckle has not. A `models.judge.Judge` weighs these numbers.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

NAMES = (
    "logit of the height",
    "log signal to noise",
    "log amplitude over the usual",
    "log width over the usual",
    "log width over the spacing",
    "stated error over the spacing",
    "nearest over the spacing",
    "second nearest over the spacing",
    "third nearest over the spacing",
    "nearest sure one over the spacing",
    "mean logit around",
    "candidates around",
    "usual logit",
    "log spacing on the map",
    "log dispersion",
    "way of the fit over the spacing",
    "usual log signal to noise",
    "log background",
    "log support",
    "supported share",
    "usual log support",
    "usual supported share",
    "neighbours' log signal to noise",
    "neighbours' log amplitude",
)
SURE = 0.5  # odds of the height over the map's even ones from which a candidate tells what is usual [-]
FEWEST = 3  # candidates that tell what is usual
NEIGHBOURS = 6
NEAR, FAR = 2.5, 4.0  # how far neighbours count, and how far displacements are compared, over the spacing [-]
CELLS, BLUR = 12, 0.07  # cells of a displacement per spacing, and how well two that agree do so, over the spacing [-]
RECURRING = 1.5  # density of displacements over the mean one from which they recur [-]
TOGETHER = 1_000_000  # pairs of candidates that are looked at together; many more would hold gigabytes
MISSING, LEAST, MOST = -9.0, -20.0, 20.0  # in place of what no fit told, and ends of all numbers
DISTANT = 10.0  # in place of the distance of neighbours that there are not, over the spacing [-]


def gather(table, spacing, map_spacing, even):
    """The numbers that speak for or against every candidate.

    Parameters
    ----------
    table : DataFrame of `fit.refine`, and its ``attrs``, with the columns ``height``, that on the map [0–1], and ``way``, how
        far the fit went [px]
    spacing, map_spacing : float, predicted on the image and on the map [px]
    even : float, height at which a candidate is as often right as wrong [0–1]

    Returns
    -------
    (N, len(`NAMES`)) float32 array
    """
    points = table[["y", "x"]].to_numpy()
    height = np.clip(table["height"].to_numpy(), 1e-6, 1 - 1e-6)
    logit = np.log(height / (1 - height)) - np.log(even / (1 - even))
    sure = np.zeros(len(logit), bool)
    sure[np.argsort(-logit, kind="stable")[: max(FEWEST, int((logit > 0).sum()))]] = True
    distance, index = nearest(points, NEIGHBOURS)
    own = {"logit of the height": logit, **of_fits(table, spacing, sure, index)}
    near, pairs = (cKDTree(points).query_pairs(far * spacing, output_type="ndarray") for far in (NEAR, FAR))
    own |= of_places(points, logit, sure, spacing, distance, near)
    probability = 1 / (1 + np.exp(-logit))
    own["log support"], own["supported share"] = support(points, probability, spacing, pairs)
    for name in ("log support", "supported share"):
        own[f"usual {name}"] = np.median(own[name][sure])
    own["usual logit"], own["log spacing on the map"] = logit[sure].mean(), np.log(map_spacing)
    columns = [np.broadcast_to(own[name], len(points)) for name in NAMES]
    return np.nan_to_num(np.stack(columns, 1), nan=MISSING, posinf=MOST, neginf=LEAST).astype(np.float32)


def of_fits(table, spacing, sure, neighbours):
    """What the fits tell, by name; ``neighbours`` (N, K) are each candidate's nearest."""
    gain, offset, dispersion = (table.attrs[name] for name in ("gain", "offset", "dispersion"))
    dispersion = max(dispersion, 1e-3)
    amplitude, width = table["amplitude"].to_numpy() / gain, table["width"].to_numpy()
    level = np.maximum((table["background"].to_numpy() + offset) / gain, 1e-3)
    bounded = np.maximum(amplitude, -0.999 * level)
    information = 2 * np.pi * width**2 * (bounded - level * np.log1p(bounded / level)) / dispersion
    signal = np.log1p(np.sqrt(np.maximum(information, 0)))
    size = np.log(np.abs(amplitude) + 1e-6)
    relative = size - np.nanmedian(size[sure])
    return {
        "log signal to noise": signal,
        "log amplitude over the usual": relative,
        "log width over the usual": np.log(width / np.nanmedian(width[sure])),
        "log width over the spacing": np.log(width / spacing),
        "stated error over the spacing": np.maximum(table["y_std"], table["x_std"]).to_numpy() / spacing,
        "log dispersion": np.log(dispersion),
        "way of the fit over the spacing": table["way"].to_numpy() / spacing,
        "usual log signal to noise": np.nanmedian(signal[sure]),
        "log background": np.log(level + 1),
        "neighbours' log signal to noise": signal[neighbours].mean(1),
        "neighbours' log amplitude": relative[neighbours].mean(1),
    }


def of_places(points, logit, sure, spacing, distance, pairs):
    """What the neighbours tell, by name; ``distance`` (N, K) [px] of the nearest, ``pairs`` (P, 2) up to `NEAR` apart."""
    to_sure = cKDTree(points[sure]).query(points, k=2, workers=-1)[0]
    around, logits = np.ones(len(points)), logit.copy()
    for pair in parts(pairs):
        around += np.bincount(pair.ravel(), minlength=len(points))
        logits += both(*pair, len(points), logit)
    ordinals = ("nearest", "second nearest", "third nearest")
    return {
        **{f"{ordinal} over the spacing": distance[:, k] / spacing for k, ordinal in enumerate(ordinals)},
        "nearest sure one over the spacing": np.minimum(np.where(sure, to_sure[:, 1], to_sure[:, 0]) / spacing, DISTANT),
        "mean logit around": logits / around,
        "candidates around": around,
    }


def nearest(points, count):
    """Distances (N, count) [px] and indices of the nearest others, those that there are not `DISTANT` and a point's own."""
    known = min(count, len(points) - 1)
    distance, index = cKDTree(points).query(points, k=np.arange(1, known + 2), workers=-1)
    more = [(0, 0), (0, count - known)]
    return np.pad(distance[:, 1:], more, constant_values=np.inf), np.pad(
        index[:, 1:], more, mode="edge" if known else "constant"
    )


def parts(pairs):
    """Pairs (P, 2) as two int arrays, `TOGETHER` of them at a time."""
    for start in range(0, len(pairs), TOGETHER):
        yield pairs[start : start + TOGETHER].T


def both(first, second, count, weight, value=1.0):
    """Sums (count,) over the pairs of each point: of ``weight`` (count,) at the other end times what the pair is worth."""
    return np.bincount(first, weight[second] * value, count) + np.bincount(second, weight[first] * value, count)


def support(points, weight, spacing, pairs):
    """How far a frame repeats what a candidate sees around itself.

    Parameters
    ----------
    points : (N, 2) float array [px]
    weight : (N,) float array, how sure each is to be a column [0–1]
    spacing : float [px]
    pairs : (P, 2) int array, pairs of points up to `FAR` spacings apart, each once

    Returns
    -------
    log_support, share : (N,) float arrays: the logarithm of the density, over the mean, that displacements like those to its
        neighbours have in the whole frame without its own, and the share of its neighbours whose displacement recurs
    """
    side, blur = int(2 * FAR * CELLS) + 3, BLUR * CELLS
    counts, total, seen, recurring = np.zeros(side**2), *np.zeros((3, len(points)))

    def displaced(first, second):
        """Cells of the displacements, and how sure both ends are."""
        cell = np.rint((points[second] - points[first]) / spacing * CELLS).astype(int) + side // 2
        return cell[:, 0] * side + cell[:, 1], weight[first] * weight[second]

    for pair in parts(pairs):
        counts += np.bincount(*displaced(*pair), side**2)
    density = gaussian_filter((counts + counts[::-1]).reshape(side, side), blur)  # each counts forth and back
    away = np.hypot(*(np.indices((side, side)) - side // 2))
    usual = density[away <= FAR * CELLS].mean() + 1e-9
    for pair in parts(pairs):
        cell, mass = displaced(*pair)
        others = np.maximum(density.ravel()[cell] - mass / (2 * np.pi * blur**2), 0) / usual
        for sums, value in ((total, 1.0), (seen, others), (recurring, others > RECURRING)):
            sums += both(*pair, len(points), weight, value)
    total = np.maximum(total, 1e-6)
    return np.log(seen / total + 0.05), recurring / total
