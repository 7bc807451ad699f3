"""What CloudWatch has counted, as sums over some days."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

import boto3

from odometer_cli.stack_parts import permitted

AT_ONCE: Final = 500
"""Metrics of one call: CloudWatch takes no more."""
MOST_OF_OURS: Final = 5_000
ALARMS_AT_ONCE: Final = 100
HOUR_SECONDS: Final = 3_600
OURS: Final = "Odometer"


class Metric(NamedTuple):
    """A metric of one thing, and what of it is added up."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    statistic: str = "Sum"

    @classmethod
    def of(cls, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> "Metric":
        return cls(namespace, name, frozenset(dimensions.items()), statistic)

    def to_query(self, number: int) -> dict[str, Any]:
        dimensions = [{"Name": name, "Value": value} for name, value in sorted(self.dimensions)]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        stat = {"Metric": metric, "Period": HOUR_SECONDS, "Stat": self.statistic}
        return {"Id": f"m{number}", "MetricStat": stat, "ReturnData": True}


Sums = Mapping[Metric, float]


def sums(metrics: Sequence[Metric], begin: datetime, end: datetime) -> dict[Metric, float]:
    """What each metric adds up to; one without data is left out."""
    found: dict[Metric, float] = {}
    remaining = iter(metrics)
    while some := list(islice(remaining, AT_ONCE)):
        for number, values in values_of(some, begin, end):
            if values:
                found[some[number]] = found.get(some[number], 0) + sum(values)
    return found


def values_of(
    metrics: Sequence[Metric], begin: datetime, end: datetime
) -> Iterator[tuple[int, list[float]]]:
    """The values of metrics by their places, page by page."""
    queries = [metric.to_query(number) for number, metric in enumerate(metrics)]
    with permitted("cloudwatch:GetMetricData"):
        pages = boto3.client("cloudwatch").get_paginator("get_metric_data")
        for page in pages.paginate(MetricDataQueries=queries, StartTime=begin, EndTime=end):
            yield from ((int(it["Id"][1:]), it["Values"]) for it in page["MetricDataResults"])


def count_ours(service: str) -> int:
    """How many metrics the functions of a stack have written lately; each is paid for."""
    about: Any = {"Namespace": OURS, "Dimensions": [{"Name": "service", "Value": service}]}
    with permitted("cloudwatch:ListMetrics"):
        pages = boto3.client("cloudwatch").get_paginator("list_metrics")
        found = pages.paginate(**about, PaginationConfig={"MaxItems": MOST_OF_OURS})
        return sum(len(page["Metrics"]) for page in found)


def metrics_of_alarms(names: Sequence[str]) -> int:
    """How many metrics some alarms look at: that is what is paid for."""
    with permitted("cloudwatch:DescribeAlarms"):
        client, count = boto3.client("cloudwatch"), 0
        for first in range(0, len(names), ALARMS_AT_ONCE):
            some = list(names[first : first + ALARMS_AT_ONCE])
            answer = client.describe_alarms(AlarmNames=some, MaxRecords=ALARMS_AT_ONCE)
            count += sum(map(metrics_of, answer["MetricAlarms"]))
        return count


def metrics_of(alarm: Mapping[str, Any]) -> int:
    return sum("MetricStat" in each for each in alarm.get("Metrics", ())) or 1
