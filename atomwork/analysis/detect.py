"""Where the columns are and how sure we are: AtomID-Net at any magnification, then the sub-pixel fit."""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from atomwork import weights
from atomwork.columns import counting, fit, neighbours, peaks
from atomwork.models.detector import SEPARATION, AtomIDNet
from atomwork.models.networks import turned
from atomwork.models.networks.unet import pool_scale
from atomwork.simulation.batches import resampled

WORKING_SPACING = 12.0  # the column spacing that the network is given [px]
TOLERATED = 1.35  # factor on that spacing within which no other scale is tried [-]
SCALES = (0.2, 1.0)  # smallest and largest magnification [-]; enlarged noise would look like columns
LOOK, LOOKS = 192, 2  # side of the tiles from which the first spacing is read [px], and how many along either axis
TILE, OVERLAP = 1280, 352  # larger images pass in tiles of this side [px]; the network looks aside by 172 px at most
POSITION_STD = 0.06  # error allowed the network's own positions over the spacing; 0.035 was seen in validation [-]
SMALLEST_WINDOW = 3.0  # px of the map; noise read as a lattice would give every column several peaks
FEW = 10  # columns below which the spacing is the network's guess
MIN_SIDE = 32  # px, shortest side of an image
DOUBTFUL = 0.8  # share of the columns expected to be right below which `detect` warns
SAMPLE = 2**18  # pixels from which median and deviation of larger images are taken


class Unfamiliar(UserWarning):
    """An image of a kind that the network does not know, or that shows too little."""


@dataclass(frozen=True)
class ConfidenceMap:
    """What the network says of an image.

    Attributes
    ----------
    confidence : (h, w) float32 array, confidence of a column being centred there [0–1]
    magnification : (2,) float, size of the map over the size of the image, y and x [-]
    spacing : float, predicted spacing of the columns in the image [px]
    dark : bool, columns are darker than their surroundings
    calibration : heights of the map and the share of peaks so high that are columns, or None; see `calibration.calibrate`
    """

    confidence: np.ndarray
    magnification: tuple
    spacing: float
    dark: bool
    calibration: tuple | None = None

    def on_image(self, positions):
        """Positions (N, 2) on the map as positions on the image [px]."""
        return (positions + 0.5) / np.array(self.magnification) - 0.5

    def probability(self, positions):
        """How sure peaks (N, 2) of the map are: their heights, calibrated where the weight is."""
        pixels = np.rint(positions).astype(int).clip(0, np.array(self.confidence.shape) - 1)
        height = self.confidence[tuple(pixels.T)]
        return height if self.calibration is None else np.interp(height, *self.calibration)


def network(model, views=1):
    """The network of a weight, ready for inference, and its calibration; read again when the file changes."""
    if not 1 <= views <= turned.MOST:
        raise ValueError(
            f"views={views} is outside 1–{turned.MOST}; take 1, which is fastest, or {turned.MOST}, which finds most."
        )
    net, calibration = loaded(str(model), weights.stamp(model))
    return turned.Turned(net, views) if views > 1 else net, calibration


@lru_cache(maxsize=4)
def loaded(model, _stamp):
    """See `network`."""
    tensors, settings = weights.load(model)
    return AtomIDNet.from_weights(tensors, settings).inference_network(), settings.get("calibration")


def checked(image):
    """An image (H, W) as an array; ValueError if there is nothing to detect in it."""
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"image has shape {image.shape}; detect takes one (H, W) image, so pick a frame of a stack.")
    if min(image.shape) < MIN_SIDE:
        raise ValueError(
            f"image is {image.shape[0]} × {image.shape[1]} px; detection needs at least {MIN_SIDE} × {MIN_SIDE} px."
        )
    if not np.isfinite(image).all():
        raise ValueError("image holds NaN or infinite pixels; replace or crop them before detection.")
    if image.min() == image.max():
        raise ValueError(f"image is constant ({image.flat[0]:g} everywhere); there is nothing to detect.")
    return image


