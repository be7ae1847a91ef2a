"""A detector for a microscope of whose images nobody labelled one: ``python -m tests.benchmarks.adaptation FOLDER``, an hour.

The simulation is of a good lens and a plain camera. The other microscope has the same kind of lens, but astigmatic; its camera
blurs, also the noise, and lights the field unevenly. What is known of it are images, none of the specimens that are simulated.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from atomwork.analysis import adaptation, finetune
from atomwork.columns.labels import LabelledFrame
from atomwork.simulation import formation, imaging
from atomwork.simulation.optics import Lens
from atomwork.simulation.recipes import atomgan

SEED, HEAP, TESTED = 81_900, 40, 24
STEPS, TUNING = 600, 200  # of AtomGAN, and of the detector
GOOD = {"energy": 300e3, "semiangle_cutoff": 30.0, "Cs": 2e4, "defocus": -34.0, "focal_spread": atomgan.FOCAL_SPREAD}
WORSE = {**GOOD, "Cs": 3e4, "astigmatism": 8.0, "astigmatism_angle": 20.0}
BLUR, HAZE = 1.6, 0.6  # px, of the other camera, and how much brighter it is somewhere than the image is bright [-]


def simulated(number):
    """An image of the simulation and where its columns are: (H, W) and (N, 2) arrays."""
    clean, columns, chance = scene(number, 0, GOOD)
    return formation.atomgan(clean, rng=chance, alpha=0.4, blur=1.0)[0].numpy(), columns


def recorded(number, heap=1):
    """The same of the other microscope; ``heap`` tells its specimens from others."""
    clean, columns, chance = scene(number, heap, WORSE)
    noisy = formation.atomgan(clean, rng=chance, alpha=0.7, blur=BLUR)
    return formation.with_background(formation.gaussian_blur(noisy, 0.5 * BLUR), rng=chance, height=HAZE)[0].numpy(), columns


def scene(number, heap, lens):
    """The noise-free image of a junction by a lens (1, H, W), its columns (N, 2), and chance for its noise."""
    rng, chance = formation.generators(np.random.SeedSequence([SEED, heap, number]))
    specimen, view = atomgan.scene(rng, 3)
    clean = imaging.hrtem(specimen, lens=Lens(**lens), sampling=atomgan.SAMPLING, **vars(view)).image
    return torch.from_numpy(clean)[None], view.table(specimen.columns)[["y", "x"]].to_numpy(float), chance


def compared(folder):
    """F1 on the other microscope's images of detectors that have learned from nothing more, from simulation, and from more."""
    folder = Path(folder)
    images, columns = zip(*map(simulated, range(HEAP)), strict=True)
    unlabelled, known = zip(*map(recorded, range(HEAP)), strict=True)
    test = [LabelledFrame.of(*recorded(number, 2), name=f"frame {number}") for number in range(TESTED)]
    resumed = folder / "adapted" / "last.ckpt"
    settings = {"max_steps": STEPS, "resume_from": resumed if resumed.exists() else None}
    adapted = adaptation.adapt(images, unlabelled, folder / "adapted", **settings)
    heaps = {
        "simulation": (images, columns),
        "simulation, adapted": (adapted, columns),
        "simulation, both ways": ([*images, *adapted], [*columns, *columns]),
        "its own, labelled": (unlabelled, known),
    }
    rows = [{"learned from": "nothing more", "F1": finetune.pooled_f1(test, "atomid")}]
    for name, heap in heaps.items():
        tuned = finetune.finetune(*heap, folder / name.replace(", ", "_"), max_steps=TUNING)
        rows.append({"learned from": name, "F1": finetune.pooled_f1(test, tuned.model), "share": tuned.share})
        print(rows[-1], flush=True)
    return "Detectors on another microscope's images", pd.DataFrame(rows)


if __name__ == "__main__":
    title, rows = compared(sys.argv[1])
    print(f"## {title}\n\n{rows.to_markdown(index=False, floatfmt='.4g')}")
