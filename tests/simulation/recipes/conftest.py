"""What all tests of recipes share."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """As `stores.write` draws; threads that share a busy core wait for each other."""
    with threadpool_limits(1):
        yield
