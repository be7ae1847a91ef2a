"""Simulations of what the real samples show, to be laid beside them."""

import numpy as np
import torch

from atomwork.image import Micrograph
from atomwork.simulation import forward, imaging, noise, particles, structures
from atomwork.simulation.optics import Lens

PEROVSKITE = "SrTiO3 [110]"  # the samples' own composition is not stated; their rows of A and B sites are those of [110]


def mos2(pixel_size, shape, thickness, rng):
    """A MoS2 monolayer with some Se for S and a contaminated background."""
    size = pixel_size * max(shape) * np.sqrt(2) + 10
    specimen = structures.build("MoS2", size, defects={"Se_S": 0.03, "V_S": 0.02}, rng=rng)
    return forward.render(specimen, **view(specimen, pixel_size, shape, 12.0), lens=Lens(80e3, 30.0), source_size=0.3)


def perovskite_adf(pixel_size, shape, thickness, rng):
    """A perovskite along [110] by a dark-field detector."""
    specimen = structures.build(PEROVSKITE, pixel_size * max(shape) + 10, thickness=thickness)
    return forward.render(specimen, **view(specimen, pixel_size, shape, 0.0), source_size=0.35)


def perovskite_abf(pixel_size, shape, thickness, rng):
    """The same by an annular bright-field detector, by multislice."""
    specimen = structures.build(PEROVSKITE, pixel_size * max(shape) + 10, thickness=thickness)
    return imaging.abf(specimen, **view(specimen, pixel_size, shape, 0.0), source_size=0.35)


def au_nanoparticles(pixel_size, shape, thickness, rng):
    """A gold particle, its columns upright, on carbon."""
    extent = pixel_size * max(shape)
    specimen = particles.nanoparticle("Au [110]", extent, 0.6 * extent, rng=rng, support_thickness=20.0)
    return forward.render(specimen, pixel_size=pixel_size, shape=shape, source_size=0.8)


# How the samples were recorded, by eye: electrons in the brightest pixel, background over the brightest pixel, scan
# jitter [px], readout noise [e⁻], detector lag.
RECORDED = {
    mos2: {"dose": 35.0, "background": 0.5, "jitter": 0.3, "readout": 1.0, "lag": 0.3},
    perovskite_adf: {"dose": 1500.0, "background": 0.1, "jitter": 0.2, "readout": 3.0, "lag": 0.2},
    perovskite_abf: {"dose": 3000.0, "background": 0.0, "jitter": 0.2, "readout": 3.0, "lag": 0.2},
    au_nanoparticles: {"dose": 200.0, "background": 0.1, "jitter": 0.3, "readout": 2.0, "lag": 0.3},
}
LOOKALIKES = {simulate.__name__: simulate for simulate in RECORDED}


def view(specimen, pixel_size, shape, angle):
    """The middle of a specimen."""
    return {"pixel_size": pixel_size, "shape": shape, "centre": tuple(np.array(specimen.size) / 2), "angle": angle}


def lookalike(sample, pixel_size, *, shape=(256, 256), thickness=100.0, seed=0):
    """What a real sample might look like if it were simulated.

    Parameters
    ----------
    sample : str, one of `LOOKALIKES`
    pixel_size : float [Å]
    shape : (H, W) [px]
    thickness : float, of a bulk crystal [Å]
    seed : int

    Returns
    -------
    Micrograph, with the sample's noise [e⁻]
    """
    if sample not in LOOKALIKES:
        raise ValueError(f"sample {sample!r} has no simulation; choose one of {', '.join(LOOKALIKES)}.")
    scene_seed, noise_seed = np.random.SeedSequence(seed).spawn(2)
    clean = LOOKALIKES[sample](pixel_size, tuple(shape), thickness, np.random.default_rng(scene_seed))
    camera = dict(RECORDED[LOOKALIKES[sample]])
    image = torch.from_numpy(np.ascontiguousarray(clean.image))[None].clamp_min(0)
    torch_rng = torch.Generator().manual_seed(int(noise_seed.generate_state(1)[0]))
    under = camera.pop("background") * image.max() * (1 + 0.2 * noise.smooth_field(image, torch_rng, 3)).clamp_min(0)
    recorded = noise.degrade(image + under, rng=torch_rng, **camera)[0].numpy()
    return Micrograph(recorded, pixel_size, f"{clean.name}, simulated", clean.metadata)
