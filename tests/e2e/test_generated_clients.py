"""A generated client asks every operation of a running stack; models and types read the answers."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.generated import (
    ASKED,
    OPERATIONS,
    Answer,
    ask_everything,
    assert_answers_have_types,
    assert_models_read,
    assert_the_client_understood,
    generated_client,
)
from tests.e2e.conftest import Fresh
from tests.support.apps import APP, JAMES, OFFICE, OTHER_APP, SALES
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import usage_event

ONCE = list(
    {(question.path, verb): each for each in ASKED for question, verb, _ in [each]}.values()
)
"""Each operation in one shape."""
DIRECTORY = {
    "teams": [{"id": "acme-core", "name": "Core"}],
    "departments": [{"id": SALES, "name": "Sales"}, {"id": OFFICE, "name": "Office"}],
    "products": [
        {"id": APP, "name": "Editor", "kind": "app"},
        {"id": OTHER_APP, "name": "Board", "kind": "app"},
    ],
    "license": {"exp": 1_800_000_000, "iat": 1_700_000_000, "seats": 50, "seats_cap": 60},
    "users": [
        {"id": "acme-admin", "username": "second-admin", "role": "Admin"},
        {"id": "acme-member", "username": "member", "email": "m@example.com", "team": "acme-core"},
        {"id": JAMES, "username": "james", "departments": [SALES]},
    ],
}
USED = {"automation": {"tests": 3, "duration_ms": 9}, APP: {"active_ms": 7, "sessions": 1}}
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def answers(
    deployment: Deployment, fresh: Fresh, tmp_path_factory: pytest.TempPathFactory
) -> list[Answer]:
    fill(deployment, fresh)
    with generated_client(tmp_path_factory.mktemp("client")) as made:
        known = {"base_url": deployment["BASE_URL"], "token": fresh.key}
        with made.AuthenticatedClient(**known, timeout=PATIENCE_SECONDS) as caller:
            return ask_everything(caller, made, ONCE, fresh.id)


def fill(deployment: Deployment, fresh: Fresh) -> None:
    """The organization that the questions are about, and use that reports show."""
    put = deployment.send("PUT", "/v1/directory", fresh.key, json=DIRECTORY)
    assert put.status_code == 200, put.text
    sent = deployment.send("POST", "/v1/events", fresh.key, json=[*map(event, USED)])
    assert sent.json()["accepted"] == len(USED), sent.text
    asked = "/v1/usage?product=automation&from=2026-02-03&to=2026-02-04"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "3" not in json.dumps(deployment.get(asked, fresh.key).json()["totals"]):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def event(product: str) -> dict[str, Any]:
    used = {"product": product, **USED[product]}
    return usage_event(product, subject="member", time="2026-02-03T10:00:00Z", data=used)


def test_a_generated_client_asks_every_operation_over_http(answers: list[Answer]) -> None:
    assert len(answers) == len(OPERATIONS)
    assert_the_client_understood(answers)


def test_generated_models_read_what_the_stack_answers(
    answers: list[Answer], tmp_path: Path
) -> None:
    assert_models_read(answers, tmp_path)


def test_what_the_stack_answers_has_the_generated_types(
    answers: list[Answer], tmp_path: Path
) -> None:
    assert_answers_have_types(answers, tmp_path)
