"""Tests of the recipes of data sets."""

import numpy as np


def sequence(index):
    """The seed of an image."""
    return np.random.SeedSequence(3, spawn_key=(index,))
