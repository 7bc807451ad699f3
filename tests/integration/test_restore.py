"""`odometer restore`, rehearsed while senders and readers go on and processes are warm."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Lock
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from odometer.access.keys import AccessKey
from odometer.bootstrap import process
from odometer.domain.errors import Unavailable
from odometer.engine.write.fold import Folding
from odometer.services.engine import Engine
from odometer_cli import app
from odometer_cli.pausing import client as aws
from odometer_cli.table_copies import copy_name
from tests.support.control_plane import (
    ControlPlane,
    Gateway,
    before_each_call,
    control_plane,
    died_at,
    recover,
)
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, items_of
from tests.support.usage_sender import EVENTS, ago, usage_event

SPAN = f"from={ago(days=100)}&to={ago(days=-1)}"
TESTS = f"/v1/explain?product=automation&measure=tests&{SPAN}"
INSTANT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)


@dataclass
class Client:
    """A sender that keeps what was not taken, and a reader who knows what was."""

    gateway: Gateway
    key: str
    name: str
    waiting: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    answers: list[tuple[int, int | None, int]] = field(default_factory=list)
    """Of each question the status, what was answered, and how many tests were run by then."""

    def send(self, *names: str) -> None:
        """Send what was not taken before, and these."""
        self.waiting += names
        days = [sum(map(ord, name)) % 9 for name in self.waiting]
        events = [
            usage_event(name, subject=f"{name[:1]}@{self.name}", time=ago(days=day))
            for name, day in zip(self.waiting, days, strict=True)
        ]
        if self.waiting and self.gateway.call("POST", EVENTS, self.key, events).status == 202:
            self.taken |= {*self.waiting}
            self.waiting = []

    def delete(self, path: str) -> int:
        return self.gateway.call("DELETE", path, self.key).status

    def ask(self) -> None:
        answer = self.gateway.call("GET", TESTS, self.key)
        value = answer.json["value"] if answer.status == 200 else None
        self.answers.append((answer.status, value, len(self.taken)))

    @property
    def figure(self) -> Any:
        self.ask()
        return self.answers[-1][1]


@dataclass
class Rehearsal:
    """A deployment with two organizations whose tables are damaged after an instant."""

    stack: Stack
    plane: ControlPlane
    clients: Sequence[Client]

    def copy(self) -> None:
        """What AWS would make of the tables at this instant; moto has only what is there now."""
        before = INSTANT - timedelta(minutes=1)
        for table, at in (("usage", before), ("usage", INSTANT), ("directory", INSTANT)):
            aws("dynamodb").restore_table_to_point_in_time(
                SourceTableName=table,
                TargetTableName=copy_name(table, at),
                UseLatestRestorableTime=True,
            )

    @property
    def tables(self) -> set[str]:
        return {*aws("dynamodb").list_tables()["TableNames"]}

    def send_everything(self, *names: str) -> None:
        for client in self.clients:
            client.send(*names)

    def restore(self, *words: str) -> Result:
        at = f"{INSTANT:%Y-%m-%dT%H:%M:%SZ}"
        return odometer("restore", "--at", at, "--yes", "--wait", "0", "--no-verify", *words)


def odometer(*words: str) -> Result:
    return CliRunner().invoke(app, ["--stack", "odometer", *words])


@pytest.fixture
def rehearsal(stack: Stack) -> Iterator[Rehearsal]:
    with control_plane() as plane:
        gateway = Gateway(stack, plane)
        keys = {name: admin_of(stack, name) for name in (ACME, OTHER)}
        yield Rehearsal(stack, plane, [Client(gateway, keys[n], n) for n in keys])


def fold() -> None:
    """Let the warm process fold what waits."""
    for name in (ACME, OTHER):
        process().engine.fold_outstanding(name, datetime.now(UTC))


def settle() -> None:
    for name in (ACME, OTHER):
        while process().engine.settle(name, datetime.now(UTC)):
            pass


def damage_usage() -> None:
    """Lose heads and some segments, and write nonsense over frames."""
    table = process().table("usage")
    for item in items_of("usage"):
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if "#H" in pk or ("#E#" in pk and sk[9] in "13579"):
            table.delete(pk, sk)
        elif "#R#automation#" in pk and "m0" in item:
            table.put({"pk": pk, "sk": sk, "m0": b"nonsense"})


def damage_directory() -> None:
    """Write nonsense over the head of one organization, and lose the other from the list."""
    table = process().table("directory")
    table.put({"pk": ACME, "sk": "HEAD", "version": 99, "columns": b"nonsense"})
    table.delete("ORGANIZATIONS", OTHER)


def lived_through(rehearsal: Rehearsal) -> list[int]:
    """Usage before the instant and after it, and then the damage; the right figures."""
    rehearsal.send_everything("a1", "b1", "c1")
    fold()
    settle()
    rehearsal.send_everything("a2")
    fold()
    rehearsal.copy()
    rehearsal.send_everything("b3", "d3", "e3")
    fold()
    settle()
    rehearsal.send_everything("f4")
    fold()
    figures = [client.figure for client in rehearsal.clients]  # the process is warm
    assert figures == [len(client.taken) for client in rehearsal.clients] == [8, 8]
    damage_usage()
    return figures


@pytest.mark.parametrize("options", [(), ("--directory",)], ids=["usage", "both"])
def test_figures_are_right_again_while_senders_and_readers_go_on(
    rehearsal: Rehearsal, options: Sequence[str]
) -> None:
    lived_through(rehearsal)
    seen, alone = iter(range(10_000)), Lock()

    def go_on(_: str) -> None:
        """Some calls of the command later, somebody sends and asks."""
        if alone.acquire(blocking=False):
            try:
                if (number := next(seen)) % 25 == 0:
                    for client in rehearsal.clients:
                        client.send(f"m{number}")
                        client.ask()
            finally:
                alone.release()

    before = [len(client.taken) for client in rehearsal.clients]
    settings = rehearsal.plane.settings
    with before_each_call(go_on):
        result = rehearsal.restore(*options)
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert rehearsal.plane.settings == settings
    figures = [client.figure for client in rehearsal.clients]
    assert all(found >= count for found, count in zip(figures, before, strict=True))
    rehearsal.send_everything()
    fold()
    for client, count in zip(rehearsal.clients, before, strict=True):
        assert client.figure == len(client.taken) > count
        statuses = [status for status, _, _ in client.answers]
        assert 429 in statuses
        after = statuses[statuses.index(429) :]
        assert set(after[: after.index(200)]) == {429}


def test_a_run_that_dies_anywhere_is_run_again_and_goes_on(rehearsal: Rehearsal) -> None:
    figures = lived_through(rehearsal)
    process().engine.raise_lanes(ACME, 2, datetime.now(UTC))
    version = rehearsal.stack.directories.open(ACME).head.version
    settings, deaths, results = rehearsal.plane.settings, 0, list[Result]()
    while died_at(deaths, lambda: results.append(rehearsal.restore("--directory"))):
        deaths += 1
    assert results[0].exit_code == 0, results[0].output
    assert deaths > 15
    assert rehearsal.plane.settings == settings
    assert [client.figure for client in rehearsal.clients] == figures
    assert list(process().table("activity").query("RESTORE", " ", "~")) == []
    after = rehearsal.stack.directories.open(ACME)
    assert after.organization.lanes == 2, "lanes are given again"
    assert after.head.version > version, "no version is used twice"


# what must not come back, and what must


@pytest.mark.parametrize("options", [(), ("--directory",)], ids=["usage", "both"])
def test_who_was_erased_and_what_was_revoked_stays_so(
    rehearsal: Rehearsal, options: Sequence[str]
) -> None:
    (client, _), stack = rehearsal.clients, rehearsal.stack
    client.send("a1", "b1")
    fold()
    owner = stack.user(ACME, username="manager@example.com", role="Manager")
    revoked = stack.key(ACME, owner)
    parsed = AccessKey.parse(revoked)
    assert parsed
    rehearsal.copy()
    client.send("a2", "b2", "c2")
    fold()
    erased = stack.directories.open(ACME).user_called(f"a@{ACME}")
    assert erased
    assert client.delete(f"/v1/users/{erased.id}") == 204
    assert client.delete(f"/v1/keys/{parsed.key_id}") == 204
    later = stack.key(ACME, owner)
    result = rehearsal.restore(*options, "--json")
    assert result.exit_code == 0, result.output
    names = {user.username for user in stack.directories.open(ACME).users}
    assert f"a@{ACME}" not in names
    assert {f"b@{ACME}", f"c@{ACME}"} <= names
    assert client.figure == 5
    assert client.gateway.call("GET", TESTS, revoked).status == 401
    assert client.gateway.call("GET", TESTS, later).status == (401 if options else 200)
    client.send("a2")
    fold()
    assert client.figure == 5


def test_whoever_writes_on_is_found_and_undone(rehearsal: Rehearsal) -> None:
    """A process that nothing has stopped puts an item where the command has been already."""
    figures = lived_through(rehearsal)
    notes = iter(range(10_000))

    def write_on(operation: str) -> None:
        if operation == "UpdateItem" and next(notes) == 1:  # both looks of the first round are over
            process().table("usage").put({"pk": f"{ACME}#F", "sk": "0000000099", "w": 1})

    with before_each_call(write_on):
        result = rehearsal.restore("--verify")
    assert result.exit_code == 0, result.output
    assert process().table("usage").get(f"{ACME}#F", "0000000099") is None
    assert [client.figure for client in rehearsal.clients] == figures


class Hurried:
    """A clock that runs ahead by what somebody has slept."""

    slept = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.slept

    @classmethod
    def sleep(cls, seconds: float) -> None:
        cls.slept += timedelta(seconds=seconds)


def test_nobody_comes_back_with_a_lane_that_opens_when_all_is_restored(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits in a new lane is folded before whoever was erased since is erased again."""
    monkeypatch.setattr("odometer_cli.restore.datetime", Hurried)
    monkeypatch.setattr("odometer_cli.restore.sleep", Hurried.sleep)
    (client, _), stack = rehearsal.clients, rehearsal.stack
    client.send("a1", "b1")
    fold()
    process().engine.raise_lanes(ACME, 2, datetime.now(UTC))
    rehearsal.copy()
    client.send(*(f"a{number}" for number in range(2, 9)))
    erased = stack.directories.open(ACME).user_called(f"a@{ACME}")
    assert erased
    assert client.delete(f"/v1/users/{erased.id}") == 204
    result = rehearsal.restore("--json")
    assert result.exit_code == 0, result.output
    later = Hurried.now(UTC) + timedelta(minutes=30)
    for _ in range(9):
        process().engine.settle(ACME, later)
        process().engine.fold_outstanding(ACME, later)
    assert client.figure == 9
    assert f"a@{ACME}" not in {user.username for user in stack.directories.open(ACME).users}


