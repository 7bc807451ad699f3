"""What functions say to CloudWatch: lines of JSON, out of which it reads metrics.

A request writes one line, and so does a step of the engine. `METRICS` says which of its fields are
metrics; CloudWatch reads them by the embedded metric format. `docs/metrics.md` explains each.
Importing this costs a new process nothing, for Lambda's runtime has imported what it needs.
"""

import json
import os
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from odometer import __version__

NAMESPACE = "Odometer"
DURATION = {"duration_ms": "Milliseconds"}
METRICS: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("service", "family", "status_class"): DURATION,
    ("service", "code"): DURATION,
    ("service", "task"): DURATION,
    ("service", "family"): {"read_units": "Count", "write_units": "Count"},
    ("service", "release"): {"failed": "Count"},
    ("service",): {
        "accepted": "Count",
        "rejected": "Count",
        "folded": "Count",
        "fold_delay_ms": "Milliseconds",
        "settled": "Count",
        "missed": "Count",
        "parked": "Count",
        "waiting": "Count",
        "overdue": "Count",
        "overdue_seconds": "Seconds",
        "failing": "Count",
        "fold_lag_seconds": "Seconds",
        "settle_lag_seconds": "Seconds",
        "rebuild_lag_seconds": "Seconds",
        "group_lag_seconds": "Seconds",
        "retire_lag_seconds": "Seconds",
        "audit_lag_seconds": "Seconds",
    },
}
"""Metrics and their units, by the fields that are their dimensions.

A line that has the dimensions and the metric counts. Each value of a dimension is a metric that is
paid for: none may be as many as organizations are.
"""


class LogLine(dict[str, Any]):
    """What the one line about a request, or about a step of the engine, says."""


class Log:
    """Writes lines that CloudWatch finds by their fields."""

    def info(self, message: str, **about: object) -> None:
        self._write("INFO", message, about)

    def error(self, message: str, **about: object) -> None:
        self._write("ERROR", message, about)

    def _write(self, level: str, message: str, about: Mapping[str, object]) -> None:
        now = datetime.now(UTC)
        at = now.isoformat(timespec="milliseconds")
        line = {"level": level, "message": message, "timestamp": at, "service": service(), **about}
        line |= {"release": __version__, "failed": int(level == "ERROR")}
        write({**line, **traced(), **metrics_in(line, now)})


log = Log()
as_json = json.JSONEncoder(default=str).encode


def write(line: Mapping[str, Any]) -> None:
    print(as_json(line), flush=True)  # noqa: T201  this is the log of a function


def metrics_in(line: Mapping[str, object], now: datetime) -> dict[str, Any]:
    """What tells CloudWatch which fields of a line are metrics; empty if none is."""
    found = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": name, "Unit": units[name]} for name in units if name in line],
        }
        for dimensions, units in METRICS.items()
        if line.keys() >= set(dimensions) and line.keys() & units.keys()
    ]
    at = int(now.timestamp() * 1000)
    return {"_aws": {"Timestamp": at, "CloudWatchMetrics": found}} if found else {}


def raised(failure: Exception) -> dict[str, str]:
    """An exception, for a line."""
    told = "".join(traceback.format_exception(failure))
    return {"exception_name": type(failure).__name__, "exception": told}


def service() -> str:
    """The stack that a line is about."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "odometer")


def traced() -> dict[str, str]:
    """The trace of this request, where X-Ray keeps one."""
    root = os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=")
    return {"xray_trace_id": root} if root else {}
