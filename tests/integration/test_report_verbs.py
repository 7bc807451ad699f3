"""What each report does to AWS is what template.yaml grants it: no less, and no more."""

from datetime import timedelta

import pytest

from odometer.bootstrap import process
from odometer.domain.people import Role
from tests.integration.test_verbs import RESOURCES, be_busy, by_resource
from tests.support.apps import APP, CLIENT, JAMES, USERS, Client, example_client
from tests.support.grants import not_granted, not_used
from tests.support.memory_directory import ACME
from tests.support.stack import Stack
from tests.support.storage_calls import record_calls
from tests.unit.test_template import granted, logical_id

INSIGHTS = "/insights/api/v3/public/usage-report"
WALL = "type=account-user&from=2026-02-01%2000:00:00&to=2026-02-28%2023:59:59"
RANGE = f"organizationId={ACME}&from=2026-02-01&to=2026-03-01&granularity=daily"
DAYS = "start_date=2026-02-01&end_date=2026-02-28"
APPS = f"{CLIENT}/analytics/apps"

TOURS = {
    "usage_report/summary": [f"{INSIGHTS}/summary?{WALL}"],
    "usage_report/drilldown": [f"{INSIGHTS}/drilldown?{WALL}&product=automation"],
    "usage_metrics/account_utilizations": ["/api/v1/organization/account-utilizations"],
    "usage_metrics/organization_usage": [f"/api/v1/organization/usage?{RANGE}"],
    "usage_metrics/team_account_utilizations": ["/api/v1/team/account-utilizations?teamId=core"],
    "usage_metrics/team_usage": [f"/api/v1/team/usage?{RANGE}&teamId=core"],
    "usage_metrics/user_usage": [f"/api/v1/user/usage?{RANGE}&userId={JAMES}"],
    "app_utilization/app_users": [f"{USERS}?{DAYS}&granularity=daily&page_size=1"],
    "app_utilization/app_detail": [f"{APPS}/{APP}/utilization?{DAYS}&granularity=daily"],
    "app_utilization/app_activity": [
        f"{APPS}/{APP}/activity?{DAYS}&granularity=daily&metric=active-time"
    ],
    "app_utilization/apps": [f"{APPS}/utilization?{DAYS}&page_size=1"],
    "app_utilization/users": [f"{CLIENT}/users?sort_by=last_activity&page_size=1"],
    "app_utilization/user": [f"{CLIENT}/users/{JAMES}"],
    "app_utilization/user_usage": [f"{CLIENT}/users/{JAMES}/usage?{DAYS}"],
    "v1/seats": [f"/v1/seats?product={APP},automation&limit=1"],
    "v1/me": ["/v1/me"],
    "v1/usage": [f"/v1/usage?product={APP}&period=last_month&group_by=user&limit=1"],
    "v1/explain": [
        f"/v1/explain?product={APP}&measure=active_ms&from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    ],
}
"""What brings each function to do all that it does, its second page included."""

IN_A_RACE = {"directory": {"GetItem"}}
"""The directory is opened again only when somebody was met after the request began."""


@pytest.fixture
def client(stack: Stack) -> Client:
    """February settled, and a log that has been silent for a while."""
    client = example_client(stack)
    client.put("team", id="core", name="Core")
    client.settle()
    client.later(timedelta(minutes=30))
    return client


def visit(client: Client, function: str, key: str) -> None:
    """Ask as the first request of a process, then for the page that follows, if one does."""
    (url,) = TOURS[function]
    forget_all()
    be_busy(client.now)
    reply = client.stack.get(url, key)
    assert reply.status == 200, reply.text
    cursor = reply.json.get("next_cursor") if isinstance(reply.json, dict) else None
    if cursor:
        forget_all()
        assert client.stack.get(f"{url}&cursor={cursor}", key).status == 200


def forget_all() -> None:
    process.cache_clear()


@pytest.mark.parametrize("function", TOURS)
def test_a_report_uses_exactly_the_verbs_that_it_is_granted(client: Client, function: str) -> None:
    key, calls_made = client.key_of(Role.ADMIN), record_calls()
    visit(client, function, key)
    used = by_resource(calls_made.calls)
    for name, verbs in granted(logical_id(f"functions/{function}")).items():
        resource = RESOURCES[name]
        spare = IN_A_RACE.get(resource, set())
        assert verbs - spare <= used.pop(resource, set()) <= verbs, resource
    assert used == {}
    name = logical_id(f"functions/{function}")
    assert not_granted(name, calls_made.requests) == []
    unused = not_used(name, calls_made.requests)
    assert [each for each, _ in unused if each.verb not in IN_A_RACE.get(each.resource, ())] == []
