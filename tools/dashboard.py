"""The dashboard as a picture, drawn from its JSON with the metrics of a local stack.

`python -m tools.dashboard .local 15` draws the last 15 minutes of the stack that has its record
there. What AWS alone counts is not drawn, and says so.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from local.stack import REGION, Stack
from local.template import read
from odometer.logs import NAMESPACE
from tools.charts import Chart, Series, picture
from tools.emf import STATISTICS, Line, points_in

MONITORING = "infrastructure/monitoring.yaml"
PICTURE = Path("docs/pictures/dashboard.svg")
NAMED = re.compile(r"\$\{([\w:]+)(?:\.\w+)?\}")
SEARCH = re.compile(
    r"SEARCH\('\{\w+,([\w,]+)\} .*MetricName=\"(\w+)\"', '(\w+)', (\d+)\)(?: / (\d+))?"
)
Widget = Mapping[str, Any]


class Wanted(NamedTuple):
    """A metric that a widget shows, or all metrics that have some dimensions."""

    namespace: str
    name: str
    dimensions: Mapping[str, str | None]
    """The value of each dimension; None is any, and each is a line of its own."""
    statistic: str
    period: int
    divided_by: float = 1


def widgets(**parameters: str) -> list[Widget]:
    """The widgets of the dashboard, its references filled in; others are named as they are."""
    body = read(MONITORING)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    text = NAMED.sub(lambda found: parameters.get(found[1], found[1]), body)
    found: list[Widget] = json.loads(text)["widgets"]
    return found


def wanted(properties: Mapping[str, Any]) -> Iterator[Wanted]:
    """What a widget shows; a dot repeats what stands above it, three repeat all but the last."""
    above: list[str] = []
    for given in properties.get("metrics", []):
        options = given[-1] if isinstance(given[-1], dict) else {}
        names = [each for each in given if isinstance(each, str)]
        if "expression" in options:
            yield searched(options["expression"])
            continue
        if names[0] == "...":
            names = [*above[: len(above) - len(names) + 1], *names[1:]]
        above = [above[place] if each == "." else each for place, each in enumerate(names)]
        dimensions = dict(zip(above[2::2], above[3::2], strict=True))
        statistic = options.get("stat") or properties["stat"]
        yield Wanted(above[0], above[1], dimensions, statistic, properties["period"])


def searched(expression: str) -> Wanted:
    found = SEARCH.fullmatch(expression)
    if found is None:
        raise ValueError(expression)
    dimensions, name, statistic, period, divided_by = found.groups()
    any_of: dict[str, str | None] = dict.fromkeys(dimensions.split(","))
    return Wanted(NAMESPACE, name, any_of, statistic, int(period), float(divided_by or 1))


def series(metric: Wanted, lines: Iterable[Line]) -> list[Series]:
    """A line for each combination of dimensions that has values."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in points_in(lines):
        named = point.dimensions.keys() == metric.dimensions.keys()
        if (point.namespace, point.name) == (metric.namespace, metric.name) and named:
            label = label_of(metric, point.dimensions)
            found[label][period_of(point.at_ms, metric.period)].append(point.value)
    return [series_of(label, each, metric) for label, each in sorted(found.items())]


def series_of(label: str, values: Mapping[int, Sequence[float]], metric: Wanted) -> Series:
    of = STATISTICS[metric.statistic]
    return Series(label, {at: of(each) / metric.divided_by for at, each in sorted(values.items())})


def labelled(several: Iterable[Series], metric: Wanted, among: Sequence[Wanted]) -> list[Series]:
    """Series that say their statistic where the same metric is shown twice."""
    is_twice = sum(each.name == metric.name for each in among) > 1
    return [
        one._replace(label=f"{one.label} {metric.statistic}") if is_twice else one
        for one in several
    ]


def label_of(metric: Wanted, dimensions: Mapping[str, str]) -> str:
    several = [dimensions[name] for name in metric.dimensions if name != "service"]
    return " ".join(several) if None in metric.dimensions.values() else metric.name


def period_of(at_ms: int, period: int) -> int:
    return at_ms // 1000 // period * period


def ranking(properties: Mapping[str, Any], lines: Iterable[Line]) -> list[Series]:
    """The first contributors of a rule of Contributor Insights, each a line."""
    asked = properties["insightRule"]
    rule = rule_called(asked["ruleName"])
    keys = [key.removeprefix("$.") for key in rule["Contribution"]["Keys"]]
    value = rule["Contribution"].get("ValueOf", "").removeprefix("$.")
    found: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for line in lines:
        if line.keys() >= set(keys) and all(
            passes(line, f) for f in rule["Contribution"]["Filters"]
        ):
            at = period_of(line["_aws"]["Timestamp"], properties["period"])
            label = " ".join(str(line[key])[:13] for key in keys)
            found[label][at] += line[value] if value else 1
    by_sum = sorted(found.items(), key=lambda each: -sum(each[1].values()))
    return [Series(name, each) for name, each in by_sum[: asked["maxContributorCount"]]]


def rule_called(name: str) -> Mapping[str, Any]:
    body, _ = read(MONITORING)["Resources"][name]["Properties"]["RuleBody"]["Fn::Sub"]
    rule: Mapping[str, Any] = json.loads(body)
    return rule


def passes(line: Line, one: Mapping[str, Any]) -> bool:
    value = line.get(one["Match"].removeprefix("$."))
    return value in one["In"] if "In" in one else (value or 0) > one["GreaterThan"]


def charts(lines: Sequence[Line], **parameters: str) -> Iterator[Chart]:
    """What is drawn of each widget."""
    for widget in widgets(**parameters):
        properties, size = widget["properties"], (widget["width"], widget["height"])
        if widget["type"] == "text":
            yield Chart(*size, properties["markdown"].lstrip("# "), is_heading=True)
        elif widget["type"] == "alarm":
            yield Chart(*size, properties["title"], words=properties["alarms"])
        elif "insightRule" in properties:
            yield Chart(*size, properties["title"], ranking(properties, lines))
        else:
            metrics = list(wanted(properties))
            ours = [each for each in metrics if each.namespace == NAMESPACE]
            found = [
                one for metric in ours for one in labelled(series(metric, lines), metric, ours)
            ]
            missing = [each.name for each in metrics if each.namespace != NAMESPACE]
            yield Chart(*size, properties["title"], found, missing)


def logged(stack: Stack, begin_ms: int) -> list[Line]:
    """The lines of all functions of a local stack since some time."""
    key: dict[str, Any] = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    logs: Any = boto3.Session(region_name=REGION, **key).client("logs", endpoint_url=stack.endpoint)
    groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
    pages = logs.get_paginator("filter_log_events")
    events = [
        event["message"]
        for group in groups
        for page in pages.paginate(logGroupName=group, startTime=begin_ms)
        for event in page["events"]
    ]
    return [json.loads(each) for each in events if '"_aws"' in each]


def main(home: str, minutes: str = "15") -> None:
    found = Stack.read(Path(home))
    if found is None:
        sys.exit(f"No local stack has its record in {home}: `make up` starts one.")
    begin_ms = int((time.time() // 60 - int(minutes)) * 60_000)
    PICTURE.write_text(picture(list(charts(logged(found, begin_ms), ApiName="odometer"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
