"""Shared by the tests of the simulator."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Compute on one thread: images this small gain nothing from more, and a busy machine loses."""
    with threadpool_limits(1):
        yield
