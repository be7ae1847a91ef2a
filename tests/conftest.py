"""Shared fixtures."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin while others compute slow both down many times over

import matplotlib
import numpy as np
import pytest
import torch

from atomwork.columns.labels import LabelledFrame

matplotlib.use("Agg")
# two processes of pytest-xdist share two cores
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def torch_rng():
    return torch.Generator().manual_seed(20)


@pytest.fixture
def labelled_frame(rng):
    """Columns on an oblong frame, some of them optional, in no symmetric order that would hide a mistake."""
    points = rng.uniform(8, (150 - 8, 230 - 8), (90, 2))
    y, x = np.mgrid[:150, :230]
    image = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / 4.5) for p in points)
    return LabelledFrame(100 + 50 * image, points[:70], points[70:], 12.0, False)
