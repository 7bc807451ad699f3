"""Every test runs without network and environment, on two organizations side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import httpx
import pytest
from pytest_socket import disable_socket, enable_socket

from tests.support.live_deployment import Deployment, running
from tests.support.stack import Stack, stack_on_moto

WITH_NETWORK = ("browser", "e2e", "engine")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Number tests of the same name, of which workers would run only one."""
    seen: Counter[str] = Counter()
    for item in items:
        seen[item.nodeid] += 1
        if seen[item.nodeid] > 1:
            number = str(seen[item.nodeid])
            item._id = replace(item._id, params=number)  # noqa: SLF001  there is no other way


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Block sockets, except in tests whose mark says that they need them."""
    if any(request.node.get_closest_marker(name) for name in WITH_NETWORK):
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


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """The running demo, which `make test` starts."""
    found = running()
    if found is None:
        pytest.skip("no deployment with the demo runs: `make test` starts one, `make up` another")
    names, home = found
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield Deployment(names, client, home)
