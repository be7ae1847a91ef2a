"""One detector for all against four small ones, each for one phase and magnification: which labels series better?

``python -m tests.benchmarks.specialists`` trains the four and prints the table.
The published labels came from four such networks (Lin, Yan et al., Small Science 3 (2023) 2300031): 2H and 1T″ at low and at
high magnification. Each is trained here on simulated frames of its own kind; none of the series that judge was seen.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from atomwork import weights
from atomwork.analysis import judging, labelling
from atomwork.columns.labels import LabelledFrame
from atomwork.models.crops import MixedImages
from atomwork.models.detector import BOUNDS, AtomIDNet, shift_to_published
from atomwork.models.training import train
from atomwork.simulation.recipes import series
from atomwork.simulation.recipes.atomid import PHASES, PIXEL_SIZES
from tests.benchmarks.labelling import judged

SEED = 92_003  # of the first training series; those that judge come after all of them
PLACES, STEPS, WIDTHS = 12, 800, (16, 32, 32, 32)
SIZE = 320  # px


def recorded(material, pixel_sizes, seed):
    """Labelled frames of one material at `PLACES` places, their pixel sizes spread over a range [Å]."""
    frames = []
    for k, pixel_size in enumerate(np.geomspace(*pixel_sizes, PLACES)):
        drawn = series.record(series.Recipe(material, pixel_size, SIZE, n_frames=4), seed + k)
        for number, frame in enumerate(drawn.frames):
            asked, rest = (table[["y", "x"]].to_numpy() for table in drawn.asked(number, faintest=0.0))
            frames.append(LabelledFrame(frame.image, asked, rest, drawn.spacing))
    return frames


def learned(material, pixel_sizes, seed, folder):
    """Path of a weight, with a judge, that knows frames of one material in a range of pixel sizes [Å]."""
    own, others = (recorded(material, pixel_sizes, seed + k) for k in (0, PLACES))
    net = AtomIDNet(WIDTHS, max_steps=STEPS, averaging=0.99)
    images = partial(MixedImages, own, own=1.0)
    train(net, folder, images=images, max_steps=STEPS, steps_per_epoch=STEPS, validation_batches=1, seed=seed, progress=False)
    net.hparams.map_shift = shift_to_published(BOUNDS[len(BOUNDS) // 2])
    weights.save(path := Path(folder) / "specialist.safetensors", *net.to_weights())
    net.take(judging.learned(others, model=path, progress=False))
    weights.save(path, *net.to_weights())
    return path


def scores(material, pixel_size, seed, models):
    """How good the labels of the noisiest of ten frames are with each of several weights: a list of dicts."""
    drawn = series.record(series.Recipe(material, pixel_size), seed)
    noisiest = int(np.argmin([frame.metadata["dose"] for frame in drawn.frames]))
    rows = []
    for name, model in models.items():
        _, labels = labelling.label_series(drawn.frames, model=model, progress=False)
        result = judged(labels[labels["frame"] == noisiest], drawn, noisiest)
        known = {"material": material, "pixel size [Å]": pixel_size, "spacing [px]": drawn.spacing, "detector": name}
        judgement = {"RMS / spacing": result.rms / drawn.spacing, "recall": result.recall, "precision": result.precision}
        rows.append(known | judgement)
    return rows


def specialists():
    """Labels of the noisiest frame by the one detector and by the specialist for its phase and magnification."""
    rows = []
    kinds = [(material, sizes) for material in PHASES for sizes in PIXEL_SIZES.values()]
    for number, (material, sizes) in enumerate(kinds):
        with tempfile.TemporaryDirectory() as folder:
            path = learned(material, sizes, SEED + 2 * PLACES * number, folder)
            for k, pixel_size in enumerate(np.geomspace(*sizes, 4)[1:3]):
                seed = SEED + 2 * PLACES * len(kinds) + 2 * number + k
                rows += scores(material, float(pixel_size), seed, {"AtomID-Net": "atomid", "specialist": path})
    return "Labels by one detector and by four specialists", pd.DataFrame(rows)


if __name__ == "__main__":
    title, rows = specialists()
    print(f"## {title}\n\n{rows.to_markdown(index=False, floatfmt='.4g')}")
