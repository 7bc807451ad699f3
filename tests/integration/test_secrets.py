"""No secret leaves by another way than the one answer that shows it."""

import io
import logging
from collections.abc import Iterator

import pytest

from odometer.access.keys import AccessKey
from odometer.api.endpoint import logger
from odometer.storage.dynamo import dynamodb
from tests.support.book import ACME
from tests.support.cast import YESTERDAY, Cast, basic, bearer, cast_of
from tests.support.stack import Stack
from tests.support.taps import refused, tapped, timed_out

PEPPER = "not a secret"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, by whomever, at any level, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.handlers[0].formatter)
    root, ours = logging.getLogger(), logging.getLogger(logger.service)
    level = root.level
    root.addHandler(handler)
    ours.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for noisy in ("boto3", "botocore", "urllib3"):  # they log requests, which functions never do
        logging.getLogger(noisy).setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    ours.removeHandler(handler)
    root.setLevel(level)


def shown(us: Cast) -> set[str]:
    """Go through the life of keys, right and wrong; the secrets that must not be seen again."""
    call = us.stack.call
    admin = us.key("admin")
    new = {"name": "new", "user": us.id("admin"), "scopes": ["usage:read"]}
    made = call("POST", "/v1/keys", admin, body=new).json
    rotated = call("POST", f"/v1/keys/{made['key_id']}/rotate", admin).json
    expired = us.key("admin", expires_at=YESTERDAY)
    keys = [admin, made["access_key"], rotated["access_key"], expired, us.revoked("admin")]
    for key in keys:
        for headers in (bearer(key), basic(us.username("admin"), key), basic("nobody", key)):
            for path in ("/api/v1/organization", "/v1/keys", "/nope", f"/v1/keys/{key}"):
                call("GET", path, headers=headers)
        call("GET", "/api/v1/organization", headers=bearer(key[:-1] + "~"))
        call("GET", "/api/v1/organization", headers={"authorization": key})
        call("PUT", "/v1/directory", headers=bearer(key), body={"teams": [{"name": 5}]})
    return {read.secret for key in keys if (read := AccessKey.read(key))}


def test_no_log_shows_a_key(stack: Stack, written: io.StringIO) -> None:
    us = cast_of(stack, ACME)
    secrets = shown(us)
    tap = tapped()
    for fault in (timed_out, lambda _: refused("AccessDeniedException", 400)):
        tap.fail = fault
        secrets |= shown_in_trouble(us)
    log = written.getvalue()
    assert log.count('"answered"') > 50
    assert '"refused"' in log
    assert not [secret for secret in secrets if secret in log]
    assert PEPPER not in log
    assert "uthorization" not in log


def shown_in_trouble(us: Cast) -> set[str]:
    """Ask while storage is in trouble."""
    key = AccessKey.make(ACME)
    for path in ("/api/v1/organization", "/v1/keys"):
        assert us.stack.get(path, str(key)).status in (500, 503)
    return {key.secret}


def test_no_table_holds_a_key(stack: Stack) -> None:
    us = cast_of(stack, ACME)
    secrets = shown(us)
    for table in ("directory", "activity", "log", "usage"):
        content = str(dynamodb().scan(TableName=table)["Items"])
        assert not [secret for secret in secrets if secret in content]
