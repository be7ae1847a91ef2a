"""Images of drawn specimens, as a reference image was recorded, by AtomGAN."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from atomwork.analysis.segmentation import at_working_scale, by_tiles, network
from atomwork.columns import bragg
from atomwork.columns.polarity import polarity
from atomwork.models import unpaired
from atomwork.models.networks.lattice import noise_like


def generate(drawing, reference, *, model="atomgan", seed=0):
    """The image of a drawn specimen: what is where, and how large, follows the drawing; contrast and noise the reference.

    Parameters
    ----------
    drawing : (H, W) array, grey levels 0…255 as `simulation.drawing` has them
    reference : (h, w) float array, an image of a crystal, intensity [arb.]
    model : str, see `weights.load`
    seed : int, of the noise

    Returns
    -------
    (H, W) float array, at the reference's intensities [arb.]

    Raises
    ------
    ValueError : the drawing or the reference has no lattice, or the reference shows too few columns
    """
    drawn = unpaired.drawings(np.asarray(drawing)[None])
    return as_recorded(network(model), drawn.image[0], drawn.vectors[0], reference, "image", seed)


@torch.inference_mode()
def as_recorded(net, image, vectors, reference, domain, seed):
    """An image as one of a domain that a reference is of, with its contrast, intensities and noise.

    Parameters
    ----------
    net : AtomGAN
    image : (H, W) float tensor, grey levels of `unpaired.Domain`
    vectors : (2, 2) float array, the shortest of its lattice as rows, (y, x) [px]
    reference : (h, w) float array, intensity [arb.]
    domain : str, of the reference
    seed : int, of the noise

    Returns
    -------
    (H, W) float array, at the reference's intensities [arb.]
    """
    scaled, lattice = at_working_scale(image, vectors)
    reference = np.asarray(reference, float)
    normal, own = unpaired.normalised(reference), bragg.find(reference).vectors
    pattern, repeats = at_working_scale(normal, own)
    if min(pattern.shape[2:]) < net.side:
        least = int(np.ceil(net.side * max(normal.shape) / max(pattern.shape)))
        raise ValueError(
            f"the reference of {normal.shape[0]} × {normal.shape[1]} px shows too few columns to tell how it looks; "
            f"give one of {least} × {least} px at least."
        )
    made = by_tiles(partial(net, code=net.code(pattern, repeats, domain)), scaled, lattice)
    made = F.interpolate(made, image.shape, mode="bicubic", align_corners=False)
    made = made + noise_on(image.shape, normal, own, seed)
    scale = polarity(reference) * unpaired.SPREAD * reference.std()
    return made[0, 0].numpy() * scale + np.median(reference)


def noise_on(shape, reference, vectors, seed):
    """Noise of a reference's spectrum for an image of a shape, pixel for pixel: (1, 1, H, W) tensor."""
    repeated = reference.numpy()
    for axis, length in enumerate(shape):  # mirrored where it is too small
        take = np.arange(length) % (2 * repeated.shape[axis])
        repeated = np.take(repeated, np.minimum(take, 2 * repeated.shape[axis] - 1 - take), axis)
    chance = torch.Generator().manual_seed(seed)
    return noise_like(torch.from_numpy(repeated)[None, None], torch.from_numpy(np.float32(vectors))[None], chance)
