"""What clients ask of the published families: every operation, in every shape of its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from odometer.domain.kinds import DEFAULT_PRODUCTS
from tests.support.apps import APP, JAMES, OTHER_APP, SALES, Client, example_client
from tests.support.memory_directory import ACME
from tests.support.people import people_of
from tests.support.stack import Reply, Stack
from tests.support.usage_sender import used

Value = str | int | bool
FAMILIES = ("usage_report", "usage_metrics", "app_utilization")


@dataclass(frozen=True)
class Question:
    """A request for one operation, its parameters as a program has them."""

    path: str
    query: Mapping[str, Value] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    """What the path names."""

    def __str__(self) -> str:
        return self.url(self.query)

    def url(self, query: Mapping[str, object]) -> str:
        """The request as Python clients send it: `True`, not `true`."""
        path = self.path.format_map(self.named)
        return f"{path}?{urlencode(query)}" if query else path


def asked(path: str, /, **query: Value) -> Question:
    """A question; a word of Python goes with an underscore after it."""
    return Question(path, {name.removesuffix("_"): value for name, value in query.items()}, NAMED)


NAMED = {
    "client_id": ACME,
    "app_id": APP,
    "teamId": "acme-core",
    "user_id": "acme-member",
}


def about(user_id: str, question: Question) -> Question:
    return Question(question.path, question.query, {**NAMED, "user_id": user_id})


REPORT = "/insights/api/v3/public/usage-report"
DAY = {"from_": "2026-02-03 00:00:00", "to": "2026-02-03 23:59:59", "timezone": "+00:00"}
NEVER = {"from_": "1999-02-03 00:00:00", "to": "1999-02-03 23:59:59"}
PEOPLE = {"type": "account-user"}
MACHINES = {"type": "service-user"}
METRICS = "/api/v1"
RANGE = {"organizationId": ACME, "from_": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
TEAM = {"teamId": "acme-core"}
APPS = "/v2/clients/{client_id}/analytics/apps"
DAYS = {"start_date": "2026-02-01", "end_date": "2026-02-28"}
COMPARED = {**DAYS, "compare_start_date": "2026-01-01", "compare_end_date": "2026-01-31"}
MONTHLY = {"granularity": "monthly"}

QUESTIONS: Sequence[Question] = [
    asked(f"{REPORT}/summary", **PEOPLE, **DAY),
    asked(f"{REPORT}/summary", **MACHINES, **DAY),
    asked(f"{REPORT}/summary", **PEOPLE, **NEVER),
    asked(f"{REPORT}/drilldown", product="automation", **PEOPLE, **DAY),
    asked(f"{REPORT}/drilldown", product="automation", **MACHINES, **DAY),
    asked(f"{REPORT}/drilldown", product="smartui", **PEOPLE, **DAY),
    asked(f"{REPORT}/drilldown", product="smartui", page=9, limit=100, **PEOPLE, **DAY),
    asked(f"{REPORT}/drilldown", product="realtime", **PEOPLE, **NEVER),
    asked(f"{METRICS}/organization"),
    asked(f"{METRICS}/organization/teams"),
    asked(f"{METRICS}/organization/teams", offset=0, limit=5000),
    asked(f"{METRICS}/organization/account-utilizations"),
    asked(f"{METRICS}/organization/account-utilizations", startDate="2026-01"),
    asked(f"{METRICS}/organization/account-utilizations", startDate="2031-01"),
    asked(f"{METRICS}/organization/usage", granularity="all", **RANGE),
    asked(f"{METRICS}/organization/usage", granularity="weekly", **RANGE),
    asked(f"{METRICS}/organization/users", offset=0, limit=5000),
    asked(f"{METRICS}/organization/users", offset=0, limit=1),
    asked(f"{METRICS}/organization/users", offset=0, limit=0, teamMember=True),
    asked(f"{METRICS}/organization/users", offset=0, limit=0, teamMember=False, active=False),
    asked(f"{METRICS}/license"),
    asked(f"{METRICS}/instance/permissions"),
    asked(f"{METRICS}/instance/permissions", role="Member"),
    asked(f"{METRICS}/team/{{teamId}}/users", offset=0, limit=5000),
    asked(f"{METRICS}/team/account-utilizations", **TEAM),
    asked(f"{METRICS}/team/{{teamId}}"),
    asked(f"{METRICS}/team/usage", granularity="monthly", **TEAM, **RANGE),
    asked(f"{METRICS}/user/{{user_id}}"),
    about("acme-admin", asked(f"{METRICS}/user/{{user_id}}")),
    about("acme-robot", asked(f"{METRICS}/user/{{user_id}}")),
    asked(f"{METRICS}/user/usage", userId="acme-member", granularity="daily", **RANGE),
    asked(f"{APPS}/{{app_id}}/utilization/users", **MONTHLY, **DAYS),
    asked(f"{APPS}/{{app_id}}/utilization/users", **MONTHLY, **COMPARED, page_size=1),
    asked(f"{APPS}/{{app_id}}/utilization/users", **MONTHLY, **DAYS, department_ids=SALES),
    asked(f"{APPS}/{{app_id}}/utilization", **MONTHLY, **DAYS),
    asked(f"{APPS}/{{app_id}}/utilization", **MONTHLY, **COMPARED),
    asked(f"{APPS}/{{app_id}}/activity", metric="user-count", granularity="weekly", **DAYS),
    asked(f"{APPS}/utilization", **DAYS),
    asked(f"{APPS}/utilization", **COMPARED, page_size=1),
    asked("/v2/clients/{client_id}/users"),
    asked("/v2/clients/{client_id}/users", page_size=1, sort_by="last_activity"),
    about(JAMES, asked("/v2/clients/{client_id}/users/{user_id}")),
    asked("/v2/clients/{client_id}/users/{user_id}/usage", **DAYS),
    about("acme-admin", asked("/v2/clients/{client_id}/users/{user_id}/usage", **DAYS)),
]


@dataclass(frozen=True)
class Answering:
    """An organization that has an answer to each question, and the key of an Admin."""

    client: Client
    key: str

    def to(self, question: Question) -> Reply:
        return self.to_url(str(question))

    def to_url(self, url: str) -> Reply:
        return self.client.stack.get(url, self.key)


def answering(stack: Stack) -> Answering:
    """Somebody of every kind, one without team and e-mail among them, and use of every product."""
    us = people_of(stack, ACME)
    robot = {"id": "acme-robot", "username": "robot", "type": "service-user"}
    stack.apply(ACME, "user", robot)
    client = example_client(stack)
    at = datetime(2026, 2, 3, 10, tzinfo=UTC)
    whole = [*DEFAULT_PRODUCTS, APP, OTHER_APP]
    names = us.username("member"), "robot"
    client.used(*(used(who, product, at, 3, 2, 1) for who in names for product in whole))
    client.settle()
    return Answering(client, us.key("admin"))
