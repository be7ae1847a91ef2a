"""AtomGAN's data: HRTEM images of junctions with vacancies, and drawings of other specimens.

Every image and every drawing shows one front between MoS2 and WS2 and some vacancies; how many there are in all is
the paper's count (Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410): 3984 training images with 6610 point defects,
1330 test images with 3380. Drawing k is of another specimen than image k: nothing is paired.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from atomwork.simulation import drawing, formation, imaging, interfaces, point_defects
from atomwork.simulation.optics import Lens
from atomwork.simulation.recipes.tables import COLUMNS, DEFECTS, column_rows, defect_rows, heaviest
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View

TRAINING, TEST = (3984, 6610), (1330, 3380)  # images, point defects
IMAGES = TRAINING[0] + TEST[0]
SIZE = 256  # px
PIXEL_SIZE = (0.18, 0.28)  # Å
SURROUNDINGS = 5.0  # Å beyond the view that a specimen has at least
FRONT_OFF_CENTRE = 0.25  # of half the field
BORDER = 3.0  # Å within the field that point defects keep from its edge
APART = 5.0  # Å between point defects
CS, DEFOCUS = (1e4, 3e4), (-40.0, 40.0)  # Å
APERTURE = 30.0  # mrad; passes 1.5 1/Å, where the focal spread leaves nothing
SAMPLING = 0.15  # Å, of the calculation: correlation with 0.05 Å above 0.999, but 0.96 where contrast all but vanishes
FOCAL_SPREAD = 30.0 / np.sqrt(2)  # Å; the paper's 30 Å is a 1/e half-width
ALPHA = np.arange(40, 71) / 100  # strength of the Poisson part
BLUR = (1.0, 2.0)  # px
KINDS = {"V_S": 0.5, "V_S2": 0.25, "V_M": 0.25}  # M is the metal of the side it lies on
LENGTHS = {"columns": 2000, "defects": 32, "front": 160}  # rows that the tables have room for
SETTINGS = ("pixel_size", "angle", "Cs", "defocus", "alpha", "blur")


def dataset(n_images=IMAGES):
    """AtomGAN's unpaired images and drawings.

    Parameters
    ----------
    n_images : int; fewer than the paper's 5314 keep its shares of training and test images and of defects

    Returns
    -------
    DataSet : image and drawing (256, 256) grey levels; of the image: columns, defects, front, is_test, settings
    """
    defects, drawn, test = counts(n_images)
    tables = {
        "columns": Array((LENGTHS["columns"], 4), "float32", COLUMNS),
        "defects": Array((LENGTHS["defects"], 3), "float32", DEFECTS),
        "front": Array((LENGTHS["front"], 2), "float32", "vertices of the front, y, x [px]; some lie outside the image"),
    }
    images = {name: Array((SIZE, SIZE), "uint8", "(y, x) grey level") for name in ("image", "drawing")}
    numbers = {
        "is_test": Array((), "bool", "held back from training"),
        "settings": Array((len(SETTINGS),), "float32", "pixel_size [Å], angle [°], Cs [Å], defocus [Å], alpha, blur [px]"),
    }
    parameters = {
        "kinds": list(KINDS),
        "settings": list(SETTINGS),
        "training": {"images": int((~test).sum()), "point_defects": int(defects[~test].sum()), "fronts": int((~test).sum())},
        "test": {"images": int(test.sum()), "point_defects": int(defects[test].sum()), "fronts": int(test.sum())},
        "pixel_size": PIXEL_SIZE,
        "alpha": [ALPHA[0], ALPHA[-1]],
    }
    draw_one = partial(draw, defects=defects, drawn=drawn, test=test)
    return DataSet("atomgan", n_images, {**images, **tables, **numbers}, draw_one, parameters, block=16)


def test_images():
    """The test images of `dataset` alone, each the same as there for the same seed."""
    whole, first = dataset(), TRAINING[0]
    parameters = {**whole.parameters, "first": first}
    return replace(whole, n_images=TEST[0], draw=partial(draw_later, draw_one=whole.draw, first=first), parameters=parameters)


def draw_later(index, sequence, *, draw_one, first):
    """What ``draw_one`` draws of the image ``first`` places after ``index``, from that image's own sequence."""
    *before, _ = sequence.spawn_key
    return draw_one(first + index, np.random.SeedSequence(sequence.entropy, spawn_key=(*before, first + index)))


