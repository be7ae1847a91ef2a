"""Which places lie well within an image, and its middle."""

import numpy as np


def within(places, shape, margin):
    """Which places (N, 2) lie at least a margin [px] within an image of shape (H, W): (N,) bool array."""
    return ((places >= margin) & (places <= np.array(shape) - 1 - margin)).all(1)


def middle(image, side):
    """The middle of an image, of at most ``side`` px across: (h, w) float array."""
    starts = [max(0, (length - side) // 2) for length in image.shape]
    return np.asarray(image[tuple(slice(start, start + side) for start in starts)], float)
