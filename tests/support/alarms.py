"""CloudWatch's alarms, as far as ours need them: what they say of datapoints, and whom they call.

M of N, missing data, statistics, periods and metric math follow the User Guide ("Configuring how
CloudWatch alarms treat missing data", "Using metric math"). Whatever it is asked that it does not
know is an error, so that no alarm is taken for tested that is not.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tools.emf import STATISTICS, Point

MINUTE, HOUR = 60, 3600
EXTRA_PERIODS = 2
"""So many more periods are looked at where data is missing."""
COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
ACTIONS = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
Values = Sequence[float | None]
"""A value for each period, the latest last; None where there is no data."""
Name = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass
class Metrics:
    """All values of all metrics, by the minute."""

    values: dict[Name, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, points: Iterable[Point]) -> None:
        for point in points:
            name = name_of(point.namespace, point.name, point.dimensions)
            self.values[name][point.at_ms // 1000 // MINUTE].append(point.value)

    def statistic(self, of: Name, statistic: str, period: int, second: int) -> float | None:
        """A statistic over the period that ends at a second."""
        by_minute = self.values.get(of, {})
        minutes = range((second - period) // MINUTE, second // MINUTE) if by_minute else ()
        found = [value for minute in minutes for value in by_minute.get(minute, ())]
        return STATISTICS[statistic](found) if found else None


def name_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Name:
    return namespace, name, tuple(sorted(dimensions.items()))


@dataclass
class Alarm:
    """An alarm with its parameters filled in."""

    properties: Mapping[str, Any]

    @cached_property
    def period(self) -> int:
        if "Period" in self.properties:
            return int(self.properties["Period"])
        (period,) = {
            int(query["MetricStat"]["Period"]) for query in self.queries if "MetricStat" in query
        }
        return period

    @property
    def queries(self) -> Sequence[Mapping[str, Any]]:
        queries: Sequence[Mapping[str, Any]] = self.properties.get("Metrics", [])
        return queries

    def value(self, metrics: Metrics, second: int) -> float | None:
        """What the alarm compares, of the period that ends at a second."""
        if not self.queries:
            statistic = self.properties.get("Statistic") or self.properties["ExtendedStatistic"]
            return metrics.statistic(metric_of(self.properties), statistic, self.period, second)
        known = {
            query["Id"]: metrics.statistic(
                metric_of(stat["Metric"]), stat["Stat"], stat["Period"], second
            )
            for query in self.queries
            if (stat := query.get("MetricStat"))
        }
        (shown,) = [query for query in self.queries if query.get("ReturnData", True)]
        return calculated(shown["Expression"], known)

    @cached_property
    def length(self) -> int:
        return int(self.properties["EvaluationPeriods"])

    def ends(self, second: int) -> range:
        """The ends of the periods that are looked at."""
        return range(
            second - (self.length + EXTRA_PERIODS - 1) * self.period, second + 1, self.period
        )

    def judged(self, values: Values) -> str:
        """The state by the latest values; earlier ones count only where later ones are missing."""
        needed = self.properties.get("DatapointsToAlarm", self.length)
        breaching = COMPARED[self.properties["ComparisonOperator"]]
        found = [None if v is None else breaching(v, self.properties["Threshold"]) for v in values]
        real = [each for each in found if each is not None][-self.length :]
        missing = self.length - len(real)
        treatment = self.properties["TreatMissingData"]
        assert treatment in ("breaching", "notBreaching", "missing")
        if treatment == "missing" and missing == self.length:
            return "INSUFFICIENT_DATA"
        if treatment == "missing" and missing and is_early(found, needed):
            return "ALARM"
        real += [treatment == "breaching"] * missing
        return "ALARM" if sum(real) >= needed else "OK"


def is_early(found: Sequence[bool | None], needed: int) -> bool:
    """Whether all that is known breaches, and has for as long as it takes to call somebody."""
    known = [len(found) - place for place, each in enumerate(found) if each is not None]
    return all(each is not False for each in found) and max(known, default=0) >= needed


def metric_of(properties: Mapping[str, Any]) -> Name:
    dimensions = {each["Name"]: each["Value"] for each in properties.get("Dimensions", [])}
    return name_of(properties["Namespace"], properties["MetricName"], dimensions)


def calculated(expression: str, known: Mapping[str, float | None]) -> float | None:
    """A metric math expression for one period."""
    functions = {
        "METRICS": lambda: list(known.values()),
        "FILL": fill,
        "SUM": sum,
        "IF": lambda condition, then, otherwise: then if condition else otherwise,
    }
    names: dict[str, Any] = {"__builtins__": {}, **functions, **known}
    found: float | None = eval(expression, names)  # noqa: S307  it stands in our own template
    return found


def fill(values: Any, instead: float) -> Any:
    if isinstance(values, list):
        return [fill(value, instead) for value in values]
    return instead if values is None else values


@dataclass
class Watch:
    """Alarms over time: an alarm begins without data, and acts only when its state changes."""

    alarms: Mapping[str, Alarm]
    metrics: Metrics = field(default_factory=Metrics)
    states: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """The alarms that have called somebody, and with what state."""
    known: dict[str, dict[int, float | None]] = field(default_factory=dict)
    """What alarms compare, by the ends of periods: nothing is added to one that is over."""

    def until(self, begin: int, end: int) -> None:
        """Look at all alarms from one second to another, each as often as CloudWatch does."""
        for second in range(begin + MINUTE, end + 1, MINUTE):
            for name, alarm in self.alarms.items():
                if second % min(alarm.period, HOUR) == 0:
                    self._look(name, alarm, second)

    def _look(self, name: str, alarm: Alarm, second: int) -> None:
        before = self.states.get(name, "INSUFFICIENT_DATA")
        known = self.known.setdefault(name, {})
        for end in alarm.ends(second):
            if end not in known:
                known[end] = alarm.value(self.metrics, end)
        after = alarm.judged([known[end] for end in alarm.ends(second)])
        self.states[name] = after
        if after not in (before, "OK") and alarm.properties.get(ACTIONS[after]):
            self.calls.append((name, after))


def filled(value: Any, parameters: Mapping[str, str]) -> Any:
    """A template's value with its references filled in."""
    match value:
        case {"Ref": name}:
            return parameters.get(name, f"the {name}")
        case {"Fn::If": [_, then, _]}:
            return filled(then, parameters)
        case dict():
            return {name: filled(each, parameters) for name, each in value.items()}
        case list():
            return [filled(each, parameters) for each in value]
    return value
