"""Defects by clustering and by principal components, each followed by morphology: what AtomGAN is compared with."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import median_abs_deviation
from skimage.feature import peak_local_max
from skimage.graph import route_through_array
from skimage.measure import label, regionprops
from skimage.morphology import disk, opening
from skimage.util import view_as_windows
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from atomwork.analysis.defect_map import DefectMap
from atomwork.columns import bragg
from atomwork.columns.unit_cells import honeycomb_spacing

SCALES = (0.25, 0.5, 1.0)  # widths of the Gaussians whose grey levels describe a pixel, over the spacing [-]
LONG = 0.4  # of the image's shorter side, from which a region is a line rather than a point [-]
LEARNED = 4000  # pixels or patches that clusters and components are learned from
SEED = 0


def kmeans(image, *, n_clusters=4, smallest=0.5, radius=0.1):
    """Point defects and lines as the rarest of clusters of alike pixels, opened by a disc.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    n_clusters : int
    smallest : float, area of a region that counts, over the squared spacing [-]
    radius : float, of the disc, over the spacing [-]

    Returns
    -------
    DefectMap

    Raises
    ------
    ValueError : the image has no lattice, whose spacing sets all lengths
    """
    image = np.asarray(image, float)
    spacing = honeycomb_spacing(bragg.find(image).vectors)
    smoothed = [gaussian_filter(image, scale * spacing) for scale in SCALES]
    described = np.stack([smoothed[0], smoothed[1] - smoothed[2], smoothed[2]], -1).reshape(-1, len(SCALES))
    described = (described - described.mean(0)) / (described.std(0) + 1e-12)
    chosen = np.random.default_rng(SEED).permutation(len(described))[:LEARNED]
    clusters = KMeans(n_clusters, n_init=4, random_state=SEED).fit(described[chosen]).predict(described)
    rarest = np.bincount(clusters, minlength=n_clusters).argmin()
    return from_mask((clusters == rarest).reshape(image.shape), image, spacing, "kmeans", smallest=smallest, radius=radius)


def pca(image, *, components=40, deviations=14.0, side=5.0, smallest=0.3, radius=0.1):
    """Point defects and lines where patches are not a sum of the image's own principal components, opened by a disc.

    Nothing is found within half a patch of the border.

    Parameters
    ----------
    image : (H, W) float array, intensity [arb.]
    components : int
    deviations : float, standard deviations of what is left of a pixel from which it is odd [-]
    side : float, of a patch, over the spacing [-]
    smallest, radius : see `kmeans`

    Returns
    -------
    DefectMap

    Raises
    ------
    ValueError : see `kmeans`
    """
    image = np.asarray(image, float)
    spacing = honeycomb_spacing(bragg.find(image).vectors)
    reach = max(1, round(0.5 * side * spacing))
    windows = view_as_windows(image, (2 * reach + 1,) * 2)  # none that leads out of the image
    patches = windows.reshape(-1, (2 * reach + 1) ** 2)
    chosen = np.random.default_rng(SEED).permutation(len(patches))[:LEARNED]
    model = PCA(min(components, patches.shape[1]), random_state=SEED).fit(patches[chosen])
    middle = patches.shape[1] // 2
    made = model.transform(patches) @ model.components_[:, middle] + model.mean_[middle]
    inner = image[reach:-reach, reach:-reach]
    left = gaussian_filter(inner - made.reshape(inner.shape), SCALES[0] * spacing)
    odd = np.abs(left - np.median(left)) > deviations * median_abs_deviation(left, axis=None, scale="normal")
    return from_mask(np.pad(odd, reach), image, spacing, "pca", smallest=smallest, radius=radius)


def from_mask(mask, image, spacing, source, *, smallest, radius):
    """Regions of a mask as point defects, and as lines where they are long.

    Parameters
    ----------
    mask : (H, W) bool array, what is odd
    image : (H, W) float array, whose bright columns are counted
    spacing : float [px]
    source : str, the method
    smallest, radius : see `kmeans`

    Returns
    -------
    DefectMap : of kind ``odd``
    """
    cleaned = opening(mask, disk(max(1, round(radius * spacing))))
    regions = [r for r in regionprops(label(cleaned)) if r.area >= smallest * spacing**2]
    long = [extent(r) >= LONG * min(mask.shape) for r in regions]
    places = np.array([r.centroid for r, line in zip(regions, long, strict=True) if not line]).reshape(-1, 2)
    smooth = gaussian_filter(image, SCALES[0] * spacing)
    columns = peak_local_max(smooth, min_distance=max(1, round(0.6 * spacing)))
    return DefectMap(
        shape=mask.shape,
        points=pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "kind": "odd", "confidence": 1.0}),
        fronts=[middle_line(r) for r, line in zip(regions, long, strict=True) if line],
        columns=pd.DataFrame(columns, columns=["y", "x"], dtype=float),
        spacing=spacing,
        source=source,
    )


def extent(region):
    """The longer side of a region's bounding box [px]."""
    top, left, bottom, right = region.bbox
    return max(bottom - top, right - left)


def middle_line(region):
    """The way through a long region from its one end to the other, along its middle: (N, 2) float array."""
    depth = gaussian_filter(np.pad(region.image, 1).astype(float), 2)[1:-1, 1:-1]
    return way_through(region, 1 / (depth**2 + 1e-6))


def way_through(region, costs):
    """The cheapest way through a long region from end to end, at costs (h, w) of its pixels: (N, 2) float array."""
    points = region.coords - region.bbox[:2]
    along = points @ np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]
    way, _ = route_through_array(np.where(region.image, costs, 1e9), points[along.argmin()], points[along.argmax()])
    return np.array(way, float) + region.bbox[:2]
