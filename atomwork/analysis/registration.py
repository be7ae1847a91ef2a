"""One frame laid over what others show of the same place: by which lattice vector, and how each of its rows drifted.

A crystal fits itself again after every lattice vector, so three steps: a shift with a steady drift that overlays the
lattice, anyhow; the smooth path of the rows; and then, of all shifts by which the straightened frame fits again, the one
that explains it better than every other on the pixels that both explain. What decides are vacancies and whatever else
is not repeated: where a field has two or fewer, or a frame is out of focus by more than some 60 Å, it may go wrong.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, spline_filter

from atomwork.analysis import row_drift, scan
from atomwork.analysis.scan import Scan

SHARPEST = 0.12  # deviation of the blur that takes the noise off a template, over the lattice's period [-]
LOOKED_AT = 200  # lattice vectors that are compared band by band
BEND, FINE = 1.2, 0.2  # px of the reduced frames, how far aside a band may lie there, and in what steps
NOISIER, NOISE_OVER_SIGNAL = 2.0, 0.02  # variance over the usual one or over the signal's up to which a template is used [-]
BANDS = 8  # parts of a frame that are first laid over the template each for itself
STRETCH = 0.03  # drift within a frame, over its height, up to which the first step looks [-]
STEP = 0.25  # by which that drift is varied, over the lattice's period [-]
OVERLAP = 0.3  # share of a frame that the template has to show [-]
CANDIDATES = 8  # lattice vectors that are looked at closely
CONVINCING = 25.0  # twice the log-likelihood ratio from which one lattice vector beats another
SYSTEMATIC = 1e-3  # and by which share more it has to explain, since foci and jitter differ


@dataclass(frozen=True)
class Template:
    """What others show of the place, less its local mean.

    Attributes
    ----------
    image : (H, W) float32 array
    seen : (H, W) bool array, where there is something
    spline : (H, W) float32 array, see `scan.coefficients`
    origin : (2,) int array, the place of the first pixel
    noise : float, usual variance of ``image``
    slope_noise : float, that of its derivative along an axis [1/px²]
    """

    image: np.ndarray
    seen: np.ndarray
    spline: np.ndarray
    origin: np.ndarray
    noise: float
    slope_noise: float

    @classmethod
    def of(cls, total, weight, origin, period):
        """From sums over frames of value times weight, and of the weights, 1/variance."""
        width = SHARPEST * period
        some = weight > 0
        mean = np.divide(total, weight, out=np.zeros_like(total), where=some)
        share = gaussian_filter(some.astype(np.float32), width)
        image = (gaussian_filter(mean, width) / np.maximum(share, 0.1)).astype(np.float32)
        passed = 1 / max(4 * np.pi * width**2, 1)
        noise = np.divide(passed, weight, out=np.full_like(weight, np.inf), where=some)
        usual = float(np.median(noise[some]))
        signal = float(np.mean(image[noise <= usual] ** 2)) - usual
        # a fit of one contrast would turn from what is noisier than the rest, as where only noisy frames look
        seen = noise <= max(NOISIER * usual, NOISE_OVER_SIGNAL * signal)
        image[~seen] = 0
        return cls(image, seen, scan.coefficients(image), np.asarray(origin), usual, usual / (2 * width**2))

    def along(self, path, width, slopes=False):
        """What a frame with rows of ``width`` px would show: values, with their slopes if wanted, and where it is known."""
        rows, start = path.y - self.origin[0], path.x - self.origin[1]
        known = scan.inside(rows, start, self.image.shape, width)
        if not self.seen.all():
            y, x = (np.rint(v).astype(int) for v in (rows, start))
            x = (x[:, None] + np.arange(width)).clip(0, self.image.shape[1] - 1)
            known &= self.seen[y.clip(0, self.image.shape[0] - 1)[:, None], x]
        values = scan.resample(self.spline, rows, start, width, slopes)
        return (*(v * known for v in values), known) if slopes else (values * known, known)

    def part(self, corner, size):
        """A cutout of (h, w) ``size`` whose first pixel lies at ``corner``, and where it is known; 0 beyond the canvas."""
        image, known = np.zeros(size, np.float32), np.zeros(size, np.float32)
        low = np.asarray(corner) - self.origin
        here = [slice(max(a, 0), max(min(a + n, m), 0)) for a, n, m in zip(low, size, self.image.shape, strict=True)]
        there = tuple(slice(s.start - a, max(s.stop - a, s.start - a)) for s, a in zip(here, low, strict=True))
        image[there], known[there] = self.image[tuple(here)], self.seen[tuple(here)]
        return image, known


class Lags:
    """Cross-correlations with the part of a template within ``reach`` px around where a frame lies."""

    def __init__(self, template, shape, middle, reach):
        size = tuple(n + 2 * reach for n in shape)
        self.fast = tuple(next_fast_len(n, real=True) for n in size)
        self.lags = slice(0, 2 * reach + 1)
        image, known = template.part(np.asarray(middle, int) - reach, size)
        self.image, self.square, self.known = (rfft2(v, self.fast) for v in (image, image**2, known))

    def correlate(self, part, image):
        """Sums over the pixels of ``image`` times the shifted part, one of the attributes: (2 reach + 1,) * 2 array."""
        return irfft2(part * rfft2(np.asarray(image, np.float32), self.fast).conj(), self.fast)[self.lags, self.lags]


def bands(height):
    """Shares (BANDS, H) of the rows in overlapping bands that add up to 1, and the bands' middles (BANDS,), 0…1."""
    time, middles = (np.arange(height) + 0.5) / height, (np.arange(BANDS) + 0.5) / BANDS
    away = time.clip(middles[0], middles[-1]) - middles[:, None]
    return np.maximum(0, 1 - BANDS * np.abs(away)), middles


