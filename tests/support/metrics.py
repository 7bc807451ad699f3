"""What CloudWatch reads out of lines of the log, as the embedded metric format says."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

MOST_DIMENSIONS = 30
MOST_METRICS = 100
UNITS = {"Count", "Milliseconds", "Seconds"}


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


def points_in(lines: Iterable[Mapping[str, Any]]) -> list[Point]:
    """All values; a line that CloudWatch would pass over silently fails."""
    return [point for line in lines if "_aws" in line for point in points_of(line)]


def points_of(line: Mapping[str, Any]) -> Iterator[Point]:
    about = line["_aws"]
    assert about.keys() == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(about["Timestamp"], int)
    for directive in about["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        assert 0 < len(directive["Metrics"]) <= MOST_METRICS
        for names in directive["Dimensions"]:
            assert len(names) <= MOST_DIMENSIONS
            dimensions = {name: line[name] for name in names}
            assert all(isinstance(value, str) and value for value in dimensions.values())
            for metric in directive["Metrics"]:
                assert metric["Unit"] in UNITS
                value = line[metric["Name"]]
                assert isinstance(value, int | float)
                yield Point(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    metric["Unit"],
                    about["Timestamp"],
                    value,
                )
