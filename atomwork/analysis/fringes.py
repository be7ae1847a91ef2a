"""The fringes of two Bragg vectors: how fast their phase rises beyond the vectors' own waves, and how sure that is.

They are read off windows of the spectrum, on a grid of points as coarse as these windows allow, tile by tile.
"""

from dataclasses import dataclass

import dask
import dask.array
import numpy as np
from scipy.fft import fft2, fftfreq, ifft2, next_fast_len

from atomwork.analysis import strain_grid

GRID = 0.5  # distance of the grid's points over the resolution, at which the windows' rims are 10⁻⁸ of their middle [-]
REACH = 4.0  # resolutions beyond which nothing counts [-]
TILE = 2048  # px, side of what is transformed at once, without what surrounds it
OVERLAP = 1 / (8 * np.pi)  # of the derivative of a Gaussian of width 1 along an axis with itself: its integrated square
LARGEST = 1e30  # of what is returned, where there are no fringes


@dataclass(frozen=True)
class Fringes:
    """What two Bragg vectors' fringes are like at points ``step`` px apart, the first one at the first pixel's centre.

    Attributes
    ----------
    slope : (2, 2, h, w) float32 array, by how much the phase of either vector's fringes rises per pixel (y, x) beyond the
        vector's own wave [rad/px]
    amplitude : (2, h, w) float32 array, half their amplitude [arb.]
    white : (2, 2, h, w) float32 array, covariance of the slopes of the vectors along y, or along x, if every pixel has noise
        of variance 1 [rad²/px²]
    shot : (2, 2, h, w) float32 array, the same if the variance equals the intensity [rad²/px²]
    step : int [px]
    """

    slope: np.ndarray
    amplitude: np.ndarray
    white: np.ndarray
    shot: np.ndarray
    step: int


def measure(image, g, resolution):
    """The fringes of an image.

    Parameters
    ----------
    image : (H, W) array of numbers: NumPy's, Dask's, Zarr's or a memory map; only tiles of it are read at a time
    g : (2, 2) float array, reciprocal vectors as rows, (y, x) [1/px]
    resolution : float, standard deviation of the Gaussian that fringes are averaged with [px]

    Returns
    -------
    Fringes

    Notes
    -----
    With the complex wave B of a vector, filtered, its slope is Im(B* ∂B)/|B|²: no phase is unwrapped. For noise of variance V
    slopes along different axes are independent, and those of vectors i and j along one axis have the covariance
    S/2 · Re(V_{i−j} B_i* B_j − V_{i+j} B_i* B_j*)/|B_i B_j|², with the wave V_q of the variance at q and
    S = 1/(8π resolution⁴). With V the same everywhere only the first term of i = j is left, which is known.

    References
    ----------
    Hÿtch, Snoeck & Kilaas, Ultramicroscopy 74 (1998) 131; Rouvière & Sarigiannidou, Ultramicroscopy 106 (2005) 1.
    """
    step = max(1, int(GRID * resolution))
    most, totals = TILE // step, map(len, strain_grid.axes(image.shape, step))
    rows, columns = ([(first, min(most, total - first)) for first in range(0, total, most)] for total in totals)
    if not isinstance(image, dask.array.Array):
        image = dask.array.from_array(image, chunks=TILE, name=False)
    tiles = [[tile(image, g, resolution, step, row, column) for column in columns] for row in rows]
    joined = np.concatenate([np.concatenate(row, 2) for row in dask.compute(*tiles)], 1)
    slope, amplitude, white, shot = np.split(joined, (4, 6, 10))
    pair = (2, 2, *joined.shape[1:])
    return Fringes(slope.reshape(pair), amplitude, white.reshape(pair), shot.reshape(pair), step)