def overlay(frame, template, reach, period):
    """The shift and the steady drift that fit best, up to lattice vectors; of equal fits that with the larger overlap.

    Parameters
    ----------
    frame : (H, W) float32 array, less its local mean
    template : Template
    reach : int, largest shift [px]
    period : float, of the lattice [px]

    Returns
    -------
    Scan
    """
    height, size = len(frame), 2 * reach + 1
    shares, middles = bands(height)
    edge = int(np.ceil(STRETCH * height / 2))
    lags = Lags(template, frame.shape, (0, 0), reach + edge)
    crosses = [lags.correlate(lags.image, share[:, None] * frame) for share in shares]
    inner = slice(edge, edge + size)
    energy, area = (lags.correlate(v, np.ones_like(frame))[inner, inner] for v in (lags.square, lags.known))
    most = int(STRETCH * height / (STEP * period))
    steps = STEP * period * np.arange(-most, most + 1)
    best, drift = np.zeros((size, size), np.float32), np.zeros((size, size, 2), np.float32)
    fit = np.empty_like(best)
    for step in np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2):
        fit[:] = 0
        for cross, (y, x) in zip(crosses, edge + np.rint((middles[:, None] - 0.5) * step).astype(int), strict=True):
            fit += cross[y : y + size, x : x + size]
        better = fit > best
        best[better], drift[better] = fit[better], step
    explained = np.where(area > OVERLAP * frame.size, best**2 / np.maximum(energy, 1e-9 * energy.max()), 0)
    peak = np.unravel_index(explained.argmax(), explained.shape)
    return Scan.along(np.array(peak) - reach + ((np.arange(height) + 0.5) / height - 0.5)[:, None] * drift[peak])


def settle(frame, template, placed, *, noise, reach, period):
    """The placed frame moved by the lattice vector that explains it best; by the smallest one if several do equally.

    Parameters
    ----------
    frame, template : see `follow`
    placed : Placed, up to a lattice vector
    noise : float, variance of the frame's pixels
    reach : int, largest drift [px]
    period : float, of the lattice [px]

    Returns
    -------
    Placed
    """
    variance = noise + placed.gain**2 * template.noise
    for _ in range(3):  # a far start sees little of what the right place shows
        shifts = lattice_vectors(frame, template, placed.scan, reach, period)
        if not len(shifts):
            break
        # a path followed on the wrong lattice vector has taken on the bends that the others have there
        settings = {"noise": noise, "smoothness": placed.smoothness, "steps": 2}
        rivals = [row_drift.follow(frame, template, placed.scan.moved(shift), **settings) for shift in shifts]
        best = rivals[undefeated(frame, template, [rival.scan for rival in rivals], variance)]
        moved, placed = np.hypot(*(best.scan.drift - placed.scan.drift).mean(0)), best
        if moved < period / 3:
            break
    return placed


