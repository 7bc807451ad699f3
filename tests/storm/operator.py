"""What an operator does in a storm: kills, a restart, a restore, a new secret, lanes, a rebuild."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from subprocess import CompletedProcess
from typing import Any, Final

from odometer_cli.table_copies import copy_name
from tests.storm.crowd import ERA, Board
from tests.storm.plan import Place, Setup
from tests.storm.records import Records
from tests.storm.stage import Stage

MOST_TRIES: Final = 30
PAUSE_SECONDS: Final = 2.0
KILLED_EVERY_SECONDS: Final = (3.0, 12.0)
Done = CompletedProcess[str]


@dataclass
class Operator:
    """Acts when it is time, and writes down what it did."""

    stage: Stage
    setup: Setup
    records: Records
    board: Board
    restarts: bool = True
    copied_at: str = ""
    acted: list[tuple[float, str]] = field(default_factory=list)
    kills: int = 0
    lanes: int = 1

    def act(self, name: str) -> None:
        done: Callable[[Random], None] = getattr(self, name)
        self.acted.append((time.time(), name))
        done(Random(f"{self.setup.seed} {name} {len(self.acted)}"))
        self.records.note(at_once=True)

    def kill(self) -> float:
        """Kill a process of a function; how long to wait until the next."""
        dice = Random(f"{self.setup.seed} kill {self.kills}")
        self.kills += 1
        if self.stage.kill_one(dice):
            self.records.count("kills")
            self.records.span("kills")
        self.records.note()
        return dice.uniform(*KILLED_EVERY_SECONDS)

    def command(self, *words: str, again: Sequence[str] | None = None) -> Done | None:
        """Run a command until it is done, as an operator would; what is run again may differ."""
        for _ in range(MOST_TRIES):
            done = self.stage.odometer(*words)
            self.records.count("command", words[0], done.returncode)
            leaves_some_to_workers = '"look_at"' in done.stdout  # so may a restore end
            if done.returncode == 0 or leaves_some_to_workers:
                return done
            words = tuple(again or words)
            time.sleep(PAUSE_SECONDS)
        self.records.check(
            "a command of the operator is done in the end",
            holds=False,
            command=" ".join(words),
            found=(done.stdout + done.stderr)[-600:],
        )
        return None

    def rotate_secret(self, dice: Random) -> None:
        self.command("secret", "rotate", again=("secret", "finish"))

    def raise_lanes(self, dice: Random) -> None:
        """The first has two lanes and then four, the second one two."""
        self.lanes *= 2
        for place in self.setup.places[: 3 - self.lanes // 2]:
            self.command("organization", "lanes", place.id, str(self.lanes))

    def rebuild(self, dice: Random) -> None:
        self.command("rebuild", dice.choice(self.setup.places).id)

    def restart(self, dice: Random) -> None:
        if self.restarts:
            self.stage.restart()
            self.records.count("restarts")

    def copy_tables(self, dice: Random) -> None:
        """What AWS would make of the tables at this instant: the emulator keeps no past.

        Directories first: whoever is erased in between is erased again by the restore.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        dynamodb = self.stage.client("dynamodb")
        for name in ("DirectoryTable", "UsageTable"):
            table = self.stage.outputs[name]
            dynamodb.restore_table_to_point_in_time(
                SourceTableName=table,
                TargetTableName=copy_name(table, now),
                UseLatestRestorableTime=True,
            )
        self.copied_at = f"{now:%Y-%m-%dT%H:%M:%SZ}"

    def restore(self, dice: Random) -> None:
        """Restore to that copy; the command is killed once, and run again until it is done.

        Everything is verified when the storm is over: in its worst weather nothing that reads all
        events comes to its end.
        """
        if self.copied_at:
            self.board[ERA] += 1
            self.restore_to_the_copy(dice)
            self.board[ERA] += 1

    def restore_to_the_copy(self, dice: Random) -> None:
        words = ("restore", "--at", self.copied_at, "--yes", "--wait", "3", "--no-verify", "--json")
        killed = self.stage.odometer(*words, seconds=dice.uniform(3, 12))
        self.records.count("command", "restore", killed.returncode)
        if killed.returncode and self.command(*words) is None:
            return
        self.records.count("restores")


def make_organizations(stage: Stage, setup: Setup) -> list[str]:
    """Make every organization; the key of each Admin."""
    return [make_organization(stage, place) for place in setup.places]


def make_organization(stage: Stage, place: Place) -> str:
    made = stage.odometer(
        *("organization", "create", "--id", place.id, "--name", f"{place.mark} of the storm"),
        *("--admin-username", place.admin, "--json"),
        faults=False,
    )
    if made.returncode:
        raise RuntimeError(made.stderr)
    content: Mapping[str, Any] = json.loads(made.stdout)
    return str(content["access_key"])