def counts(n_images):
    """How many point defects every image and every drawing has, and which images are test images: three (n,) arrays."""
    n_test = round(n_images * TEST[0] / IMAGES)
    test = np.arange(n_images) >= n_images - n_test
    shares = [np.zeros(n_images, int), np.zeros(n_images, int)]
    for child, share in enumerate(shares):
        rng = np.random.default_rng([5314, child])  # the same in every store, whatever its seed
        for (images, defects), of_part in ((TRAINING, ~test), (TEST, test)):
            n = int(of_part.sum())
            share[of_part] = rng.multinomial(round(defects * n / images), np.full(n, 1 / n)) if n else 0
    return *shares, test


def draw(index, sequence, *, defects, drawn, test):
    """Image ``index`` with its truth, and a drawing; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    unpaired, _ = formation.generators(np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, 2)))
    specimen, view = scene(rng, defects[index])
    lens = Lens(
        energy=300e3, semiangle_cutoff=APERTURE, Cs=rng.uniform(*CS), defocus=rng.uniform(*DEFOCUS), focal_spread=FOCAL_SPREAD
    )
    alpha, blur = rng.choice(ALPHA), rng.uniform(*BLUR)
    clean = imaging.hrtem(specimen, lens=lens, sampling=SAMPLING, **vars(view)).image
    recorded = formation.atomgan(torch.from_numpy(clean)[None], rng=torch_rng, alpha=alpha, blur=blur)[0].numpy()
    other, other_view = scene(unpaired, drawn[index])
    columns, found = view.table(specimen.columns), view.table(specimen.defects)
    found = found.assign(kind=[general(kind) for kind in found["kind"]])
    return {
        "image": eight_bit(recorded),
        "drawing": drawing.draw(other, other_view, heaviest(other.columns)),
        "columns": pad(column_rows(columns), LENGTHS["columns"], "columns"),
        "defects": pad(defect_rows(found, list(KINDS)), LENGTHS["defects"], "point defects"),
        "front": pad(view.to_pixels(specimen.boundaries[0].points), LENGTHS["front"], "vertices of the front"),
        "is_test": test[index],
        "settings": np.float32([view.pixel_size, view.angle, lens.Cs, lens.defocus, alpha, blur]),
    }


def junction(sequence, n_defects):
    """One image with ``n_defects`` vacancies and its truth, of a numpy.random.SeedSequence; see `draw`."""
    return draw(0, sequence, defects=[n_defects], drawn=[0], test=[False])


def scene(rng, n_defects):
    """A junction with ``n_defects`` vacancies, all in the view: a Specimen and a `View`."""
    pixel_size = float(np.exp(rng.uniform(*np.log(PIXEL_SIZE))))
    half, angle = 0.5 * SIZE * pixel_size, float(rng.uniform(0, 360))
    off_centre = FRONT_OFF_CENTRE * half * rng.uniform(-1, 1)
    turn = np.deg2rad(angle)
    upright = abs(np.cos(turn)) + abs(np.sin(turn))  # side of the upright square around the turned view, over its own
    reach = half * upright + SURROUNDINGS
    materials = rng.permutation(["MoS2", "WS2"])
    specimen = interfaces.heterojunction(
        *map(str, materials),
        (2 * reach, 2 * (reach + abs(off_centre))),
        front=str(rng.choice(interfaces.FRONTS)),
        registry=str(rng.choice(interfaces.REGISTRIES)),
        roughness=rng.uniform(0, 0.3),
        rng=rng,
    )
    centre = np.array(specimen.size) / 2 + (0, off_centre)
    view = View(pixel_size, (SIZE, SIZE), tuple(centre), angle)
    inner = (half - BORDER) / upright  # half a side of the largest upright square in the turned view
    region = (*(centre - inner), *(centre + inner))
    return point_defects.introduce(specimen, vacancies(rng, n_defects), rng=rng, region=region, apart=APART), view


def vacancies(rng, count):
    """Kinds and numbers of ``count`` vacancies, for `point_defects.introduce`."""
    numbers = dict(zip(KINDS, rng.multinomial(count, list(KINDS.values())), strict=True))
    molybdenum = rng.binomial(numbers.pop("V_M"), 0.5)
    metals = {"V_Mo": molybdenum, "V_W": count - sum(numbers.values()) - molybdenum}
    return {kind: int(number) for kind, number in {**numbers, **metals}.items() if number}


def general(kind):
    """The kind's name in `KINDS`."""
    return "V_M" if kind in ("V_Mo", "V_W") else kind


def eight_bit(image):
    """An image as grey levels, its darkest and brightest pixel 0 and 255: uint8 array."""
    low, high = image.min(), image.max()
    return np.rint(255 * (image - low) / (high - low)).astype(np.uint8)
