"""What is under the noise: an image without it, or without what its columns stand on, by well-known filters."""

import numpy as np
from scipy.fft import fft2, ifft2
from scipy.ndimage import gaussian_filter, grey_opening

from atomwork.columns import counting

TASKS = ("denoise", "background")
SMOOTH = 1.0  # waves over which the power of a spectrum is averaged
SURE = 2.0  # power of noise that is taken off, over the one expected: less would leave its peaks [-]
MIRRORED = 0.125  # of the sides, by which an image is continued by its mirror image, for want of a period [-]
OPENED = 1.5  # side of the window within which a background has no column, over the spacing [-]


def restore(image, *, task, spacing=None, strength=1.0):
    """An image without its noise or without its background.

    Parameters
    ----------
    image : (H, W) float array, intensity on a linear scale [arb.]
    task : str, ``"denoise"`` by a Wiener filter, which keeps what recurs: whatever is there once only becomes fainter;
        ``"background"`` to take off what changes over more than a bright column
    spacing : float, distance of neighbouring columns [px], which tells background from columns; denoising needs none
    strength : float, of the filter, over the usual one [-]

    Returns
    -------
    (H, W) float32 array [arb.]

    Raises
    ------
    ValueError : no such task, or a spacing or a strength that is not positive

    References
    ----------
    Kilaas, Journal of Microscopy 190 (1998) 45.
    """
    if task not in TASKS:
        raise ValueError(f"task={task!r} is none; choose one of {', '.join(TASKS)}.")
    if not strength > 0:
        raise ValueError(f"strength={strength} must be positive; 1 is usual.")
    image = np.asarray(image, np.float32)
    if task == "denoise":
        return denoised(image, strength)
    if spacing is None or not spacing > 0:
        raise ValueError(f"spacing={spacing} px must be positive; give the distance of neighbouring columns.")
    return image - background(image, spacing, strength)


def denoised(image, strength=1.0):
    """An image by Wiener's filter, whose noise is that of the counts: (H, W) float32 array."""
    gain, offset = counting.noise_model(image)
    room = [int(MIRRORED * n) for n in image.shape]
    mean = float(image.mean(dtype=float))
    spectrum = fft2(np.pad(image - mean, [(n, n) for n in room], mode="reflect"))
    noise = SURE * strength * gain * (mean + offset) * spectrum.size
    power = gaussian_filter(np.abs(spectrum) ** 2, SMOOTH, mode="wrap")
    kept = ifft2(spectrum * np.clip(1 - noise / np.maximum(power, 1e-30), 0, 1)).real + mean
    return kept[tuple(slice(n, n + side) for n, side in zip(room, image.shape, strict=True))].astype(np.float32)


def background(image, spacing, strength=1.0):
    """What an image's bright columns stand on: its lowest values within a window, smoothed: (H, W) float32 array."""
    calm = gaussian_filter(image, spacing / 4)
    opened = grey_opening(calm, int(np.ceil(OPENED * spacing / strength)) | 1, mode="nearest")
    return gaussian_filter(opened, spacing / strength)
