"""What every test stands on: no network, no environment, and two organizations side by side."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket

from tests.support.stack import Stack, stack_on_moto


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Only journeys and engines in processes of their own may open sockets, and say so."""
    if any(request.node.get_closest_marker(name) for name in ("e2e", "engine")):
        yield
        return
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A deployment in this process, with two organizations that know nothing of each other."""
    with stack_on_moto() as stack:
        yield stack
