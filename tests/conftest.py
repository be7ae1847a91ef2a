"""Shared fixtures."""

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")
torch.set_num_threads(2)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def torch_rng():
    return torch.Generator().manual_seed(20)
