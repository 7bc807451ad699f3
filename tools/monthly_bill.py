"""The bill of a month: what was counted, times list prices, for organizations of some sizes."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import mean
from typing import Final, NamedTuple

from local.template import written
from odometer.engine.format.marks import PATIENCE
from odometer.logs import METRICS
from odometer.web.family import STATUS
from odometer_cli import prices
from odometer_cli.prices import GB, MILLION, SECONDS, Price
from tools.billing import MEMORY_MB, gb_seconds
from tools.counts import Cost, StepCost, Way, published_routes, published_steps

ROOT: Final = Path(__file__).parents[1]
REPORT_CPU_MS: Final = {1_000: 10.0, 10_000: 18.0}
ACCEPT_CPU_MS, FOLD_CPU_MS, SETTLE_CPU_MS = 0.02, 0.04, 0.06
"""Of an event; figures of the processor are those of `docs/performance.md`, with room."""
ACCEPT, CALLER_READS = "POST /v1/events", 2
WORKER_MB, WORKER_CALLS, WORKER_READS, WORKER_WRITES = 2_048, 8, 6, 2
"""What a worker asks for around each of its steps: the mark, and what is left."""
DISPATCH_CALLS, DISPATCHES = 3, SECONDS / 60
POLLS: Final = 5 * SECONDS / 20
"""Lambda asks an empty queue with five readers, each waiting for 20 seconds."""
REQUESTS_OF_A_MESSAGE: Final = 3
LOG_BYTES_OF_GATEWAY, LOG_BYTES_OF_LAMBDA, LOG_BYTES_OF_ANSWER = 350, 900, 1_000
"""Of a request: the access log's line, those of Lambda itself, and that of the function."""
KEPT_DAYS, MONTH_DAYS, MONTHS = 35, 30.4, 12
DIMENSIONS: Final = {
    "service": 1,
    "family": 6,
    "status_class": 4,
    "code": len(STATUS),
    "task": len(PATIENCE) + 2,  # what the stream brings, and dispatch
    "release": 1,
}
"""How many values each dimension of our metrics has: see `docs/metrics.md`."""
TRACED_A_SECOND, TRACED_SHARE = 1, 0.05
"""What X-Ray keeps by itself: the first request of each second, and one in twenty others."""


class Load(NamedTuple):
    """What a deployment has to do in a month."""

    name: str
    organizations: int
    users: int
    """Of each organization."""
    events: int
    reports: int
    way: Way


LOADS: Final = (
    Load("small", 1, 1_000, MILLION, 30_000, Way(100, 100)),
    Load("medium", 1, 10_000, 10 * MILLION, 300_000, Way(100, 1_000)),
    Load("large", 10, 10_000, 100 * MILLION, 3 * MILLION, Way(100, 1_000)),
)