def undefeated(frame, template, paths, variance):
    """The first path that no other one explains convincingly more than, each pair on the pixels that both explain."""
    seen = [template.along(path, frame.shape[1]) for path in paths]
    worst = np.full(len(paths), np.inf)
    for one in range(len(paths)):
        for other in range(one):
            both = seen[one][1] & seen[other][1]
            ours, theirs = (explained(frame, seen[k][0], both) for k in (one, other))
            lead = (ours - theirs) / max(CONVINCING * variance, SYSTEMATIC * max(ours, theirs))
            worst[one], worst[other] = min(worst[one], lead), min(worst[other], -lead)
    return int(np.argmax(worst >= min(-1, worst.max())))


def lattice_vectors(frame, template, path, reach, period):
    """Shifts (n, 2) after which a frame fits the template again, those of the smallest whole drift first [px]."""
    height, width = frame.shape
    place = np.rint([path.y.mean() - (height - 1) / 2, path.x.mean()])
    rows, start = path.rows_at(place[0] + np.arange(height))
    here = scan.inside(rows, place[1] - start, frame.shape, width)
    straight = scan.resample(scan.coefficients(frame), rows, place[1] - start, width)
    now, known = template.along(Scan(place[0] + np.arange(height), np.full(height, place[1])), width)
    known &= here
    lags = Lags(template, frame.shape, place, reach)
    area, energy = (lags.correlate(v, known) for v in (lags.known, lags.square))
    own, own_energy = (lags.correlate(lags.known, v * known) for v in (straight * now, now**2))
    crosses = np.stack([lags.correlate(lags.image, share[:, None] * straight * known) for share in bands(height)[0]])
    floor = 1e-3 * np.sum(now**2)
    now_explained = np.where(area > OVERLAP * frame.size, own**2 / np.maximum(own_energy, floor), np.inf)
    lead = np.maximum(crosses.sum(0), 0) ** 2 / np.maximum(energy, floor) - now_explained
    peaks, lead = summits(lead, max(3, 2 * int(0.4 * period) + 1))
    peaks = peaks[np.argsort(-lead)[:LOOKED_AT]]
    at = tuple(np.rint(peaks).astype(int).T)
    lead = bent_fit(crosses, peaks) ** 2 / np.maximum(energy[at], floor) - now_explained[at]
    shifts = peaks - reach
    drift = np.hypot(*(shifts + place).T)
    likely = np.flatnonzero((np.abs(shifts + place) <= reach).all(1))
    chosen = [np.argsort(-lead[likely])[:CANDIDATES], *(np.argsort(v[likely])[:1] for v in (drift, np.hypot(*shifts.T)))]
    chosen = likely[np.unique(np.concatenate(chosen))]
    return shifts[chosen[np.argsort(drift[chosen])]]


def bent_fit(crosses, peaks):
    """Cross-correlation at (N, 2) peaks when every band of rows may lie a little aside: the sum of the bands' maxima (N,)."""
    aside = np.arange(-BEND, BEND + FINE / 2, FINE)
    offsets = np.stack(np.meshgrid(aside, aside, indexing="ij"), -1).reshape(-1, 2)
    places = np.moveaxis(peaks[:, None] + offsets, -1, 0)
    found = [map_coordinates(spline_filter(cross), places, prefilter=False).max(1) for cross in crosses]
    return np.maximum(np.sum(found, 0), 0)


def summits(image, side):
    """Local maxima within ``side`` px, to a fraction of a pixel (N, 2), and their heights (N,); not on the border."""
    peaks = np.argwhere((image == maximum_filter(image, side)) & np.isfinite(image))
    peaks = peaks[((peaks > 0) & (peaks < np.array(image.shape) - 1)).all(1)]
    places, heights = peaks.astype(float), image[tuple(peaks.T)]
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        before, here, after = (image[tuple((peaks + k * step).T)] for k in (-1, 0, 1))
        bend = np.where(np.isfinite(before + after), 2 * here - before - after, 0)
        rise = np.where(bend > 0, after - before, 0)
        move = rise / np.where(bend > 0, 2 * bend, 1)
        places[:, axis] += move
        heights = heights + rise * move / 4
    return places, heights


def explained(frame, value, known):
    """How much of a frame's square a template takes away, at the best contrast."""
    value = value * known
    return max(np.sum(value * frame, dtype=float), 0) ** 2 / max(np.sum(value**2, dtype=float), 1e-30)
