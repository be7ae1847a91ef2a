"""What speaks for a candidate being a column: its height on the map, its fit, its neighbours and the lattice around it.

The map sees each place with what surrounds it. The fit knows how far a candidate stands above the noise, and all
candidates together show which displacements recur in the frame: a column has many others where the lattice puts them,
a speckle has not. A `models.judge.Judge` weighs these numbers.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from atomwork.columns import neighbours
from atomwork.columns.gaussian import compiled

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
SIDE = int(2 * FAR * CELLS) + 3  # cells along either axis of all displacements
RECURRING = 1.5  # density of displacements over the mean one from which they recur [-]
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
    tree = cKDTree(points)
    distance, index = nearest(tree, NEIGHBOURS)
    own = {"logit of the height": logit, **of_fits(table, spacing, sure, index)}
    pairs = tree.query_pairs(FAR * spacing, output_type="ndarray")
    own |= of_places(points, logit, sure, spacing, distance, pairs)
    probability = 1 / (1 + np.exp(-logit))
    own["log support"], own["supported share"] = support(points, probability, spacing, pairs)
    for name in ("log support", "supported share"):
        own[f"usual {name}"] = np.median(own[name][sure])
    own["usual logit"], own["log spacing on the map"] = logit[sure].mean(), np.log(map_spacing)
    columns = [np.broadcast_to(own[name], len(points)) for name in NAMES]
    return np.nan_to_num(np.stack(columns, 1), nan=MISSING, posinf=MOST, neginf=LEAST).astype(np.float32)


def of_fits(table, spacing, sure, others):
    """What the fits tell, by name; ``others`` (N, K) are each candidate's nearest."""
    gain, offset, dispersion = (table.attrs[name] for name in ("gain", "offset", "dispersion"))
    dispersion = max(dispersion, 1e-3)
    fitted = table[["amplitude", "background", "width", "y_std", "x_std", "way"]].to_numpy()
    amplitude, background, width, y_std, x_std, way = np.ascontiguousarray(fitted.T)
    amplitude, level = amplitude / gain, np.maximum((background + offset) / gain, 1e-3)
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
        "stated error over the spacing": np.maximum(y_std, x_std) / spacing,
        "log dispersion": np.log(dispersion),
        "way of the fit over the spacing": way / spacing,
        "usual log signal to noise": np.nanmedian(signal[sure]),
        "log background": np.log(level + 1),
        "neighbours' log signal to noise": signal[others].mean(1),
        "neighbours' log amplitude": relative[others].mean(1),
    }


def of_places(points, logit, sure, spacing, distance, pairs):
    """What the neighbours tell, by name; ``distance`` (N, K) [px] of the nearest, ``pairs`` as of `support`."""
    to_sure = cKDTree(points[sure]).query(points, k=2, workers=neighbours.workers(points))[0]
    around, logits = np.ones(len(points)), logit.copy()
    add_near(points, pairs, NEAR * spacing, logit, around, logits)
    ordinals = ("nearest", "second nearest", "third nearest")
    return {
        **{f"{ordinal} over the spacing": distance[:, k] / spacing for k, ordinal in enumerate(ordinals)},
        "nearest sure one over the spacing": np.minimum(np.where(sure, to_sure[:, 1], to_sure[:, 0]) / spacing, DISTANT),
        "mean logit around": logits / around,
        "candidates around": around,
    }


def nearest(tree, count):
    """Distances (N, count) [px] and indices of the nearest others of a cKDTree's points; of those that there are not ∞ and the
    last one's, or a point's own.
    """
    known = min(count, tree.n - 1)
    distance, index = tree.query(tree.data, k=np.arange(1, known + 2), workers=neighbours.workers(tree.data))
    more = [(0, 0), (0, count - known)]
    return np.pad(distance[:, 1:], more, constant_values=np.inf), np.pad(
        index[:, 1:], more, mode="edge" if known else "constant"
    )


@compiled()
def apart(points, pair):
    """Displacement (y, x) [px] of the second of a pair of points from the first."""
    first, second = pair
    return points[second, 0] - points[first, 0], points[second, 1] - points[first, 1]


@compiled()
def add_near(points, pairs, far, value, count, total):
    """Add to each point's ``count`` and ``total`` (N,) those up to ``far`` [px] away and their ``value`` (N,)."""
    for pair in pairs:
        y, x = apart(points, pair)
        if y * y + x * x <= far * far:
            for one, other in ((pair[0], pair[1]), (pair[1], pair[0])):
                count[one] += 1
                total[one] += value[other]


@compiled()
def cell(points, pair, spacing):
    """Row and column of a grid of `SIDE` x `SIDE` cells, zero in its middle, in which the displacement of a pair lies."""
    y, x = apart(points, pair)
    return int(np.rint(y / spacing * CELLS)) + SIDE // 2, int(np.rint(x / spacing * CELLS)) + SIDE // 2


@compiled()
def add_displacements(points, pairs, spacing, weight, counts):
    """Add to the ``counts`` (`SIDE`, `SIDE`) of all displacements how sure both ends are."""
    for pair in pairs:
        counts[cell(points, pair, spacing)] += weight[pair[0]] * weight[pair[1]]


@compiled()
def add_support(points, pairs, spacing, weight, density, own, sums):
    """Add to each point's ``sums`` (N, 3) the weights of its neighbours: as they are, times how dense displacements like theirs
    are elsewhere, and of those that recur. ``density`` is that of all over the mean, ``own`` a sure pair's part of it.
    """
    for pair in pairs:
        others = max(density[cell(points, pair, spacing)] - own * weight[pair[0]] * weight[pair[1]], 0.0)
        for one, other in ((pair[0], pair[1]), (pair[1], pair[0])):
            sums[one, 0] += weight[other]
            sums[one, 1] += weight[other] * others
            sums[one, 2] += weight[other] * (others > RECURRING)


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
    counts, sums = np.zeros((SIDE, SIDE)), np.zeros((len(points), 3))
    add_displacements(points, pairs, spacing, weight, counts)
    blur = BLUR * CELLS
    density = gaussian_filter(counts + counts[::-1, ::-1], blur)  # each counts forth and back
    away = np.hypot(*(np.indices(density.shape) - SIDE // 2))
    usual = density[away <= FAR * CELLS].mean() + 1e-9
    add_support(points, pairs, spacing, weight, density / usual, 1 / (2 * np.pi * blur**2 * usual), sums)
    total, seen, recurring = sums.T
    total = np.maximum(total, 1e-6)
    return np.log(seen / total + 0.05), recurring / total
