"""The users of a product, ranked: Odometer beside other engines that hold the same usage.

    python -m bench compare --users 1000 --quick

One run, one machine, every engine asked the same questions in a row, each about other days:
days that it has not been asked for before, and the same ones again. The peers are warm and prove no
caller; the handler is asked as the gateway asks it, and answers from an engine behind a socket.
Nobody's time is taken before their answers were the oracle's.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from unittest.mock import patch

from bench.daily_usage import END
from bench.deployment import (
    APPS,
    OTHERS,
    CountingDeployment,
    UsedProduct,
    counting_deployment,
)
from bench.items import items_of_days
from bench.ours import figures_alone, whole_request
from bench.peers import peers
from bench.picture import Line, picture
from bench.publish import PICTURES, publish
from bench.question import FORMS, LENGTHS, Engine, Form, Oracle, Question, days_at_edges, questions
from bench.results import Asked, Results, Timing
from bench.tables import tables_of
from bench.today import let_events_wait, settle_today, store_days
from tests.support.apps import APP
from tests.support.hops import Hops, counted_hops

USERS = (1_000, 10_000, 100_000)
PICTURED = 10_000
PICTURE = PICTURES / "cost-by-range.svg"
LARGE = 50_000
"""From so many users on, fewer forms are asked, and not of those that take minutes to load."""
ROUNDS = 15
ENOUGH = {7: 0.2, 3: 2.0}
"""How often somebody is asked at least who takes longer than so many seconds."""
BEGAN = time.monotonic()


class Size(NamedTuple):
    """What is loaded and asked for a number of users."""

    users: int
    products: Sequence[UsedProduct]
    forms: Sequence[Form]
    complete: frozenset[str]
    left_out: frozenset[str]

    @classmethod
    def of(cls, users: int, *, quick: bool) -> Size:
        some = (APPS[0], APPS[-1], OTHERS[0])
        if users < LARGE:
            return cls(users, some, FORMS, frozenset(() if quick else {APP}), frozenset())
        forms = [form for form in FORMS if not (form.to_the_second or form.departments)]
        return cls(users, some[:2], forms, frozenset(), frozenset({"SQLite"}))


def main(arguments: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    parser.add_argument(
        "--quick", action="store_true", help="few questions, three rounds, no events"
    )
    parser.add_argument("--days", type=int, nargs="+", default=LENGTHS, help="lengths of ranges")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, or {min(ENOUGH)} in a hurry")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (min(ENOUGH) if options.quick else ROUNDS)
    texts = []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as process:
        for users in options.users:
            asked = process.submit(compare, users, options.days, rounds, quick=options.quick)
            text, lines = asked.result()
            print(f"\n{text}\n", flush=True)
            texts.append(text)
            if write:
                publish("compare", "\n\n".join(texts))
            if write and users == min(PICTURED, max(options.users)):
                PICTURE.write_text(picture(lines, f"{users:,} users"))


def compare(
    users: int, days: Collection[int], rounds: int, *, quick: bool
) -> tuple[str, list[Line]]:
    """Load everybody, check every answer, take the time; the tables and lines of the picture."""
    before, size = os.getloadavg()[0], Size.of(users, quick=quick)
    asked = {
        Asked(form, length): questions(form, length, rounds + 2)
        for form in size.forms
        for length in (form.lengths[1::2] if quick else form.lengths)
        if length in days
    }
    log(f"{users:,} users")
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),  # it is the log of our functions
        patch.dict(os.environ, AWS_LAMBDA_FUNCTION_NAME="compared"),  # which decides how calls go
        counting_deployment(users, size.products) as deployment,
        TemporaryDirectory() as folder,
    ):
        log("Odometer has loaded")
        Path(folder).chmod(0o755)  # the user that a server runs as looks in
        run = Run(deployment, asked, rounds)
        run.load(size, Path(folder))
        run.ask_all(waiting=False)
        let_events_wait(deployment)
        log("5,000 events wait to be settled")
        run.ask_all(waiting=True)
    load = f"{before:.1f} before, {os.getloadavg()[0]:.1f} after"
    title = f"**{users:,} users**; {rounds} rounds, load average {load}."
    return f"{title}\n\n{run.results.text}", list(run.results.lines())


class Run:
    """Everybody who is asked, and what came of it."""

    def __init__(
        self, deployment: CountingDeployment, asked: Mapping[Asked, list[Question]], rounds: int
    ) -> None:
        self.deployment, self.asked, self.rounds = deployment, asked, rounds
        self.results = Results()
        self.engines: list[Engine] = []

    def load(self, size: Size, folder: Path) -> None:
        all_of_them = [question for some in self.asked.values() for question in some]
        days = days_at_edges(all_of_them)
        today = {product: {day for day in some if day < END} for product, some in days.items()}
        store_days(self.deployment, today)
        settle_today(self.deployment)
        log("the engine has sealed days again and settled today")
        self.oracle = Oracle(self.deployment, all_of_them)
        log("the oracle has added up")
        plain = [q for some in self.asked.values() for q in some[: self.rounds] if q.form.is_plain]
        self.engines = [whole_request(self.deployment), figures_alone(self.deployment)]
        tables = tables_of(self.deployment, days, size.complete)
        for engine in peers(tables, folder, size.left_out, log):
            self.engines.append(engine)
            log(f"{engine.name} has loaded")
        if size.complete:
            self.engines.append(items_of_days(self.deployment, by_length(plain)))
            log(f"{self.engines[-1].name} has loaded")

    def ask_all(self, *, waiting: bool) -> None:
        """Check everybody's answers to every form, then take the time of other questions."""
        mine = {row: some for row, some in self.asked.items() if row.form.waiting == waiting}
        for some in mine.values():
            for engine in self.engines:
                others_first = [*some[self.rounds :], *some]
                if question := next(filter(engine.can, others_first), None):
                    self.check(engine, question)
        log("every answer is the oracle's")
        gc.collect()
        gc.freeze()
        for row, some in mine.items():
            counts = {
                engine.name: self.count(engine, some[-1])
                for engine in self.engines
                if not engine.round_trips and engine.can(some[-1])
            }
            timings = self.time_each(some[: self.rounds])
            self.results.counts[row] = counts
            self.results.timings[row] = {
                engine.name: timings[engine.name].with_round_trips(
                    counts[engine.name].hops if engine.name in counts else engine.round_trips
                )
                for engine in self.engines
                if engine.name in timings
            }
            log(f"{row.form.words}, {row.length} days")
        gc.unfreeze()

    def check(self, engine: Engine, question: Question) -> None:
        if engine.page(engine.ask(engine.prepared(question))) != self.oracle.page(question):
            raise RuntimeError(f"{engine.name} is wrong about {question}")

    def time_each(self, some: Sequence[Question]) -> dict[str, Timing]:
        """Everyone who holds these days, each asked about all of them in a row, as when warm."""
        turns: dict[str, list[tuple[float, float]]] = {}
        expected = [self.oracle.page(question) for question in some]
        for engine in self.engines:
            mine = turns[engine.name] = []
            for question, page in zip(some, expected, strict=True):
                if engine.can(question) and not is_enough([wall for _, wall in mine]):
                    mine.append(timed(engine, question, page))
        return {name: Timing.of(mine) for name, mine in turns.items() if mine}

    def count(self, engine: Engine, question: Question) -> Hops:
        engine.ask_before(question)
        with counted_hops() as counted:
            self.check(engine, question)
        return counted


def is_enough(walls: Sequence[float]) -> bool:
    """Whether somebody who takes long has been asked often enough."""
    return any(len(walls) >= least and median(walls) > slow for least, slow in ENOUGH.items())


def timed(engine: Engine, question: Question, expected: object) -> tuple[float, float]:
    """The seconds of the processor and of the clock, where nobody waits for a network."""
    engine.ask_before(question)
    prepared = engine.prepared(question)
    computed, began = cpu_seconds(engine), time.perf_counter()
    answer = engine.ask(prepared)
    wall, cpu = time.perf_counter() - began, cpu_seconds(engine) - computed
    if engine.page(answer) != expected:
        raise RuntimeError(f"{engine.name} is wrong about {question}")
    return cpu, wall


def cpu_seconds(engine: Engine) -> float:
    """Of this process with all its threads, and of the one that works beside it."""
    beside = Path(f"/proc/{engine.pid}/schedstat")
    nanoseconds = int(beside.read_text().split()[0]) if beside.exists() else 0
    return time.process_time() + nanoseconds / 1e9


def log(what: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.0f} s  {what}", flush=True, file=sys.__stdout__)


def by_length(some: Sequence[Question]) -> list[Question]:
    return sorted(some, key=lambda question: question.length)
