"""Bright blobs as maxima over position and scale: Laplacian, difference of Gaussians, determinant of the Hessian.

They are those of scikit-image's ``blob_log``, ``blob_dog`` and ``blob_doh``, but for what would be held against
the methods unfairly. Which of two overlapping blobs stays doesn't depend on their order, nor does it take
minutes for the many of a noisy image. The determinant, which is the same for bright and dark blobs, counts
where the image is bright; its boxes, which scikit-image 0.26 places half a pixel or one early, cuts at the
border and takes for empty where they are negative, are put right.
"""

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_laplace
from scipy.spatial import cKDTree
from skimage.feature import hessian_matrix_det, peak_local_max

BOX_SCALE = 1.8  # scale at which the boxes respond most to a Gaussian, over its width; measured for widths of 2–5 px [-]


def log(image, *, min_sigma, max_sigma, num_sigma, threshold, overlap):
    """Maxima of the Laplacian of Gaussian.

    Parameters
    ----------
    image : (H, W) float array, blobs are bright [arb.]
    min_sigma, max_sigma : float, scales that are tried [px]
    num_sigma : int, how many of them, evenly spaced
    threshold : float, least response [arb.]; a Gaussian column responds with half its height
    overlap : float, share of the smaller of two blobs from which on it is dropped [0–1]

    Returns
    -------
    (N, 3) float array, y, x and width of the Gaussian that responds most at the scale found [px]

    References
    ----------
    Lindeberg, Int. J. Comput. Vis. 30 (1998) 79.
    """
    scales = np.linspace(min_sigma, max_sigma, num_sigma)
    responses = [-(scale**2) * gaussian_laplace(image, scale) for scale in scales]
    return strongest(responses, scales, threshold, overlap)


def dog(image, *, min_sigma, max_sigma, sigma_ratio, threshold, overlap):
    """Maxima of the difference of Gaussians.

    Parameters
    ----------
    sigma_ratio : float, ratio k of one scale to the last [-]
    threshold : float, least response [arb.]; a Gaussian column responds with 1/(k + 1) of its height
    image, min_sigma, max_sigma, overlap : see `log`

    Returns
    -------
    (N, 3) float array, see `log`

    References
    ----------
    Lowe, Int. J. Comput. Vis. 60 (2004) 91.
    """
    steps = int(np.log(max_sigma / min_sigma) / np.log(sigma_ratio) + 1)
    scales = min_sigma * sigma_ratio ** np.arange(steps + 1.0)
    levels = [gaussian_filter(image, scale) for scale in scales]
    responses = [(fine - coarse) / (sigma_ratio - 1) for fine, coarse in pairwise(levels)]
    # a Gaussian of width w responds most between blurs of w/√k and w√k
    return strongest(responses, np.sqrt(sigma_ratio) * scales[:-1], threshold, overlap)


def doh(image, *, min_sigma, max_sigma, num_sigma, threshold, overlap):
    """Maxima of the determinant of the Hessian, by boxes of int(3 σ) pixels.

    Parameters
    ----------
    threshold : float, least response [arb.²]; a Gaussian column responds with about 0.03 of its height squared
    image, min_sigma, max_sigma, num_sigma, overlap : see `log`

    Returns
    -------
    (N, 3) float array, see `log`

    References
    ----------
    Bay et al., Comput. Vis. Image Underst. 110 (2008) 346.
    """
    scales = np.linspace(min_sigma, max_sigma, num_sigma)
    margin = int(1.5 * max_sigma) + 2
    framed, inner = np.pad(image - np.min(image), margin, mode="symmetric"), (slice(margin, -margin),) * 2
    bright = (gaussian_laplace(image, scale / BOX_SCALE) < 0 for scale in scales)
    boxes = (hessian_matrix_det(framed, scale)[inner] for scale in scales)
    responses = [np.where(*where, 0) for where in zip(bright, boxes, strict=True)]
    blobs = strongest(responses, scales, threshold, overlap)
    early = np.where((3 * blobs[:, 2:]).astype(int) % 2, 1.0, 0.5)  # by the box's side, odd or even
    positions = np.minimum(blobs[:, :2] + early, np.array(image.shape) - 1)
    return np.concatenate([positions, blobs[:, 2:] / BOX_SCALE], axis=1)


def strongest(responses, scales, threshold, overlap):
    """Maxima (N, 3) of the responses, list of (H, W), over y, x and scale [px], the larger of those that overlap."""
    found = peak_local_max(np.stack(responses, -1), threshold_abs=threshold, exclude_border=False)
    blobs = np.concatenate([found[:, :2], scales[found[:, 2:]]], axis=1)
    return blobs[separate(blobs, overlap)]


def separate(blobs, overlap):
    """Which blobs (N,) stay when each, the largest first and then in the given order, removes those it overlaps."""
    order = np.argsort(-blobs[:, 2], kind="stable")
    position, radius = blobs[order, :2], np.sqrt(2) * blobs[order, 2]
    pairs = [np.empty((0, 2), int)]
    for size in np.unique(radius):
        first, last = np.searchsorted(-radius, -size, "left"), np.searchsorted(-radius, -size, "right")
        large, all_smaller = cKDTree(position[first:last]), cKDTree(position[first:])
        near = large.sparse_distance_matrix(all_smaller, 2 * size, output_type="coo_matrix")
        hidden = (near.row < near.col) & (shared(near.data, size, radius[first + near.col]) > overlap)
        pairs.append(first + np.stack([near.row[hidden], near.col[hidden]], -1))
    kept, pairs = np.full(len(blobs), True), np.concatenate(pairs)
    for one, other in pairs[np.lexsort(pairs.T[::-1])]:
        if kept[one]:
            kept[other] = False
    return np.sort(order[kept])


def shared(distance, large, small):
    """Share of discs of radius ``small`` (N,) that lies in those of radius ``large``, at a distance (N,) of their centres."""
    distance = np.clip(distance, large - small + 1e-9, large + small)  # one within the other, or apart
    cosines = [(distance**2 + a**2 - b**2) / (2 * distance * a) for a, b in ((large, small), (small, large))]
    sectors = [a**2 * np.arccos(np.clip(c, -1, 1)) for a, c in zip((large, small), cosines, strict=True)]
    kite = (large + small - distance) * (distance + large - small) * (distance - large + small) * (distance + large + small)
    return (sectors[0] + sectors[1] - np.sqrt(np.maximum(kite, 0)) / 2) / (np.pi * small**2)
