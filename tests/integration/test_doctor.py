"""`odometer doctor`: every trouble has a cause and a next step."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.engine.format.marks import Mark
from odometer_cli.api_checks import clock_check
from odometer_cli.deployment import SETTINGS
from odometer_cli.table_checks import alarm_check
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.stack import Reply, Stack, admin_of
from tests.support.typed import Said, odometer
from tests.support.usage_sender import ago, run, second_now, send, usage_event

Rows = dict[str, dict[str, str]]


@pytest.fixture
def env(stack: Stack) -> Iterator[Mapping[str, str]]:
    with open_to_clients(stack):
        yield {"ODOMETER_URL": ADDRESS, "ODOMETER_KEY": admin_of(stack, ACME)}


def found(env: Mapping[str, str], *words: str, exit_code: int = 0) -> Rows:
    said = odometer("doctor", "--json", *words, env=env)
    assert said.exit_code == exit_code, said
    return {row["name"]: row for row in said.json}


def without_tables() -> Any:
    return patch.dict(os.environ, dict.fromkeys(SETTINGS, ""))


def test_a_deployment_that_is_well_has_nothing_to_do(stack: Stack, env: Mapping[str, str]) -> None:
    send(stack, env["ODOMETER_KEY"], [usage_event("a", time=ago(hours=1))])
    run("fold")
    rows = found(env)
    assert {name: row["status"] for name, row in rows.items()} == {
        "address": "ok",
        "clock": "skipped",
        "release": "ok",
        "key": "ok",
        "freshness": "ok",
        "events": "ok",
        "sources": "ok",
        "backlog": "ok",
    }
    assert rows["key"]["what"].startswith("of admin@aa7c.example, Admin of Acme Corp; scopes: ")
    assert rows["events"]["what"].startswith("1 event, the last one of 6")


def test_people_read_a_line_for_each_check_and_what_to_do_below(env: Mapping[str, str]) -> None:
    lines = odometer("doctor", env=env).out.splitlines()
    at = lines.index("warn    events        nothing has arrived yet")
    assert lines[at + 1].strip().startswith("Send one: odometer send")


def test_a_source_that_is_silent_is_named(stack: Stack, env: Mapping[str, str]) -> None:
    times = {"ci": ago(hours=5), "old": ago(hours=30)}
    events = [usage_event(name, source=name, time=at) for name, at in times.items()]
    send(stack, env["ODOMETER_KEY"], events)
    run("fold")
    sources = found(env)["sources"]
    assert (sources["status"], sources["what"]) == (
        "warn",
        f"1 of 2 sources silent: old since {times['old']}",
    )
    assert found(env, "--silent-hours", "48")["sources"]["status"] == "ok"


DEAD = (
    ("[Errno -2] Name or service not known", "No such host"),
    ("[Errno 111] Connection refused", "Nothing listens at this port"),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "Its certificate"),
    ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "This port does not speak TLS"),
    ("timed out", "Nothing answers"),
    ("something else", "Is it running"),
)


def test_an_address_that_does_not_answer_says_why(env: Mapping[str, str]) -> None:
    for words, remedy in DEAD:
        dead = patch.object(
            httpx.HTTPTransport, "handle_request", side_effect=httpx.ConnectError(words)
        )
        with dead:
            address = found(env, exit_code=3)["address"]
        assert (address["status"], address["next"][: len(remedy)]) == ("fail", remedy)


def answering(answer: Callable[[str], httpx.Response | None]) -> Any:
    """Other answers to some paths."""
    real = httpx.HTTPTransport.handle_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return answer(request.url.path) or real(transport, request)

    return patch.object(httpx.HTTPTransport, "handle_request", handle)


STRANGERS = (
    httpx.Response(200, text="<html>Welcome</html>"),
    httpx.Response(403, json={"message": "Missing Authentication Token"}),
    httpx.Response(200, json=[1]),
)


def test_something_else_at_the_address_is_told(env: Mapping[str, str]) -> None:
    strangers = iter(STRANGERS)
    with answering(lambda _: next(strangers)):
        for _ in STRANGERS:
            address = found(env, exit_code=1)["address"]
            assert (address["status"], "is not Odometer" in address["what"]) == ("fail", True)


@pytest.mark.parametrize(
    ("ahead", "status"),
    [(timedelta(0), "ok"), (timedelta(minutes=-2), "warn"), (timedelta(hours=1), "fail")],
)
def test_a_clock_that_is_wrong_is_told(ahead: timedelta, status: str) -> None:
    now = datetime.now(UTC)
    date = format_datetime(now - ahead, usegmt=True)
    check = clock_check(httpx.Response(200, headers={"date": date}), now)
    assert check.status == status
    assert clock_check(httpx.Response(200), now).status == "skipped"


def test_a_mistyped_key_is_no_key(env: Mapping[str, str]) -> None:
    rows = found({**env, "ODOMETER_KEY": "odo_nonsense"}, exit_code=2)
    assert rows["deployment"]["what"] == "This is no access key: its checksum is wrong."
    assert rows["backlog"]["status"] == "ok"


def test_a_key_that_is_refused_says_why_to_operators(stack: Stack, env: Mapping[str, str]) -> None:
    user = stack.user(ACME, username="m@example.com")
    expired = stack.key(ACME, user, expires_at=datetime.now(UTC) - timedelta(hours=3))
    refused = {**env, "ODOMETER_KEY": expired}
    assert found(refused, exit_code=1)["key"]["what"] == "it expired 3 hours ago"
    with without_tables():
        rows = found(refused, exit_code=1)
    assert rows["key"]["what"] == "it is unknown to this deployment, expired or revoked"
    assert rows["tables"]["status"] == "skipped"
    me = odometer("whoami", "--json", env=env).json["key_id"]
    odometer("keys", "revoke", me, env=env)
    assert found(env, exit_code=1)["key"]["what"].startswith("it was revoked ")


def test_a_key_that_ends_soon_is_told(stack: Stack, env: Mapping[str, str]) -> None:
    user = stack.user(ACME, username="m@example.com")
    soon = stack.key(ACME, user, expires_at=datetime.now(UTC) + timedelta(days=3))
    rows = found({**env, "ODOMETER_KEY": soon})
    assert (rows["key's end"]["status"], "keys create" in rows["key's end"]["next"]) == (
        "warn",
        True,
    )


def test_a_key_that_may_only_send_is_accepted(stack: Stack, env: Mapping[str, str]) -> None:
    user = stack.user(ACME, username="m@example.com")
    sender = stack.key(ACME, user, Scope.WRITE_USAGE)
    rows = found({**env, "ODOMETER_KEY": sender})
    assert (rows["key"]["status"], "usage:read" in rows["key"]["next"]) == ("warn", True)


def test_work_that_is_late_or_fails_is_told(stack: Stack, env: Mapping[str, str]) -> None:
    marks = process().work.marks
    table = process().table("usage")
    table.put(Mark(ACME, second_now(), {"settle": second_now() - 90_000}).to_item())
    assert marks.get(ACME)
    backlog = found(env, exit_code=1)["backlog"]
    assert backlog["what"] == "1 of 1 organization overdue, 0 failing"
    assert backlog["next"] == "odometer backlog"


def test_data_that_is_late_is_told(stack: Stack, env: Mapping[str, str]) -> None:
    reply: Reply = stack.get("/v1/coverage", env["ODOMETER_KEY"])
    late = {**reply.json, "through": ago(hours=2)}
    answer = httpx.Response(200, json=late)
    with answering(lambda path: answer if path == "/v1/coverage" else None):
        freshness = found(env, exit_code=1)["freshness"]
    assert (freshness["status"], freshness["what"]) == (
        "fail",
        "reports have all that was accepted up to 2 hours ago",
    )


def test_a_former_release_is_told_what_it_lacks(env: Mapping[str, str]) -> None:
    with answering(lambda path: httpx.Response(404) if path == "/openapi.json" else None):
        release = found(env)["release"]
    assert (release["status"], "it has no /v1/me" in release["what"]) == ("warn", True)


WITHOUT_ALARMS = {"Monitoring": "false", "AlarmTopicArn": "arn:aws:sns:…"}


def test_alarms_that_notify_nobody_are_told() -> None:
    with patch("odometer_cli.table_checks.parameter_of", lambda *_: ""):
        assert alarm_check("odometer-prod").status == "warn"
    with patch("odometer_cli.table_checks.parameter_of", lambda *_: "arn:aws:sns:…"):
        assert alarm_check("odometer-prod").status == "ok"


def test_a_stack_without_alarms_is_told_so() -> None:
    with patch("odometer_cli.table_checks.parameter_of", lambda _, name: WITHOUT_ALARMS[name]):
        check = alarm_check("odometer-dev")
    assert (check.status, check.what) == ("warn", "there are none")


def test_a_deployment_that_nobody_knows_is_told(tmp_path: Path) -> None:
    env = {"ODOMETER_CONFIG": str(tmp_path / "config.toml")}
    said = odometer("--deployment", "x", "doctor", env=env)
    assert (said.exit_code, said.out.splitlines()[0].endswith("has no deployment x.")) == (2, True)
    assert len(said.out.splitlines()) == 2


def test_without_an_address_it_says_how_to_give_one(stack: Stack) -> None:
    said: Said = odometer("doctor", env={"ODOMETER_KEY": admin_of(stack, ACME)})
    assert (said.exit_code, "No base URL was given." in said.out) == (2, True)
