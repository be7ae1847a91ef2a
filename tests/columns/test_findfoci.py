"""FindFoci on landscapes built by hand, and against the definition followed pixel by pixel."""

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from skimage.filters import threshold_otsu

from atomwork.columns import findfoci, saddles

EVERYTHING = {"background_method": "absolute", "peak_parameter": 0.0, "min_size": 1, "above_saddle": False, "centre": "peak"}
AROUND = [step for step in product((-1, 0, 1), repeat=2) if step != (0, 0)]


def ridge(*heights):
    """A mountain range along x whose slopes fall off to both sides."""
    return np.array([[-1.0] * len(heights), heights, [-1.0] * len(heights)])


def find(image, **options):
    """All peaks above 0 unless told otherwise."""
    return findfoci.find(np.asarray(image, float), **EVERYTHING | options)


def summits(foci):
    """Where along the ridge the peaks are, in order."""
    return np.sort(foci.positions[:, 1]).tolist()


@pytest.mark.parametrize(
    ("method", "keeps", "joins"), [("absolute", 2.0, 2.1), ("relative", 0.25, 0.26), ("above background", 0.5, 0.51)]
)
def test_a_peak_joins_its_neighbour_if_it_rises_too_little_above_the_saddle(method, keeps, joins):
    """The lower peak, 8, rises 2 above the saddle, 4 above the background of 4."""
    image = ridge(0, 10, 6, 8, 0)
    for parameter, places in ((keeps, [1, 3]), (joins, [1])):
        found = find(image, background_parameter=4, peak_method=method, peak_parameter=parameter)
        assert summits(found) == places
        assert (found.labels > 0).sum() == 3


def test_it_joins_across_its_highest_saddle():
    found = find(ridge(0, 9, 3, 6, 5, 8, 0), peak_method="absolute", peak_parameter=2)
    assert summits(found) == [1, 5]
    assert found.labels[1].tolist() == [0, 1, 1, 2, 2, 2, 0]


def test_peaks_that_joined_count_as_one_for_their_lower_saddles():
    """10 and 9 meet at 8, and 7 rises 3 above the saddle of 4 towards either: as high as both ask for, or not."""
    image = ridge(0, 9, 8, 10, 4, 7, 0)
    assert summits(find(image, peak_method="absolute", peak_parameter=3)) == [3, 5]
    assert summits(find(image, peak_method="absolute", peak_parameter=3.1)) == [3]


def test_a_peak_without_a_neighbour_is_measured_from_the_background():
    image = ridge(0, 10, 0, 0, 3, 0)
    for parameter, places in ((2.0, [1, 4]), (2.1, [1])):
        assert summits(find(image, background_parameter=1, peak_method="absolute", peak_parameter=parameter)) == places
    assert (find(image, peak_method="absolute", peak_parameter=4).labels[1, 4:] == 0).all()


@pytest.mark.parametrize(("method", "parameter", "level"), [
    ("absolute", 3.0, lambda image: 3.0),
    ("mean", 5.0, np.mean),
    ("std", 1.5, lambda image: np.mean(image) + 1.5 * np.std(image)),
    ("otsu", 5.0, threshold_otsu),
])  # fmt: skip
def test_peaks_and_pixels_lie_above_the_background(method, parameter, level, rng):
    image = gaussian_filter(rng.normal(2, 5, (30, 40)), 1.2)
    found = find(image, background_method=method, background_parameter=parameter)
    assert found.background == pytest.approx(level(image))
    assert ((found.labels > 0) == (image > found.background)).all()
    assert found.height.min() > found.background


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_pixels_reach_down_to_a_share_of_the_height_above_the_background(share):
    pyramid = 10.0 - np.abs(np.arange(-9, 10))[:, None] - np.abs(np.arange(-9, 10))
    found = find(pyramid, background_parameter=2, search_parameter=share)
    assert ((found.labels == 1) == ((pyramid > 2) & (pyramid >= 2 + 8 * share))).all()
    assert found.size.tolist() == [(found.labels == 1).sum()]


def test_pixels_that_were_left_out_make_no_saddle():
    """Down to half their height the peaks touch, at 6; from 0.7 of it on they don't."""
    image = ridge(0, 10, 6, 10, 0)
    assert find(image, search_parameter=0.5).saddle.tolist() == [6, 6]
    assert np.isnan(find(image, search_parameter=0.7).saddle).all()


SMALL = ridge(0, 9, 6, 10, 8, 9, 20, 12, 5, 0)  # peaks of 1, 3 and 4 pixels; saddles 6 and 8


def test_small_peaks_join_the_smallest_first():
    """The smallest joins the middle one, which is then large enough; the middle one first would leave one peak."""
    assert find(SMALL).size.tolist() == [4, 3, 1]
    found = find(SMALL, min_size=4)
    assert summits(found) == [3, 6]
    assert found.size.tolist() == [4, 4]
    assert summits(find(SMALL, min_size=5)) == [6]


