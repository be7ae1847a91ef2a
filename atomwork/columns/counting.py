"""From grey levels to electrons: the gain and offset under which an image's variance equals its intensity."""

import numpy as np

BINS = 24  # groups of pixels of like brightness
ENOUGH = 50_000  # blocks looked at; more would not sharpen the line
PIXELS = 2**16  # scaled at once, so that they stay in the processor's cache in double precision
SIGNIFICANT = 4.0  # standard errors by which the variance must rise with brightness to be counting noise


def noise_model(image):
    """Gain and offset of an image from its own noise.

    The noise is read from the diagonal differences of 2 x 2 blocks, which columns of more than a pixel's
    width hardly touch; a line through its variance against the brightness gives both numbers.

    Parameters
    ----------
    image : (H, W) float array [arb.]

    Returns
    -------
    gain : float, intensity per electron [arb./e⁻]
    offset : float, intensity to add before dividing by the gain, which makes room for readout noise as well;
        where the noise does not grow with brightness it is so large that all pixels weigh alike [arb.]
    """
    image = np.asarray(image)
    across, blocks = image.shape[1] // 2, image.shape[0] // 2 * (image.shape[1] // 2)
    some = np.arange(0, blocks, max(1, blocks // ENOUGH))
    first = 2 * (some // across) * image.shape[1] + 2 * (some % across)
    corners = [image.take(first + down * image.shape[1] + right).astype(np.float64) for down in (0, 1) for right in (0, 1)]
    mean = sum(corners) / 4
    squared = ((corners[0] - corners[1] - corners[2] + corners[3]) / 2) ** 2
    lowest = float(image.min())
    spread = float(image.max()) - lowest
    ordered = np.stack([mean, squared])[:, np.argsort(mean)]
    groups = [g for g in np.array_split(ordered, min(BINS, max(1, len(mean) // 50)), axis=1) if g.shape[1] > 1]
    level, variance = np.array([g.mean(1) for g in groups]).reshape(-1, 2).T
    variance = variance + 1e-12 * max(spread, 1e-30) ** 2
    weight = np.sqrt([g.shape[1] for g in groups]) / variance  # the variance of a variance goes with its square
    noisy = variance > 1e-9 * variance.max()  # clipped pixels say nothing of the noise
    gain, offset, certain = rising_line(level[noisy], variance[noisy], weight[noisy])
    if not certain:
        return max(float(np.median(variance)) / (100 * spread), 1e-30), 100 * spread - lowest
    return gain, max(offset, -lowest)


def rescaled(image, gain, offset):
    """(image + offset) / gain in single precision, calculated in double precision a few rows at a time: float32 array."""
    result = np.empty(image.shape, np.float32)
    step = max(1, PIXELS // image.shape[1])
    for start in range(0, len(image), step):
        rows = slice(start, start + step)
        shifted = np.add(image[rows], offset, dtype=np.float64)
        np.divide(shifted, gain, out=result[rows], casting="same_kind")
    return result


def rising_line(level, variance, weight):
    """Slope, intercept over slope and whether the slope is significant, by weighted least squares."""
    share = weight**2
    centre, middle = (np.average(v, weights=share) for v in (level, variance))
    spread = np.sum(share * (level - centre) ** 2)
    if len(level) < 3 or spread == 0:
        return 0.0, 0.0, False
    slope = np.sum(share * (level - centre) * (variance - middle)) / spread
    residual = weight * (variance - middle - slope * (level - centre))
    error = np.sqrt(max(np.mean(residual**2), 2.0) / spread)
    return slope, (middle / slope - centre) if slope else 0.0, bool(slope > SIGNIFICANT * error)