def in_production() -> dict[str, int]:
    """Whatever is a number among the parameters, as `samconfig.toml` has production."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    given = dict(each.split("=", 1) for each in config["parameter_overrides"])
    defaults = {name: each.get("Default", "") for name, each in written()["Parameters"].items()}
    every = {name: str(value) for name, value in {**defaults, **given}.items()}
    return {name: int(value) for name, value in every.items() if value.isdecimal()}


IN_PRODUCTION: Final = in_production()


@dataclass(frozen=True)
class Knobs:
    """What an operator may turn; as it stands here, the template is in production."""

    memory_mb: int = MEMORY_MB
    log_days: int = IN_PRODUCTION["LogRetentionDays"]
    answers_logged: bool = True
    """Metrics are read out of these lines."""
    runs_logged: bool = True
    traced: bool = True
    recovery: bool = True
    backup_days: int = IN_PRODUCTION["BackupDays"]
    """A backup is a whole copy, and one is made each day; 0 is none."""
    monitoring: bool = True
    snapstart: bool = False
    request: Price = prices.REST_REQUEST
    gb_second: Price = prices.GB_SECOND
    read_unit: Price = prices.READ_UNIT
    write_unit: Price = prices.WRITE_UNIT
    table_gb: Price = prices.TABLE_GB


AS_IT_IS: Final = Knobs()


class Line(NamedTuple):
    """A line of a bill."""

    price: Price
    amount: float
    about: str

    @property
    def dollars(self) -> float:
        return self.price(self.amount)


@dataclass(frozen=True)
class Month:
    """A month of a load, with every knob where it is."""

    load: Load
    knobs: Knobs = AS_IT_IS

    @property
    def lines(self) -> list[Line]:
        return [each for each in self._lines() if each.amount]

    @property
    def dollars(self) -> float:
        return sum(line.dollars for line in self.lines)

    def _lines(self) -> Iterator[Line]:
        yield Line(self.knobs.request, self.requests, "batches and reports")
        yield Line(prices.INVOCATION, self.requests + self.engine_runs, "all functions")
        yield Line(self.knobs.gb_second, self.gb_seconds, "all functions")
        yield Line(self.knobs.write_unit, self.write_units, "tables")
        yield Line(self.knobs.read_unit, self.read_units, "tables")
        yield from self._storage()
        yield from self._logs()
        yield Line(prices.FIFO_REQUEST, POLLS + self.messages * REQUESTS_OF_A_MESSAGE, "queue")
        yield Line(prices.TRACE, self.traces if self.knobs.traced else 0, "samples")
        yield Line(prices.SECRET, 1, "the deployment's secret")
        yield from self._monitoring()
        if self.knobs.snapstart:
            yield Line(prices.SNAPSHOT_GB_SECOND, memory_of_all_gb() * SECONDS, "all functions")

    def _storage(self) -> Iterator[Line]:
        yield Line(self.knobs.table_gb, self.stored_gb, "after a year")
        if self.knobs.recovery:
            yield Line(prices.RECOVERY_GB, self.stored_gb, "after a year")
        kept = self.stored_gb * self.knobs.backup_days
        yield Line(prices.BACKUP_GB, kept, f"{self.knobs.backup_days} copies, after a year")

    def _logs(self) -> Iterator[Line]:
        yield Line(prices.LOG_GB, self.log_gb, "requests and engine")
        kept = self.log_gb * self.knobs.log_days / MONTH_DAYS
        yield Line(prices.LOG_GB_KEPT, kept, f"{self.knobs.log_days} days")

    def _monitoring(self) -> Iterator[Line]:
        if self.knobs.answers_logged:
            yield Line(prices.METRIC, metrics_of_functions(), "of functions")
        if self.knobs.monitoring:
            yield Line(prices.ALARM, metrics_of_alarms(), "all alarms")
            yield Line(prices.DASHBOARD, 1, "the dashboard")

    @property
    def steps(self) -> dict[str, StepCost]:
        return published_steps()[self.load.way]

    @property
    def batches(self) -> float:
        return self.load.events / self.load.way.batch

    @property
    def requests(self) -> float:
        return self.batches + self.load.reports

    @property
    def messages(self) -> float:
        """Steps of workers: settling, and audits once a day."""
        return self.load.events / self.load.way.settled + MONTH_DAYS * self.load.organizations

    @property
    def engine_runs(self) -> float:
        return self.batches + self.messages + DISPATCHES

    @property
    def write_units(self) -> float:
        ours = sum(self.steps[step].write_units for step in DAILY) * self.load.events
        return ours + WORKER_WRITES * self.messages

    @property
    def read_units(self) -> float:
        ours = sum(self.steps[step].read_units for step in DAILY) * self.load.events
        asked = CALLER_READS * self.batches + report_units(self.load.users) * self.load.reports
        return ours + asked + WORKER_READS * self.messages + DISPATCHES

    @property
    def gb_seconds(self) -> float:
        memory, way = self.knobs.memory_mb, self.load.way
        accept = gb_seconds(2, ACCEPT_CPU_MS * way.batch, memory)
        fold = gb_seconds(self.steps["fold"].calls * way.batch, FOLD_CPU_MS * way.batch, memory)
        work = gb_seconds(
            self.steps["settle"].calls * way.settled + WORKER_CALLS,
            SETTLE_CPU_MS * way.settled,
            WORKER_MB,
        )
        dispatch = gb_seconds(DISPATCH_CALLS, 2, memory)
        reports = report_gb_seconds(self.load.users, memory) * self.load.reports
        engine = work * self.messages + dispatch * DISPATCHES
        return (accept + fold) * self.batches + engine + reports

    @property
    def stored_gb(self) -> float:
        """After a year; accepted and folded batches expire."""
        passing = (self.steps["accept"].stored_bytes + self.steps["fold"].stored_bytes) * (
            KEPT_DAYS / MONTH_DAYS
        )
        return self.load.events * (passing + MONTHS * self.steps["settle"].stored_bytes) / GB

    @property
    def log_gb(self) -> float:
        answer = LOG_BYTES_OF_ANSWER if self.knobs.answers_logged else 0
        run = LOG_BYTES_OF_LAMBDA if self.knobs.runs_logged else 0
        runs = (run + answer) * (self.requests + self.engine_runs)
        return (runs + LOG_BYTES_OF_GATEWAY * self.requests) / GB

    @property
    def traces(self) -> float:
        asked = self.requests + self.engine_runs
        kept = min(asked, TRACED_A_SECOND * SECONDS)
        return kept + TRACED_SHARE * (asked - kept)


DAILY: Final = ("accept", "fold", "settle", "audit")


def report_units(users: int) -> float:
    """Read units of a report: the mean of all routes that read, in a warm function."""
    return mean(warm.read_units for route, (_, warm) in reports(users))


def report_gb_seconds(users: int, memory_mb: int = MEMORY_MB) -> float:
    cpu = REPORT_CPU_MS[users]
    return mean(gb_seconds(warm.hops, cpu, memory_mb) for _, (_, warm) in reports(users))


def reports(users: int) -> list[tuple[str, tuple[Cost, Cost]]]:
    return [each for each in published_routes(users).items() if each[0].startswith("GET ")]


def metrics_of_functions() -> int:
    """How many metrics functions write at most, each with data in every hour."""
    return sum(
        prod(DIMENSIONS[name] for name in dimensions) * len(units)
        for dimensions, units in METRICS.items()
    )


def metrics_of_alarms() -> int:
    """How many metrics alarms look at; each is paid for."""
    files = sorted((ROOT / "infrastructure").glob("*.yaml"))
    return sum(len(re.findall(r"\bMetricName:", file.read_text())) for file in files)


def memory_of_all_gb() -> float:
    """The memory of all functions together: what SnapStart keeps copies of."""
    functions = (ROOT / "template.yaml").read_text().count("Type: AWS::Serverless::Function")
    return (functions * MEMORY_MB + WORKER_MB - MEMORY_MB) / 1_024