def normalised(image):
    """(1, 1, H, W) float32 tensor of zero median and unit deviation, whatever offset and unit the image has."""
    image = checked(image)
    step = max(1, int(np.sqrt(image.size / SAMPLE)))
    sample = image[::step, ::step].astype(np.float64)
    middle, deviation = np.median(sample), sample.std() or np.ptp(image)
    return torch.from_numpy(counting.rescaled(image, deviation, -middle))[None, None]


@torch.inference_mode()
def first_look(net, image):
    """Log spacing and dark logit from a few tiles spread over the image, all cells voting together."""
    places = (np.arange(LOOKS) + 0.5) / LOOKS
    starts = [np.unique((places * max(n - LOOK, 0)).astype(int)) for n in image.shape[-2:]]
    tiles = torch.cat([image[..., y : y + LOOK, x : x + LOOK] for y in starts[0] for x in starts[1]])
    return pool_scale(together([net.scale(padded(tiles, net.stride))]))


def together(votes):
    """The votes (B, 3, h, w) of all tiles as those of one image, (1, 3, n, 1)."""
    return torch.cat([tiles.transpose(0, 1).flatten(1) for tiles in votes], 1)[None, ..., None]


def padded(image, stride):
    """The image mirrored at its bottom and right up to multiples of the network's stride."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % stride, 0, -height % stride), mode="reflect")


@torch.inference_mode()
def run(net, image):
    """Confidence (h, w) and scale votes (1, 3, n, 1) of a whole image, in overlapping tiles if it is large."""
    height, width = image.shape[-2:]
    confidence, votes, variance = np.empty((height, width), np.float32), [], image.var(correction=0)
    for top in tile_starts(height):
        for left in tile_starts(width):
            tile = image[..., top : top + TILE, left : left + TILE]
            logits, scale = net(padded(tile, net.stride), variance)
            votes.append(scale)
            # a tile is trusted up to half the overlap from its inner borders
            y0, x0 = (OVERLAP // 2 if start else 0 for start in (top, left))
            kept = torch.sigmoid(logits.float()[0, 0, y0 : tile.shape[-2], x0 : tile.shape[-1]])
            confidence[top + y0 : top + tile.shape[-2], left + x0 : left + tile.shape[-1]] = kept.numpy()
    return confidence, together(votes)


def tile_starts(length):
    """Where tiles of `TILE` px begin along a side."""
    return range(0, max(length - OVERLAP, 1), TILE - OVERLAP)


def magnified(image, magnification):
    """The image on other pixels, as many times as many along either axis."""
    size = [max(MIN_SIDE, round(n * magnification)) for n in image.shape[-2:]]
    if size == list(image.shape[-2:]):
        return image
    return resampled(image, size)


def confidence_map(image, *, model="atomid", views=1):
    """Run the network on an image at the magnification that suits it.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    model : str, see `weights.load`
    views : int, see `detect`

    Returns
    -------
    ConfidenceMap

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite; views outside 1–8
    """
    (net, calibration), source = network(model, views), normalised(image)
    log_spacing, dark = first_look(net, source)
    for _ in range(3):
        magnification = float(np.clip(WORKING_SPACING / log_spacing.exp().item(), *SCALES))
        scaled = magnified(source, magnification)
        ratio = tuple(a / b for a, b in zip(scaled.shape[-2:], source.shape[-2:], strict=True))
        confidence, votes = run(net, scaled)
        found, dark = pool_scale(votes)
        log_spacing = found - np.log(np.sqrt(ratio[0] * ratio[1]))
        if 1 / TOLERATED < found.exp().item() / WORKING_SPACING < TOLERATED:
            break
    return ConfidenceMap(confidence, ratio, log_spacing.exp().item(), dark.item() > 0, calibration)


def columns(image, confidence, *, lower_bound=0.1, window_size=None, refine=True):
    """Columns from a map that is already there, so that a slider need not run the network again.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    confidence : ConfidenceMap of that image
    lower_bound, window_size, refine : see `detect`

    Returns
    -------
    DataFrame : see `detect`
    """
    scale = float(np.sqrt(np.prod(confidence.magnification)))
    if window_size is None:
        window_size = max(SEPARATION * confidence.spacing, SMALLEST_WINDOW / scale)
    window_size = max(window_size, 1 / scale)
    on_map = peaks.find(confidence.confidence, lower_bound=lower_bound, window_size=window_size * scale)
    positions = confidence.on_image(on_map)
    if refine:
        error = POSITION_STD * confidence.spacing
        table = fit.refine(image, positions, position_std=error, spacing=confidence.spacing)
        margin = np.where(table["y_std"].isna(), 1 / scale, 0)
    else:
        table = pd.DataFrame(positions, columns=["y", "x"]).assign(y_std=np.nan, x_std=np.nan)
        table = table.assign(amplitude=np.nan, background=np.nan, width=np.nan)
        margin = 0
    table["confidence"] = confidence.probability(on_map)
    kept = peaks.suppress(table[["y", "x"]].to_numpy(), window_size / 2)  # two fits that ran into one column
    for axis, length in zip(("y", "x"), image.shape, strict=True):
        # flanks of columns beyond the border: fits that end there, or are refused in the map's outermost pixels
        kept &= table[axis].between(margin - 0.5, length - 0.5 - margin).to_numpy()
    table = table[kept].sort_values(["y", "x"], ignore_index=True)
    expected = float(table["confidence"].mean()) if confidence.calibration is not None and len(table) else None
    known = {"spacing": measured_spacing(table, confidence.spacing), "dark": confidence.dark}
    table.attrs.update(known, expected_precision=expected)
    return table


def doubt(table):
    """A sentence about columns of which too few are expected to be right, or None."""
    expected = table.attrs.get("expected_precision")
    if expected is None or expected >= DOUBTFUL:
        return None
    return (
        f"{table.attrs.get('source', 'array')}: only {expected:.0%} of the {len(table)} columns found are expected to be right "
        f"(usual: over {DOUBTFUL:.0%}); the image is of a kind that the network does not know, or shows too little. "
        "Look at them over the image, and raise lower_bound to keep the sure ones."
    )


def measured_spacing(table, predicted):
    """Median nearest-neighbour distance of the columns [px]; the predicted one where there are too few."""
    if len(table) < FEW:
        return predicted
    return float(np.median(neighbours.nearest_distance(table[["y", "x"]])))


def locate(image, *, model="atomid", views=1, **reading):
    """Columns of an array as `detect` finds them, without a warning: for those who judge them anyway.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    model : str, see `weights.load`
    views : int, see `detect`
    reading : see `columns`
    """
    return columns(image, confidence_map(image, model=model, views=views), **reading)


def detect(image, *, model="atomid", views=1, lower_bound=0.1, window_size=None, refine=True):
    """Find the atomic columns of an image.

    Parameters
    ----------
    image : Micrograph or (H, W) float array, intensity on a linear scale [arb.], bright or dark columns
    model : str, registered weight or path of a .safetensors file
    views : int, 1–8, how many turned and mirrored copies of the image the network looks at; its time grows with them, and
        the mean of all finds more on hard images
    lower_bound : float, smallest height of the network's map that is kept, 0–1 (the filter lower bound)
    window_size : float, side of the window that holds one column [px] (the filter window size);
        0.55 of the predicted spacing if None
    refine : bool, fit a Gaussian to every column for sub-pixel positions with error bars

    Returns
    -------
    DataFrame : y, x [px], y_std, x_std [px], amplitude, background, width [px], confidence (the probability of
        being a column) [0–1], in reading order; NaN where nothing was fitted. ``attrs``: pixel_size [Å] or None,
        spacing [px], source, dark, expected_precision, the mean confidence (None if it isn't calibrated).

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite; a parameter outside its range

    Warns
    -----
    Unfamiliar : fewer than `DOUBTFUL` of the columns are expected to be right

    References
    ----------
    Lin, Yan et al., Small Science 3 (2023) 2300031.
    """
    pixels = getattr(image, "image", image)
    table = locate(pixels, model=model, views=views, lower_bound=lower_bound, window_size=window_size, refine=refine)
    table.attrs.update(pixel_size=getattr(image, "pixel_size", None), source=getattr(image, "name", "array"))
    if sentence := doubt(table):
        warnings.warn(sentence, Unfamiliar, stacklevel=2)
    return table
