"""What makes an array one image: real numbers that vary, on square pixels."""

import math
import warnings

import numpy as np
from scipy.ndimage import zoom

from atomwork import reading

SQUARE = 1e-3  # relative difference of the samplings along y and x up to which pixels count as square
OBLONG = 20  # times as long as wide that a pixel may be
RESAMPLED = 2**25  # pixels up to which an image is resampled, in 4 s
GREY = 0.02  # share of the range by which the channels of a grey image saved in colour may differ


def single_image(image, frame, name):
    """The (H, W) image of real numbers that an array holds; see `micrograph.load` for what is refused."""
    if image.size == 0:
        raise ValueError(f"{name} is empty (shape {image.shape}); export it again.")
    if image.dtype.names:
        image = grey(channels(image, name), name)
    if image.ndim == 3 and frame is None and image.shape[-1] in (3, 4) and image.dtype == np.uint8:
        image = grey(np.moveaxis(image[..., :3], -1, 0), name)
    count = math.prod(image.shape[:-2])
    if image.ndim > 2 and frame is not None:
        at = place(image.shape[:-2], frame)
        if at is None:
            raise ValueError(f"frame={frame} is outside {name}, which holds {count} frames; give 0…{count - 1}.")
        image = image[at]
    if image.ndim != 2:
        asked = f"choose one with frame=0…{count - 1}, or as {name}[0]" if image.ndim > 2 else "save the one you want as a file"
        raise ValueError(f"{name} holds an array of shape {image.shape}, not one image; {asked}.")
    limit(image.shape, name)
    if np.iscomplexobj(image):
        raise ValueError(f"{name} is complex ({image.dtype}); save its modulus or phase as a real image.")
    if image.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {shown(image.dtype)}, not numbers; export it as an image of integers or floats.")
    return measured(image, name)


def place(shape, frame):
    """Indices of a frame in a stack of some shape, of which the last axis runs first; None if it holds no such frame."""
    count = math.prod(shape)
    return np.unravel_index(frame % count, shape) if frame is not None and -count <= frame < count else None


def limit(shape, name):
    """Refuse an image of more pixels than are held."""
    if math.prod(shape) > reading.LARGEST:
        raise ValueError(f"{name} has {' × '.join(map(str, shape))} pixels, more than {reading.LARGEST}; crop or bin it.")


def channels(records, name):
    """The channels (3, …) of a picture in HyperSpy's form, a record of R, G, B for each pixel."""
    names = set(records.dtype.names)
    if not {"R", "G", "B"} <= names <= set("RGBA") or {records.dtype[c].str[1:] for c in names} - {"u1", "u2"}:
        raise ValueError(f"{name} holds records of {shown(records.dtype)}, not numbers; save the image you want as an array.")
    return np.stack([records[channel] for channel in "RGB"])


def measured(image, name):
    """The image (H, W), found to be finite and to vary, in the numbers of single precision that analysis takes."""
    if broken := np.count_nonzero(~np.isfinite(image)):
        raise ValueError(f"{name} holds {broken} NaN or infinite pixels; replace or crop them first.")
    low, high = float(image.min()), float(image.max())
    most = float(np.finfo(np.float32).max) / 2
    if max(-low, high) > most:
        raise ValueError(f"{name} holds values up to {max(-low, high):.2g}, beyond {most:.2g}; divide them before you save it.")
    if np.float32(low) == np.float32(high):
        raise ValueError(f"{name} is constant ({low:g}, to 7 digits); there is nothing to analyse, give another image.")
    return image


def grey(channels, name):
    """The one image that a grey picture saved in colour holds, (3, H, W) -> (H, W)."""
    limit(channels.shape[1:], name)
    difference = np.ptp(channels, axis=0).max() / max(np.ptp(channels), 1e-12)
    if difference > GREY:
        raise ValueError(
            f"{name} is a colour picture (its channels differ by up to {difference:.0%} of the range), "
            "which is not an intensity; export the image in grey."
        )
    warnings.warn(f"{name} is saved in colour; its channels were averaged to one grey image.", UserWarning, stacklevel=4)
    return channels.mean(0, dtype=np.float32)


def squared(image, pixels, name):
    """The image as float32 with square pixels, and their side [Å] or None.

    ``pixels`` (2,) holds the sampling along y and x [Å], NaN where the file gives none.
    """
    if not (np.isfinite(pixels).all() and pixels.min() > 0):
        return image.astype(np.float32), None
    side = float(pixels.min())
    if pixels.max() > side * (1 + SQUARE):
        if pixels.max() > side * OBLONG or image.size * pixels.max() / side > RESAMPLED:
            raise ValueError(
                f"{name} states pixels of {pixels[0]:.3g} × {pixels[1]:.3g} Å, which make more than {RESAMPLED} squares or are "
                f"more than {OBLONG} times as long as wide; correct its scale or save it with square pixels."
            )
        image = zoom(np.asarray(image, np.float64), pixels / side, order=3, mode="nearest", grid_mode=True)
    return image.astype(np.float32), side


def shown(text, letters=120):
    """A text from a file, as a message can hold it."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()
    return text if len(text) <= letters else text[:letters] + "…"
