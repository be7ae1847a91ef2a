"""Which places lie well within an image."""

import numpy as np


def within(places, shape, margin):
    """Which places (N, 2) lie at least a margin [px] within an image of shape (H, W): (N,) bool array."""
    return ((places >= margin) & (places <= np.array(shape) - 1 - margin)).all(1)
