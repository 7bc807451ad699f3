"""No secret leaves by another way than the one answer that shows it."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product

import pytest

from odometer import __version__
from odometer.access.keys import AccessKey
from odometer.bootstrap import process
from tests.support.memory_directory import ACME
from tests.support.people import YESTERDAY, People, basic, bearer, people_of
from tests.support.stack import Stack, endpoints
from tests.support.storage_calls import record_calls, refused, timed_out

PEPPER = "not a secret"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, by whomever, at any level, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for noisy in ("boto3", "botocore", "urllib3"):  # they log requests, which functions never do
        logging.getLogger(noisy).setLevel(logging.INFO)
    monkeypatch.setattr("builtins.print", lambda line, **_: stream.write(f"{line}\n"))
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def shown(us: People) -> set[str]:
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
    token = us.token(team="core")
    for path in ("/v1/usage", "/v1/seats", "/v1/keys", "/nope"):
        for headers in (bearer(token), bearer(f"{token}~"), {**bearer(token), "origin": "null"}):
            call("GET", path, headers=headers)
    return {read.secret for key in keys if (read := AccessKey.parse(key))} | {*token.split(".")[1:]}


def test_no_log_shows_a_key(stack: Stack, written: io.StringIO) -> None:
    us = people_of(stack, ACME)
    secrets = shown(us)
    calls_made = record_calls()
    for fault in (timed_out, lambda _: refused("AccessDeniedException", 400)):
        calls_made.fail = fault
        secrets |= shown_in_trouble(us)
    log = written.getvalue()
    assert log.count('"answered"') > 50
    assert '"reason"' in log
    assert not [secret for secret in secrets if secret in log]
    assert PEPPER not in log
    assert "uthorization" not in log


def test_an_answer_is_logged_with_the_organization_and_the_key_of_its_caller(
    stack: Stack, written: io.StringIO
) -> None:
    us = people_of(stack, ACME)
    key = us.key("admin")
    key_id = read_key(key).key_id
    forged = str(AccessKey.make(ACME, key_id))
    for credential in (key, forged):
        stack.get(f"/v2/clients/{ACME}/users/{us.id('admin')}", credential)
    stack.get(f"/api/v1/user/{us.username('admin')}", key)
    stack.get("/api/v1/organization")
    lines = map(json.loads, written.getvalue().splitlines())
    answered = [line for line in lines if line["message"] == "answered"]
    callers = {(each["status"], each.get("organization"), each.get("key_id")) for each in answered}
    assert callers == {(200, ACME, key_id), (404, ACME, key_id), (401, None, None)}
    for person in (us.id("admin"), us.username("admin")):
        assert person not in written.getvalue()


SENT = "sent-by-a-client"
"""Stands in every part of a request that a client chooses: path, query, headers and body."""
NOT_SEEN = (SENT, "admin@acme", "Basic", "Bearer")


def hostile_requests(us: People) -> Iterator[tuple[str, str, dict[str, str], object]]:
    """Every route by every caller, with what must not be logged wherever it can be put."""
    key, token = us.key("admin"), us.token(team="core")
    callers = [basic(us.username("admin"), key), bearer(token), bearer(SENT)]
    chosen = {"cookie": SENT, "idempotency-key": SENT, "user-agent": SENT, "referer": SENT}
    types = ("application/json", "application/cloudevents+json", SENT)
    bodies: list[object] = [{SENT: SENT}, [{"subject": SENT, "data": {"product": SENT}}], SENT]
    for each in endpoints().values():
        method = "GET" if each.method == "ANY" else each.method
        path = re.sub(r"\{[\w+]+\}", SENT, each.path)
        contents = (
            list(zip(types, bodies, strict=True)) if method in ("POST", "PUT") else [(SENT, "")]
        )
        queries = (f"?{SENT}={SENT}", f"?user={SENT}&period={SENT}&cursor={SENT}")
        for caller, (media_type, body), query in product(callers, contents, queries):
            headers = {**caller, **chosen, "content-type": media_type}
            yield method, path + query, headers, json.dumps(body) if body else None


def test_no_line_shows_what_a_client_sent(stack: Stack, written: io.StringIO) -> None:
    us = people_of(stack, ACME)
    requests = list(hostile_requests(us))
    for method, url, headers, body in requests:
        stack.call(method, url, headers=headers, body=body)
    record_calls().fail = timed_out
    for method, url, headers, body in requests[:: len(requests) // 50]:
        stack.call(method, url, headers=headers, body=body)
    log = written.getvalue()
    assert log.count('"answered"') == len(log.splitlines()) >= len(requests) + 50
    assert '"status_class": "5xx"' in log
    assert [word for word in (*NOT_SEEN, us.username("admin"), us.id("admin")) if word in log] == []


def read_key(text: str) -> AccessKey:
    """A key in its parts."""
    key = AccessKey.parse(text)
    assert key is not None
    return key


def test_lines_of_the_log_name_the_stack_and_its_release() -> None:
    code = "from odometer.logs import log; log.info('said', status=200)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "POWERTOOLS_SERVICE_NAME": "odometer-dev",
            "PYTHONPATH": "layers/odometer",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    line = json.loads(done.stdout)
    assert line.pop("_aws")["CloudWatchMetrics"][0]["Dimensions"] == [["service", "release"]]
    assert {**line, "timestamp": ""} == {
        "level": "INFO",
        "message": "said",
        "timestamp": "",
        "service": "odometer-dev",
        "release": __version__,
        "failed": 0,
        "status": 200,
    }


def shown_in_trouble(us: People) -> set[str]:
    """Ask while storage is in trouble."""
    key = AccessKey.make(ACME)
    for path in ("/api/v1/organization", "/v1/keys"):
        assert us.stack.get(path, str(key)).status in (500, 503)
    return {key.secret}


def test_no_table_holds_a_key(stack: Stack) -> None:
    us = people_of(stack, ACME)
    secrets = shown(us)
    for table in ("directory", "activity", "log", "usage"):
        content = str(process().dynamodb.scan(TableName=table)["Items"])
        assert not [secret for secret in secrets if secret in content]
