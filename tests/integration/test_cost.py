"""`odometer cost` beside a bill that is made by hand: a stack on moto, and what it did."""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.template import written
from odometer_cli import cloudwatch
from odometer_cli.bill import Bill
from odometer_cli.cloudwatch import Metric, sums
from odometer_cli.cost import bill_of
from odometer_cli.prices import GB, MILLION
from odometer_cli.stack_parts import (
    SENDS_EVENTS,
    Function,
    LogGroup,
    Parts,
    Table,
    family_of,
    permitted,
)
from tests.support.memory_directory import ACME
from tests.support.stack import ENVIRONMENT, Stack, admin_of
from tests.support.typed import odometer
from tools.monthly_bill import LOG_BYTES_OF_ANSWER

NAME = "odometer-dev"
OF_AN_EVENT = 26
"""Bytes that CloudWatch adds to each line of a log."""
AT_AWS = {name: value for name, value in ENVIRONMENT.items() if name.startswith("AWS_")}
NOW = datetime.now(UTC)
DAYS = 7
MONTHS = DAYS / (730 / 24)


def function(memory: int) -> Mapping[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "handler = print"},
            "MemorySize": memory,
        },
    }


def table() -> Mapping[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    }


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
LOGS = {"Type": "AWS::Logs::LogGroup"}
TEMPLATE = {
    "Resources": {
        "Role": ROLE,
        "V1Logs": LOGS,
        "EngineLogs": LOGS,
        "V1SendEvents": function(1_024),
        "V1Usage": function(512),
        "EngineWork": function(2_048),
        "UsageTable": table(),
        "WorkQueue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": "work.fifo", "FifoQueue": True},
        },
    },
}


@pytest.fixture
def names() -> Iterator[dict[str, str]]:
    """What the parts of a deployed stack are called."""
    with patch.dict("os.environ", {**AT_AWS, "ODOMETER_STACK": ""}), mock_aws():
        client = boto3.client("cloudformation")
        client.create_stack(StackName=NAME, TemplateBody=json.dumps(TEMPLATE))
        found = client.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
        yield {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in found}


def put(namespace: str, name: str, value: float, ago: timedelta, **dimensions: str) -> None:
    about = [{"Name": key, "Value": each} for key, each in sorted(dimensions.items())]
    boto3.client("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": name, "Value": value, "Timestamp": NOW - ago, "Dimensions": about}
        ],
    )


HOUR, A_WEEK = timedelta(hours=1), timedelta(days=8)


