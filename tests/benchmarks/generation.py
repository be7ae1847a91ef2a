"""Images drawn by AtomGAN: time beside abTEM's, columns where they were drawn, and how like simulated images they are."""

import numpy as np
import pandas as pd
import torch

from atomwork.analysis import defect_scores, drawings, generation, realism, segmentation
from atomwork.simulation import drawing, imaging
from atomwork.simulation.recipes import atomgan
from atomwork.simulation.recipes.tables import heaviest
from tests.benchmarks.simulation import plain_hrtem
from tests.benchmarks.speed import fastest

SEED, DRAWINGS = 71_500, 24
PUBLISHED = 0.07  # s per image on a GPU, Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410


def specimens():
    """Specimens, their views and drawings, and an image of another specimen beside each as its reference, with its truth."""
    for k in range(DRAWINGS):
        specimen, view = atomgan.scene(np.random.default_rng([SEED, k]), 3)
        levels = drawing.draw(specimen, view, heaviest(specimen.columns))
        yield specimen, view, levels, atomgan.junction(np.random.SeedSequence([SEED, 1, k]), 3)


def drawn_images(model="atomgan"):
    """Columns that moved, appeared or vanished in images drawn by AtomGAN, and in those by multislice beside them."""
    made, real, kept, kept_of_others = [], [], [], []
    for specimen, view, levels, reference in specimens():
        made.append(generation.generate(levels, reference["image"], model=model))
        columns = view.table(specimen.columns)
        places, defects = columns[["y", "x"]].to_numpy(float), view.to_pixels(specimen.defects[["y", "x"]].to_numpy(float))
        spacing = drawings.SPACING / view.pixel_size
        kept.append(generation.kept(made[-1], places, heaviest(columns), spacing, defects))
        real.append(reference["image"])
        truth = defect_scores.Truth.of(reference)
        kinds = reference["columns"][: len(truth.columns), 2]
        its_own = drawings.SPACING / float(reference["settings"][0])
        kept_of_others.append(generation.kept(real[-1], truth.columns, kinds, its_own, truth.points))
    alike = realism.score(made, real, spacing)
    look = {"spectrum [dB]": alike.spectrum, "brightness": alike.brightness, "told apart": alike.told_apart}
    rows = [{"images by": "AtomGAN", **summed(kept), **look}, {"images by": "multislice", **summed(kept_of_others)}]
    return f"{DRAWINGS} images drawn by AtomGAN", pd.DataFrame(rows)


def summed(results):
    """`generation.Kept` of many images in a row."""
    columns, created, lost = (sum(getattr(one, name) for one in results) for name in ("columns", "created", "lost"))
    rms = np.sqrt(sum(one.columns * one.rms**2 for one in results if one.columns) / columns)
    whole = np.mean([one.created == one.lost == 0 for one in results])
    return {"columns": columns, "RMS [spacings]": rms, "created": created, "lost": lost, "whole images": whole}


def drawing_speed(model="atomgan"):
    """Seconds for a 256² image on two cores: drawn, segmented, and simulated by abTEM."""
    torch.set_num_threads(2)
    specimen, view, levels, reference = next(specimens())
    reference = reference["image"]
    image = generation.generate(levels, reference, model=model)
    ways = {
        "image from a drawing, AtomGAN": lambda: generation.generate(levels, reference, model=model),
        "drawing from an image, AtomGAN": lambda: segmentation.drawn(image, model),
        "image by multislice, atomwork": lambda: imaging.hrtem(specimen, sampling=atomgan.SAMPLING, **vars(view)),
        "image by multislice, plain abTEM": lambda: plain_hrtem(specimen.atoms, imaging.OBJECTIVE, sampling=atomgan.SAMPLING),
    }
    seconds = fastest(*ways.values(), rounds=3)
    rows = [{"way": way, "s": time} for way, time in zip(ways, seconds, strict=True)]
    rows.append({"way": "image from a drawing, published, GPU", "s": PUBLISHED})
    return "Time of a 256² image, two cores", pd.DataFrame(rows)
