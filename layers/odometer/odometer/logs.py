"""What functions say to CloudWatch: lines of the log and metrics, each one line of JSON.

Importing this costs a new process nothing, for Lambda's runtime has imported what it needs.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

METRICS = "Odometer"


class Log:
    """Writes lines that CloudWatch finds by their fields."""

    def info(self, message: str, **about: object) -> None:
        self._write("INFO", message, about)

    def error(self, message: str, **about: object) -> None:
        self._write("ERROR", message, about)

    def exception(self, message: str, **about: object) -> None:
        """Log an error with the exception that is being handled."""
        name = getattr(sys.exc_info()[0], "__name__", None)
        raised = {"exception_name": name, "exception": traceback.format_exc()}
        self._write("ERROR", message, {**about, **raised})

    def _write(self, level: str, message: str, about: Mapping[str, object]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"level": level, "message": message, "timestamp": at, "service": service(), **about}
        write({**line, **traced()})


log = Log()


def count(values: Mapping[str, int]) -> None:
    """Add to metrics of this deployment, in the embedded metric format."""
    names = [{"Name": name, "Unit": "Count"} for name in values]
    emitted = {"Namespace": METRICS, "Dimensions": [["service"]], "Metrics": names}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [emitted]}
    write({"_aws": about, "service": service(), **{name: [float(values[name])] for name in values}})


def write(line: Mapping[str, Any]) -> None:
    print(json.dumps(line, default=str), flush=True)  # noqa: T201  this is the log of a function


def service() -> str:
    """The stack that a line is about."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "odometer")


def traced() -> dict[str, str]:
    """The trace of this request, where X-Ray keeps one."""
    root = os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=")
    return {"xray_trace_id": root} if root else {}
