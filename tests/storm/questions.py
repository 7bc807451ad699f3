"""Questions of all families, which clients ask in the middle of a storm."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from tests.storm.plan import Place

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
ALL: Final = (JSON, CSV, NDJSON)


class Question(NamedTuple):
    """A path and a query, in which names in braces stand for what an organization has."""

    path: str
    query: Mapping[str, str]
    accept: Sequence[str] = ALL
    statuses: Sequence[int] = (200,)

    def of(self, place: Place, user: str, now: datetime) -> tuple[str, str]:
        """The route, and the path with its query."""
        ago, tomorrow = now - timedelta(days=60), now + timedelta(days=1)
        names = {
            "id": place.id,
            "app": place.app,
            "user": user,
            "from": f"{ago:%Y-%m-%d}",
            "to": f"{tomorrow:%Y-%m-%d}",
        }
        query = {name: value.format_map(names) for name, value in self.query.items()}
        path = quote(self.path.format_map(names))
        return self.path, f"{path}?{urlencode(query)}" if query else path


REPORT: Final = "/insights/api/v3/public/usage-report"
CLOCK: Final = {"from": "{from} 00:00:00", "to": "{to} 23:59:59"}
METRICS: Final = "/api/v1"
RANGE: Final = {"organizationId": "{id}", "from": "{from}", "to": "{to}"}
CLIENT: Final = "/v2/clients/{id}"
DAYS: Final = {"start_date": "{from}", "end_date": "{to}"}
SPAN: Final = {"from": "{from}", "to": "{to}"}

QUESTIONS: Final[Sequence[Question]] = (
    Question(f"{REPORT}/summary", {"type": "account-user", **CLOCK}, (JSON, CSV)),
    Question(f"{REPORT}/drilldown", {"type": "account-user", "product": "automation", **CLOCK}),
    Question(f"{REPORT}/drilldown", {"type": "account-user", "product": "smartui", **CLOCK}),
    Question(f"{METRICS}/organization", {}, (JSON,)),
    Question(f"{METRICS}/organization/teams", {"offset": "0", "limit": "50"}),
    Question(f"{METRICS}/organization/account-utilizations", {}),
    Question(f"{METRICS}/organization/usage", {**RANGE, "granularity": "weekly"}),
    Question(
        f"{METRICS}/organization/users",
        {"offset": "0", "limit": "40", "teamMember": "false", "active": "true"},
    ),
    Question(f"{METRICS}/instance/permissions", {}),
    Question(f"{METRICS}/license", {}, (JSON,)),
    Question(f"{CLIENT}/analytics/apps/utilization", DAYS),
    Question(f"{CLIENT}/analytics/apps/{{app}}/utilization", {**DAYS, "granularity": "monthly"}),
    Question(
        f"{CLIENT}/analytics/apps/{{app}}/utilization/users", {**DAYS, "granularity": "monthly"}
    ),
    Question(
        f"{CLIENT}/analytics/apps/{{app}}/activity",
        {**DAYS, "metric": "user-count", "granularity": "weekly"},
    ),
    Question(f"{CLIENT}/users", {"page_size": "20"}),
    Question("/v1/coverage", {}, (JSON,)),
    Question("/v1/seats", {"limit": "20"}),
    Question("/v1/me", {}, (JSON,)),
    Question("/v1/keys", {}, (JSON,)),
    Question("/v1/directory/export", {}, (NDJSON,)),
    Question("/v1/usage", {"product": "chat", "group_by": "team", "granularity": "week", **SPAN}),
    Question("/v1/usage", {"product": "{app}", "granularity": "day", **SPAN}),
    Question(
        "/v1/usage", {"kind": "test", "group_by": "product", "compare": "previous_period", **SPAN}
    ),
    Question(
        "/v1/explain",
        {"product": "chat", "measure": "lines", "from": "{from}T00:00:00Z", "to": "{to}T00:00:00Z"},
    ),
)
"""What a key of an Admin may ask; every one has an answer whatever was sent."""
