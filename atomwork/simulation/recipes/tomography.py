"""Slices and their sinograms, for networks that fill the missing wedge.

Random polygons of 3 to 60 vertices, as TomoFillNet was trained on (Ding et al., Sci. Rep. 9 (2019) 12803), and particles:
ellipses and convex facets, stretched, with cores and texture. All lie in the disc that every projection crosses.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from skimage.draw import polygon
from skimage.transform import downscale_local_mean, radon

from atomwork.simulation import formation, noise
from atomwork.simulation.stores import Array, DataSet

SIZE, N_ANGLES = 256, 128
DISC = 0.48 * SIZE  # px, radius of the disc that holds everything
FINER = 3  # polygons are drawn on a grid so much finer, for smooth edges
ROOM = 8  # shapes in an image
KINDS = ("polygons", "particles")


@dataclass(frozen=True)
class Recipe:
    """What slices are drawn from; pairs are ranges, uniform, and those of whole numbers hold both ends."""

    shapes: tuple = (2, ROOM)  # polygons or particles in an image; a later one covers those before
    radius: tuple = (0.1, 0.5)  # of the circle around a shape, over the disc's [-]
    level: tuple = (0.2, 1.0)  # grey level [-]
    hole: float = 0.3  # probability that a polygon is hollow, or that a particle has a core of another level [-]
    vertices: tuple = (3, 60)  # of a polygon
    roughness: tuple = (0.0, 0.7)  # how far a polygon's vertices may lie inside its circle, over the radius [-]
    facets: tuple = (4, 9)  # of a particle; half of the particles are ellipses
    stretch: tuple = (1.0, 1.8)  # longer over shorter axis of a particle [-]
    texture: tuple = (0.0, 0.15)  # standard deviation of a particle's level over the level [-]

    def __post_init__(self):
        if not 1 <= self.shapes[0] <= self.shapes[1] <= ROOM or self.vertices[0] < 3 or self.facets[0] < 3:
            sides = f"vertices {self.vertices} and facets {self.facets} at least 3"
            raise ValueError(f"shapes {self.shapes} must be from 1 to {ROOM}, {sides}; change the recipe.")


def angles():
    """The projections' angles over 180°, (128,) [degrees]; at 0° the detector lies along x."""
    return np.arange(N_ANGLES) * 180 / N_ANGLES


def dataset(n_images=4000, recipe=None):
    """Slices of polygons and of particles in turn, with their sinograms.

    Parameters
    ----------
    n_images : int
    recipe : Recipe; as it is by default if None

    Returns
    -------
    DataSet : image (256, 256), sinogram (256, 128), kind, vertices

    Raises
    ------
    ValueError : more shapes than there is room for, or shapes of fewer than three sides
    """
    recipe = recipe or Recipe()
    arrays = {
        "image": Array((SIZE, SIZE), "float16", "(y, x) grey level from 0 to 1 [-]"),
        "sinogram": Array((SIZE, N_ANGLES), "float32", "(detector, angle) sum of the grey levels along a line [px]"),
        "kind": Array((), "uint8", f"index into {', '.join(KINDS)}"),
        "vertices": Array((ROOM,), "uint8", "of every shape; 0 for an ellipse, and where there is none"),
    }
    parameters = {**asdict(recipe), "size": SIZE, "angles": angles().tolist(), "disc": DISC}
    return DataSet("tomography", n_images, arrays, partial(draw, recipe=recipe), parameters)


def draw(index, sequence, *, recipe):
    """Slice ``index`` and its sinogram; see `dataset`."""
    rng, torch_rng = formation.generators(sequence)
    kind = index % len(KINDS)
    count = rng.integers(*recipe.shapes, endpoint=True)
    image, vertices = polygons(count, rng, recipe) if kind == 0 else particles(count, rng, torch_rng, recipe)
    image = image.astype(np.float16)
    return {
        "image": image,
        "sinogram": radon(image.astype(np.float32), angles(), circle=True),
        "kind": np.uint8(kind),
        "vertices": np.pad(vertices, (0, ROOM - count)).astype(np.uint8),
    }


