"""Images of drawn specimens, as a reference image was recorded, by AtomGAN."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import Voronoi, cKDTree

from atomwork.analysis import detect
from atomwork.analysis.defect_scores import apart, without
from atomwork.analysis.segmentation import at_working_scale, by_tiles, network
from atomwork.columns import bragg, matching
from atomwork.columns.borders import within
from atomwork.columns.polarity import polarity
from atomwork.models import unpaired
from atomwork.models.networks.lattice import noise_like

FAR = 0.5  # spacings from where it was drawn within which a column is the same
ROUND = 0.3  # by which a ring's radius differs from the distance of its columns at most [-]
SEEN = 0.5  # share of a kind's columns that are seen where the kind can be seen
SOME = 0.1  # share of alike rings at whose centres something is seen where that is the optics' and not by chance


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


@dataclass(frozen=True)
class Kept:
    """Whether the columns of a generated image are where they were drawn.

    Attributes
    ----------
    rms : float, root mean square distance of columns from where they were drawn, over the spacing [-]
    columns, created, lost : int, columns that were drawn and can be seen, seen where none was drawn, and not seen
    """

    rms: float
    columns: int
    created: int
    lost: int


def kept(image, columns, kinds, spacing, defects=()):
    """Look for the drawn columns in a generated image.

    Kinds of columns of which the reference's contrast shows few can neither be lost nor tell where they are. Nor is anything
    created at the centres of rings of columns where some of all of them show, as they may in a transmission microscope.

    Parameters
    ----------
    image : (H, W) float array
    columns : (N, 2) float array, drawn columns, (y, x) [px]
    kinds : (N,) array, what each of them is, such as its atomic number
    spacing : float, distance of neighbouring columns [px]
    defects : (D, 2) float array, point defects that were drawn: there, half a column or none may be seen

    Returns
    -------
    Kept : of columns at least a spacing within the image
    """
    columns, kinds = np.asarray(columns), np.asarray(kinds)
    voids, around = ring_centres(columns, kinds, spacing)
    sites, kinds = np.concatenate([columns, voids]), np.concatenate([kinds, -around])
    found = detect.locate(polarity(image) * np.asarray(image, float))[["y", "x"]].to_numpy(float)
    whole = apart(sites, defects, FAR * spacing)
    sites, kinds, found = sites[whole], kinds[whole], without(found, defects, FAR * spacing)
    inner_found, inner = (within(places, np.shape(image), spacing) for places in (found, sites))
    paired = matching.match(found, sites, tolerance=FAR * spacing)
    seen = np.isin(np.arange(len(sites)), paired.pairs[:, 1])
    drawn = np.arange(len(sites)) < whole[: len(columns)].sum()
    which = np.unique(kinds, return_inverse=True)[1]
    share = (np.bincount(which, inner & seen) / np.maximum(np.bincount(which, inner), 1))[which]
    visible = inner & drawn & (share > SEEN)
    allowed = np.flatnonzero(drawn | (share > SOME))
    stray = inner_found & ~np.isin(np.arange(len(found)), paired.pairs[np.isin(paired.pairs[:, 1], allowed), 0])
    moved = paired.distances[visible[paired.pairs[:, 1]]] / spacing
    return Kept(
        rms=float(np.sqrt(np.mean(moved**2))) if len(moved) else np.nan,
        columns=int(visible.sum()),
        created=int(stray.sum()),
        lost=int((visible & ~seen).sum()),
    )


def ring_centres(columns, kinds, spacing):
    """Places (M, 2) as far from three columns (N, 2) at least as these are apart, and the highest kind around each (M,)."""
    corners = Voronoi(columns).vertices
    distance, nearest = cKDTree(columns).query(corners, k=3)
    rings = np.abs(distance / spacing - 1).max(1) < ROUND
    places, around = corners[rings], np.asarray(kinds)[nearest[rings]].max(1)
    if not len(places):
        return places, around
    same = cKDTree(places).query_ball_point(places, FAR * spacing)
    first = np.array([min(near) == k for k, near in enumerate(same)])
    return places[first], around[first]
