"""Frames of one place laid over each other, however noisy and whatever their focus.

The frame from which columns can be placed most exactly stays as it is. Every other one is registered on it, and then,
in rounds, on the average of all others, so that sharp frames guide noisy ones and nothing is compared with itself.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.fft import rfft2
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from tqdm.auto import tqdm

from atomwork.analysis import registration, row_drift, scan
from atomwork.analysis.registration import Template
from atomwork.analysis.scan import Scan

WORKING_PERIOD = 6.0  # px; frames are reduced as long as the lattice's period keeps it
LARGEST_DRIFT = 0.25  # of the shorter side, if none is given
ROUNDS = 4  # on the average of the others, at most
RESTING = 0.03  # px of the reduced frames; mean change of a frame's rows from which the rounds end
UNSURE = 0.03  # standard deviation of a row's place, over the period, from which it is left out of the average [-]
ALIKE = 0.2  # agreement from which two frames show one place
SURE = 2.0  # standard errors by which a frame's own signal is taken to be larger than it is estimated


@dataclass(frozen=True)
class Spectrum:
    """Power of an image per frequency, in rings, up to a quarter of the sampling rate.

    Attributes
    ----------
    frequency : (R,) float array [1/px]
    count : (R,) float array, frequencies in each ring
    signal, noise : (R,) float arrays, mean power of one frequency; the sum over all of them is the mean square
    """

    frequency: np.ndarray
    count: np.ndarray
    signal: np.ndarray
    noise: np.ndarray

    @property
    def information(self):
        """What the image knows of its own position, of a shift along either axis (Fisher) [1/px²]."""
        per_frequency = (2 * np.pi * self.frequency) ** 2 * self.signal.clip(0) / self.noise
        return float(np.sum(self.count * per_frequency))

    def passed(self, period):
        """Mean square of the signal less its local mean, and its standard error."""
        share = self.count * (1 - np.exp(-2 * (np.pi * self.frequency * period) ** 2)) ** 2
        return float(np.sum(share * self.signal)), float(np.sqrt(np.sum(share**2 / self.count * self.noise**2) / 2))


def spectrum(image):
    """The `Spectrum` of an (H, W) image, from what its odd and even rows have in common: noise they don't share."""
    height, width = (n // 2 * 2 for n in image.shape)
    lines = np.asarray(image[:height, :width], float).reshape(height // 2, 2, width).transpose(1, 0, 2)
    window = np.hanning(height // 2)[:, None] * np.hanning(width)
    first, second = rfft2((lines - lines.mean((1, 2), keepdims=True)) * window)
    ky, kx = np.fft.fftfreq(height // 2)[:, None] / 2, np.fft.rfftfreq(width)[None]
    scale = window.size * np.sum(window**2)
    common = (first * second.conj() * np.exp(2j * np.pi * ky)).real / scale  # the second rows lie 1 px further
    total = (np.abs(first) ** 2 + np.abs(second) ** 2) / (2 * scale)
    halves = np.where((kx > 0) & (kx < 0.5), 2.0, 1.0) * np.ones_like(ky)  # of a real image one half is kept
    side = min(height, width)
    ring = np.rint(np.hypot(ky, kx) * side).astype(int)
    some = (ring > 1) & (ring < side // 4)
    count, signal, power = (np.bincount(ring[some], (halves * v)[some])[2:] for v in (np.ones_like(total), common, total))
    noise = np.maximum(power - signal, 1e-9 * power.max() + 1e-30) / count
    return Spectrum(np.arange(2, len(count) + 2) / side, count, signal / count, noise)


def lattice_period(spectra):
    """The period of the details that place the images best [px]."""
    frequency = spectra[0].frequency
    known = sum(s.count * frequency**2 * s.signal / s.noise for s in spectra)
    return float(1 / frequency[np.argmax(gaussian_filter1d(known, 1.0))])


@dataclass(frozen=True)
class Alignment:
    """Where the frames of a series lie.

    Attributes
    ----------
    scans : list of Scan, one per frame; places are pixels of the reference frame
    std : (n, H, 2) float array, one standard deviation of the rows' places [px]
    reference : int, the frame that the others are laid over
    period : float, of the lattice [px]
    frames : DataFrame with a row per frame: information on the position of the whole frame [1/px²]; noise, variance of a
        pixel; gain, contrast over the reference's [-]; agreement, correlation with the reference, both freed from noise
        [-]; jitter, deviation of single rows from their smooth path along x [px]
    """

    scans: list
    std: np.ndarray
    reference: int
    period: float
    frames: pd.DataFrame


class Stack:
    """Frames reduced to what their alignment needs.

    Attributes
    ----------
    images : list of (h, w) float32 arrays, less their local mean
    noise : (n,) float array, variance of their pixels
    factor : int, side of the squares of pixels that were averaged
    period : float, of the lattice [px of the reduced frames]
    """

    def __init__(self, frames, spectra):
        period = lattice_period(spectra)
        self.factor = max(1, int(period / WORKING_PERIOD))
        self.period = period / self.factor
        reduced = [averaged(frame, self.factor) for frame in frames]
        self.images = [image - gaussian_filter(image, self.period, mode="nearest") for image in reduced]
        self.noise = pixel_noise(spectra, frames[0].size) / self.factor**2


def pixel_noise(spectra, pixels):
    """Variance of the images' pixels, (n,)."""
    return np.array([np.average(s.noise, weights=s.count) * pixels / 2 for s in spectra])


def averaged(image, factor):
    """The image with squares of ``factor`` px averaged; what is left at the far borders is cut off."""
    height, width = (n // factor for n in image.shape)
    part = np.asarray(image[: height * factor, : width * factor], np.float32)
    return part.reshape(height, factor, width, factor).mean((1, 3))


def canvas(scans, width):
    """Origin (2,) and shape of the smallest canvas that holds all frames."""
    low = np.floor([min(s.y[0] for s in scans), min(s.x.min() for s in scans)]).astype(int)
    high = np.ceil([max(s.y[-1] for s in scans), max(s.x.max() for s in scans) + width - 1]).astype(int)
    return low, tuple(high - low + 1)


def on_canvas(image, path, origin, shape):
    """A frame on a canvas, and where it lies there."""
    rows, start = path.rows_at(origin[0] + np.arange(shape[0]))
    values = scan.resample(scan.coefficients(image), rows, origin[1] - start, shape[1])
    return values, scan.inside(rows, origin[1] - start, image.shape, shape[1])


def align(frames, *, max_drift=None, progress=True):
    """Lay frames of one place over each other.

    Parameters
    ----------
    frames : (n, H, W) float array, n >= 2
    max_drift : float, largest distance of a frame from the reference along an axis [px]; a quarter of the shorter
        side if None. In a perfect crystal nothing tells a drift from the same one and a lattice vector; then the
        smallest that fits is taken
    progress : bool, show a progress bar

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError : a frame shows another place
    """
    spectra = [spectrum(frame) for frame in frames]
    information = np.array([s.information for s in spectra])
    reference, stack = int(information.argmax()), Stack(frames, spectra)
    max_drift = LARGEST_DRIFT * min(frames[0].shape) if max_drift is None else max_drift
    with tqdm(total=(1 + ROUNDS) * (len(frames) - 1), desc="align", unit="frame", disable=not progress) as bar:
        placed = first_round(stack, reference, max(1, round(max_drift / stack.factor)), bar)
        gains, agreement = compared(stack, placed, spectra, reference)
        refuse(agreement, reference, max_drift)
        smoothness = float(np.median([p.smoothness for k, p in enumerate(placed) if k != reference]))
        for _ in range(ROUNDS):
            before, placed = placed, next_round(stack, placed, gains, reference, smoothness, bar)
            change = [p.scan.drift - b.scan.drift for p, b in zip(placed, before, strict=True)]
            if max(np.sqrt(np.mean(c**2)) for c in change) < RESTING:
                break
        bar.update(bar.total - bar.n)
    height = len(frames[0])
    scans = [p.scan.enlarged(stack.factor, height) for p in placed]
    rows = np.minimum(np.arange(height) // stack.factor, len(placed[0].std) - 1)
    std = stack.factor * np.stack([p.std[rows] for p in placed])
    table = pd.DataFrame({"information": information, "noise": pixel_noise(spectra, frames[0].size), "gain": gains})
    table = table.assign(agreement=agreement, jitter=[stack.factor * p.jitter for p in placed])
    return Alignment(scans, std, reference, stack.period * stack.factor, table)


def refuse(agreement, reference, max_drift):
    """Refuse frames that don't agree with the reference, or the reference if most don't agree with it."""
    odd = np.flatnonzero(agreement < ALIKE)
    if len(odd) > (len(agreement) - 1) / 2:
        raise ValueError(
            f"frame {reference}, the sharpest, shows another place than most frames: it agrees with frame {odd[0]} to "
            f"{agreement[odd[0]]:.2f}, below {ALIKE}; leave it out, or raise max_drift above {max_drift:.0f} px."
        )
    if len(odd):
        raise ValueError(
            f"frame {odd[0]} shows another place than frame {reference}, the sharpest: they agree to "
            f"{agreement[odd[0]]:.2f}, below {ALIKE}; leave it out, or raise max_drift above {max_drift:.0f} px."
        )


def first_round(stack, reference, reach, bar):
    """Every frame on the reference: list of `row_drift.Placed`."""
    height = len(stack.images[0])
    weight = np.full(stack.images[0].shape, 1 / stack.noise[reference])
    template = Template.of(weight * stack.images[reference], weight, (0, 0), stack.period)
    placed = []
    for number, (image, noise) in enumerate(zip(stack.images, stack.noise, strict=True)):
        if number == reference:
            placed.append(row_drift.Placed(Scan.along(np.zeros((height, 2))), np.zeros((height, 2)), 1.0, 0.0, 0.0))
            continue
        start = registration.overlay(image, template, reach, stack.period)
        rough = row_drift.follow(image, template, start, noise=noise)
        settled = registration.settle(image, template, rough, noise=noise, reach=reach, period=stack.period)
        placed.append(row_drift.follow(image, template, settled.scan, noise=noise))
        bar.update()
    return placed


def next_round(stack, placed, gains, reference, smoothness, bar):
    """Every frame but the reference on the average of all others.

    It is not asked for lattice vectors again: an average is sharper where sharp frames lie, which attracts every frame.
    """
    origin, shape = canvas([p.scan for p in placed], stack.images[0].shape[1])
    shares = []
    for image, place, gain, noise in zip(stack.images, placed, gains, stack.noise, strict=True):
        values, known = on_canvas(image, place.scan, origin, shape)
        rows, _ = place.scan.rows_at(origin[0] + np.arange(shape[0]))
        known &= (np.interp(rows, np.arange(len(image)), place.std.max(1)) < UNSURE * stack.period)[:, None]
        shares.append((gain / noise * values * known, gain**2 / noise * known))
    total, weight = (np.sum(part, 0) for part in zip(*shares, strict=True))
    result = []
    for number, place in enumerate(placed):
        if number == reference:
            result.append(place)
            continue
        others = weight - shares[number][1]
        others[others < 1e-6 * weight.max()] = 0
        template = Template.of(total - shares[number][0], others, origin, stack.period)
        result.append(
            row_drift.follow(stack.images[number], template, place.scan, noise=stack.noise[number], smoothness=smoothness)
        )
        bar.update()
    return result


def compared(stack, placed, spectra, reference):
    """Contrast of every frame over the reference's, and their correlation, all freed from noise: two (n,) arrays [-]."""
    weight = np.full(stack.images[0].shape, 1 / stack.noise[reference])
    template = Template.of(weight * stack.images[reference], weight, (0, 0), stack.period)
    gains, agreements = [], []
    for image, place, own in zip(stack.images, placed, spectra, strict=True):
        value, known = template.along(place.scan, image.shape[1])
        blurred = gaussian_filter(image, registration.SHARPEST * stack.period)  # as the template is
        theirs = max(np.mean(value[known] ** 2, dtype=float) - template.noise, 1e-3 * template.noise)
        signal, error = own.passed(stack.period * stack.factor)
        ours = max(signal, 0) + SURE * error
        gains.append(np.mean(value[known] * blurred[known], dtype=float) / theirs)
        agreements.append(np.mean(value[known] * image[known], dtype=float) / np.sqrt(theirs * ours))
    gains[reference], agreements[reference] = 1.0, 1.0
    return np.array(gains), np.array(agreements)