def tile(image, g, resolution, step, *points):
    """What `at_points` returns of some of the grid's points, later: of an array of Dask only what is around them is read.

    ``points`` are for y and for x the first one's number and how many there are.
    """
    pad = int(np.ceil(REACH * resolution / step))  # points beside them, up to which the image counts
    spans = [slice(max(0, first - pad) * step, (first + count + pad) * step) for first, count in points]
    before = [span.start - (first - pad) * step for span, (first, _) in zip(spans, points, strict=True)]
    return dask.delayed(at_points)(image[tuple(spans)], before, [count for _, count in points], pad, g, resolution, step)


def at_points(part, before, counts, pad, g, resolution, step):
    """Slopes (4), amplitudes (2), and either covariance (4) at ``counts`` (2,) points: (14, *counts) float32 array.

    ``part`` of the image begins ``before`` (2,) px after the place of the first of ``pad`` points before them.
    """
    part = np.asarray(part, np.float32)
    mean = part.mean(dtype=float)
    whole = np.zeros([next_fast_len(count + 2 * pad) * step for count in counts], np.float32)
    whole[tuple(slice(start, start + length) for start, length in zip(before, part.shape, strict=True))] = part - mean
    made = described(Waves(fft2(whole), resolution, step), g, mean)
    return made[(slice(None), *(slice(pad, pad + count) for count in counts))]


class Waves:
    """Parts of an image that are waves of nearly one frequency, at every ``step``-th pixel; see `measure`.

    Parameters
    ----------
    spectrum : (H, W) complex64 array, of the image
    resolution : float [px]
    step : int, which H and W are multiples of [px]
    """

    def __init__(self, spectrum, resolution, step):
        self.spectrum, self.resolution = spectrum, resolution
        self.unit = 1 / np.array(spectrum.shape)
        self.bins = [np.rint(fftfreq(length // step) * (length // step)).astype(int) for length in spectrum.shape]

    def at(self, g, nearest):
        """The wave at g (2,) relative to that of ``nearest`` (2,) turns over the image, and its slopes: (3, h, w) complex64.

        The slopes are its derivatives along y and x beyond the wave of g.
        """
        places = [bins + near for bins, near in zip(self.bins, nearest, strict=True)]
        y, x = (place * unit - own for place, unit, own in zip(places, self.unit, g, strict=True))
        mask = np.exp(-2 * (np.pi * self.resolution) ** 2 * (y[:, None] ** 2 + x**2)) * len(y) * len(x) / self.spectrum.size
        wrapped = [place % length for place, length in zip(places, self.spectrum.shape, strict=True)]
        window = self.spectrum[np.ix_(*wrapped)] * mask
        return ifft2(np.stack([window, 2j * np.pi * y[:, None] * window, 2j * np.pi * x * window]).astype(np.complex64))


def described(waves, g, mean):
    """What `at_points` returns, at all of the waves' points."""
    nearest = np.rint(g / waves.unit).astype(int)
    both = [waves.at(*pair) for pair in zip(g, nearest, strict=True)]
    wave = [parts[0] for parts in both]
    power = [np.maximum(np.abs(one).astype(float) ** 2, np.finfo(np.float32).tiny) for one in wave]
    slope = [(parts[0].conj() * parts[k]).imag / own for parts, own in zip(both, power, strict=True) for k in (1, 2)]
    white, shot = np.zeros((2, 2, 2, *power[0].shape))
    unit = OVERLAP / waves.resolution**4 / 2
    floor = mean + waves.at(np.zeros(2), np.zeros(2, int))[0].real
    for i, j in ((0, 0), (0, 1), (1, 1)):
        apart = waves.at(g[i] - g[j], nearest[i] - nearest[j])[0] if i != j else floor
        together = waves.at(g[i] + g[j], nearest[i] + nearest[j])[0] * wave[i].conj()
        both_ways = (apart * wave[i].conj() * wave[j] - together * wave[j].conj()).real
        shot[i, j] = shot[j, i] = unit * both_ways / (power[i] * power[j])
    white[0, 0], white[1, 1] = (unit / own for own in power)
    return np.concatenate([slope, np.sqrt(power), *white, *shot]).clip(-LARGEST, LARGEST).astype(np.float32)