def test_a_small_but_high_peak_stays_the_summit():
    found = find(ridge(0, 10, 6, 7, 8, 7, 0), min_size=3)
    assert summits(found) == [1]
    assert found.height.tolist() == [10]
    assert found.size.tolist() == [5]


def test_a_small_peak_without_a_neighbour_is_dropped():
    found = find(ridge(0, 10, 9, 8, 0, 7, 0), min_size=2)
    assert summits(found) == [1]
    assert found.labels[1, 5] == 0


def test_the_size_above_the_saddle_may_count_instead():
    """The lower peak has four pixels, two of them above the saddle of 4."""
    image = ridge(0, 10, 9, 4, 5, 6, 3, 2, 0)
    assert find(image).size.tolist() == [3, 4]
    for above_saddle, size, places in ((False, 3, [1, 5]), (True, 3, [1]), (True, 2, [1, 5])):
        assert summits(find(image, min_size=size, above_saddle=above_saddle)) == places


def test_a_plateau_is_one_peak_and_diagonal_pixels_touch():
    image = np.zeros((7, 9))
    image[2, 2:5] = image[3, 5] = 4  # a staircase, one of its steps across a corner
    image[5, 7] = 3
    found = find(image)
    assert found.positions.tolist() == [[2.25, 3.5], [5, 7]]
    assert found.size.tolist() == [4, 1]


def test_a_terrace_is_climbed_from_its_nearest_end():
    found = find(ridge(0, 9, 5, 5, 5, 5, 5, 5, 8, 0))
    assert found.labels[1].tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 0]
    aslant = np.diag([0.0, 9, 5, 5, 5, 0])
    assert (find(aslant).labels == (aslant > 0)).all()


def test_the_highest_come_first_and_the_lowest_go():
    image = ridge(0, 4, 1, 9, 2, 6, 0)
    assert find(image).height.tolist() == [9, 6, 4]
    assert find(image).saddle.tolist() == [2, 2, 1]
    top = find(image, max_peaks=2)
    assert top.height.tolist() == [9, 6]
    assert top.labels.max() == 2


def test_the_centre_of_mass_weighs_what_rises_above_saddle_and_background():
    image = ridge(0, 8, 10, 6, 7, 0)
    alone = find(image[:, [0, 1, 2, 5]], background_parameter=2, centre="mass")
    assert alone.positions[0] == pytest.approx([1, (6 * 1 + 8 * 2) / 14])
    beside = find(image, background_parameter=2, centre="mass")  # the saddle of 6 is the base
    assert beside.positions[0] == pytest.approx([1, (2 * 1 + 4 * 2) / 6])


def test_the_blur_comes_first(rng):
    image = rng.normal(size=(40, 50))
    by_hand = find(gaussian_filter(image, 1.3, mode="nearest"), centre="mass")
    assert np.allclose(find(image, blur=1.3, centre="mass").positions, by_hand.positions)


def test_columns_are_found_to_a_fraction_of_a_pixel(rng):
    y, x = np.mgrid[:60, :70]
    places = np.stack(np.meshgrid([12, 24, 36, 48], [14, 28, 42, 56], indexing="ij"), -1).reshape(-1, 2)
    places = places + rng.uniform(-0.5, 0.5, places.shape)
    image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 2.5**2)) for p in places)
    found = findfoci.find(image)
    assert len(found.positions) == 16
    assert np.linalg.norm(found.positions[:, None] - places, axis=-1).min(1).max() < 0.1


