"""Paths that no function answers: which family words the error, and which verbs a path has."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from odometer.api.usage_metrics.family import UsageMetrics
from odometer.api.usage_report.family import UsageReport
from odometer.domain.errors import NotAllowed, NotFound, OdometerError
from odometer.web import files
from odometer.web.family import Envelope, Family
from odometer.web.messages import Request

FAMILIES: Mapping[str, Family] = {
    "/insights/": UsageReport(),
    "/api/v1/": UsageMetrics(),
    "/": Envelope(),
}

ROUTES = Path(__file__).with_name("routes.json")
"""The verbs of every path, written from the functions by `tests/contract/test_documents.py`."""


class ByPrefix(Family):
    """Whichever family owns the path that was called."""

    name = "edge"

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        return family_at(path_called(request)).problem(error, status, request)


def family_at(path: str) -> Family:
    inside = f"{path.rstrip('/')}/"  # the gateway leaves out a slash at the end
    return next(family for prefix, family in FAMILIES.items() if inside.startswith(prefix))


def path_called(request: Request) -> str:
    """The path below the stage and any base path, as the catch-all route caught it."""
    return "/" + request.parameters.get("proxy", "").lstrip("/")


def refuse_unknown(request: Request) -> NoReturn:
    path = path_called(request)
    for route, verbs in {**routes(), **files.VERBS}.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.replace("{file+}", ".+")), path):
            raise NotAllowed(tuple(verbs))
    raise NotFound


@cache
def routes() -> Mapping[str, Sequence[str]]:
    content: Mapping[str, Sequence[str]] = json.loads(ROUTES.read_bytes())
    return content
