"""The dashboard, its rankings and the queries of the logs name what there is, and can be drawn."""

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from local.template import read
from odometer.logs import METRICS, NAMESPACE, metrics_in
from tests.support.alarms import filled
from tests.support.simulated_work import START, instant
from tests.support.stack import loader_of_all_tests
from tests.unit.test_monitoring import table
from tools.charts import picture
from tools.dashboard import Wanted, charts, searched, wanted, widgets

RESOURCES = read("infrastructure/monitoring.yaml")["Resources"]
OF_AWS = {
    "AWS/ApiGateway": {"ApiName", "Stage"},
    "AWS/DynamoDB": {"TableName"},
    "AWS/Lambda": {"FunctionName"},
    "AWS/SQS": {"QueueName"},
}
"""The dimensions by which AWS counts what we look at."""
OURS = {(name, frozenset(of)) for of, units in METRICS.items() for name in units}


def of_type(kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in RESOURCES.items()
        if resource["Type"] == kind
    }


def shown() -> Iterator[Wanted]:
    for widget in widgets(ApiName="odometer"):
        yield from wanted(widget["properties"])


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    for metric in shown():
        if metric.namespace == NAMESPACE:
            assert (metric.name, frozenset(metric.dimensions)) in OURS
            assert metric.dimensions["service"] in (None, "odometer")
        else:
            assert metric.dimensions.keys() == OF_AWS[metric.namespace]


def test_a_search_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="SEARCH"):
        searched("SEARCH('whatever')")


def test_the_dashboard_asks_four_questions_and_shows_every_alarm() -> None:
    headings = [w["properties"]["markdown"] for w in widgets() if w["type"] == "text"]
    assert headings == [
        "## Is it healthy?",
        "## Is it behind?",
        "## Who is loading it?",
        "## What does it cost?",
    ]
    (alarms,) = [w["properties"]["alarms"] for w in widgets() if w["type"] == "alarm"]
    assert sorted(alarms) == sorted(of_type("AWS::CloudWatch::Alarm"))


def validated(service: str, operation: str, parameters: Mapping[str, Any]) -> list[str]:
    """What botocore finds wrong with the parameters of a call."""
    model = ServiceModel(loader_of_all_tests().load_service_model(service, "service-2"), service)
    shape: Any = model.operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    return [report.generate_report()] if report.has_errors() else []


def test_what_is_created_is_valid_for_its_api() -> None:
    parameters = {"ApiName": "odometer", "Stage": "dev", "AlarmTopicArn": "arn", "Fold": "fold"}
    for name, properties in of_type("AWS::CloudWatch::Alarm").items():
        assert (
            validated(
                "cloudwatch",
                "PutMetricAlarm",
                {"AlarmName": name, **filled(properties, parameters)},
            )
            == []
        )
    body = json.dumps({"widgets": widgets(ApiName="odometer")})
    assert (
        validated("cloudwatch", "PutDashboard", {"DashboardName": "d", "DashboardBody": body}) == []
    )
    for name, (_, rule) in rules().items():
        asked = {"RuleName": name, "RuleState": "ENABLED", "RuleDefinition": json.dumps(rule)}
        assert validated("cloudwatch", "PutInsightRule", asked) == []
    for name, query in of_type("AWS::Logs::QueryDefinition").items():
        kept = {"name": name, "queryString": query["QueryString"], "logGroupNames": ["a"]}
        assert validated("logs", "PutQueryDefinition", kept) == []


# fields of lines


def fields() -> set[str]:
    """The fields of lines that docs/metrics.md tells of."""
    section = Path("docs/metrics.md").read_text().partition("## Fields that are no metrics")[2]
    named = [
        cell
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for cell in row.split(", ")
    ]
    metrics = {name for metric in table() for name in (metric.name, *metric.dimensions)}
    return {name.strip("`") for name in named} | metrics | {"message", "level", "timestamp"}


def rules() -> dict[str, tuple[str, Any]]:
    bodies = {
        name: each["RuleBody"]["Fn::Sub"]
        for name, each in of_type("AWS::CloudWatch::InsightRule").items()
    }
    return {name: (text, json.loads(text)) for name, (text, _) in bodies.items()}


def test_a_ranking_is_made_of_fields_that_lines_have() -> None:
    assert rules()
    for text, rule in rules().values():
        assert set(re.findall(r"\$\.(\w+)", text)) <= fields()
        assert rule["AggregateOn"] == ("Sum" if "ValueOf" in rule["Contribution"] else "Count")


WORDS = {
    "filter",
    "sort",
    "display",
    "limit",
    "stats",
    "by",
    "as",
    "and",
    "or",
    "in",
    "desc",
    "asc",
}
FUNCTIONS = {"count", "sum", "pct", "latest"}


@pytest.mark.parametrize("name", of_type("AWS::Logs::QueryDefinition"))
def test_a_query_asks_for_fields_that_lines_have(name: str) -> None:
    text = re.sub(r'"[^"]*"', "", of_type("AWS::Logs::QueryDefinition")[name]["QueryString"])
    made = set(re.findall(r"\bas (\w+)", text))
    named = set(re.findall(r"(?<![@\w])[a-z]\w*", text)) - WORDS - FUNCTIONS - made
    assert named
    assert named <= fields()


# the picture


def words_in(svg: str) -> list[str]:
    return [unescape(words) for words in re.findall(r"<text [^>]*>([^<]*)</text>", svg)]


def test_the_dashboard_is_drawn_from_its_own_json() -> None:
    written: list[dict[str, Any]] = [
        {"duration_ms": 10, "family": "v1", "status_class": "4xx", "code": "not_found"},
        {"duration_ms": 30, "family": "v1", "status_class": "4xx", "code": "not_found"},
        {"waiting": 3, "fold_lag_seconds": 7},
        {"organization": "acme", "read_units": 2.5, "family": "v1"},
    ]
    named: list[dict[str, Any]] = [{"service": "odometer", **line} for line in written]
    lines = [{**line, **metrics_in(line, instant(START))} for line in named]
    found = {chart.title: chart for chart in charts(lines, ApiName="odometer")}
    refusals = found["Refusals and errors by code"].series
    assert [(one.label, list(one.values.values())) for one in refusals] == [("not_found", [2])]
    units = found["Organizations by read units"].series
    assert [(one.label, list(one.values.values())) for one in units] == [("acme", [2.5])]
    assert found["Latency, ms"].only_on_aws == ["Latency", "Latency"]
    assert "not_found" in words_in(picture(list(found.values())))


def test_the_picture_in_the_documents_shows_the_dashboard_as_it_is() -> None:
    text = words_in(Path("docs/pictures/dashboard.svg").read_text())
    for widget in widgets():
        assert (
            widget["properties"].get("title") or widget["properties"]["markdown"].lstrip("# ")
        ) in text
