"""End-to-end tests need a deployment with the demo in it, which `make test` starts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from tests.support.live_deployment import Deployment, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder `e2e`."""
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """The running demo."""
    found = running()
    if found is None:
        pytest.skip("no deployment with the demo runs: `make test` starts one, `make up` another")
    names, home = found
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield Deployment(names, client, home)


@dataclass(frozen=True)
class Fresh:
    """A new organization for one module, and its Admin's first key."""

    id: str
    key: str
    admin_username: str


@pytest.fixture(scope="module")
def fresh(deployment: Deployment) -> Fresh:
    """A new organization, made as an operator makes one."""
    if deployment.home is None:
        pytest.skip("the tables of a deployment elsewhere cannot be reached from here")
    username = f"e2e-{uuid4().hex[:8]}@example.com"
    words = ("--name", "E2E Organization", "--admin-username", username, "--json")
    made = deployment.odometer("organization", "create", "--force", *words)
    assert made.returncode == 0, made.stderr
    content = json.loads(made.stdout)
    return Fresh(content["organization"], content["access_key"], username)