def test_nobody_is_let_in_where_steps_ended_before_the_log_of_the_erased(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_cli.restore.MOST_STEPS", 0)
    (client, _), stack = rehearsal.clients, rehearsal.stack
    client.send("a1")
    fold()
    rehearsal.copy()
    client.send("a2")
    erased = stack.directories.open(ACME).user_called(f"a@{ACME}")
    assert erased
    assert client.delete(f"/v1/users/{erased.id}") == 204
    result = rehearsal.restore("--json")
    assert result.exit_code == 1
    assert "Somebody was erased since" in result.output


@pytest.mark.parametrize("method", ["fold_outstanding", "leaves_some"])
def test_where_storage_is_busy_what_was_accepted_since_is_folded_all_the_same(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Nobody is let in while events of whoever was erased wait, so it has to come to an end."""
    monkeypatch.setattr("odometer_cli.restore.sleep", Hurried.sleep)
    (client, _), stack = rehearsal.clients, rehearsal.stack
    client.send("a1", "b1")
    fold()
    rehearsal.copy()
    client.send("a2", "b2")
    erased = stack.directories.open(ACME).user_called(f"a@{ACME}")
    assert erased
    assert client.delete(f"/v1/users/{erased.id}") == 204
    busy, do = iter([True, True, True]), getattr(Folding, method)

    def do_later(folding: Folding, *words: Any) -> Any:
        if next(busy, False):
            raise Unavailable(ACME)
        return do(folding, *words)

    monkeypatch.setattr(Folding, method, do_later)
    result = rehearsal.restore("--json")
    assert (result.exit_code, next(busy, None)) == (0, None), result.output
    assert client.figure == 4


def test_where_storage_is_busy_an_organization_is_verified_again(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_through(rehearsal)
    busy, verify = iter([True, True]), Engine.verify

    def verify_later(engine: Engine, organization: str, now: datetime) -> Any:
        if next(busy, False):
            raise Unavailable(organization)
        return verify(engine, organization, now)

    monkeypatch.setattr(Engine, "verify", verify_later)
    result = rehearsal.restore("--verify")
    assert (result.exit_code, next(busy, None)) == (0, None), result.output


def test_a_plan_changes_nothing_and_says_what_differs(rehearsal: Rehearsal) -> None:
    lived_through(rehearsal)
    rehearsal.stack.key(ACME, rehearsal.stack.user(ACME, username="new@example.com"))
    before = [items_of(table) for table in ("usage", "directory", "activity")]
    settings = rehearsal.plane.settings
    result = rehearsal.restore("--directory", "--dry-run", "--json")
    plan = json.loads(result.stdout)
    assert plan["usage"]["to_put"] > 0
    assert plan["usage"]["to_remove"] > 0
    assert len(plan["keys_made_since"]) == 1
    assert (plan["erased_since"], plan["unreadable"]) == (0, [])
    assert [items_of(table) for table in ("usage", "directory", "activity")] == before
    assert rehearsal.plane.settings == settings


def test_aws_is_asked_for_copies_and_another_instant_is_refused(rehearsal: Rehearsal) -> None:
    for table in ("usage", "directory"):
        recover(table, enabled=True)
    now = datetime.now(UTC).replace(microsecond=0)  # moto keeps no past
    assert odometer("restore", "--at", f"{now:%Y-%m-%dT%H:%M:%SZ}", "--dry-run").exit_code == 0
    assert {copy_name("usage", now), copy_name("directory", now)} <= rehearsal.tables
    refused = odometer("restore", "--at", "2026-01-01T00:00:00Z", "--yes")
    assert refused.stderr.startswith("usage cannot be restored to that instant.")
    recover("usage", enabled=False)
    result = odometer("restore", "--at", "2026-01-01T00:00:00Z", "--yes")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "usage has no point-in-time recovery.",
    )


def test_usage_that_is_later_than_the_directory_is_refused(rehearsal: Rehearsal) -> None:
    rehearsal.copy()
    rehearsal.send_everything("a1")
    fold()
    aws("dynamodb").restore_table_to_point_in_time(
        SourceTableName="usage", TargetTableName="later", UseLatestRestorableTime=True
    )
    result = rehearsal.restore("--directory", "--usage-from", "later")
    assert result.exit_code == 1
    assert " knows users of " in result.stderr
    assert not rehearsal.plane.is_closed


@pytest.mark.parametrize(
    ("option", "tables"),
    [
        ("--usage-from", ("directory", "log", "activity")),
        ("--directory-from", ("usage", "log", "activity", "empty")),
    ],
)
def test_a_copy_of_another_table_is_refused(
    rehearsal: Rehearsal, option: str, tables: Sequence[str]
) -> None:
    rehearsal.send_everything("a1")
    fold()
    settle()
    rehearsal.copy()
    described = aws("dynamodb").describe_table(TableName="usage")["Table"]
    schema = {name: described[name] for name in ("AttributeDefinitions", "KeySchema")}
    aws("dynamodb").create_table(TableName="empty", BillingMode="PAY_PER_REQUEST", **schema)
    before = [items_of(table) for table in ("usage", "directory")]
    for table in tables:
        result = rehearsal.restore("--directory", option, table)
        assert (result.exit_code, f"{table} is no copy of " in result.stderr) == (1, True)
    assert [items_of(table) for table in ("usage", "directory")] == before
    assert not rehearsal.plane.is_closed


def test_a_directory_that_cannot_be_read_comes_back_and_is_named(rehearsal: Rehearsal) -> None:
    figures = lived_through(rehearsal)
    damage_directory()
    result = rehearsal.restore("--directory", "--json")
    assert (result.exit_code, json.loads(result.stdout)["unreadable"]) == (0, [ACME])
    assert [client.figure for client in rehearsal.clients] == figures
