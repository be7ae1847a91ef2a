"""Training, validation and test images, made on the fly.

`TrainingImages` is an endless series of batches; `grouped_images` is the fixed test set, whose crystals,
seeds and unit cells no training or validation image shares.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from torch.utils.data import Dataset

from atomwork.simulation.batches import Recipe, seeded_batch
from atomwork.simulation.cells import Cells, random_motif, trained_motif
from atomwork.simulation.motifs import TEST_MOTIFS, VALIDATION_MOTIFS

# Detection reduces images to about 9 px; on coarser ones only the scale has to be read.
_TRAINING = {"cells": Cells(random_share=0.7, random=trained_motif), "support_share": 0.25}
_TRAINING |= {"spacing": (4.0, 14.0), "coarse_share": 0.2, "reductions": (1, 2)}
RECIPES = {
    "simulated": Recipe(**_TRAINING),
    "crystals": Recipe(families={"lattice": 6, "bilayer": 2, "particle": 1, "empty": 1}, **_TRAINING),
    "isolated": Recipe(families={"isolated": 8, "particle": 1, "empty": 1}, **_TRAINING),
}


class TrainingImages(Dataset):
    """Batch after batch of training images, each made when it is asked for.

    Parameters
    ----------
    recipe : Recipe
    batch_size : int
    seed : int
    batches : sequence of int, which batches of the endless series; batch k is the same whoever asks for it,
        so that a killed run goes on where it stopped
    device : where to render; "cpu" with DataLoader workers, or the GPU without

    Notes
    -----
    Use it with ``DataLoader(images, batch_size=None)``.
    """

    def __init__(self, recipe, batch_size, seed, batches, device="cpu"):
        self.recipe, self.batch_size, self.seed, self.batches, self.device = recipe, batch_size, seed, batches, device

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.batches[index],))
        return seeded_batch(sequence, self.recipe, self.batch_size, self.device)


VALIDATION_SEED = 1_009
VALIDATION = Recipe(size=192, spacing=(5.0, 40.0), cells=Cells(VALIDATION_MOTIFS), support_share=0.25)


def validation_batches(batches=10, batch_size=16, device="cpu"):
    """The fixed validation set, whose named crystals and seeds neither training nor testing shares.

    Parameters
    ----------
    batches : int, the first so many; or a sequence of int, which
    """
    chosen = range(batches) if isinstance(batches, int) else batches
    return TrainingImages(VALIDATION, batch_size, VALIDATION_SEED, chosen, device)


TEST_SEED = 7_333
TEST_INDEPENDENT = (5, 6)  # columns in a random cell: more than `cells.INDEPENDENT` has, fewer than `cells.MANY`
VALIDATION_INDEPENDENT = (7, 8)
TEST_CELLS = Cells(TEST_MOTIFS, 0.4, random=partial(random_motif, columns=TEST_INDEPENDENT))
_TEST = {"cells": TEST_CELLS, "dose": (5.0, 500.0), "spacing": (5.0, 36.0)}
TEST_GROUPS = {
    "dense lattice": Recipe(size=384, families={"lattice": 1}, dark_share=0, cuts=False, **_TEST),
    # the spacing of isolated atoms is four widths, and lies between 5 and 52 px
    "isolated atoms": Recipe(size=384, families={"isolated": 1}, dark_share=0, width=(0.25, 0.36), **_TEST),
    # the columns of two layers come to lie nearer than those of each: sharp enough to tell many of them apart
    "bilayer": Recipe(
        size=384, families={"bilayer": 1}, dark_share=0, cuts=False, width=(0.11, 0.22), **(_TEST | {"spacing": (9.0, 36.0)})
    ),
    "edges and voids": Recipe(size=384, families={"lattice": 2, "particle": 1}, dark_share=0, cuts=True, **_TEST),
    "dark columns": Recipe(size=384, families={"lattice": 1}, dark_share=1, **_TEST),
}

VALIDATION_CELLS = Cells(VALIDATION_MOTIFS, 0.4, random=partial(random_motif, columns=VALIDATION_INDEPENDENT))
VALIDATION_GROUPS = {group: replace(recipe, cells=VALIDATION_CELLS) for group, recipe in TEST_GROUPS.items()}
TRAINING_SEED = 5_501  # of the frames from which a judge learns
_FRAMES = {"size": 288, "cells": _TRAINING["cells"], "adatom_share": 0.3}
TRAINING_GROUPS = {group: replace(recipe, support_share=0.15, **_FRAMES) for group, recipe in TEST_GROUPS.items()}
TRAINING_GROUPS["isolated atoms"] = replace(TRAINING_GROUPS["isolated atoms"], support_share=0.5)
TRAINING_GROUPS["anything"] = Recipe(spacing=(4.0, 40.0), support_share=0.25, **_FRAMES)
GROUPED = {
    "test": (TEST_GROUPS, TEST_SEED),
    "validation": (VALIDATION_GROUPS, VALIDATION_SEED),
    "training": (TRAINING_GROUPS, TRAINING_SEED),
}


def grouped_images(per_group=60, which="test"):
    """The drawn frames of the fixed test set, or those of validation or training in the same groups: yields (group, Batch)."""
    groups, seed = GROUPED[which]
    for number, (group, recipe) in enumerate(groups.items()):
        for sequence in np.random.SeedSequence(seed, spawn_key=(number,)).spawn(per_group):
            yield group, seeded_batch(sequence, recipe, 1)
