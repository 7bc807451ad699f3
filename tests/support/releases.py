"""The release before and this one, each in a process of its own, on the same tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, cycle
from math import inf
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from odometer.domain.time import epoch_second
from odometer.engine.format.marks import AUDIT, GROUP, REBUILD, RETIRE, SETTLE, Mark
from odometer.engine.write.rebuild import Rebuilding
from odometer.storage.marks import Marks
from tests.support.apps import Client
from tests.support.loopback import tables_on_loopback
from tests.support.memory_directory import new_head
from tests.support.simulated_organization import SimulatedOrganization
from tests.support.stack import (
    ENVIRONMENT,
    ROOT,
    Reply,
    Stack,
    functions,
    reply_of,
    routed,
    stack_on_moto,
)
from tests.support.usage_sender import (
    log_of,
    make_queue,
    message,
    organizations_in,
    stream,
    usage_apart,
)

PACKED = ROOT / "tests/fixtures/release_before.tar.xz"
"""What `make release` has packed: the package and the functions of the release before."""
PROGRAM = Path("tests/support/release_process.py")
PACKAGE = Path("layers/odometer")
FOLDED_AT_ONCE = 2
"""So many entries are one event of the stream, so that releases fold in turns."""
MOST_STEPS = 50
numbers = count(1)


@dataclass(eq=False)
class Release:
    """A release in a process of its own; its functions are called as Lambda calls them."""

    home: Path
    process: subprocess.Popen[str]

    def call(self, function: str, event: object, now: datetime) -> Any:
        """The answer of a function that logs no error."""
        assert self.process.stdin
        assert self.process.stdout
        wanted = {"function": function, "event": event, "now": now.isoformat()}
        print(json.dumps(wanted), file=self.process.stdin, flush=True)
        said = json.loads(self.process.stdout.readline())
        assert Path(said["package"]).is_relative_to(self.home)
        assert [line for line in said["log"] if json.loads(line).get("level") == "ERROR"] == []
        return said["answer"]


@contextmanager
def running(home: Path, tables: str) -> Iterator[Release]:
    """The release whose files are in a folder."""
    environment = {
        **ENVIRONMENT,
        "AWS_LAMBDA_FUNCTION_NAME": "any",
        "AWS_ENDPOINT_URL": tables,
        "PYTHONPATH": str(home / PACKAGE),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, str(home / PROGRAM)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe) as process:
        yield Release(home, process)


@dataclass
class Releases(Stack):
    """A deployment whose functions are of both releases, which take turns."""

    before: Release = field(kw_only=True)
    present: Release = field(kw_only=True)

    def __post_init__(self) -> None:
        self.let("both")

    def let(self, who: str) -> None:
        """Let `before`, `present` or `both` answer from now on; both take turns, call by call."""
        every = {"before": [self.before], "present": [self.present]}
        self._turns = cycle(every.get(who, [self.before, self.present]))

    @property
    def whose_turn(self) -> Release:
        return next(self._turns)

    def answer(self, event: dict[str, Any]) -> Reply:
        handler, parameters = routed(event["httpMethod"], event["path"])
        (function,) = [name for name, each in functions().items() if each is handler]
        wanted = {**event, "pathParameters": parameters or None}
        return reply_of(self.whose_turn.call(function, wanted, self.now or datetime.now(UTC)))


@contextmanager
def both_releases() -> Iterator[Releases]:
    """Both on tables that are empty but for two organizations."""
    with ExitStack() as opened:
        stack = opened.enter_context(stack_on_moto())
        make_queue()
        tables = opened.enter_context(tables_on_loopback())
        home = Path(opened.enter_context(TemporaryDirectory())).resolve()
        with tarfile.open(PACKED) as packed:
            packed.extractall(home, filter="data")
        before, present = (opened.enter_context(running(at, tables)) for at in (home, ROOT))
        yield Releases(stack.directories, before=before, present=present)


@dataclass
class EngineInTurns:
    """The engine of an organization, of which the releases take one step each."""

    releases: Releases
    rebuilding: Rebuilding
    """Asks for a rebuild, as the command line does."""
    folded: set[str] = field(default_factory=set)
    """The sort keys of entries that the stream has brought."""

    def fold_outstanding(self, organization: str, now: datetime) -> None:
        """Bring new entries as the stream does."""
        entries = {entry["sk"]: entry for entry in log_of(self.releases, organization)}
        new = [entries[name] for name in sorted(entries.keys() - self.folded)]
        for first in range(0, len(new), FOLDED_AT_ONCE):
            some = stream(new[first : first + FOLDED_AT_ONCE])
            answer = self.releases.whose_turn.call("engine/fold", some, now)
            assert answer == {"batchItemFailures": []}
        self.folded |= entries.keys()

    def settle(self, organization: str, now: datetime) -> bool:
        return self.step(SETTLE, organization, now)

    def rebuild(self, organization: str, now: datetime) -> bool:
        return self.step(REBUILD, organization, now)

    def retire(self, organization: str, now: datetime) -> bool:
        return self.step(RETIRE, organization, now)

    def step(self, task: str, organization: str, now: datetime) -> bool:
        """Let a worker take one step of a task; whether more of it is due."""
        second = epoch_second(now)
        usage_apart().put(Mark(organization, second, {task: second}).to_item())
        self.work([organization], now)
        mark = Marks(usage_apart(), {}).get(organization)
        return mark is not None and mark.due.get(task, inf) <= second

    def work(self, organizations: Sequence[str], now: datetime) -> None:
        """Let a worker take the most urgent step of each organization."""
        for each in organizations:
            records = {"Records": [message(each)]}
            answer = self.releases.whose_turn.call("engine/work", records, now)
            assert answer == {"batchItemFailures": []}


@dataclass
class OrganizationInTurns(SimulatedOrganization):
    """An organization that both releases serve."""

    steps: EngineInTurns = field(kw_only=True)

    @property
    def engine(self) -> Any:
        return self.steps

    def work(self, luck: Random) -> None:
        """Dispatch, and do what is due, as schedule and queue do, after some hours."""
        self.wait(luck)
        self.fold(luck)
        self.steps.releases.whose_turn.call("engine/dispatch", {}, self.now)
        queues = make_queue()
        for _ in range(MOST_STEPS):
            if not (waiting := organizations_in(queues)):
                break
            self.steps.work(waiting, self.now)

    def group(self, _: Random) -> None:
        self._all_of(GROUP)

    def audit(self, _: Random) -> None:
        self._all_of(AUDIT)

    def _all_of(self, task: str) -> None:
        while self.steps.step(task, self.organization, self.now):
            pass

    def expire(self, _: Random) -> None:
        """DynamoDB may be late: it removes nothing here."""


def organization_in_turns(releases: Releases, zone: str, start: datetime) -> OrganizationInTurns:
    organization = str(UUID(int=next(numbers), version=4))
    releases.now = start
    releases.directories.create(new_head(organization, "Acme Corp"))
    client = Client(releases, organization, start)
    steps = EngineInTurns(releases, client.usage_sender.engine.rebuilding)
    return OrganizationInTurns(client, usage_apart(), zone, steps=steps)  # type: ignore[arg-type]
