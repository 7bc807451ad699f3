"""Every alarm can fire for what its text names, is quiet on a fresh stack, and has a runbook."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local.template import read, written
from odometer.logs import METRICS
from odometer.services.engine import Findings
from odometer.services.work import Dispatched

TEMPLATE = written()
MONITORING = read("infrastructure/monitoring.yaml")
ALARMS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in MONITORING["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
NO_DATA = [None] * 20


def state(alarm: dict[str, Any], data: Sequence[float | None]) -> str:
    """What CloudWatch says of an alarm after these periods, the latest last; None is no data."""
    if any("FILL(METRICS(), 0)" in query.get("Expression", "") for query in metrics(alarm)):
        data = [each or 0 for each in data]
    judged = data[-alarm["EvaluationPeriods"] :]
    if alarm["TreatMissingData"] == "missing" and set(judged) == {None}:
        return "INSUFFICIENT_DATA"
    missing = alarm["TreatMissingData"] == "breaching"
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    breaching = [missing if each is None else each > alarm["Threshold"] for each in judged]
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return "ALARM" if sum(breaching) >= needed else "OK"


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    queries: list[dict[str, Any]] = alarm.get("Metrics", [])
    return queries


# The least that must call somebody, by the words of the alarm's own text: one value a period.
FAULTS: dict[str, Sequence[float | None]] = {
    "ServerErrors": [0.02, None, 0.02, None, 0.02],
    "SlowAnswers": [3100, None] * 5,
    "FunctionThrottles": [1, 0, 1, 0, 1],
    "TableThrottles": [1, None, 1, None, 1],
    "FailedWork": [1],
    "FailingWork": [1],
    "Overdue": [1, None, 1, None, 1],
    "LateFolds": [61_000, None, 61_000, None, 61_000],
    "Unfolded": [1],
    "MissedUsage": [1],
    "ParkedUsage": [1],
}


def test_every_alarm_has_a_fault_that_it_is_tried_with() -> None:
    assert FAULTS.keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_fires_for_what_it_names(name: str) -> None:
    assert state(ALARMS[name], FAULTS[name]) == "ALARM"
    assert ALARMS[name]["AlarmActions"] == TOLD


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_quiet_on_a_fresh_stack_and_on_a_healthy_one(name: str) -> None:
    assert state(ALARMS[name], NO_DATA) != "ALARM"
    assert state(ALARMS[name], [0] * 20) == "OK"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_ends_with_its_fault(name: str) -> None:
    assert state(ALARMS[name], [*FAULTS[name], *[0] * 20]) == "OK"


TOLD = {"Fn::If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("name", ["MissedUsage", "Overdue"])
def test_an_audit_that_stops_calls_somebody_and_one_that_never_ran_does_not(name: str) -> None:
    """An alarm begins without data, and acts only when its state changes."""
    assert state(ALARMS[name], NO_DATA) == "INSUFFICIENT_DATA"
    assert ALARMS[name]["InsufficientDataActions"] == TOLD


# table throttles

READS = {"GetItem", "BatchGetItem", "Query", "Scan"}


def used() -> set[tuple[str, str]]:
    """Every table that functions are granted, and whether they read or write it."""
    found = set()
    for resource in TEMPLATE["Resources"].values():
        for statement in resource["Properties"].get("PolicyDocument", {}).get("Statement", []):
            verbs = statement["Action"]
            for verb in [verbs] if isinstance(verbs, str) else verbs:
                service, _, operation = verb.partition(":")
                if service == "dynamodb":
                    kind = "Read" if operation in READS else "Write"
                    found.add((statement["Resource"]["Fn::GetAtt"][0], f"{kind}ThrottleEvents"))
    return found


def test_throttles_of_every_table_and_operation_that_functions_use_are_counted() -> None:
    counted = [query["MetricStat"]["Metric"] for query in metrics(ALARMS["TableThrottles"])[1:]]
    pairs = {(each["Dimensions"][0]["Value"]["Ref"], each["MetricName"]) for each in counted}
    assert len(used()) == 8
    assert pairs == used()


# our own metrics: CloudWatch tells names apart by the case of their letters

OURS = dict(zip(("MissedUsage", "ParkedUsage"), Findings._fields, strict=True))
OURS |= {"Overdue": "overdue", "FailingWork": "failing"}


def test_dispatch_counts_what_alarms_look_at() -> None:
    assert Dispatched._fields == ("overdue", "overdue_seconds", "failing")


def test_an_alarm_on_a_metric_of_ours_names_one_that_functions_emit() -> None:
    ours = {name: alarm for name, alarm in ALARMS.items() if alarm.get("Namespace") == METRICS}
    assert {name: alarm["MetricName"] for name, alarm in ours.items()} == OURS
    for alarm in ours.values():
        assert alarm["Dimensions"] == [{"Name": "service", "Value": {"Ref": "ApiName"}}]


def test_the_service_of_our_metrics_is_the_one_that_alarms_look_at() -> None:
    found = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    parameters = TEMPLATE["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    assert parameters["ApiName"] == found


# runbooks


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_names_its_runbook_which_names_the_alarm(name: str) -> None:
    (path,) = re.findall(r"See (docs/runbooks/[\w-]+\.md)\.$", ALARMS[name]["AlarmDescription"])
    first, empty, alarms, *_ = Path(path).read_text().splitlines()
    assert first.startswith("# Customers see ")
    assert empty == ""
    assert name in re.findall(r"\w+", alarms.removeprefix("*Alarms: "))


@pytest.mark.parametrize("page", sorted(Path("docs/runbooks").glob("*.md")), ids=str)
def test_a_runbook_names_no_alarm_that_is_gone(page: Path) -> None:
    named = re.findall(r"^\*Alarms: (.*)\.\*$", page.read_text(), re.MULTILINE)
    assert {name for line in named for name in line.split(", ")} <= ALARMS.keys()
