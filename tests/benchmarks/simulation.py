"""Speed and truth of the simulation against plain abTEM, in one run."""

import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import abtem
import numpy as np
import pandas as pd
import torch

from atomwork.simulation import agreement, forward, imaging, multislice, stores, structures
from atomwork.simulation.recipes import atomgan
from tests.benchmarks.speed import fastest

FIELD = 256  # px


def sheet_with_vacancies(vacancies=20, size=(114.0, 113.0), seed=0):
    """A MoS2 sheet of some 4500 atoms."""
    return structures.build("MoS2", size, defects={"V_S": vacancies}, rng=np.random.default_rng(seed))


def plain_hrtem(atoms, lens, **grid):
    """What a user of abTEM would write, with its defaults."""
    with abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(atoms, **grid)
        ctf = abtem.CTF(**multislice.aberrations(lens), focal_spread=np.sqrt(2) * lens.focal_spread)
        return abtem.PlaneWave(energy=lens.energy).multislice(potential).apply_ctf(ctf).intensity().compute().array.T


def hrtem_speed():
    """HRTEM of a sheet with vacancies: time, correlation and largest deviation against plain abTEM."""
    specimen, lens = sheet_with_vacancies(), imaging.OBJECTIVE
    ours, plain = imaging.hrtem(specimen).image, plain_hrtem(specimen.atoms, lens, sampling=0.1)
    expected = imaging.resample(plain, specimen.size, 0.1)
    seconds = fastest(lambda: imaging.hrtem(specimen), lambda: plain_hrtem(specimen.atoms, lens, sampling=0.1), rounds=5)
    gaps = np.rint(specimen.defects[["y", "x"]].to_numpy(float) / 0.1).astype(int)
    gaps = gaps[((gaps > 5) & (gaps < np.array(ours.shape) - 6)).all(1)]
    near = [np.s_[y - 5 : y + 6, x - 5 : x + 6] for y, x in gaps]
    deviation = max(np.abs(ours[place] / expected[place] - 1).max() for place in near)
    rows = [
        {"calculation": "atomwork", "s": seconds[0], "times faster": seconds[1] / seconds[0]},
        {"calculation": "plain abTEM, sampling=0.1", "s": seconds[1], "times faster": 1.0},
    ]
    correlation = np.corrcoef(ours.ravel(), expected.ravel())[0, 1]
    title = f"HRTEM of {len(specimen.atoms)} atoms of MoS2 with {len(specimen.defects)} vacancies"
    return f"{title}; correlation {correlation:.6f}, largest deviation within 0.5 Å of a vacancy {deviation:.1e}", pd.DataFrame(
        rows
    )


def linear_model(phonons=8):
    """`forward.render` against frozen-phonon multislice: correlation, column intensities, time."""
    rows = []
    for material, thickness in (("graphene", 1.0), ("MoS2", 1.0), ("SrTiO3", 3.9), ("SrTiO3", 19.6)):
        specimen = structures.build(material, 12.0, thickness=thickness)
        agreed = agreement.compare(specimen, phonons=phonons)
        quotients = {f"{row.species} linear / multislice": row.quotient for row in agreed.intensities.itertuples()}
        layer = specimen.atoms.cell[2, 2] - 2 * structures.VACUUM
        mean = agreed.linear.image.mean() / agreed.multislice.image.mean()
        row = {
            "material": material,
            "thickness [Å]": layer,
            "correlation": agreed.correlation,
            "mean, linear / multislice": mean,
        }
        rows.append({**row, "times faster": agreed.seconds[1] / agreed.seconds[0], **quotients})
    return f"Linear dark field against multislice with {phonons} frozen phonons, 70-200 mrad", pd.DataFrame(rows)


def render_for(seconds):
    """How many 256² images one process renders in a time, with one thread."""
    torch.set_num_threads(1)
    specimen = structures.build("MoS2", 60.0)
    view = {"pixel_size": 0.2, "shape": (FIELD, FIELD), "centre": (30.0, 30.0)}
    forward.render(specimen, **view)
    stop, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < stop:
        forward.render(specimen, angle=float(count), **view)
        count += 1
    return count


def throughput(seconds=10.0):
    """Images a second on two cores, and the minutes that the whole atomgan set takes."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rendered = sum(pool.map(render_for, [seconds] * 2)) / seconds
    graphene = structures.build("graphene", 24.0)
    lens = replace(imaging.PROBE, energy=80e3)
    prism = fastest(lambda: imaging.adf(graphene, lens=lens, method="prism"), rounds=1).item()
    few, many = (replace(atomgan.dataset(n), block=8) for n in (16, 160))
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for dataset in (few, many):
            start = time.perf_counter()
            stores.write(dataset, Path(folder) / str(dataset.n_images), seed=0, progress=False)
            times.append(time.perf_counter() - start)
    gan = (times[1] - times[0]) / (many.n_images - few.n_images)  # both start the same processes
    rows = [
        {"images": "forward.render, 256² of MoS2", "images/s": rendered},
        {"images": "PRISM, 24 Å of graphene, 40-120 mrad (one core)", "images/s": 1 / prism},
        {"images": "atomgan, HRTEM 256² with its drawing", "images/s": 1 / gan},
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    title = f"Throughput on two cores; {atomgan.IMAGES} images of atomgan in {gan * atomgan.IMAGES / 60:.0f} min"
    return f"{title}; peak memory of this process {memory:.1f} GB", pd.DataFrame(rows)


def growth():
    """Seconds against the number of atoms, and the exponent of the power law through them."""
    rows, slopes = [], {}
    ways = {
        "forward.render": forward.render,
        "hrtem": imaging.hrtem,
        "hrtem, nothing reused": lambda specimen: imaging.hrtem(replace(specimen, unit=None)),
    }
    for size in (30.0, 60.0, 120.0):
        specimen = sheet_with_vacancies(int(size / 6), (size, size))
        times = fastest(*(partial(image, specimen) for image in ways.values()), rounds=2)
        rows.append({"atoms": len(specimen.atoms), **dict(zip(ways, times, strict=True))})
    table = pd.DataFrame(rows)
    for name in ways:
        slopes[name] = np.polyfit(np.log(table["atoms"]), np.log(table[name]), 1)[0]
    table = pd.concat([table, pd.DataFrame([{"atoms": "exponent", **slopes}])], ignore_index=True)
    return "Seconds for an image of MoS2 with vacancies, 0.1 Å pixels", table
