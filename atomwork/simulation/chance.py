"""Random numbers that the simulation draws in more than one place."""

import numpy as np


def log_uniform(rng, low, high, size=None):
    """Draw with equal probability for every factor between ``low`` and ``high``."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def sometimes(rng, share, low, high, size):
    """Zero for most images, and for a ``share`` of them a strength uniform in [low, high]."""
    return np.where(rng.random(size) < share, rng.uniform(low, high, size), 0.0)
