"""Strain: of an unstrained crystal by columns of several detectors, and its time and memory."""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import dask.array
import numpy as np
import pandas as pd
from scipy.fft import fft2, ifft2

from atomwork.analysis import baselines, detect, strain
from atomwork.columns import deformation
from atomwork.simulation import forward, structures
from tests.benchmarks.speed import fastest

SEED = 91_600
PEAK = 10  # e⁻/px at the brightest pixel
SIDE, PIXEL_SIZES = 512, (0.12, 0.2, 0.3)  # px, Å
SLOW = 48  # px, side of what the loop over pixels is timed on
G = np.array([[0.1, 0.0], [-0.05, 0.1 * np.sqrt(0.75)]])  # 1/px
RESOLUTION = 10.0  # px
DETECTORS = {
    "AtomID-Net": detect.detect,
    "Atomap": baselines.atomap,
    "Atomap, Gaussians": lambda image: baselines.atomap(image, refine="gaussian"),
    "FindFoci": baselines.findfoci,
}


def monolayer(pixel_size, seed):
    """An unstrained MoS2 monolayer at low dose."""
    specimen = structures.build("MoS2", SIDE * pixel_size + 10)
    clean = forward.render(specimen, pixel_size=pixel_size, shape=(SIDE, SIDE))
    rng = np.random.default_rng([SEED, seed])
    return replace(clean, image=rng.poisson(PEAK * clean.image / clean.image.max()).astype(np.float32))


def unstrained():
    """Mean and standard deviation of the strain of an unstrained crystal, by each detector's columns and by phase."""
    rows = []
    for seed, pixel_size in enumerate(PIXEL_SIZES):
        image = monolayer(pixel_size, seed)
        by_phase = strain.gpa(image)
        ways = {"GPA": by_phase} | {
            name: strain.from_columns(
                find(image), shape=image.image.shape, resolution=by_phase.resolution, reference=by_phase.reference
            )
            for name, find in DETECTORS.items()
        }
        everywhere = np.all([np.isfinite(found.exx) for found in ways.values()], 0)
        for name, found in ways.items():
            values, inner = found.hydrostatic, found.hydrostatic[everywhere]
            stated = np.sqrt(np.mean(found.hydrostatic_std[everywhere] ** 2))
            row = {"pixel [Å]": pixel_size, "by": name, "mean": np.nanmean(values), "SD": np.nanstd(values)}
            rows.append(row | {"SD where GPA is": inner.std(), "stated there": stated})
    table = pd.DataFrame(rows)
    ours = table[table["by"] == "AtomID-Net"].set_index("pixel [Å]")
    for name in ("SD", "SD where GPA is"):
        table[f"{name} over ours"] = table[name] / table["pixel [Å]"].map(ours[name])
    return f"Hydrostatic strain of unstrained MoS2, peak {PEAK} e⁻/px, {SIDE}² px", table


def crystal(places):
    """Intensity of a hexagonal crystal at places (2, …) [px]."""
    return 60 + sum(20 * np.cos(2 * np.pi * np.tensordot(order, places, 1)) for order in (*G, G[0] + G[1]))


def by_pixels(waves, slopes, noise):
    """Strain and its errors by a loop over pixels, from waves (2, H, W) and their derivatives (2, 2, H, W)."""
    own = np.linalg.inv(G)
    made = np.empty((10, *waves.shape[1:]))
    for y, x in np.ndindex(waves.shape[1:]):
        power = np.abs(waves[:, y, x]) ** 2
        slope = (waves[:, y, x, None].conj() * slopes[:, :, y, x]).imag / power[:, None]
        errors = np.diag(noise / power) / (2 * np.pi) ** 2
        parts = deformation.of_waves(own + slope / (2 * np.pi), errors, own, "finite")
        made[:, y, x] = list(parts.values())
    return made


def gpa_speed():
    """Time of GPA with its error map against a loop over pixels and against the transforms that it takes."""
    rng = np.random.default_rng(SEED)
    image = rng.poisson(crystal(np.indices((1024, 1024)).astype(float))).astype(np.float32)
    waves, slopes = rng.normal(size=(2, SLOW, SLOW)) + 1j, 1e-3 * rng.normal(size=(2, 2, SLOW, SLOW))
    share = SLOW**2 / image.size

    def transforms():
        """The image's, and of either vector the wave's and its two slopes'."""
        spectrum = fft2(image)
        for _ in range(6):
            ifft2(spectrum)

    whole, phase, alone = fastest(lambda: strain.gpa(image), lambda: strain.gpa(image, *G, resolution=RESOLUTION), transforms)
    loop = fastest(lambda: by_pixels(waves, slopes, 1.0), rounds=2).item() / share + alone
    ways = {
        "GPA with errors": phase,
        "the same, vectors found": whole,
        "loop over pixels, extrapolated": loop,
        "FFTs alone": alone,
    }
    rows = [{"way": way, "s": seconds, "over GPA": seconds / phase} for way, seconds in ways.items()]
    return "GPA of 1024² px, two cores", pd.DataFrame(rows)


def block(block_info=None):
    """A part of a large crystal with counting noise."""
    spans = block_info[None]["array-location"]
    grid = np.stack(np.meshgrid(*(np.arange(*span, dtype=np.float32) for span in spans), indexing="ij"))
    return np.random.default_rng([span[0] for span in spans]).poisson(crystal(grid)).astype(np.float32)


def measured_by_parts(side):
    """Seconds and GB of GPA of an image that is made by parts."""
    image = dask.array.map_blocks(block, chunks=((1024,) * (side // 1024),) * 2, dtype=np.float32)
    start = time.perf_counter()
    found = strain.gpa(image, *G, resolution=RESOLUTION)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    scatter, stated = np.nanstd(found.exx[::8, ::8]), np.nanmean(found.exx_std[::8, ::8])
    return {"side [px]": side, "s": seconds, "GB": memory, "SD of exx": scatter, "stated": stated}


def gpa_memory():
    """Time and memory of GPA, each size in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        return "GPA of images that are read by parts", pd.DataFrame(pool.map(measured_by_parts, (2048, 8192)))
