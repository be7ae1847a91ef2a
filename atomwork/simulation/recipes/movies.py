"""Movies of one place whose vacancies appear and heal while it drifts, with their truth."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from atomwork.image import Micrograph
from atomwork.simulation import forward, noise, point_defects, structures
from atomwork.simulation.formation import generators
from atomwork.simulation.views import View

SURROUNDINGS = 8.0  # Å of crystal around what any frame shows


@dataclass(frozen=True)
class Recipe:
    """What a movie is drawn from.

    A site is a Markov chain in continuous time: occupied and vacant times are exponential with the means ``occupied`` and
    ``lifetime``, and it starts as it is on average. A frame shows how its sites are at one instant.
    """

    material: str = "MoS2"
    defect: str = "V_Mo"  # the vacancy that appears and heals, in the notation of `point_defects`
    pixel_size: float = 0.2  # Å
    size: int = 192  # px
    n_frames: int = 16
    lifetime: float = 8.0  # mean of a vacancy's [frames]
    occupied: float = 200.0  # mean time between two vacancies of one site [frames]
    drift: float = 1.5  # root mean square of the steps from frame to frame, along either axis [px]
    smoothness: float = 4.0  # standard deviation of the Gaussian that the drift's speed is smoothed by [frames]
    dose: float = 100.0  # expected electrons in the brightest pixel of a perfect frame [e⁻/px]


@dataclass(frozen=True)
class Movie:
    """Frames of one place and their truth.

    Attributes
    ----------
    frames : (T, H, W) float32 array, counts [e⁻]
    places : (T, N, 2) float array, where each site is in each frame, also beyond its border, (y, x) [px]
    occupied : (T, N) bool array
    pixel_size : float [Å]
    """

    frames: np.ndarray
    places: np.ndarray
    occupied: np.ndarray
    pixel_size: float

    def micrograph(self, frame):
        """One frame as a `Micrograph`."""
        return Micrograph(self.frames[frame], self.pixel_size, f"frame {frame}")


def record(recipe, sequence):
    """A movie with its truth.

    Parameters
    ----------
    recipe : Recipe
    sequence : numpy.random.SeedSequence, or int for one

    Returns
    -------
    Movie : its sites are those that some frame shows

    Raises
    ------
    ValueError : an unknown material, a defect that is no vacancy of it, or times that aren't positive
    """
    rng, torch_rng = generators(sequence)
    path = wander(recipe, rng)
    reach = recipe.pixel_size * (recipe.size + 2 * np.abs(path).max()) + 2 * SURROUNDINGS
    specimen = structures.build(recipe.material, np.sqrt(2) * reach)
    angle, middle = float(rng.uniform(0, 360)), np.array(specimen.size) / 2
    still = View(recipe.pixel_size, (recipe.size, recipe.size), tuple(middle), angle)
    views = [View(still.pixel_size, still.shape, tuple(middle - recipe.pixel_size * step @ still.axes), angle) for step in path]
    leaving, sites = vacancies(specimen, recipe.defect)
    shown = np.any([view.contains(view.to_pixels(sites)) for view in views], 0)
    leaving, sites = [own for own, seen in zip(leaving, shown, strict=True) if seen], sites[shown]
    occupied = chains(len(sites), recipe, rng)
    peak = forward.render(specimen, **vars(still)).image.max()
    frames = np.empty((recipe.n_frames, *still.shape), np.float32)
    for k, view in enumerate(views):
        gone = [atom for own, there in zip(leaving, occupied[k], strict=True) if not there for atom in own]
        rest = specimen.atoms[np.setdiff1d(np.arange(len(specimen.atoms)), gone)]
        clean = forward.render(specimen.with_atoms(rest), **vars(view)).image * (recipe.dose / peak)
        frames[k] = noise.poisson(torch.from_numpy(clean), torch_rng).numpy()
    places = np.stack([view.to_pixels(sites) for view in views])
    return Movie(frames, places, occupied, recipe.pixel_size)


def vacancies(specimen, kind):
    """The atoms that a vacancy lacks at every site, a list of arrays, and the sites (N, 2) (y, x) [Å]."""
    defect = point_defects.read(kind)
    if defect.arriving or defect.leaving is None:
        raise ValueError(f"{kind!r} is no vacancy; give V_Mo, V_S or V_S2, for example.")
    members, sites = point_defects.sites(specimen.atoms, defect)
    if not members:
        raise ValueError(f"{specimen.name} has no site for {kind}; give a vacancy of one of its elements.")
    return [own[: max(1, round(defect.share * len(own))) if defect.share else defect.taken] for own in members], sites


def wander(recipe, rng):
    """How far the place has drifted in each frame since the first, y and x: (T, 2) [px]."""
    steps = rng.normal(size=(recipe.n_frames, 2))
    steps = gaussian_filter1d(steps, recipe.smoothness, axis=0, mode="wrap")
    steps *= recipe.drift / np.maximum(np.sqrt(np.mean(steps**2, 0)), 1e-12)
    return np.cumsum(steps, 0) - steps[0]


def chains(count, recipe, rng):
    """Which of some sites are occupied at the frames: (T, count) bool array; see `Recipe`."""
    if not min(recipe.lifetime, recipe.occupied) > 0:
        raise ValueError(f"lifetime={recipe.lifetime} and occupied={recipe.occupied} frames must be positive.")
    mean = np.array([recipe.lifetime, recipe.occupied])  # of state 0, vacant, and 1
    state = (rng.random(count) < recipe.occupied / mean.sum()).astype(int)
    until = rng.exponential(mean[state])
    occupied = np.empty((recipe.n_frames, count), bool)
    for frame in range(recipe.n_frames):
        while (over := until <= frame).any():
            state[over] = 1 - state[over]
            until[over] += rng.exponential(mean[state[over]])
        occupied[frame] = state == 1
    return occupied