@pytest.fixture
def used(names: dict[str, str]) -> dict[str, str]:
    """A week in which 2 million events came, and 1,000 questions."""
    send, ask, work = (names[it] for it in ("V1SendEvents", "V1Usage", "EngineWork"))
    for ago in (HOUR, 60 * HOUR):
        put("AWS/Lambda", "Invocations", 10_000, ago, FunctionName=send)
        put("AWS/Lambda", "Duration", 200_000, ago, FunctionName=send)
        put("Odometer", "accepted", MILLION, ago, service=NAME)
    put("AWS/Lambda", "Invocations", 99_999, A_WEEK, FunctionName=send)
    put("AWS/Lambda", "Invocations", 1_000, HOUR, FunctionName=ask)
    put("AWS/Lambda", "Duration", 50_000, HOUR, FunctionName=ask)
    put("AWS/Lambda", "Duration", 1_000_000, HOUR, FunctionName=work)
    put("AWS/ApiGateway", "Count", 21_500, HOUR, ApiName=NAME)
    usage = names["UsageTable"]
    put("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 100_000, HOUR, TableName=usage)
    put("AWS/DynamoDB", "ConsumedReadCapacityUnits", 400_000, HOUR, TableName=usage)
    put("AWS/Logs", "IncomingBytes", GB / 2, HOUR, LogGroupName=names["V1Logs"])
    put("AWS/SQS", "NumberOfMessagesSent", 3_000, HOUR, QueueName="work.fifo")
    put("Odometer", "read_units", 20_000, HOUR, service=NAME, family="v1")
    put("Odometer", "read_units", 300_000, HOUR, service=NAME, family="engine")
    put("Odometer", "accepted", 5, HOUR, service="another")
    return names


def by_line(bill: Bill) -> dict[tuple[str, str], float]:
    return {(line.price.of, line.about): line.dollars for line in bill.lines}


GB_SECOND, FUNCTION = "GB-second on x86", 0.0000166667
"""Whatever the template says, functions of moto's stacks are on x86."""


def test_every_line_is_what_a_part_did_times_its_price(used: dict[str, str]) -> None:
    assert by_line(bill_of(NAME, DAYS)) == pytest.approx(
        {
            ("request to a REST API", "events"): 0.07,
            ("request to a REST API", "v1"): 0.0035,
            ("request to a REST API", "answered by the gateway alone"): 0.00175,
            ("invocation", "events"): 0.004,
            ("invocation", "v1"): 0.0002,
            (GB_SECOND, "events"): 400 * FUNCTION,
            (GB_SECOND, "v1"): 25 * FUNCTION,
            (GB_SECOND, "engine"): 2_000 * FUNCTION,
            ("write request unit", "UsageTable"): 0.0625,
            ("read request unit", "UsageTable"): 0.05,
            ("GB of log taken in", "v1"): 0.25,
            ("request to a FIFO queue", "work.fifo"): 0.0015,
            ("metric of our own, a month", "Odometer"): 3 * 0.30 * MONTHS,
        }
    )


def test_a_bill_adds_up_and_tells_what_a_month_of_it_costs(used: dict[str, str]) -> None:
    bill = bill_of(NAME, DAYS)
    assert bill.dollars == pytest.approx(sum(by_line(bill).values()))
    assert bill.month == pytest.approx(bill.dollars / MONTHS)


def test_events_and_requests_have_their_own_rates(used: dict[str, str]) -> None:
    events, v1 = bill_of(NAME, DAYS).shares
    engine = 2_000 * FUNCTION + 300_000 * 0.125 / MILLION
    assert (events.family, events.done, events.per) == ("events", 2 * MILLION, MILLION)
    assert events.rate == pytest.approx((0.07 + 0.004 + 400 * FUNCTION + 0.0625 + engine) / 2)
    of_v1 = 0.0035 + 0.0002 + 25 * FUNCTION + 0.25 + 20_000 * 0.125 / MILLION
    assert (v1.family, v1.done) == ("v1", 1_000)
    assert v1.rate == pytest.approx(of_v1)


def test_what_was_before_these_days_is_not_in_it(used: dict[str, str]) -> None:
    day = by_line(bill_of(NAME, 1))
    assert day["request to a REST API", "events"] == pytest.approx(0.035)


def test_arm_copies_recovery_and_rare_tables_have_prices_of_their_own() -> None:
    functions = [Function("f", "v1", 1_024, is_arm=True, has_copies=True)]
    tables = [
        Table("t", "LogTable", GB, is_rarely_read=True, is_provisioned=True, has_recovery=True)
    ]
    parts = Parts(functions, tables, [LogGroup("g", "v1", GB)], [], ["alarm"], 1, 1)
    took = {
        Metric.of("AWS/Lambda", "Duration", FunctionName="f"): 1_000.0,
        Metric.of("AWS/DynamoDB", "ConsumedReadCapacityUnits", TableName="t"): float(MILLION),
        Metric.of("AWS/DynamoDB", "ConsumedWriteCapacityUnits", TableName="t"): float(MILLION),
    }
    bill = Bill(NAME, parts, DAYS, took, 10, 2)
    assert by_line(bill) == pytest.approx(
        {
            ("GB-second on arm64", "v1"): 0.0000133334,
            ("GB-second of a SnapStart copy that is kept", "v1"): 0.0000015046 * DAYS * 86_400,
            ("read request unit, infrequent access", "LogTable"): 0.155,
            ("write request unit, infrequent access", "LogTable"): 0.78,
            ("GB in a table of infrequent access, a month", "LogTable"): 0.10 * MONTHS,
            ("GB of a table with point-in-time recovery, a month", "LogTable"): 0.20 * MONTHS,
            ("GB of log kept, a month", "v1"): 0.03 * MONTHS,
            ("metric of our own, a month", "Odometer"): 3 * MONTHS,
            ("metric of an alarm, a month", "alarms"): 0.20 * MONTHS,
            ("dashboard, a month", "dashboards"): 3 * MONTHS,
            ("secret, a month", "secrets"): 0.40 * MONTHS,
        }
    )
    assert "capacity that is provisioned for LogTable" in bill.not_seen
    assert any("backups" in each for each in bill.not_seen)


def test_json_and_csv_have_every_line(used: dict[str, str]) -> None:
    found = json.loads(odometer("--stack", NAME, "cost", "--days", "7", "--json").out)
    rows = list(csv.DictReader(StringIO(odometer("--stack", NAME, "cost", "--csv").out)))
    assert [row["what"] for row in rows] == [line["what"] for line in found["lines"]]
    assert sum(float(row["dollars"]) for row in rows) == pytest.approx(found["dollars"], abs=1e-4)
    assert found["prices"] == {"region": "us-east-1", "looked_up": "2026-11-22"}
    assert [share["family"] for share in found["shares"]] == ["events", "v1"]


def test_a_table_shows_the_dearest_line_first_and_says_what_is_missing(
    used: dict[str, str],
) -> None:
    said = odometer("--stack", NAME, "cost")
    assert said.exit_code == 0
    assert said.out.splitlines()[0] == f"{NAME}, 7 days: ${bill_of(NAME, DAYS).dollars:.2f}"
    assert "GB of log taken in" in said.out.splitlines()[3]
    assert "data sent to the internet" in said.err
    assert "logs of engine: CloudWatch has no metric of them" in said.err


def test_a_stack_without_metrics_says_so_and_costs_what_stands_there(
    names: dict[str, str],
) -> None:
    said = odometer("--stack", NAME, "cost")
    assert (said.exit_code, "CloudWatch has no metrics of this stack" in said.err) == (0, True)
    assert said.out.splitlines()[0] == f"{NAME}, 7 days: $0.00"


def test_an_alarm_is_paid_for_each_metric_that_it_looks_at(names: dict[str, str]) -> None:
    client = boto3.client("cloudwatch")
    about: Any = {
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    one: Any = {"Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60}
    metric = {"Namespace": "N", "MetricName": "M"}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    several: Any = [{"Id": f"m{at}", "MetricStat": stat, "ReturnData": False} for at in range(3)]
    several += [{"Id": "all", "Expression": "m0 + m1 + m2", "ReturnData": True}]
    client.put_metric_alarm(AlarmName="one", **about, **one)
    client.put_metric_alarm(AlarmName="three", Metrics=several, **about)
    assert cloudwatch.metrics_of_alarms(["one"]) == 1
    assert cloudwatch.metrics_of_alarms(["one", "three"]) == 4
    assert cloudwatch.metrics_of_alarms([]) == 0


def test_many_metrics_are_asked_for_500_at_a_time(names: dict[str, str]) -> None:
    several = [Metric.of("Odometer", f"m{number}", service=NAME) for number in range(1_001)]
    put("Odometer", "m1000", 7, HOUR, service=NAME)
    asked: list[int] = []
    real = cloudwatch.values_of

    def counted(some: Any, *period: Any) -> Any:
        asked.append(len(some))
        return real(some, *period)

    with patch.object(cloudwatch, "values_of", counted):
        assert sums(several, NOW - A_WEEK, NOW) == {several[1_000]: 7}
    assert asked == [500, 500, 1]


def test_who_may_not_is_told_which_permission_is_missing(used: dict[str, str]) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        error = {"Error": {"Code": "AccessDenied", "Message": "not authorized"}}
        raise ClientError(error, "GetMetricData")  # type: ignore[arg-type]

    with patch("botocore.paginate.PageIterator._make_request", refused):
        said = odometer("--stack", NAME, "cost")
    assert (said.exit_code, said.err.splitlines()[0]) == (
        1,
        "AWS does not allow you cloudformation:ListStackResources.",
    )


@pytest.mark.parametrize("words", [("--stack", "nowhere"), ("--stack", "No Such Stack!")])
def test_a_stack_that_is_not_there_is_named(names: dict[str, str], words: tuple[str, str]) -> None:
    said = odometer(*words, "cost")
    assert (said.exit_code, said.err.splitlines()[0]) == (
        1,
        f"not found: stack {words[1]} in eu-west-1",
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("cost",), "Which stack?"),
        (("--stack", NAME, "cost", "--days", "0"), "--days"),
        (("--stack", NAME, "cost", "--days", "91"), "--days"),
        (("--stack", NAME, "cost", "--json", "--csv"), "exclude each other"),
    ],
)
def test_wrong_use_asks_nothing(words: tuple[str, ...], what: str) -> None:
    env = {"USAGE_TABLE": "usage", "ODOMETER_CONFIG": "/nowhere"}
    said = odometer(*words, env=env)
    assert (said.exit_code, what in said.err) == (2, True)


def test_other_errors_of_aws_stay_what_they_are() -> None:
    error: Any = {"Error": {"Code": "ValidationError", "Message": "no"}}
    with pytest.raises(Exception, match="ValidationError"), permitted("a:B"):
        raise ClientError(error, "B")


def test_a_function_is_of_the_family_of_its_logs() -> None:
    resources = written()["Resources"]
    logs = {name.removesuffix("Logs") for name in resources if name.endswith("Logs")}
    functions = {
        name: each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        for name, each in resources.items()
        if each["Type"] == "AWS::Serverless::Function"
    }
    assert SENDS_EVENTS in functions
    assert {name: family_of(name, logs) for name in functions} == {
        name: family_of(group.removesuffix("Logs"), ()) for name, group in functions.items()
    }


def test_a_request_writes_about_as_much_into_the_log_as_the_page_takes(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    key = admin_of(stack, ACME)
    capsys.readouterr()
    stack.get("/v1/me", key)
    (line,) = capsys.readouterr().out.splitlines()
    assert LOG_BYTES_OF_ANSWER / 2 < len(line) + OF_AN_EVENT <= LOG_BYTES_OF_ANSWER
