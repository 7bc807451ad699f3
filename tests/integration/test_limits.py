"""Limits of organizations and their keys, and what somebody costs who has no key at all."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from odometer.access.keys import AccessKey, issue
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer_cli.client import Client
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, People, basic, bearer, people_of
from tests.support.stack import OTHER, Reply, stack_on_moto
from tests.support.storage_calls import Call, StorageCalls, record_calls, throttled
from tests.support.usage_sender import EVENTS, usage_event

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = {"requests": 1, "read_units": 10_000, "events": 10, "key_percent": 50}
OF_KEY, OF_ALL = 5, 10
"""Requests in ten seconds."""
ORGANIZATION = "/api/v1/organization"
REPORTS = {
    "/v1/me": {
        "error": {"code": "too_many_requests", "message": "Too many requests", "details": {}}
    },
    ORGANIZATION: {
        "error": "TOO_MANY_REQUESTS",
        "message": "Too Many Requests – Try again in a moment.",
        "status": 429,
        "requestId": "request-1",
        "details": {"errors": []},
    },
    "/insights/api/v3/public/usage-report/summary": {
        "status": "error",
        "message": "too many requests",
    },
}
NOBODY_KNOWN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def everybody() -> Iterator[People]:
    with stack_on_moto() as stack, patch.dict(os.environ, {"LIMITS": json.dumps(LIMITS)}):
        stack.now = START
        people_of(stack, OTHER)
        yield people_of(stack, ACME)


@pytest.fixture
def us(everybody: People) -> People:
    """An hour later than the test before, in a process that knows nothing."""
    process.cache_clear()
    assert everybody.stack.now
    everybody.stack.now = everybody.stack.now.replace(minute=0, second=0) + timedelta(hours=1)
    return everybody


@pytest.fixture
def calls_made(us: People) -> Iterator[StorageCalls]:
    calls_made = record_calls()
    yield calls_made
    calls_made.fail = lambda _: None


def ask(us: People, key: str, path: str = ORGANIZATION) -> Reply:
    return us.stack.get(path, key)


def exhaust(us: People, key: str, times: int = OF_KEY) -> list[int]:
    return [ask(us, key).status for _ in range(times)]


def later(us: People, seconds: float) -> None:
    assert us.stack.now
    us.stack.now += timedelta(seconds=seconds)


def send(us: People, key: str, events: int = 1) -> Reply:
    time = f"{us.stack.now:%Y-%m-%dT%H:%M:%SZ}"
    body = [usage_event(f"e-{number}", time=time) for number in range(events)]
    return us.stack.call("POST", EVENTS, key, body=body)


def waits(reply: Reply) -> int:
    """How many seconds a refusal says to wait."""
    return int(reply.headers["Retry-After"])


@pytest.mark.parametrize("path", REPORTS)
def test_whoever_asks_too_much_is_told_so_in_the_words_of_the_family(us: People, path: str) -> None:
    key = us.key("admin")
    assert exhaust(us, key) == [200] * OF_KEY
    later(us, 3)
    reply = ask(us, key, path)
    assert (reply.status, reply.json) == (429, REPORTS[path])
    assert waits(reply) in range(7, 12)
    assert reply.headers["X-Request-Id"] == "request-1"
    later(us, waits(reply))
    assert ask(us, key).status == 200


def test_whoever_is_refused_does_not_come_back_in_one_second_with_all_the_others(
    us: People,
) -> None:
    """Each second of the first half of the next window is somebody's, and nobody waits in vain."""
    key = us.key("admin")
    exhaust(us, key)
    asked = [waits(ask(us, key)) for _ in range(100)]
    assert set(asked) == set(range(10, 15))


def test_another_key_goes_on_until_the_organization_has_used_up_its_limit(us: People) -> None:
    one, two, three = (us.key(who) for who in ("admin", "manager", "lead"))
    assert exhaust(us, one, OF_ALL) == [200] * OF_KEY + [429] * OF_KEY
    assert exhaust(us, two) == [200] * OF_KEY
    assert ask(us, three).status == 429


def test_no_other_organization_notices(us: People) -> None:
    exhaust(us, us.key("admin"), OF_ALL)
    them = People(us.stack, OTHER).key("admin")
    assert exhaust(us, them) == [200] * OF_KEY


def test_reports_that_are_refused_stop_no_events_and_the_other_way_round(us: People) -> None:
    key = us.key("admin")
    exhaust(us, key, OF_ALL)
    assert send(us, key, events=50).status == 202
    refused = send(us, key)
    assert refused.status == 429
    later(us, waits(refused))
    assert send(us, key, events=50).status == 202
    assert send(us, key).status == 429
    assert ask(us, key).status == 200


