"""The path that the rows of a frame took over the specimen: smooth, and as likely as the frame's noise says.

Every row says by its slopes how far it lies from where it is thought to be and how surely (the information of its
pixels). The path through what the rows say has a second difference of the variance under which the frame is likeliest,
and single rows stray from it along x as a scan generator makes them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from atomwork.analysis.scan import Scan

STEPS = 8  # largest number of steps along which rows are followed
JUDGED = (0, 2, 5)  # steps before which the smoothness is chosen anew
LONGEST = 0.7  # px, largest change of a row's place in one step
RESTING = 0.005  # px, mean change from which the rows rest
SMOOTHNESS = 10.0 ** np.arange(-10, -2.9, 0.5)  # variances of a path's second difference that are tried [px²]
ERRORS = 24  # rows at which errors are computed


@dataclass(frozen=True)
class Placed:
    """A frame with its place on the specimen.

    Attributes
    ----------
    scan : Scan
    std : (H, 2) float array, one standard deviation of the rows' places [px]
    gain : float, contrast over that of the template [-]
    smoothness : float, variance of the path's second difference [px²]
    jitter : float, deviation of single rows from the path along x [px]
    """

    scan: Scan
    std: np.ndarray
    gain: float
    smoothness: float
    jitter: float


def compare(frame, template, path, noise):
    """Contrast, and what each row says of its place: information (H, 3) yy, yx, xx [1/px²] and pull (H, 2) [1/px]."""
    value, *slopes, known = template.along(path, frame.shape[1], slopes=True)
    energy = np.sum(value**2, dtype=float) - template.noise * known.sum()
    gain = np.sum(value * frame, dtype=float) / max(energy, 1e-3 * np.sum(value**2, dtype=float), 1e-30)
    rest = (frame - gain * value) * known
    variance = max(noise, np.sum(rest**2, dtype=float) / max(known.sum(), 1))
    pull = np.stack([(s * rest).sum(1, dtype=float) for s in slopes], -1) * gain / variance
    yy, yx, xx = ((a * b).sum(1, dtype=float) for a, b in ((slopes[0],) * 2, slopes, (slopes[1],) * 2))
    blind = template.slope_noise * known.sum(1)
    yy, xx = (np.maximum(v - blind, 0.1 * v) for v in (yy, xx))
    return gain, np.stack([yy, yx, xx], -1) * gain**2 / variance, pull


def row_jitter(information, pull):
    """Variance by which single rows stray along x, beyond what noise explains [px²]."""
    known = information[:, 2] > 0
    if not known.any():
        return 0.0
    surplus = pull[known, 1] ** 2 / information[known, 2] - 1
    return max(0.0, float(surplus.sum() / information[known, 2].sum()))


def beside_jitter(information, pull, jitter):
    """What rows say of the path when each strays from it along x with the variance ``jitter`` [px²]."""
    along = information[:, 1:]  # what a displacement along x pulls with, along y and x
    share = jitter / (1 + jitter * along[:, 1])
    yy, yx, xx = information.T
    less = np.stack([yy - share * along[:, 0] ** 2, yx - share * along[:, 0] * along[:, 1], xx - share * along[:, 1] ** 2], -1)
    return less, pull - (share * pull[:, 1])[:, None] * along


def stiffness(count):
    """Second differences squared of two interleaved paths of ``count`` rows, as the lower bands (5, 2 count) of a matrix."""
    bands, bend = np.zeros((5, 2 * count)), (1.0, -2.0, 1.0)
    for k in range(3):
        for j in range(k, 3):
            bands[2 * (j - k), 2 * k : 2 * (k + count - 2)] += bend[k] * bend[j]
    return bands


def likeliest(information, pull, drift, smoothness):
    """The smooth path given what the rows say.

    Parameters
    ----------
    information, pull : see `compare`
    drift : (H, 2) float array, the path they were seen from [px]
    smoothness : float, variance of the path's second difference [px²]

    Returns
    -------
    path : (H, 2) float array [px]
    evidence : float, log-likelihood of the smoothness
    factor : (5, 2 H) float array, Cholesky factor of the path's information
    """
    yy, yx, xx = information.T
    bands = stiffness(len(drift)) / smoothness
    bands[0] += np.stack([yy, xx], -1).ravel() + 1e-9
    bands[1, ::2] += yx
    target = pull + np.stack([yy * drift[:, 0] + yx * drift[:, 1], yx * drift[:, 0] + xx * drift[:, 1]], -1)
    factor = cholesky_banded(bands, lower=True)
    path = cho_solve_banded((factor, True), target.ravel())
    evidence = 0.5 * target.ravel() @ path - np.log(factor[0]).sum() - (len(drift) - 2) * np.log(smoothness)
    return path.reshape(-1, 2), evidence, factor


def path_errors(factor):
    """Standard deviations (H, 2) of a path from the factor of its information [px]."""
    count = factor.shape[1] // 2
    rows = np.unique(np.linspace(0, count - 1, ERRORS).astype(int))
    units = (2 * rows[:, None] + np.arange(2)).ravel()
    right = np.zeros((2 * count, len(units)))
    right[units, np.arange(len(units))] = 1
    variance = cho_solve_banded((factor, True), right)[units, np.arange(len(units))].reshape(-1, 2)
    return np.stack([np.interp(np.arange(count), rows, np.sqrt(v)) for v in variance.T], -1)


def follow(frame, template, path, *, noise, smoothness=None, steps=STEPS):
    """The smooth path of the rows, by Gauss-Newton steps.

    Parameters
    ----------
    frame : (H, W) float32 array, less its local mean
    template : Template
    path : Scan, within a third of a period of the path
    noise : float, variance of the frame's pixels
    smoothness : float, variance of the path's second difference [px²]; the likeliest one if None
    steps : int, at most

    Returns
    -------
    Placed
    """
    sought = smoothness is None
    for step in range(steps):
        gain, information, pull = compare(frame, template, path, noise)
        jitter = row_jitter(information, pull) if step else 0.0
        information, pull = beside_jitter(information, pull, jitter)
        drift = path.drift
        if sought and step in JUDGED:
            smoothness = max(SMOOTHNESS, key=lambda s, of=(information, pull, drift): likeliest(*of, s)[1])
        wanted, _, factor = likeliest(information, pull, drift, smoothness)
        change = np.clip(wanted - drift, -LONGEST, LONGEST)
        path = Scan.along(drift + change)
        if step > 2 and np.sqrt(np.mean(change**2)) < RESTING:
            break
    return Placed(path, path_errors(factor), gain, smoothness, np.sqrt(jitter))
