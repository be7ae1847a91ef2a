"""K-means and PCA as rivals: what stands out is found where it was put, and a perfect crystal has nothing odd."""

import numpy as np
import pytest

from atomwork.analysis import clusters
from atomwork.columns.matching import match


@pytest.fixture
def crystal(rng):
    """A honeycomb of bright columns with noise, three of which are missing; and where these stood."""
    a, side = 14.0, 192
    first, second = a * np.array([0, 1]), a * np.array([np.sqrt(3) / 2, 0.5])
    steps = np.stack(np.meshgrid(np.arange(-20, 40), np.arange(-20, 40), indexing="ij"), -1).reshape(-1, 2)
    corners = steps @ np.stack([first, second])
    places = np.concatenate([corners, corners + (first + second) / 3])
    gone = [int(np.hypot(*(places - at).T).argmin()) for at in ((60, 60), (120, 50), (100, 130))]

    def drawn(kept):
        y, x = np.indices((side, side))
        kept = kept[((kept > -8) & (kept < side + 8)).all(1)]
        spots = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 2.6**2)) for p in kept)
        return 100 * spots + rng.normal(0, 3, (side, side))

    return drawn(np.delete(places, gone, 0)), drawn(places), places[gone]


def test_principal_components_find_what_is_missing(crystal):
    image, perfect, gone = crystal
    settings = {"components": 12, "deviations": 4.0, "side": 2.0}  # of 192 px, few patches hold no vacancy
    found = clusters.pca(image, **settings)
    agreed = match(found.points, gone, tolerance=0.5 * found.spacing)
    assert (agreed.precision, agreed.recall) == (1, 1)
    assert found.spacing == pytest.approx(14 / np.sqrt(3), rel=0.01)
    assert len(clusters.pca(perfect, **settings).points) == 0


def test_clusters_find_what_is_missing_among_others(crystal):
    image, _, gone = crystal
    found = clusters.kmeans(image, n_clusters=6)
    assert match(found.points, gone, tolerance=0.5 * found.spacing).recall == 1


@pytest.mark.parametrize("find", [clusters.kmeans, clusters.pca])
def test_neither_depends_on_the_scale_of_intensity(find, crystal):
    image, *_ = crystal
    first, second = find(image).points, find(1e5 + 40 * image).points
    assert match(first, second, tolerance=0.5).f1 == pytest.approx(1)


def test_a_long_region_is_a_line_along_its_middle(rng):
    mask = np.zeros((100, 100), bool)
    mask[:, 38:43] = True
    mask[20:24, 70:74] = True
    found = clusters.from_mask(mask, rng.normal(size=(100, 100)), 6.0, "test", smallest=0.3, radius=0.15)
    assert found.points[["y", "x"]].to_numpy().tolist() == [[21.5, 71.5]]
    (line,) = found.fronts
    assert np.abs(line[3:-3, 1] - 40).max() <= 1
    assert np.ptp(line[:, 0]) >= 95