def test_dear_reports_are_limited_by_their_read_units(us: People) -> None:
    with patch.dict(os.environ, {"LIMITS": json.dumps({"read_units": 1})}):
        process.cache_clear()
        key = us.key("admin")
        read = 0.0
        while (reply := us.stack.get("/v1/me", key)).status == 200:
            read += float(reply.headers.get("X-Read-Units", 0)) + 2
            assert read < 50
    assert reply.status == 429


def test_an_organization_may_have_limits_of_its_own(us: People) -> None:
    key = us.key("admin")
    assert exhaust(us, key, OF_KEY + 1)[-1] == 429
    own = {"requests": 3, "key_percent": 100}
    us.stack.directories.change(ACME, START, lambda edit: edit.set_limits(own))
    us.stack.user(ACME, id="new", username="new@acme.example")
    now = us.stack.directories.open(ACME)
    assert now.limits == own, "another change keeps them"
    assert us.stack.directories.former(ACME, now.head.version - 2, now).limits == {}
    later(us, 10)
    assert exhaust(us, key, 31) == [200] * 30 + [429]
    us.stack.directories.change(ACME, START, lambda edit: edit.set_limits({}))
    assert us.stack.directories.open(ACME).limits == {}


def test_several_processes_keep_one_limit(us: People) -> None:
    key = us.key("admin")
    processes = []
    for _ in range(3):
        process.cache_clear()
        processes.append(process())
    outcomes = []
    for turn in range(15):
        with patch("odometer.web.endpoint.process", lambda at=turn % 3: processes[at]):
            outcomes.append(ask(us, key).status)
    step = 1
    assert OF_KEY <= outcomes.count(200) <= OF_KEY + 3 * step


def test_a_refusal_costs_no_call_and_a_quiet_organization_no_write(
    us: People, calls_made: StorageCalls
) -> None:
    with patch.dict(os.environ, {"LIMITS": json.dumps({**LIMITS, "requests": 200})}):
        process.cache_clear()
        key = us.key("admin")
        exhaust(us, key)
        assert [call.verb for call in calls_made.calls].count("UpdateItem") == 0
    process.cache_clear()
    exhaust(us, key)
    before = len(calls_made.calls)
    assert exhaust(us, key) == [429] * OF_KEY
    assert len(calls_made.calls) == before


def test_whoever_cannot_be_counted_is_served(us: People, calls_made: StorageCalls) -> None:
    key = us.key("admin")
    calls_made.fail = lambda call: throttled(call) if call.verb == "UpdateItem" else None
    assert exhaust(us, key) == [200] * OF_KEY
    assert ask(us, key).status == 429, "by what this process has counted itself"


def test_the_log_says_who_was_refused_and_for_which_limit(
    us: People, capsys: pytest.CaptureFixture[str]
) -> None:
    key = us.key("admin")
    exhaust(us, key, OF_KEY + 1)
    *_, line = (json.loads(each) for each in capsys.readouterr().out.splitlines())
    named = AccessKey.parse(key)
    assert named
    assert line["status"] == 429
    assert line["limited"] == "requests of key"
    assert (line["organization"], line["key_id"]) == (ACME, named.key_id)
    assert named.secret not in json.dumps(line)


def test_an_embed_token_is_counted_with_its_key(us: People) -> None:
    token = us.token()
    assert exhaust_me(us, token) == [200] * OF_KEY
    assert us.stack.get("/v1/me", **bearer(token)).status == 429


def exhaust_me(us: People, token: str) -> list[int]:
    replies = [us.stack.get("/v1/me", **bearer(token)) for _ in range(OF_KEY - 1)]
    return [200, *(each.status for each in replies)]  # the token took the first request


def test_a_page_may_read_how_long_it_has_to_wait(us: People) -> None:
    token = us.token()
    exhaust_me(us, token)
    for _ in range(2):
        reply = us.stack.get("/v1/me", **bearer(token), origin=ORIGIN)
        assert reply.status == 429
        assert waits(reply) in range(10, 15)
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    elsewhere = us.stack.get("/v1/me", **bearer(token), origin="https://evil.example")
    assert elsewhere.status == 403
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


def test_a_client_waits_as_long_as_it_is_told_to(us: People) -> None:
    key = us.key("admin")
    exhaust(us, key)
    began = us.stack.now
    assert began
    with (
        open_to_clients(us.stack),
        patch("odometer_cli.client.time.sleep", lambda seconds: later(us, seconds)),
    ):
        assert Client(ADDRESS, key).get("/v1/me")["organization"]["id"] == ACME
    assert us.stack.now == began + timedelta(seconds=10)


