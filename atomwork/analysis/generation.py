"""Images of drawn specimens, as a reference image was recorded, by AtomGAN."""

import numpy as np
import torch
import torch.nn.functional as F

from atomwork.analysis.segmentation import at_working_scale, by_tiles, network
from atomwork.columns import bragg
from atomwork.columns.polarity import polarity
from atomwork.models import unpaired
from atomwork.models.networks.lattice import noise_like


@torch.inference_mode()
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
    ValueError : the drawing or the reference has no lattice
    """
    net, reference = network(model), np.asarray(reference, float)
    drawn = unpaired.drawings(np.asarray(drawing)[None])
    scaled, vectors = at_working_scale(drawn.image[0], drawn.vectors[0])
    normal, lattice = unpaired.normalised(reference), bragg.find(reference).vectors
    code = net.code(*at_working_scale(normal, lattice), "image")
    made = F.interpolate(by_tiles(net, scaled, vectors, code), drawing.shape, mode="bicubic", align_corners=False)
    made = made + noise_on(drawing.shape, normal, lattice, seed)
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
