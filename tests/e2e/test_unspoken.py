"""What the logs of a whole run do not say: named so that it runs after every other test."""

import base64
import re
from collections.abc import Iterator

import boto3
import pytest

from local.stack import Stack
from tests.support.live_deployment import Deployment

KEY = re.compile(r"odo_[0-9A-Za-z]{34}_[0-9A-Za-z]{33}")
FAMILIES = ("UsageMetricsLogs", "V1Logs", "EdgeLogs")


@pytest.fixture
def said(deployment: Deployment) -> dict[str, str]:
    """All that the functions have logged, by log group."""
    stack = Stack.read(deployment.home) if deployment.home else None
    if stack is None:
        pytest.skip("the logs of a deployment elsewhere cannot be read from here")
    logs = boto3.client(
        "logs",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    groups = logs.describe_log_groups()["logGroups"]
    return {group["logGroupName"]: text_of(logs, group["logGroupName"]) for group in groups}


def text_of(logs: object, group: str) -> str:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)  # type: ignore[attr-defined]
    return "\n".join(event["message"] for page in pages for event in page["events"])


def secrets(deployment: Deployment) -> Iterator[str]:
    """Every secret of the demo, plain and as Basic credentials carry it."""
    for name, value in deployment.names.items():
        if name.endswith(("_TOKEN", "_ACCESS_KEY")):
            yield value.rpartition("_")[2]
    for prefix in ("", "OTHER_"):
        pair = f"{deployment[f'{prefix}ADMIN_USERNAME']}:{deployment[f'{prefix}ADMIN_ACCESS_KEY']}"
        yield base64.b64encode(pair.encode()).decode()


def test_no_log_holds_a_key(deployment: Deployment, said: dict[str, str]) -> None:
    deployment.get("/api/v1/organization", "ADMIN_TOKEN")  # there is something to have logged
    assert KEY.fullmatch(deployment["ADMIN_TOKEN"])
    for secret in secrets(deployment):
        assert [group for group, text in said.items() if secret in text] == []
    assert [group for group, text in said.items() if KEY.search(text)] == []


def test_each_family_logs_what_it_answered(deployment: Deployment, said: dict[str, str]) -> None:
    for family in FAMILIES:
        text = "".join(text for group, text in said.items() if group.endswith(family))
        assert '"message": "answered"' in text
        assert '"status":' in text


def test_nothing_the_emulator_wrote_holds_a_key(deployment: Deployment) -> None:
    if deployment.home is None:
        pytest.skip("a deployment elsewhere writes no log here")
    logs = list((deployment.home / "log").iterdir())
    assert logs
    assert [log.name for log in logs if KEY.search(log.read_text(errors="replace"))] == []
