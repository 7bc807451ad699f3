"""Alarms, dashboard, rankings and queries name what there is, and every alarm has a runbook."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.template import read, written
from odometer.engine.format.marks import PATIENCE
from odometer.logs import METRICS, NAMESPACE
from tests.unit.test_template import of_type, unconditional

TEMPLATE = written()
MONITORING = read("infrastructure/monitoring.yaml")
ALARMS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for stack in (MONITORING, read("infrastructure/backups.yaml"))
    for name, resource in stack["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
TOLD = {"Fn::If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_calls_who_is_on_call(name: str) -> None:
    """And one that has no state of its own for what stopped calls them when its data ends."""
    assert ALARMS[name]["AlarmActions"] == TOLD
    stops = ALARMS[name]["TreatMissingData"] == "missing"
    assert ALARMS[name].get("InsufficientDataActions") == (TOLD if stops else None)
    assert stops == (name in ("Overdue", "StoppedAudit"))


# table throttles

READS = {"GetItem", "BatchGetItem", "Query", "Scan"}


def used() -> set[tuple[str, str]]:
    """Every table that functions are granted, and whether they read or write it."""
    found = set()
    for policy in of_type("AWS::IAM::ManagedPolicy").keys() - {"Boundary"}:  # which grants nothing
        for statement in unconditional(policy):
            verbs = statement["Action"]
            for verb in [verbs] if isinstance(verbs, str) else verbs:
                service, _, operation = verb.partition(":")
                if service == "dynamodb":
                    kind = "Read" if operation in READS else "Write"
                    found.add((statement["Resource"]["Fn::GetAtt"][0], f"{kind}ThrottleEvents"))
    return found


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    queries: list[dict[str, Any]] = alarm.get("Metrics", [])
    return queries


def test_throttles_of_every_table_and_operation_that_functions_use_are_counted() -> None:
    counted = [query["MetricStat"]["Metric"] for query in metrics(ALARMS["TableThrottles"])[1:]]
    pairs = {(each["Dimensions"][0]["Value"]["Ref"], each["MetricName"]) for each in counted}
    assert len(used()) == 8
    assert pairs == used()


# our own metrics: CloudWatch tells names apart by the case of their letters


def test_an_alarm_on_a_metric_of_ours_names_one_that_functions_emit() -> None:
    ours = {
        (name, metric["MetricName"], dimensions_of(metric))
        for name, alarm in ALARMS.items()
        for metric in metrics_of(alarm)
        if metric["Namespace"] == NAMESPACE
    }
    assert ours == alarms_on_our_metrics()


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    several = [query["MetricStat"]["Metric"] for query in metrics(alarm) if "MetricStat" in query]
    return several or [alarm]


def dimensions_of(metric: dict[str, Any]) -> tuple[str, ...]:
    """The names of a metric's dimensions, which have the values of this stack."""
    values = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    known = {"service": {"Ref": "ApiName"}, "release": {"Ref": "Release"}}
    assert values == {name: known[name] for name in values}
    return tuple(values)


# the table of metrics


class Metric(NamedTuple):
    """A row of the table of what Odometer counts."""

    name: str
    dimensions: tuple[str, ...]
    unit: str
    written_by: str
    question: str
    alarms: tuple[str, ...]

    @classmethod
    def of(cls, row: str) -> "Metric":
        name, dimensions, unit, written_by, question, alarms = (
            cell.strip() for cell in row.strip("|").split("|")
        )
        several = tuple(dimensions.strip("`").split(", "))
        return cls(
            name.strip("`"), several, unit, written_by, question, tuple(re.findall(r"\w+", alarms))
        )


def table() -> list[Metric]:
    page = Path("docs/metrics.md").read_text()
    section = page.partition("## What Odometer counts")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [Metric.of(row) for row in rows]


def alarms_on_our_metrics() -> set[tuple[str, str, tuple[str, ...]]]:
    return {
        (alarm, metric.name, metric.dimensions) for metric in table() for alarm in metric.alarms
    }


def test_the_table_of_metrics_is_what_functions_emit() -> None:
    emitted = [
        (name, dimensions, unit)
        for dimensions, units in METRICS.items()
        for name, unit in units.items()
    ]
    assert [metric[:3] for metric in table()] == emitted
    assert all(metric.question.strip(".") for metric in table())


def test_a_task_that_may_wait_has_a_metric_of_its_lag() -> None:
    lags = [name for name in METRICS["service",] if name.endswith("_lag_seconds")]
    assert lags == [f"{task}_lag_seconds" for task in PATIENCE]


def test_the_service_of_our_metrics_is_the_one_that_alarms_look_at() -> None:
    found = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    parameters = TEMPLATE["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    assert parameters["ApiName"] == found


# what fails for good


def queues_after(function: Mapping[str, Any]) -> Iterator[str]:
    """Where what a function could not do is set aside; `dispatch` for a schedule's next minute."""
    for event in function.get("Events", {}).values():
        properties = event["Properties"]
        match event["Type"]:
            case "DynamoDB":
                yield properties["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
            case "SQS":
                source = properties["Queue"]["Fn::GetAtt"][0]
                redrive = TEMPLATE["Resources"][source]["Properties"]["RedrivePolicy"]
                yield redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]
            case "ScheduleV2":
                assert properties["RetryPolicy"] == {"MaximumRetryAttempts": 0}
                assert function["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}
                yield function["CodeUri"].rpartition("/")[2]
            case kind:
                assert kind == "Api"


def test_what_fails_for_good_goes_to_a_queue_that_an_alarm_watches() -> None:
    functions = [
        each["Properties"]
        for each in TEMPLATE["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    ]
    found = {queue for function in functions for queue in queues_after(function)}
    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in ALARMS.values()
        if alarm.get("Namespace") == "AWS/SQS"
    }
    assert found == {*watched, "dispatch"}
    assert ALARMS["Overdue"]["TreatMissingData"] == "missing"


# runbooks

RUNBOOKS = sorted(Path("docs/runbooks").glob("*.md"))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_names_its_runbook_which_names_the_alarm(name: str) -> None:
    (path,) = re.findall(r"See (docs/runbooks/[\w-]+\.md)\.$", ALARMS[name]["AlarmDescription"])
    first, empty, alarms, *_ = Path(path).read_text().splitlines()
    assert first.startswith("# Customers see ")
    assert empty == ""
    assert name in re.findall(r"\w+", alarms.removeprefix("*Alarms: "))


@pytest.mark.parametrize("page", RUNBOOKS, ids=str)
def test_a_runbook_begins_with_what_customers_see(page: Path) -> None:
    first, empty, second, *_ = page.read_text().splitlines()
    assert re.match("# Customers (of one organization )?see ", first)
    assert empty == ""
    assert re.match(r"\*(Alarms: |No alarm\b)", second)


@pytest.mark.parametrize("page", RUNBOOKS, ids=str)
def test_a_runbook_names_no_alarm_that_is_gone(page: Path) -> None:
    named = re.findall(r"^\*Alarms: (.*)\.\*$", page.read_text(), re.MULTILINE)
    assert {name for line in named for name in line.split(", ")} <= ALARMS.keys()