TURNS = {
    "transposed": (np.transpose, lambda p, shape: p[:, ::-1]),
    "upside down": (np.flipud, lambda p, shape: p * [-1, 1] + [shape[0] - 1, 0]),
    "mirrored": (np.fliplr, lambda p, shape: p * [1, -1] + [0, shape[1] - 1]),
    "shifted": (lambda image: np.pad(image, ((5, 2), (3, 9)), constant_values=-9), lambda p, shape: p + [5, 3]),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("options", [{"peak_parameter": 0.4, "min_size": 6}, {"search_parameter": 0.4, "above_saddle": True}])
def test_peaks_move_with_the_image(turn, options, rng):
    image = gaussian_filter(rng.normal(1, 3, (36, 44)), 1)
    change, expected = TURNS[turn]
    for centre in ("mass", "peak"):
        still, moved = (find(v, **options | {"centre": centre}) for v in (image, change(image)))
        assert len(still.positions) > 5
        assert np.allclose(moved.positions, expected(still.positions, image.shape))


@pytest.mark.parametrize("method", ["mean", "std", "otsu"])
def test_neither_gain_nor_offset_matter(method, rng):
    image = rng.normal(0, 3, (40, 40))
    options = {"blur": 1.0, "background_method": method, "background_parameter": 0.3, "peak_parameter": 0.3}
    assert np.allclose(find(image, **options).positions, find(7 * image + 1e4, **options).positions)


def climb(image, pixel):
    """The maximum that steepest ascent reaches from a pixel."""
    while True:
        around = [(pixel[0] + dy, pixel[1] + dx) for dy, dx in AROUND]
        best = max((p for p in around if 0 <= p[0] < image.shape[0] and 0 <= p[1] < image.shape[1]), key=lambda p: image[p])
        if image[best] < image[pixel]:
            return pixel
        pixel = best


def by_definition(image, background, share, min_size, above_saddle):
    """Summits that are left, {summit: its pixels}, with one join at a time and everything counted anew."""
    groups = {}
    for pixel in map(tuple, np.argwhere(image > background)):
        groups.setdefault(climb(image, pixel), set()).add(pixel)

    def ring(summit):
        """The saddles towards other summits, {(saddle, height): summit}."""
        result = {}
        for other in groups:
            touching = [
                min(image[p], image[q])
                for p in groups[summit]
                for dy, dx in AROUND
                if (q := (p[0] + dy, p[1] + dx)) in groups[other]
            ]
            if other != summit and touching:
                result[max(touching), image[other]] = other
        return result

    def saddle(summit, without=-np.inf):
        return max(ring(summit), default=(without,))[0]

    def join(summit):
        around = ring(summit)
        pixels = groups.pop(summit)
        if around:
            other = around[max(around)]
            pixels |= groups.pop(other)
            groups[max(summit, other, key=image.__getitem__)] = pixels

    def too_low(summit):
        return image[summit] - saddle(summit, background) < share * (image[summit] - background)

    while low := [summit for summit in groups if too_low(summit)]:
        join(max(low, key=saddle))
    for above in (False, True)[: 1 + above_saddle]:

        def size(summit, above=above):
            level = saddle(summit) if above else -np.inf
            return sum(image[p] > level for p in groups[summit])

        while small := [summit for summit in groups if size(summit) < min_size]:
            join(min(small, key=lambda summit: (size(summit), image[summit])))
    return groups


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("share", "min_size", "above_saddle"), [(0, 1, False), (0.5, 1, False), (0, 5, False), (0.25, 4, True)]
)
def test_it_follows_the_definition(seed, share, min_size, above_saddle):
    image = np.random.default_rng(seed).permutation(132).reshape(11, 12).astype(float)
    options = {"background_parameter": 40, "peak_parameter": share, "min_size": min_size, "above_saddle": above_saddle}
    found = find(image, **options)
    expected = by_definition(image, 40, share, min_size, above_saddle)
    assert {tuple(p) for p in found.positions.astype(int).tolist()} == set(expected)
    for summit, pixels in expected.items():
        here = np.zeros(image.shape, bool)
        here[tuple(np.array(list(pixels)).T)] = True
        assert ((found.labels == found.labels[summit]) == here).all()


@pytest.mark.parametrize("height", [0.5, 2.0, 6.0])
def test_what_is_left_has_the_dynamic_that_was_asked_for(height, rng):
    """Known independently by flooding: how far one must go down from a peak to reach a higher one or the background."""
    image = gaussian_filter(rng.normal(0, 12, (40, 40)), 1.1)
    found = find(image, peak_method="absolute", peak_parameter=height)
    everything = find(image)
    strong = []
    for peak, place in zip(everything.height, everything.positions.astype(int), strict=True):
        flooded, _ = label(image > max(peak - height, 0), structure=np.ones((3, 3)))
        around = image[flooded == flooded[tuple(place)]]
        strong.append(peak >= height and around.max() == peak)
    assert found.height.tolist() == everything.height[strong].tolist()


def test_the_saddle_of_two_peaks_is_the_highest_of_the_lower_touching_pixels():
    image = np.array([[9.0, 5, 4, 8], [3, 6, 2, 7], [1, 1, 1, 1]])
    land = saddles.survey(image, 0.0)
    assert land.pairs.tolist() == [[0, 1]]
    assert land.saddle.tolist() == [4]  # 5 beside 4; across the corner 6 beside 4


def test_nothing_is_found_in_nothing():
    for image in (np.zeros((9, 9)), np.full((5, 40), 3.0)):
        found = findfoci.find(image)
        assert found.positions.shape == (0, 2)
        assert not found.labels.any()
    assert len(find(np.zeros((9, 9)), background_parameter=1).height) == 0


@pytest.mark.parametrize(("options", "sentence"), [
    ({"blur": -1}, "blur=-1"),
    ({"background_method": "median"}, "background_method='median' is unknown.*'otsu'"),
    ({"peak_method": "height"}, "peak_method='height'"),
    ({"centre": "middle"}, "centre='middle'"),
    ({"search_parameter": 1.1}, "search_parameter=1.1 is outside 0–1"),
    ({"peak_parameter": 1.5}, "peak_parameter=1.5 is outside 0–1"),
    ({"peak_method": "absolute", "peak_parameter": -1}, "peak_parameter=-1 is negative"),
    ({"min_size": 0}, "min_size=0"),
    ({"max_peaks": 0}, "max_peaks=0"),
])  # fmt: skip
def test_parameters_out_of_range_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        findfoci.find(np.eye(9), **options)


@pytest.mark.parametrize(("image", "sentence"), [(np.zeros((2, 9, 9)), r"shape \(2, 9, 9\)"), (np.full((9, 9), np.nan), "NaN")])
def test_what_is_no_image_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        findfoci.find(image)
