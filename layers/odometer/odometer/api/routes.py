"""What answers where: the public paths with their verbs, and the family that speaks at each."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from odometer.api.usage_metrics.family import FAMILY as USAGE_METRICS
from odometer.api.usage_report.family import FAMILY as USAGE_REPORT
from odometer.domain.errors import NotAllowed, NotFound, OdometerError
from odometer.web.family import ENVELOPE, Family
from odometer.web.messages import Request

FAMILIES: Mapping[str, Family] = {
    "/insights/": USAGE_REPORT,
    "/api/v1/": USAGE_METRICS,
    "/": ENVELOPE,
}

ROUTES: Mapping[str, tuple[str, ...]] = {
    "/insights/api/v3/public/usage-report/summary": ("GET",),
    "/insights/api/v3/public/usage-report/drilldown": ("GET",),
    "/api/v1/organization": ("GET",),
    "/api/v1/organization/teams": ("GET",),
    "/api/v1/organization/account-utilizations": ("GET",),
    "/api/v1/organization/usage": ("GET",),
    "/api/v1/organization/users": ("GET",),
    "/api/v1/license": ("GET",),
    "/api/v1/instance/permissions": ("GET",),
    "/api/v1/team/{teamId}/users": ("GET",),
    "/api/v1/team/account-utilizations": ("GET",),
    "/api/v1/team/{teamId}": ("GET",),
    "/api/v1/team/usage": ("GET",),
    "/api/v1/user/{user_id}": ("GET",),
    "/api/v1/user/usage": ("GET",),
    "/v2/clients/{client_id}/analytics/apps/utilization": ("GET",),
    "/v2/clients/{client_id}/analytics/apps/{app_id}/utilization": ("GET",),
    "/v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users": ("GET",),
    "/v2/clients/{client_id}/analytics/apps/{app_id}/activity": ("GET",),
    "/v2/clients/{client_id}/users": ("GET",),
    "/v2/clients/{client_id}/users/{user_id}": ("GET",),
    "/v2/clients/{client_id}/users/{user_id}/usage": ("GET",),
    "/v1/events": ("POST",),
    "/v1/coverage": ("GET",),
    "/v1/explain": ("GET",),
    "/v1/directory": ("PUT",),
    "/v1/directory/export": ("GET",),
    "/v1/users/{user_id}": ("DELETE",),
    "/v1/keys": ("GET", "POST"),
    "/v1/keys/{key_id}": ("DELETE",),
    "/v1/keys/{key_id}/rotate": ("POST",),
}


class ByPrefix(Family):
    """Whichever family owns the path that was called."""

    name = "edge"

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The error body of that family."""
        return family_at(path_called(request)).problem(error, status, request)


def family_at(path: str) -> Family:
    """The family whose prefix the path has."""
    inside = f"{path.rstrip('/')}/"  # the gateway leaves out a slash at the end
    return next(family for prefix, family in FAMILIES.items() if inside.startswith(prefix))


def path_called(request: Request) -> str:
    """The path below the stage and any base path, as the catch-all route caught it."""
    return "/" + request.parameters.get("proxy", "").lstrip("/")


def refuse_unknown(request: Request) -> NoReturn:
    """Say that the path is unknown, or which verbs it has."""
    path = path_called(request)
    for route, verbs in ROUTES.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path):
            raise NotAllowed(verbs)
    raise NotFound
