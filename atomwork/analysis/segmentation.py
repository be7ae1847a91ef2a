"""An image drawn as its columns, point defects and fronts by AtomGAN or its rival, at the magnification that they know."""

from functools import lru_cache

import numpy as np
import torch

from atomwork import weights
from atomwork.analysis import confidence, drawings
from atomwork.columns import bragg
from atomwork.columns.unit_cells import honeycomb_spacing
from atomwork.models import unpaired
from atomwork.models.atomgan import AtomGAN
from atomwork.models.cyclegan import CycleGAN
from atomwork.simulation.batches import resampled
from atomwork.simulation.drawing import DEFECT_LEVEL

STRIDE = 16  # px, of which sides are multiples, and so of the stride of any network
TILE, OVERLAP = 512, 64  # larger images pass in tiles of this side [px], each trusted up to half the overlap


def network(model):
    """The network of a weight, see `weights.load`; read again when the file changes."""
    return loaded(str(model), weights.stamp(model))


@lru_cache(maxsize=2)
def loaded(model, _stamp):
    """See `network`."""
    tensors, settings = weights.load(model)
    for kind in (AtomGAN, CycleGAN):
        if set(settings) == set(kind.SETTINGS):
            return kind.from_weights(tensors, settings).eval()
    raise ValueError(f"model={model!r} is a weight of neither AtomGAN nor CycleGAN; train one with notebook 07.")


def drawn(image, model="atomgan"):
    """The drawing that AtomGAN, or CycleGAN, makes of an image.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.], columns bright or dark
    model : str, see `weights.load`

    Returns
    -------
    (h, w) float array, grey levels 0…255 as `simulation.drawing` has them, and the spacing of columns in it [px]

    Raises
    ------
    ValueError : the image has no lattice, whose spacing sets the magnification
    """
    net, image = network(model), np.asarray(image, float)
    scaled, vectors = at_working_scale(unpaired.normalised(image), bragg.find(image).vectors)
    levels = with_mirrored(net.as_drawing, scaled, vectors).numpy()
    return levels[0, 0] * (DEFECT_LEVEL / unpaired.DRAWN), honeycomb_spacing(vectors[0].numpy())


def at_working_scale(image, vectors):
    """An image (H, W) tensor and its lattice (2, 2) as the networks take them: (1, 1, h, w) and (1, 2, 2) float tensors."""
    vectors = torch.from_numpy(np.asarray(vectors, np.float32))
    zoom = unpaired.SPACING / float(vectors.norm(dim=1).mean())
    # whole strides of the network: what would be added at the border, mirrored or not, is no crystal
    size = [STRIDE * max(1, round(length * zoom / STRIDE)) for length in image.shape]
    return resampled(image[None, None].float(), size), (vectors * torch.tensor(size) / torch.tensor(image.shape))[None]


def with_mirrored(draw, image, vectors):
    """The mean of what ``draw`` makes of an image (1, 1, H, W) with a lattice (1, 2, 2) and of its mirror image, likewise.

    What is drawn of one of them alone is rarely there.
    """
    of_one = image[0], vectors[0]
    both = map(torch.stack, zip(of_one, unpaired.turned(*of_one, quarters=0, mirrored=True), strict=True))
    made = by_tiles(draw, *both)
    return 0.5 * (made[:1] + made[1:].flip(3))


@torch.inference_mode()
def by_tiles(draw, image, vectors):
    """What ``draw`` makes of images (B, 1, H, W) with lattices (B, 2, 2), in overlapping tiles: (B, 1, H, W) tensor."""
    made = torch.empty_like(image)
    for top in confidence.tile_starts(image.shape[2], TILE, OVERLAP):
        for left in confidence.tile_starts(image.shape[3], TILE, OVERLAP):
            tile = image[..., top : top + TILE, left : left + TILE]
            y0, x0 = (OVERLAP // 2 if start else 0 for start in (top, left))
            made[..., top + y0 : top + TILE, left + x0 : left + TILE] = draw(tile, vectors)[..., y0:, x0:]
    return made


def segment(image, model="atomgan"):
    """What a network draws of an image, read; see `drawings.read` for what it returns and `drawn` for the rest."""
    levels, spacing = drawn(image, model)
    found = drawings.read(levels, spacing, source=str(model))
    return found.magnified(np.divide(np.shape(image), levels.shape), np.shape(image))
