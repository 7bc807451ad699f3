"""The users of an app, ranked: Odometer beside other engines that hold the same usage.

One run, one machine, every engine asked the same question in turn. The peers are warm and prove no
caller; the handler is asked as the gateway asks it, and answers from an engine behind a socket. The
answer of everyone is held against the raw arrays before any time is taken.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from bench.deployment import (
    NOW,
    OF_APP,
    ONE_IN_DEPARTMENT,
    CountingDeployment,
    counting_deployment,
    query,
)
from bench.peers import peers
from bench.picture import Line, picture
from bench.publish import PICTURES, publish
from bench.question import PAGE, Engine, Page, Question, oracle, questions
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, epoch_second
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import measure_each
from odometer.engine.read.views import View
from odometer.reports.apps import AppUsers, average_times
from odometer.reports.ranking import Direction, Ranking
from odometer.storage.dynamo import Meter, Table
from tests.support.apps import APP
from tests.support.memory_directory import ACME

ROUNDS, FEWER = 7, 3
SLOW_SECONDS = 2.0
"""Who takes longer than this is asked less often."""


class Timing(NamedTuple):
    """How long an engine takes to answer, and what it reads for that."""

    ms: float
    spread: float
    units: float | None


Answers = dict[Question, dict[str, Timing]]


def main(arguments: Sequence[str], *, write: bool) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1_000, 10_000])
    logging.disable(logging.INFO)
    texts, lines = [], list[Line]()
    for users in parser.parse_args(arguments).users:
        with counting_deployment(users) as deployment, tempfile.TemporaryDirectory() as folder:
            before, answers = os.getloadavg()[0], compare(deployment, Path(folder))
        loads = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        texts.append(f"{users:,} users; {loads}\n\n{tables(answers)}")
        lines = list(lines_of(answers))
        print(f"\n{texts[-1]}")
    if write:
        publish("compare", "\n\n".join(texts))
        (PICTURES / "cost-by-range.svg").write_text(picture(lines, f"{users:,} users"))


def compare(deployment: CountingDeployment, folder: Path) -> Answers:
    """Ask everybody, check every answer, then take the time."""
    engines = [whole_request(deployment), report_alone(deployment), *peers(deployment, folder)]
    return {question: measure(deployment, engines, question) for question in questions()}


def measure(
    deployment: CountingDeployment, engines: Sequence[Engine], question: Question
) -> dict[str, Timing]:
    """Everyone who holds these days, each once a round; all of them right."""
    expected = oracle(deployment, question)
    able = [engine for engine in engines if engine.since <= question.earliest]
    for engine in able:
        if engine.ask(question) != expected:
            raise RuntimeError(f"{engine.name} is wrong about {question}")
    seconds: dict[str, list[float]] = {engine.name: [] for engine in able}
    for turn in range(ROUNDS):
        for engine in able:
            if turn < FEWER or median(seconds[engine.name]) < SLOW_SECONDS:
                began = time.perf_counter()
                engine.ask(question)
                seconds[engine.name].append(time.perf_counter() - began)
    return {engine.name: timing(seconds[engine.name], engine) for engine in able}


def timing(seconds: Sequence[float], engine: Engine) -> Timing:
    """The median, and half of what lies between the quartiles."""
    first, middle, third = quantiles(seconds, n=4)
    return Timing(1000 * middle, 500 * (third - first), engine.units() if engine.units else None)


def tables(answers: Answers) -> str:
    """What an answer takes, with its spread and the multiple of ours; and what it reads."""
    ours = {question: next(iter(found.values())).ms for question, found in answers.items()}
    times = table("ms", answers, lambda question, each: time_cell(each, ours[question]))
    units = table("units", answers, lambda _, each: f"{each.units:,g}" if each.units else "")
    return f"{times}\n\n{units}"


def table(of: str, answers: Answers, cell: Callable[[Question, Timing], str]) -> str:
    """A row for every question, a column for everyone who has something to say."""
    cells = {
        question: {name: cell(question, each) for name, each in found.items()}
        for question, found in answers.items()
    }
    names = dict.fromkeys(name for row in cells.values() for name in row if row[name])
    lines = [
        ["days", "", *(f"{name}, {of}" for name in names)],
        ["---:", "---", *["---:"] * len(names)],
    ]
    for question, row in cells.items():
        words = "compared" * question.compared + "one department" * question.departments
        lines.append([str(question.length), words, *(row.get(name, "") for name in names)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def time_cell(found: Timing, ours: float) -> str:
    return f"{found.ms:,.1f} ±{found.spread:.1f} ({found.ms / ours:.1f})"


def lines_of(answers: Answers) -> Iterator[Line]:
    """What plain questions take and cost, by the days that they ask for."""
    plain = {q: found for q, found in answers.items() if not q.compared and not q.departments}
    for name in dict.fromkeys(name for found in plain.values() for name in found):
        of_name = {q.length: found[name] for q, found in plain.items() if name in found}
        yield Line("milliseconds", name, {days: each.ms for days, each in of_name.items()})
        if units := {days: each.units for days, each in of_name.items() if each.units}:
            yield Line("read units", name, units)


def whole_request(deployment: CountingDeployment) -> Engine:
    """The function of the endpoint, as Lambda calls it."""
    units = 0.0

    def ask(question: Question) -> Page:
        nonlocal units
        words = query(
            question.length,
            compared=question.compared,
            departments=question.departments,
            ago=question.ago,
        )
        reply = deployment.get(f"{OF_APP}/utilization/users?granularity=daily&{words}")
        units, answer = float(reply.headers["X-Read-Units"]), json.loads(reply.text)
        return [row_of(row) for row in answer["data"]], answer["total_count"]

    return Engine("Odometer", ask, lambda: units)


def row_of(row: Any) -> tuple[str, int, int, int | None]:
    time_a_day = row["avg_time_ms_per_day"]
    return row["user"]["id"], time_a_day["value"], row["days_active"], time_a_day["compare_value"]


def report_alone(deployment: CountingDeployment) -> Engine:
    """The same without a request: no caller to prove, no directory, no last activity."""
    table, app = Table("usage", Meter(), deployment.client), MeteredProduct(APP, KINDS["app"])
    members = set(range(0, deployment.users, ONE_IN_DEPARTMENT))

    def ask(question: Question) -> Page:
        table.meter.read_units = 0.0
        view = View.latest(ACME, table, "UTC", epoch_second(NOW))
        ranges = [ends for ends in (question.range, question.before) if ends]
        used, *before = measure_each(view, app, [Period.of_days(*ends, UTC) for ends in ranges])
        among = used.among(members if question.departments else None)
        users, ids = AppUsers(used, before[0] if before else None, among), deployment.ids
        ranked = Ranking(
            among,
            average_times(used, among),
            Direction.DESCENDING,
            lambda some: map(ids.__getitem__, some),
        )
        page = ranked.part(slice(PAGE))
        times = users.times(page)
        return [
            (ids[user], times[user].value, used.days_active[user], times[user].compare_value)
            for user in page
        ], len(ranked)

    return Engine("figures alone", ask, lambda: table.meter.read_units)