def place(radius, rng):
    """Centre (y, x) from the disc's middle of a shape that stays in it [px]."""
    direction = rng.uniform(0, 2 * np.pi)
    return (DISC - radius) * np.sqrt(rng.uniform()) * np.array([np.sin(direction), np.cos(direction)])


def polygons(count, rng, recipe):
    """An image of polygons, (256, 256), and the number of their vertices, (count,)."""
    canvas, vertices = np.zeros((FINER * SIZE,) * 2), rng.integers(*recipe.vertices, size=count, endpoint=True)
    middle = (FINER - 1) / 2  # of a pixel on the fine grid
    for number in vertices:
        radius, level = rng.uniform(*recipe.radius) * DISC, rng.uniform(*recipe.level)
        directions = 2 * np.pi * (np.arange(number) + rng.uniform(-0.4, 0.4, number)) / number + rng.uniform(0, 2 * np.pi)
        lengths = radius * (1 - rng.uniform(*recipe.roughness) * rng.uniform(0, 1, number))
        outline = lengths * np.stack([np.sin(directions), np.cos(directions)])
        centre = (place(radius, rng) + SIZE / 2)[:, None]
        canvas[polygon(*(FINER * (centre + outline) + middle), canvas.shape)] = level
        if rng.random() < recipe.hole:
            canvas[polygon(*(FINER * (centre + rng.uniform(0.3, 0.7) * outline) + middle), canvas.shape)] = 0
    return downscale_local_mean(canvas, (FINER, FINER)), vertices


def particles(count, rng, torch_rng, recipe):
    """An image of particles, (256, 256), and the number of their facets, (count,), 0 for ellipses."""
    image, pixels = np.zeros((SIZE, SIZE)), np.stack(np.mgrid[:SIZE, :SIZE], -1) - SIZE / 2
    facets = rng.integers(*recipe.facets, size=count, endpoint=True) * rng.integers(0, 2, count)
    for number in facets:
        radius, level = rng.uniform(*recipe.radius) * DISC, rng.uniform(*recipe.level)
        distance = shape(pixels - place(radius, rng), number, rng, recipe) / radius  # 1 on the outline
        field = noise.smooth_field(torch.zeros(1, SIZE, SIZE), torch_rng, int(rng.integers(8, 40)))[0].numpy()
        levels = level * (1 + rng.uniform(*recipe.texture) * field)
        if rng.random() < recipe.hole:
            core, inner = rng.uniform(0.3, 0.8), rng.uniform(*recipe.level)
            levels = levels + (inner - level) * inside(distance / core, core * radius)
        image += inside(distance, radius) * (levels - image)
    return image.clip(0, 1), facets


def inside(distance, radius):
    """1 inside an outline, 0 outside, falling over one pixel; the distance is 1 on the outline."""
    return np.clip(0.5 + radius * (1 - distance), 0, 1)


def shape(away, facets, rng, recipe):
    """Distance of pixels from a particle's centre, in a measure in which its outline is a circle.

    Parameters
    ----------
    away : (H, W, 2) float array, pixels from the centre [px]
    facets : int, straight sides with their corners on an ellipse; the ellipse itself if 0

    Returns
    -------
    (H, W) float array [px], at least the distance as it is
    """
    turn, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(*recipe.stretch)
    along, across = away @ [np.sin(turn), np.cos(turn)], stretch * away @ [np.cos(turn), -np.sin(turn)]
    if not facets:
        return np.hypot(along, across)
    corners = 2 * np.pi * (np.arange(facets) + rng.uniform(-0.2, 0.2, facets)) / facets
    half = (np.roll(corners, -1) - corners) % (2 * np.pi) / 2
    sides = zip(corners + half, np.cos(half), strict=True)
    return np.max([(along * np.cos(normal) + across * np.sin(normal)) / near for normal, near in sides], axis=0)
