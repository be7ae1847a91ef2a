"""The confidence map of an image: AtomID-Net at the magnification that suits it, at once or in tiles."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from atomwork import weights
from atomwork.columns import counting
from atomwork.models.detector import AtomIDNet
from atomwork.models.judge import Judge
from atomwork.models.networks import turned
from atomwork.models.networks.halved import Halved
from atomwork.models.networks.unet import pool_scale
from atomwork.simulation.batches import resampled

WORKING_SPACING = 9.0  # the column spacing that the network is given [px]
TOLERATED = 1.35  # factor on that spacing within which no other scale is tried [-]
FINER = 1.45  # working spacing of every second view over that of the first [-]
VIEWS = 2 * turned.MOST
SCALES = (0.2, 1.0)  # smallest and largest magnification [-]; enlarged noise would look like columns
LOOK, LOOKS = 96, 2  # side of the tiles from which the first spacing is read [px], and how many along either axis
TILE, OVERLAP = 1280, 352  # larger images pass in tiles of this side [px]; the network looks aside by 172 px at most
MIN_SIDE = 32  # px, shortest side of an image
EPSILON = 1e-6  # confidences are told from 0 and 1 by so much, before logits are averaged
SAMPLE = 2**16  # pixels from which median and deviation of larger images are taken


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
    judge : models.judge.Judge that weighs peaks and their fits together, or None
    again : ConfidenceMap of what the columns found leave of the image, or None; see `detect.look`
    """

    confidence: np.ndarray
    magnification: tuple
    spacing: float
    dark: bool
    calibration: tuple | None = None
    judge: Judge | None = None
    again: "ConfidenceMap | None" = None

    @property
    def scale(self):
        """Pixels of the map per pixel of the image [-]."""
        return float(np.sqrt(np.prod(self.magnification)))

    def on_image(self, positions):
        """Positions (N, 2) on the map as positions on the image [px]."""
        return (positions + 0.5) / np.array(self.magnification) - 0.5

    def height(self, positions):
        """The map at peaks (N, 2) of it."""
        return self.confidence[tuple(np.rint(positions).astype(int).clip(0, np.array(self.confidence.shape) - 1).T)]

    def calibrated(self, height):
        """How sure peaks of some heights (N,) are, where the weight is calibrated; else the heights."""
        return height if self.calibration is None else np.interp(height, *self.calibration)


def networks(model, views=1, *, quick=True):
    """The network of a weight for the working spacing, that for the finer one or None, its calibration and its judge or None.

    They are read again when the file changes. With ``quick`` the networks are `Halved`.
    """
    if not 1 <= views <= VIEWS:
        raise ValueError(f"views={views} is outside 1–{VIEWS}; take 1, which is fastest, or {VIEWS}, which finds most.")
    halved, *readers = loaded(str(model), weights.stamp(model))
    net = halved if quick else halved.network
    return turned.Turned(net, views - views // 2), turned.Turned(net, views // 2) if views > 1 else None, *readers


@lru_cache(maxsize=4)
def loaded(model, _stamp):
    """See `networks`."""
    trained = AtomIDNet.from_weights(*weights.load(model))
    return Halved(trained.inference_network()), trained.hparams.calibration, trained.judge


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
    confidence, votes = np.empty((height, width), np.float32), []
    variance = image.var(correction=0)
    for top in tile_starts(height, TILE, OVERLAP):
        for left in tile_starts(width, TILE, OVERLAP):
            tile = image[..., top : top + TILE, left : left + TILE]
            logits, scale = net(padded(tile, net.stride), variance)
            votes.append(scale)
            # a tile is trusted up to half the overlap from its inner borders
            y0, x0 = (OVERLAP // 2 if start else 0 for start in (top, left))
            kept = torch.sigmoid(logits[0, 0, y0 : tile.shape[-2], x0 : tile.shape[-1]])
            confidence[top + y0 : top + tile.shape[-2], left + x0 : left + tile.shape[-1]] = kept.numpy()
    return confidence, together(votes)


def tile_starts(length, tile, overlap):
    """Where tiles of ``tile`` px begin along a side, each ``overlap`` px before the last one ends."""
    return range(0, max(length - overlap, 1), tile - overlap)


def magnified(image, magnification):
    """The image on other pixels, as many times as many along either axis."""
    size = [max(MIN_SIDE, round(n * magnification)) for n in image.shape[-2:]]
    if size == list(image.shape[-2:]):
        return image
    return resampled(image, size)


def confidence_map(image, *, model="atomid", views=1, quick=True):
    """Run the network on an image at the magnification that suits it.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    model : str, see `weights.load`
    views : int, see `detect.detect`
    quick : bool, compute in bf16 where the processor does; where a peak is nearly a column or not, this may decide it

    Returns
    -------
    ConfidenceMap

    Raises
    ------
    ValueError : the image is not two-dimensional, too small, constant or not finite; views outside 1–8
    """
    (net, finer, *readers), source = networks(model, views, quick=quick), normalised(image)
    log_spacing, dark = first_look(net, source)
    for _ in range(3):
        magnification = float(np.clip(WORKING_SPACING / log_spacing.exp().item(), *SCALES))
        confidence, ratio, found, dark = seen_at(net, source, magnification)
        log_spacing = found - np.log(np.sqrt(ratio[0] * ratio[1]))
        if 1 / TOLERATED < found.exp().item() / WORKING_SPACING < TOLERATED:
            break
    if finer and magnification < SCALES[1]:
        coarse = confidence
        confidence, ratio, _, _ = seen_at(finer, source, min(FINER * magnification, SCALES[1]))
        confidence = middle(coarse, confidence)
    return ConfidenceMap(confidence, ratio, log_spacing.exp().item(), dark.item() > 0, *readers)


def seen_at(net, source, magnification):
    """What a network says of a magnified image: confidence (h, w), its size over the image's, log spacing, dark logit."""
    scaled = magnified(source, magnification)
    confidence, votes = run(net, scaled)
    return confidence, tuple(a / b for a, b in zip(scaled.shape[-2:], source.shape[-2:], strict=True)), *pool_scale(votes)


def middle(coarse, fine):
    """Confidences (h, w) of the mean logit of a coarse map and a finer one, on the pixels of the latter."""
    logits = [torch.logit(torch.from_numpy(seen), EPSILON)[None, None] for seen in (coarse, fine)]
    stretched = F.interpolate(logits[0], fine.shape, mode="bicubic", align_corners=False)
    return torch.sigmoid((stretched + logits[1]) / 2)[0, 0].numpy()