# ------------------------------------------------------------ without a key
BAD = AccessKey.make(ACME)
WRONG_CHECKSUM = f"{BAD}"[:-1] + ("0" if f"{BAD}"[-1] != "0" else "1")
ILL_FORMED = {
    "none": {},
    "empty": {"authorization": ""},
    "another scheme": {"authorization": f"Digest {BAD}"},
    "no key": bearer("nothing"),
    "too long": bearer(f"{BAD}" * 200),
    "wrong checksum": bearer(WRONG_CHECKSUM),
    "Basic with a wrong checksum": basic("admin", WRONG_CHECKSUM),
    "no organization": bearer("odo_" + "z" * 22),
    "no base64": {"authorization": "Basic ???"},
    "half an embed token": bearer("oet_" + "1" * 40),
}


@pytest.mark.parametrize("sent", ILL_FORMED.values(), ids=ILL_FORMED)
def test_whoever_has_nothing_like_a_key_costs_no_call_and_one_line(
    calls_made: StorageCalls, us: People, sent: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (ORGANIZATION, "/v1/me", "/v1/usage?kind=test"):
        assert us.stack.get(path, **sent).status == 401
    assert us.stack.call("POST", EVENTS, headers=sent, body=[usage_event()]).status == 401
    assert calls_made.calls == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) < 1000, "whatever was sent"


def unknown(organization: str, us: People) -> str:
    return str(AccessKey.make(organization))


def wrong_secret(us: People) -> str:
    known = AccessKey.parse(us.key("admin"))
    assert known
    return str(AccessKey.make(ACME, known.key_id))


def test_a_key_that_opens_nothing_costs_one_look_up_in_ten_seconds(
    us: People, calls_made: StorageCalls
) -> None:
    for key in (
        unknown(NOBODY_KNOWN, us),
        unknown(ACME, us),
        wrong_secret(us),
        us.revoked("member"),
    ):
        calls_made.calls.clear()
        assert exhaust(us, key, 3) == [401] * 3
        assert [call.verb for call in calls_made.calls if call.resource == "directory"] == [
            "BatchGetItem"
        ]
        later(us, 10)
        assert ask(us, key).status == 401
        assert len([each for each in calls_made.calls if each.resource == "directory"]) == 2


def test_a_token_that_has_expired_costs_one_look_up_in_ten_seconds(
    us: People, calls_made: StorageCalls
) -> None:
    token = us.token()
    later(us, 3600)
    calls_made.calls.clear()
    assert [us.stack.get("/v1/me", **bearer(token)).status for _ in range(3)] == [401] * 3
    assert calls_made.calls == [Call("BatchGetItem", name) for name in ("directory", "usage")]


def test_what_unknown_keys_cost_is_bounded(us: People) -> None:
    process.cache_clear()
    for _ in range(300):
        ask(us, unknown(ACME, us))
    memory = process().refused_keys
    assert memory.weight == 256
    assert process().memory.weight == 0, "nothing else is forgotten for it"


def test_a_key_that_is_made_a_moment_later_works_at_once(us: People) -> None:
    key, credential = issue(ACME, "late", 0, frozenset(Scope), process().secret, START)
    other = AccessKey.make(ACME, key.key_id)
    assert ask(us, str(other)).status == 401
    us.stack.directories.add_credential(credential)
    assert ask(us, str(key)).status == 200
    assert ask(us, str(other)).status == 401


def test_who_was_refused_for_another_reason_than_the_key_is_asked_about_each_time(
    us: People,
) -> None:
    key = us.key("gone")
    assert us.stack.get(ORGANIZATION, key).status == 401
    us.stack.user(ACME, id=us.id("gone"), state="registered")
    assert us.stack.get(ORGANIZATION, key).status == 200
    named = us.key("admin")
    assert us.stack.get(ORGANIZATION, **basic("somebody-else", named)).status == 401
    assert us.stack.get(ORGANIZATION, **basic(us.username("admin"), named)).status == 200


def test_nobody_is_refused_for_an_organization_they_only_name(us: People) -> None:
    exhaust(us, us.key("admin"), OF_ALL)
    exhaust(us, us.key("manager"), OF_ALL)
    assert ask(us, unknown(ACME, us)).status == 401


def test_nobody_is_counted_who_only_names_an_organization(us: People) -> None:
    for _ in range(OF_ALL):
        ask(us, unknown(ACME, us))
        ask(us, wrong_secret(us))
    assert exhaust(us, us.key("admin")) == [200] * OF_KEY
