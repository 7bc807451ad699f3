"""`odometer restore`, rehearsed while senders and readers go on and processes are warm."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from odometer.bootstrap import process
from odometer_cli import app
from odometer_cli.table_copies import copy_name
from tests.support.control_plane import (
    ControlPlane,
    Died,
    Gateway,
    before_each_call,
    control_plane,
    dies_at,
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

    def copy(self, *tables: str) -> None:
        """What AWS would make of the tables at this instant; moto has only what is there now."""
        for table in tables:
            at = INSTANT - timedelta(minutes=1) if table == "usage" else INSTANT
            for instant in (at, INSTANT):
                boto3.client("dynamodb").restore_table_to_point_in_time(
                    SourceTableName=table,
                    TargetTableName=copy_name(table, instant),
                    UseLatestRestorableTime=True,
                ) if copy_name(table, instant) not in self.tables else None

    @property
    def tables(self) -> list[str]:
        return boto3.client("dynamodb").list_tables()["TableNames"]

    def send_everything(self, *names: str) -> None:
        for client in self.clients:
            client.send(*names)

    def restore(self, *words: str) -> Result:
        at = f"{INSTANT:%Y-%m-%dT%H:%M:%SZ}"
        return odometer("restore", "--at", at, "--yes", "--wait", "0", *words)


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


def lived_through(rehearsal: Rehearsal, *tables: str) -> list[int]:
    """Usage before the instant and after it, and then the damage; the right figures."""
    rehearsal.send_everything("a1", "b1", "c1")
    fold()
    settle()
    rehearsal.send_everything("a2")
    fold()
    rehearsal.copy(*tables)
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
    lived_through(rehearsal, "usage", "directory")
    seen, alone = iter(range(10_000)), Lock()

    def go_on(_: str) -> None:
        """Some calls of the command later, somebody sends and asks."""
        if alone.acquire(blocking=False):
            try:
                if (number := next(seen)) % 50 == 0:
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
    rehearsal.send_everything()
    fold()
    for client, count in zip(rehearsal.clients, before, strict=True):
        assert client.figure == len(client.taken) > count
        statuses = [status for status, _, _ in client.answers]
        assert 429 in statuses
        after = statuses[statuses.index(429) :]
        assert set(after[: after.index(200)]) == {429}

def test_a_run_that_dies_anywhere_is_run_again_and_goes_on(rehearsal: Rehearsal) -> None:
    figures = lived_through(rehearsal, "usage", "directory")
    settings, deaths = rehearsal.plane.settings, 0
    while True:
        with dies_at(deaths):
            result = rehearsal.restore("--directory")
        if not isinstance(result.exception, Died):
            break
        deaths += 1
    assert result.exit_code == 0, result.output
    assert deaths > 15
    assert rehearsal.plane.settings == settings
    assert [client.figure for client in rehearsal.clients] == figures
    notes = process().table("activity").query("RESTORE", " ", "~")
    assert list(notes) == []
