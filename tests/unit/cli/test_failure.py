"""What went wrong, what to do, and with which code a command ends."""

import boto3
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from odometer.domain.errors import OdometerError
from odometer.storage.dynamo import domain_errors
from odometer_cli.failure import Failure, Misused, Unreachable, failure_of


def failed(error: BotoCoreError) -> Failure:
    """What whoever typed the command is told of an error on the way to AWS."""
    with pytest.raises(OdometerError) as raised, domain_errors():
        raise error
    return failure_of(raised.value)


@pytest.mark.parametrize(
    "error", [NoRegionError(), NoCredentialsError(), ProfileNotFound(profile="nobody")], ids=repr
)
def test_without_credentials_or_a_region_trying_again_is_no_remedy(error: BotoCoreError) -> None:
    failure = failed(error)
    assert isinstance(failure, Misused)
    assert failure.what == str(error)
    assert "AWS_PROFILE" in failure.remedy
    assert "AWS_DEFAULT_REGION" in failure.remedy


def test_what_did_not_answer_may_answer_in_a_moment() -> None:
    failure = failed(ConnectTimeoutError(endpoint_url="https://example.com"))
    assert isinstance(failure, Unreachable)
    assert failure.remedy == "Try again in a moment."


def test_a_client_without_a_region_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(OdometerError, match="region"), domain_errors():
        boto3.session.Session().client("cloudformation")
