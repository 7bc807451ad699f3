"""Values of metrics out of lines of the log, as CloudWatch reads them (embedded metric format)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

MOST_DIMENSIONS = 30
MOST_METRICS = 100
UNITS = {"Count", "Milliseconds", "Seconds"}
Line = Mapping[str, Any]


class Point(NamedTuple):
    """One value of a metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    at_ms: int
    value: float


def lines_in(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def points_in(lines: Iterable[Line]) -> list[Point]:
    return [point for line in lines if "_aws" in line for point in points_of(line)]


def points_of(line: Line) -> Iterator[Point]:
    """The values in a line; CloudWatch would pass over one that is not well formed, which fails."""
    about = line["_aws"]
    for directive in about["CloudWatchMetrics"]:
        if not 0 < len(directive["Metrics"]) <= MOST_METRICS:
            raise ValueError(directive)
        for names in directive["Dimensions"]:
            dimensions = {name: line[name] for name in names}
            if len(names) > MOST_DIMENSIONS or not all(map(is_name, dimensions.values())):
                raise ValueError(dimensions)
            for metric in directive["Metrics"]:
                name, unit, value = metric["Name"], metric["Unit"], line[metric["Name"]]
                if unit not in UNITS or not isinstance(value, int | float):
                    raise ValueError(metric, value)
                at_ms = int(about["Timestamp"])
                yield Point(directive["Namespace"], name, dimensions, unit, at_ms, value)


def is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def percentile(percent: float) -> Callable[[Sequence[float]], float]:
    return lambda values: sorted(values)[ceil(len(values) * percent / 100) - 1]


STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
    "p50": percentile(50),
    "p99": percentile(99),
}
