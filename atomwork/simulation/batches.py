"""Batches of images with their truth: scenes composed, rendered, judged and degraded in one go.

A `Recipe` says what is drawn and from which ranges; `seeded_batch` draws it, on CPU or GPU.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from atomwork.simulation import carbon, formation, forward, noise, scenes, truth
from atomwork.simulation.cells import Cells
from atomwork.simulation.chance import log_uniform, sometimes

COARSEST, MARGIN = 48.0, 32  # px, largest distance of neighbours of which the scale is learned, and the margin that suits it


@dataclass(frozen=True)
class Recipe:
    """What images are drawn from.

    Attributes
    ----------
    size : int, side of the square images [px]
    spacing : (2,) range of the nearest-neighbour distance, log-uniform [px]
    coarse_share : share of images with larger distances, from that range's end up to ``coarsest`` [-]
    coarsest : float [px]
    dose : (2,) range of the peak dose, log-uniform [e⁻/px]
    width : (2,) range of a column's standard deviation over the nearest-neighbour distance [-]
    families : shares of `scenes.FAMILIES`
    dark_share : share of images with dark columns [-]
    cells : where unit cells come from
    cuts : force (or forbid) holes and edges in crystals; by chance if None
    support_share : share of images on thick carbon [-]
    adatom_share : share of crystals that carry adatoms [-]
    reductions : factors, of which each batch has one: it is drawn on pixels so much finer and then reduced to ``size``, as
        a detector does with an image whose columns lie far apart; spacings are those after that, doses those before
    """

    size: int = 128
    spacing: tuple = (4.0, 48.0)
    coarse_share: float = 0.0
    coarsest: float = COARSEST
    dose: tuple = (1.0, 1000.0)
    width: tuple = (0.11, 0.36)
    families: dict = field(default_factory=lambda: dict(scenes.FAMILIES))
    dark_share: float = 0.25
    cells: Cells = field(default_factory=Cells)
    cuts: bool | None = None
    support_share: float = 0.0
    adatom_share: float = 0.0
    reductions: tuple = (1,)

    @property
    def margin(self):
        """Around a crop, against the wrap-around of the Fourier transform [px]."""
        return round(MARGIN * self.coarsest / COARSEST)

    def finer(self, factor):
        """The same images on ``factor`` times as many pixels along either axis."""
        spacing = tuple(factor * distance for distance in self.spacing)
        return replace(self, size=factor * self.size, spacing=spacing, coarsest=factor * self.coarsest, reductions=(1,))


@dataclass
class Batch:
    """Images and their truth.

    Attributes
    ----------
    image : (B, 1, H, W) float tensor, as recorded [e⁻ or grey levels]
    target : (B, 1, H, W) float tensor, Gaussians of width spacing/4 and height 1 at the columns that count
    weight : (B, 1, H, W) float tensor, 0 around columns on the verge of visibility, else 1
    spacing : (B,) float tensor [px]; NaN where an image shows no column
    dark : (B,) bool tensor, columns darker than their surroundings
    dose : (B,) float tensor, expected electrons in the brightest pixel [e⁻/px]
    columns : list of B (N, 2) float arrays, the columns that count, (y, x) [px]
    optional : list of B (M, 2) float arrays, (y, x) [px], all other columns: too faint to be asked for, or centred just
        beyond the border, and yet a detector that finds one is not wrong
    names : list of B str
    """

    image: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    spacing: torch.Tensor
    dark: torch.Tensor
    dose: torch.Tensor
    columns: list
    optional: list
    names: list

    def to(self, device):
        """The same batch with its tensors on ``device``."""
        tensors = {k: v.to(device, non_blocking=True) for k, v in vars(self).items() if torch.is_tensor(v)}
        return Batch(**{**vars(self), **tensors})


def draw_scenes(rng, recipe, count):
    """``count`` scenes on a canvas with margins, and the width of a column in each [px]."""
    canvas = (recipe.size + 2 * recipe.margin,) * 2
    families = list(recipe.families)
    shares = np.array([recipe.families[f] for f in families], float)
    drawn, widths = [], []
    for _ in range(count):
        family = families[rng.choice(len(families), p=shares / shares.sum())]
        coarse = recipe.coarse_share and rng.random() < recipe.coarse_share
        spacing = log_uniform(rng, *((recipe.spacing[1], recipe.coarsest) if coarse else recipe.spacing))
        chosen = {"cells": recipe.cells, "cuts": recipe.cuts, "adatoms": recipe.adatom_share}
        scene = scenes.draw(rng, canvas, spacing, family, **chosen)
        drawn.append(scene)
        widths.append(max(spacing * log_uniform(rng, *recipe.width), forward.SPLAT_WIDTH))
    return drawn, np.array(widths)


def background(clean, torch_rng, rng, dark):
    """Intensity under the columns (B, H, W), in units of their brightest pixel."""
    count = len(clean)

    def tensor(values):
        return torch.as_tensor(values, dtype=clean.dtype, device=clean.device).reshape(-1, 1, 1)

    level = np.where(dark, log_uniform(rng, 1.2, 5, count), log_uniform(rng, 0.01, 6, count))
    waves = tensor(sometimes(rng, 0.5, 0.02, 0.4, count)) * noise.smooth_field(clean, torch_rng, int(rng.integers(2, 5)))
    stains = tensor(sometimes(rng, 0.3, 0.1, 1.5, count)) * noise.patches(clean, torch_rng, int(rng.integers(3, 9)))
    return (tensor(level) * (1 + 0.5 * waves.clamp_min(-1.8)) + stains + 0.2 * waves).clamp_min(0.003)


def recording(rng, count):
    """Strengths of `noise.degrade` for ``count`` images, the dose apart."""
    return {
        "jitter": sometimes(rng, 0.25, 0.05, 0.6, count),
        "streak": sometimes(rng, 0.2, 0.005, 0.06, count),
        "readout": sometimes(rng, 0.5, 0.1, 2.0, count),
        "lag": sometimes(rng, 0.25, 0.1, 0.7, count),
        "blur": sometimes(rng, 0.4, 0.2, 1.0, count),
        "spots": sometimes(rng, 0.1, 1e-5, 5e-4, count),
        "gamma": np.where(rng.random(count) < 0.3, log_uniform(rng, 0.6, 1.6, count), np.nan),
        "clip": sometimes(rng, 0.5, 0.0, 0.08, count),
    }


def render_scenes(drawn, widths, rng, torch_rng, device):
    """Noise-free images of scenes and the columns in them.

    Returns
    -------
    clean : (B, H, W) float tensor, columns alone, brightest pixel 1 [-]
    height : (B,) float array, height of a column of brightness 1 above its tails, in units of that pixel [-]
    """
    count, shape = len(drawn), (drawn[0].shape)
    width = torch.as_tensor(widths, dtype=torch.float32, device=device)
    ratio = torch.as_tensor(1 + sometimes(rng, 0.4, 0.05, 0.5, count), dtype=torch.float32, device=device)
    tail_share = sometimes(rng, 0.6, 0.05, 0.9, count)
    transfer = forward.probe_transfer(
        shape,
        torch.maximum(width, forward.SPLAT_WIDTH * ratio.sqrt()),
        ratio=ratio,
        angle=torch.as_tensor(rng.uniform(0, np.pi, count), dtype=torch.float32, device=device),
        tail_share=torch.as_tensor(tail_share, dtype=torch.float32, device=device),
        tail_ratio=torch.as_tensor(rng.uniform(2, 6, count), dtype=torch.float32, device=device),
    )
    impulses = forward.splat(
        forward.concatenate([s.positions for s in drawn]).to(device),
        forward.concatenate([s.brightness for s in drawn], 1).to(device),
        forward.image_indices([s.positions for s in drawn]).to(device),
        count,
        shape,
    )
    clean = forward.convolve(impulses, transfer).clamp_min(0)
    peak = clean.amax((1, 2)).clamp_min(1e-6)
    return clean / peak[:, None, None], (1 - tail_share) / peak.cpu().numpy()


def make_batch(rng, torch_rng, recipe, count, device="cpu"):
    """Draw, render, judge and degrade ``count`` images.

    Parameters
    ----------
    rng : numpy.random.Generator, for the scenes and their parameters
    torch_rng : torch.Generator on ``device``, for pixel noise
    recipe : Recipe
    count : int
    device : str or torch.device

    Returns
    -------
    Batch
    """
    if len(recipe.reductions) > 1:
        factor = int(rng.choice(recipe.reductions))
        return reduced(make_batch(rng, torch_rng, recipe.finer(factor), count, device), factor)
    drawn, widths = draw_scenes(rng, recipe, count)
    dark = (rng.random(count) < recipe.dark_share) & np.array([len(s.positions) > 0 for s in drawn])
    clean, height = render_scenes(drawn, widths, rng, torch_rng, device)
    under = background(clean, torch_rng, rng, dark)
    sign = np.where(dark, -1.0, 1.0)
    texture, unrest = carbon.under(rng, torch_rng, clean, np.minimum(height, 1), widths, recipe.support_share)
    intensity = (under + texture + noise.per_image(sign, clean) * clean).clamp_min(0.002)
    dose, camera = log_uniform(rng, *recipe.dose, count), recording(rng, count)
    scale = torch.as_tensor(dose, dtype=torch.float32, device=device) / intensity.amax((1, 2))
    electrons = intensity * scale[:, None, None]
    positions, index, kinds = truth.judge(
        electrons, drawn, scale, sign * height, widths, camera["readout"], unrest * scale[:, None, None]
    )
    positions[:, 1] += torch.as_tensor(noise.lag_delay(camera["lag"]), dtype=torch.float32, device=device)[index]
    columns, faint, hidden = truth.split(positions, index, kinds, count)
    spacing = [truth.image_spacing(*of_one) for of_one in zip(drawn, widths, columns, faint, strict=True)]
    target, weight = truth.draw_targets(columns, faint, spacing, widths, clean.shape[-2:], device)
    inner = slice(recipe.margin, -recipe.margin)
    exposed = electrons[:, inner, inner]
    peak = exposed.amax((1, 2))
    recorded = noise.degrade(exposed, rng=torch_rng, dose=peak, **camera)
    return Batch(
        image=recorded[:, None],
        target=target[:, None, inner, inner],
        weight=weight[:, None, inner, inner],
        spacing=torch.tensor(spacing, dtype=torch.float32),
        dark=torch.from_numpy(dark),
        dose=peak,
        columns=[truth.inside(c, recipe) for c in columns],
        optional=[truth.others(*of_one, recipe) for of_one in zip(columns, faint, hidden, strict=True)],
        names=[s.name for s in drawn],
    )


def reduced(batch, factor):
    """A batch on ``factor`` times fewer pixels along either axis, the doses as they were."""
    if factor == 1:
        return batch
    size, cubic = [n // factor for n in batch.image.shape[-2:]], {"mode": "bicubic", "align_corners": False}
    maps = {name: F.interpolate(getattr(batch, name), size, **cubic).clamp(0, 1) for name in ("target", "weight")}
    points = {name: [(p + 0.5) / factor - 0.5 for p in getattr(batch, name)] for name in ("columns", "optional")}
    return replace(batch, image=resampled(batch.image, size), spacing=batch.spacing / factor, **maps, **points)


def resampled(image, size):
    """Images (B, C, H, W) on (h, w) other pixels, with the anti-aliasing that a reduction needs."""
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def seeded_batch(sequence, recipe, count, device="cpu"):
    """`make_batch` from a ``numpy.random.SeedSequence``: the same sequence gives the same bytes."""
    return make_batch(*formation.generators(sequence, device), recipe, count, device)
