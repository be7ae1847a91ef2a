"""Images drawn by AtomGAN: time beside abTEM's, columns where they were drawn, and how like simulated images they are."""

import numpy as np
import pandas as pd
import torch

from atomwork.analysis import drawings, generation, realism, segmentation
from atomwork.simulation import drawing, imaging
from atomwork.simulation.recipes import atomgan
from atomwork.simulation.recipes.tables import heaviest
from tests.benchmarks.simulation import plain_hrtem
from tests.benchmarks.speed import fastest

SEED, DRAWINGS = 71_500, 24
PUBLISHED = 0.07  # s per image on a GPU, Cheng et al., Sci. China Inf. Sci. 66 (2023) 160410


def specimens():
    """Specimens, their views and drawings, and an image of another specimen beside each as its reference."""
    for k in range(DRAWINGS):
        specimen, view = atomgan.scene(np.random.default_rng([SEED, k]), 3)
        levels = drawing.draw(specimen, view, heaviest(specimen.columns))
        yield specimen, view, levels, atomgan.junction(np.random.SeedSequence([SEED, 1, k]), 3)["image"]


def drawn_images(model="atomgan"):
    """Columns of images drawn by AtomGAN that moved, appeared or vanished, image by image, and all together."""
    results, made, real = [], [], []
    for specimen, view, levels, reference in specimens():
        image, columns = generation.generate(levels, reference, model=model), view.table(specimen.columns)
        spacing = drawings.SPACING / view.pixel_size
        places, defects = columns[["y", "x"]].to_numpy(float), view.to_pixels(specimen.defects[["y", "x"]].to_numpy(float))
        results.append(generation.kept(image, places, heaviest(columns), spacing, defects))
        made.append(image)
        real.append(reference)
    columns, created, lost = (sum(getattr(one, name) for one in results) for name in ("columns", "created", "lost"))
    rms = np.sqrt(sum(one.columns * one.rms**2 for one in results if one.columns) / columns)
    alike = realism.score(made, real, spacing)
    row = {"images": DRAWINGS, "columns": columns, "RMS [spacings]": rms, "created": created, "lost": lost}
    row |= {"whole images": np.mean([one.created == one.lost == 0 for one in results])}
    row |= {"spectrum [dB]": alike.spectrum, "brightness": alike.brightness, "told apart": alike.told_apart}
    return "Images drawn by AtomGAN", pd.DataFrame([row])


def drawing_speed(model="atomgan"):
    """Seconds for a 256² image on two cores: drawn, segmented, and simulated by abTEM."""
    torch.set_num_threads(2)
    specimen, view, levels, reference = next(specimens())
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
