"""Where the time of a warm ranking goes: the users of an app over a year, by the whole handler.

    python -m bench ranking --users 10000

Milliseconds of the processor by part, of all threads, without what other parts take inside of it.
`New days` are days that nobody has asked for; of `the same days` the process remembers readings.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from threading import local
from typing import Any, NamedTuple
from unittest.mock import patch

from bench.deployment import APPS, CountingDeployment, counting_deployment
from bench.ours import answer_of, called, path_of
from bench.publish import publish
from bench.question import FORMS, questions
from odometer.api.app_utilization import apps as api
from odometer.bootstrap import process
from odometer.directory.snapshot import Directory
from odometer.engine.format.readings import Reading
from odometer.engine.read import measuring
from odometer.engine.read.opening import Opening
from odometer.logs import Log
from odometer.reports import apps as reports
from odometer.reports.ranking import Ranking
from odometer.services.usage import Usage
from odometer.storage import dynamo
from odometer.storage.aws import LeanClient
from odometer.storage.dynamo import Table
from odometer.web.endpoint import RequestContext
from odometer.web.report import Report
from tests.support.memory_directory import ACME

USERS, DAYS = (10_000, 100_000), 366
QUESTIONS, ROUNDS = 5, 20
PARTS: Mapping[str, Sequence[tuple[Any, str]]] = {
    "the caller and the directory": [(RequestContext, "entered")],
    "calls: signed, sent and read": [
        (LeanClient, "_call"),
        (LeanClient, "begin"),
        (dynamo, "first_answers"),
    ],
    "items of what was read": [(Table, "_counted"), (dynamo, "from_dynamodb")],
    "the view": [(Opening, "view")],
    "frames": [(measuring.Measuring, "_frame"), (measuring.Measuring, "_add_up")],
    "columns of users": [
        (measuring, "numbers_of"),
        (measuring, "flags"),
        (measuring.Used, "users"),
    ],
    "averages": [(reports, "rounded_each")],
    "the order": [(reports, "near_top"), (Ranking, "part")],
    "names": [(Directory, "names_at")],
    "last activity": [(Usage, "last_active")],
    "rows of the page": [(api, "user_rows")],
    "cursor, JSON, ETag": [(api, "next_cursor"), (Report, "response")],
    "the log": [(Log, "info")],
}
"""The functions whose time each part is."""
REST = "all else: the query, threads, waiting"


class Thread(local):
    """The seconds that the parts inside of the part that runs in this thread have taken."""

    inside = 0.0


@dataclass
class Clock:
    """What each part has taken so far."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _thread: Thread = field(default_factory=Thread)

    def timed(self, part: str, do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def timed(*words: Any, **named: Any) -> Any:
            around, self._thread.inside = self._thread.inside, 0.0
            began = time.thread_time()
            try:
                return do(*words, **named)
            finally:
                took = time.thread_time() - began
                self.seconds[part] += took - self._thread.inside
                self._thread.inside = around + took

        return timed


class Turn(NamedTuple):
    """A request: the seconds of all threads, and those of each part."""

    total: float
    parts: Mapping[str, float]


def main(words: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench ranking", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    columns: dict[str, Turn] = {}
    for users in parser.parse_args(words).users:
        columns |= {f"{users:,} users, {asked}": turn for asked, turn in turns_of(users).items()}
    text = table(columns)
    print(f"\n{text}")
    if write:
        publish("ranking", text)


def turns_of(users: int) -> dict[str, Turn]:
    """The quickest turn of new days and of the same days."""
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),  # it is the log of our functions
        patch.dict(os.environ, AWS_LAMBDA_FUNCTION_NAME="timed"),  # which decides how calls go
        counting_deployment(users, APPS[:1]) as deployment,
        timed_parts() as clock,
    ):
        paths = [path_of(question) for question in questions(FORMS[0], DAYS, QUESTIONS)]
        ask(deployment, paths[0], clock)
        gc.collect()
        gc.freeze()
        pairs = [in_turn(deployment, path, clock) for _ in range(ROUNDS) for path in paths]
    new, same = zip(*pairs, strict=True)
    return {"new days": min(new), "the same days": min(same)}


def in_turn(deployment: CountingDeployment, path: str, clock: Clock) -> tuple[Turn, Turn]:
    forget_readings()
    return ask(deployment, path, clock), ask(deployment, path, clock)


def forget_readings() -> None:
    """What a process remembers of the days that a question is about."""
    memory = process().memory
    names = [name for _, name in memory._known]  # noqa: SLF001
    for name in [name for name in names if isinstance(name, tuple) and name[0] is Reading]:
        memory._drop((ACME, name))  # noqa: SLF001  nothing else forgets a part


def ask(deployment: CountingDeployment, path: str, clock: Clock) -> Turn:
    asked = called(deployment, path)
    clock.seconds.clear()
    began = time.process_time()
    answer = answer_of(asked)
    total = time.process_time() - began
    if answer["statusCode"] != 200:  # noqa: PLR2004
        raise RuntimeError(answer["body"])
    return Turn(total, dict(clock.seconds))


@contextmanager
def timed_parts() -> Iterator[Clock]:
    """Take the time of the functions of every part."""
    clock = Clock()
    with ExitStack() as stack:
        for part, functions in PARTS.items():
            for owner, name in functions:
                found = vars(owner)[name]
                is_cached = isinstance(found, cached_property)
                of, called = (found, "func") if is_cached else (owner, name)
                timed = clock.timed(part, getattr(of, called))
                stack.enter_context(patch.object(of, called, timed))
        yield clock


def table(columns: Mapping[str, Turn]) -> str:
    lines = [
        f"The quickest of {QUESTIONS * ROUNDS} turns; load average {os.getloadavg()[0]:.1f}\n",
        f"| milliseconds of the processor | {' | '.join(columns)} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    turns = columns.values()
    rest = [turn.total - sum(turn.parts.values()) for turn in turns]
    parts = (line(part, [turn.parts.get(part, 0.0) for turn in turns]) for part in PARTS)
    return "\n".join([*lines, *parts, line(REST, rest), line("all", [t.total for t in turns])])


def line(name: str, seconds: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{1_000 * each:.2f}' for each in seconds)} |"
