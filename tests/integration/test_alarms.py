"""Every alarm is fired and cleared, and a stack on which nothing happens calls nobody.

Our own metrics come from our own code, dispatch and workers on a simulated clock. Those of AWS are
fed, those of the gateway as it counts what functions answer on tables.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.template import read
from odometer.logs import metrics_in
from odometer.services.engine import Findings
from odometer.services.work import Step
from odometer.triggers import done_by, found_by
from tests.support.alarms import Alarm, Watch, filled
from tests.support.memory_directory import ACME
from tests.support.simulated_work import SimulatedWork, instant
from tests.support.stack import Stack
from tests.support.storage_calls import record_calls, throttled
from tools.emf import Point, lines_in, points_of

STACK, STAGE = "odometer-dev", "dev"
RELEASE = "0.2.0"
PARAMETERS = {
    "ApiName": STACK,
    "Stage": STAGE,
    "Release": RELEASE,
    "AlarmTopicArn": "the topic",
    "Fold": "fold",
    "Name": STACK,
}
GATEWAY = {"ApiName": STACK, "Stage": STAGE}
HOURS = 60
ALARMS = {
    name: Alarm(filled(resource["Properties"], PARAMETERS))
    for stack in ("monitoring", "backups")
    for name, resource in read(f"infrastructure/{stack}.yaml")["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}


@dataclass
class Deployment:
    """A stack on a simulated clock, and the alarms that watch it."""

    work: SimulatedWork = field(default_factory=lambda: SimulatedWork([ACME], 100))
    watch: Watch = field(default_factory=lambda: Watch(ALARMS))
    dispatches: bool = True
    audits: bool = True

    def pass_by(self, minutes: int, each: Callable[[], None] = lambda: None) -> None:
        """Let minutes pass, and look at all alarms after each."""
        for _ in range(minutes):
            if self.dispatches:
                self.emit([{"task": "dispatch", **found_by(self.work.minute())}])
                self.emit(done_by(step) for step in self.work.taken if self.is_seen(step))
                self.work.taken.clear()
            else:
                self.work.now += 60
            each()
            self.watch.until(self.work.now, self.work.now + 60)

    def accept(self) -> None:
        """Take a batch in, half a minute after the last dispatch."""
        self.work.accept(ACME, self.work.now + 30)

    def is_seen(self, step: Step) -> bool:
        return self.audits or step.task != "audit"

    def emit(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for about in lines:
            line = {"family": "engine", "duration_ms": 1, **about, "service": STACK}
            self.add(points_of({**line, **metrics_in(line, instant(self.work.now))}))

    def add(self, points: Iterable[Point]) -> None:
        self.watch.metrics.add(points)

    def feed(self, name: str, value: float, metric: int = 0) -> None:
        """Give a value to the metric of an alarm, or to one of its several."""
        properties = ALARMS[name].properties
        several = [
            query["MetricStat"]["Metric"] for query in ALARMS[name].queries if "MetricStat" in query
        ]
        found = several[metric] if several else properties
        dimensions = {each["Name"]: each["Value"] for each in found.get("Dimensions", [])}
        at_ms = self.work.now * 1000
        named = (found["Namespace"], found["MetricName"], dimensions)
        self.add([Point(*named, "Count", at_ms, value)])

    def answer(self, line: Mapping[str, Any], times: int = 1) -> None:
        """Count an answer as the gateway does: every answer is or is not an error."""
        at_ms, status_class = self.work.now * 1000, line["status_class"]
        counted = {
            "Count": 1.0,
            "4XXError": float(status_class == "4xx"),
            "5XXError": float(status_class == "5xx"),
            "Latency": float(line["duration_ms"]),
        }
        for name, value in counted.items():
            point = Point("AWS/ApiGateway", name, GATEWAY, "Count", at_ms, value)
            self.add([point] * times)

    @property
    def calls(self) -> list[tuple[str, str]]:
        return self.watch.calls

    def is_over(self, name: str) -> bool:
        return self.watch.states[name] == "OK"


# quiet


def test_a_fresh_stack_that_nobody_uses_calls_nobody_for_a_day() -> None:
    stack = Deployment(SimulatedWork([], 100))
    stack.pass_by(24 * HOURS)
    assert stack.calls == []
    states = {name: stack.watch.states[name] for name in ALARMS}
    assert states == dict.fromkeys(ALARMS, "OK") | {"StoppedAudit": "INSUFFICIENT_DATA"}


def test_a_stack_without_a_single_line_calls_nobody() -> None:
    stack = Deployment(dispatches=False)
    stack.pass_by(24 * HOURS)
    assert stack.calls == []


def test_a_stack_with_one_quiet_organization_calls_nobody_for_three_days() -> None:
    stack = Deployment()
    stack.pass_by(1, stack.accept)
    stack.pass_by(72 * HOURS)
    assert stack.calls == []
    assert stack.watch.states == dict.fromkeys(ALARMS, "OK")


def test_a_stack_in_use_calls_nobody_all_day(answers: Mapping[str, Any]) -> None:
    stack = Deployment()

    def minute() -> None:
        stack.accept()
        stack.answer(answers["2xx"], 20)
        stack.answer(answers["4xx"], 9)
        stack.feed("LateFolds", 900)
        for name in ("FailedWork", "Unfolded", "FunctionThrottles"):
            stack.feed(name, 0)

    stack.pass_by(24 * HOURS, minute)
    assert stack.calls == []


# what dispatch and workers see


def test_a_dispatch_that_has_stopped_calls_somebody_and_one_that_runs_again_ends_it() -> None:
    stack = Deployment()
    stack.pass_by(60)
    stack.dispatches = False
    stack.pass_by(12)
    assert stack.calls == [("Overdue", "INSUFFICIENT_DATA")]
    stack.dispatches = True
    stack.pass_by(10)
    assert stack.is_over("Overdue")


def test_workers_that_have_stopped_call_somebody_first_overdue_then_usage_is_late() -> None:
    stack = Deployment()
    stack.pass_by(10)
    stack.work.steps_each_minute = 0
    stack.pass_by(30, stack.accept)
    assert stack.calls == [("Overdue", "ALARM"), ("LateUsage", "ALARM")]
    stack.work.steps_each_minute = 100
    stack.pass_by(10)
    assert stack.is_over("Overdue")
    assert stack.is_over("LateUsage")


def test_settling_that_waits_for_an_hour_calls_somebody() -> None:
    stack = Deployment()
    stack.pass_by(1, stack.accept)
    stack.pass_by(3)
    stack.work.steps_each_minute = 0
    stack.pass_by(80)
    assert stack.calls == [("Overdue", "ALARM"), ("LateSettling", "ALARM")]
    stack.work.steps_each_minute = 100
    stack.pass_by(10)
    assert stack.is_over("LateSettling")


def test_a_task_that_fails_again_and_again_calls_somebody() -> None:
    stack = Deployment()
    stack.work.engine.broken.add(ACME)
    stack.pass_by(60, stack.accept)
    assert stack.calls == [("FailingWork", "ALARM")]
    stack.work.engine.broken.clear()
    stack.pass_by(70)
    assert stack.is_over("FailingWork")


@pytest.mark.parametrize(
    ("name", "findings"),
    [("MissedUsage", Findings(missed=2, parked=0)), ("ParkedUsage", Findings(missed=0, parked=1))],
)
def test_what_an_audit_finds_calls_somebody(
    name: str, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Deployment()
    monkeypatch.setattr(stack.work.engine, "audit", lambda *_: (findings, False))
    stack.pass_by(2 * HOURS)
    assert stack.calls == [(name, "ALARM")]
    monkeypatch.undo()
    stack.pass_by(30 * HOURS)
    assert stack.calls == [(name, "ALARM")]
    assert stack.is_over(name)


def test_audits_that_have_stopped_call_somebody() -> None:
    stack = Deployment()
    stack.pass_by(2 * HOURS)
    stack.audits = False
    stack.pass_by(34 * HOURS)
    assert stack.calls == [("StoppedAudit", "INSUFFICIENT_DATA")]
    stack.audits = True
    stack.pass_by(24 * HOURS)
    assert stack.is_over("StoppedAudit")


# answers, as the gateway counts them


@pytest.fixture
def answers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """The line of an answer of each class, of a function on tables."""
    found: list[dict[str, Any]] = []
    key = stack.key(ACME, stack.user(ACME, username="a@b.example"))
    monkeypatch.setattr("builtins.print", lambda text, **_: found.extend(lines_in(text)))
    stack.get("/v1/me", key)
    stack.get("/v1/me")
    record_calls().fail = throttled
    stack.get("/v1/me", key)
    return {line["status_class"]: line for line in found}


def test_answers_that_are_errors_call_somebody(answers: Mapping[str, Any]) -> None:
    stack = Deployment()

    def failing() -> None:
        stack.answer(answers["2xx"], 90)
        stack.answer(answers["5xx"], 10)

    stack.pass_by(10, failing)
    assert stack.calls == [("ServerErrors", "ALARM")]
    stack.pass_by(10, lambda: stack.answer(answers["2xx"], 90))
    assert stack.is_over("ServerErrors")


def test_one_error_a_day_calls_nobody(answers: Mapping[str, Any]) -> None:
    stack = Deployment()
    stack.pass_by(1, lambda: stack.answer(answers["5xx"]))
    stack.pass_by(30)
    assert stack.calls == []


def test_slow_answers_call_somebody(answers: Mapping[str, Any]) -> None:
    stack = Deployment()
    slow = {**answers["2xx"], "duration_ms": 3100}
    stack.pass_by(10, lambda: stack.answer(slow))
    assert stack.calls == [("SlowAnswers", "ALARM")]
    stack.pass_by(15, lambda: stack.answer(answers["2xx"], 100))
    assert stack.is_over("SlowAnswers")


def test_many_refusals_call_somebody_and_a_few_do_not(answers: Mapping[str, Any]) -> None:
    stack = Deployment()
    stack.pass_by(60, lambda: stack.answer(answers["4xx"], 10))
    assert stack.calls == []
    stack.pass_by(20, lambda: stack.answer(answers["4xx"], 30))
    assert stack.calls == [("ManyRefusals", "ALARM")]
    stack.pass_by(20, lambda: stack.answer(answers["2xx"], 50))
    assert stack.is_over("ManyRefusals")


# a release that takes over

ROLL_BACK = {name: ALARMS[name] for name in read("infrastructure/monitoring.yaml")["Outputs"]}
CANARY_MINUTES = 5
DELAY_MINUTES = 1
"""A minute is over, and its metrics are there, before CloudWatch looks at it."""


def rolled_back_after(
    broken: int, whole: int, answers: Mapping[str, Any]
) -> tuple[str, int] | None:
    """Which alarm rolls back a canary that fails, and after how many minutes.

    Of a hundred answers a minute for each of `whole` functions, a tenth is of the canary, which
    fails in `broken` of them.
    """
    stack = Deployment(watch=Watch(ROLL_BACK))
    stack.pass_by(10, lambda: take_over(stack, answers, 0, whole, 0))
    for minute in range(1, CANARY_MINUTES):
        stack.pass_by(1, lambda: take_over(stack, answers, broken, whole, 10))
        if stack.calls:
            return stack.calls[0][0], minute + DELAY_MINUTES
    return None


def take_over(
    stack: Deployment, answers: Mapping[str, Any], broken: int, whole: int, percent: int
) -> None:
    """A minute of answers, some by a canary."""
    failed, good = broken * percent, (whole - broken) * percent
    stack.answer(answers["2xx"], 100 * whole - failed)
    stack.answer(answers["5xx"], failed)
    by_before = [{**answers["2xx"], "release": "0.1.0"}] * (100 - percent) * whole
    by_canary = [{**answers["5xx"], "release": RELEASE}] * failed
    by_canary += [{**answers["2xx"], "release": RELEASE}] * good
    stack.emit([*by_before, *by_canary])


def test_a_canary_that_fails_everywhere_is_rolled_back_before_it_takes_over(
    answers: Mapping[str, Any],
) -> None:
    assert rolled_back_after(5, 5, answers) == ("FailingRelease", 3)


def test_a_canary_that_fails_in_one_function_of_twenty_is_rolled_back_too(
    answers: Mapping[str, Any],
) -> None:
    """Among all answers its failures are one of two hundred, which is no alarm of the stage."""
    assert rolled_back_after(1, 20, answers) == ("FailingRelease", 3)


def test_a_canary_that_works_is_not_rolled_back(answers: Mapping[str, Any]) -> None:
    assert rolled_back_after(0, 5, answers) is None


def test_functions_of_a_release_that_cannot_even_start_are_seen_by_the_gateway(
    answers: Mapping[str, Any],
) -> None:
    """They write no line, so the alarm of the release has no data; a tenth of all answers fails."""
    stack = Deployment(watch=Watch(ROLL_BACK))

    def failing() -> None:
        stack.answer(answers["2xx"], 90)
        stack.answer(answers["5xx"], 10)

    stack.pass_by(CANARY_MINUTES - DELAY_MINUTES, failing)
    assert stack.calls == [("ServerErrors", "ALARM")]


def test_a_release_that_was_deployed_again_is_well_again(answers: Mapping[str, Any]) -> None:
    stack = Deployment(watch=Watch(ROLL_BACK))
    stack.pass_by(5, lambda: take_over(stack, answers, 1, 1, 10))
    assert ("FailingRelease", "ALARM") in stack.calls
    stack.pass_by(10, lambda: take_over(stack, answers, 0, 1, 0))
    assert stack.is_over("FailingRelease")


# what only AWS counts


@pytest.mark.parametrize(
    ("name", "value"),
    [("FunctionThrottles", 1), ("LateFolds", 61_000), ("FailedWork", 1), ("Unfolded", 1)],
)
def test_what_aws_counts_calls_somebody(name: str, value: float) -> None:
    stack = Deployment()
    stack.pass_by(10, lambda: stack.feed(name, value))
    assert stack.calls == [(name, "ALARM")]
    stack.pass_by(20, lambda: stack.feed(name, 0))
    assert stack.is_over(name)
    assert stack.calls == [(name, "ALARM")]


@pytest.mark.parametrize("metric", range(8))
def test_throttles_of_any_table_in_most_minutes_call_somebody_and_then_ends(
    metric: int,
) -> None:
    """DynamoDB reports no zeros."""
    stack = Deployment()
    for _ in range(3):
        stack.pass_by(2, lambda: stack.feed("TableThrottles", 1, metric))
        stack.pass_by(1)
    assert stack.calls == [("TableThrottles", "ALARM")]
    stack.pass_by(10)
    assert stack.is_over("TableThrottles")


@pytest.mark.parametrize("metric", range(4))
def test_a_backup_or_a_copy_that_was_not_made_calls_somebody_once(metric: int) -> None:
    stack = Deployment()
    stack.pass_by(1, lambda: stack.feed("FailedBackups", 1, metric))
    stack.pass_by(2 * HOURS)
    assert stack.calls == [("FailedBackups", "ALARM")]
    assert stack.is_over("FailedBackups")


FIRED = {
    *("ServerErrors", "SlowAnswers", "ManyRefusals", "FunctionThrottles", "TableThrottles"),
    *("LateFolds", "FailedWork", "Unfolded", "FailingWork", "Overdue", "LateUsage"),
    *("FailingRelease", "LateSettling", "MissedUsage", "ParkedUsage", "StoppedAudit"),
    "FailedBackups",
}


def test_no_alarm_is_left_that_no_test_fires() -> None:
    assert ALARMS.keys() == FIRED
