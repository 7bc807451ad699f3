"""End-to-end tests need a deployment with the demo in it, which `make test` starts."""

import json
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.support.live_deployment import Deployment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder `e2e`."""
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker("e2e")


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
