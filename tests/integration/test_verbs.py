"""What each function does to AWS is what template.yaml grants it: no less, and no more."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from odometer.access.keys import AccessKey
from odometer.storage import activity, secret, tenancy
from tests.support.book import ACME
from tests.support.cast import YESTERDAY, Cast, cast_of
from tests.support.stack import Reply, Stack
from tests.support.taps import Call, tapped
from tests.unit.test_template import granted, logical_id

RESOURCES = {
    "DirectoryTable": "directory",
    "ActivityTable": "activity",
    "LogTable": "log",
    "UsageTable": "usage",
    "Secret": "odometer",
}


Step = Callable[[Cast, str], Reply]


def ask(method: str, url: Callable[[Cast], str] | str, body: Any = None, **headers: str) -> Step:
    """A request of an Admin; the body may depend on who is there."""

    def step(us: Cast, key: str) -> Reply:
        path = url if isinstance(url, str) else url(us)
        sent = body(us) if callable(body) else body
        return us.stack.call(method, path, key, body=sent, headers=headers)

    return step


def get(url: Callable[[Cast], str] | str) -> list[Step]:
    return [ask("GET", url)]


def key_of_member(us: Cast) -> str:
    key = AccessKey.read(us.key("member"))
    assert key
    return key.key_id


def owner_of_a_key(us: Cast) -> str:
    key_of_member(us)
    return us.id("member")


def new_key(us: Cast) -> dict[str, Any]:
    return {"name": "new", "user": us.id("member"), "scopes": ["usage:read"]}


def event(us: Cast) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "usage",
        "id": "1",
        "source": "test",
        "subject": us.id("member"),
        "time": YESTERDAY.isoformat(timespec="seconds"),
        "data": {"product": "automation", "tests": 1},
    }


TOURS: dict[str, list[Step]] = {
    "usage_metrics/organization": get("/api/v1/organization"),
    "usage_metrics/teams": get("/api/v1/organization/teams"),
    "usage_metrics/organization_users": get("/api/v1/organization/users?offset=0&limit=0"),
    "usage_metrics/license": get("/api/v1/license"),
    "usage_metrics/permissions": get("/api/v1/instance/permissions"),
    "usage_metrics/team_users": get(
        lambda us: f"/api/v1/team/{us.id('core')}/users?offset=0&limit=0"
    ),
    "usage_metrics/team": get(lambda us: f"/api/v1/team/{us.id('core')}"),
    "usage_metrics/user": get(lambda us: f"/api/v1/user/{us.id('member')}"),
    "intake/put_directory": [
        ask("PUT", "/v1/directory", {"teams": [{"name": "New"}]}),
        ask("PUT", "/v1/directory", {"teams": [{"name": "New", "is_default": True}]}),
    ],
    "intake/export_directory": get("/v1/directory/export"),
    "intake/erase_user": [ask("DELETE", lambda us: f"/v1/users/{owner_of_a_key(us)}")],
    "intake/create_key": [ask("POST", "/v1/keys", new_key)],
    "intake/list_keys": get("/v1/keys"),
    "intake/revoke_key": [ask("DELETE", lambda us: f"/v1/keys/{key_of_member(us)}")],
    "intake/rotate_key": [ask("POST", lambda us: f"/v1/keys/{key_of_member(us)}/rotate")],
    "intake/send_events": [
        ask("POST", "/v1/events", event),
        ask("POST", "/v1/events", event, **{"idempotency-key": "once"}),
        ask("POST", "/v1/events", event, **{"idempotency-key": "once"}),
    ],
    "intake/coverage": get("/v1/coverage"),
    "edge/not_found": get("/nowhere"),
}
"""What brings each function to do all that it ever does."""


@pytest.mark.parametrize("function", TOURS)
def test_a_function_uses_exactly_the_verbs_that_it_is_granted(stack: Stack, function: str) -> None:
    us = cast_of(stack, ACME)
    key, tap = us.key("admin"), tapped()
    for step in TOURS[function]:
        for remembered in (tenancy.forget, activity.forget, secret.secret.cache_clear):
            remembered()
        assert step(us, key).status < 300 or function == "edge/not_found"
    grants = granted(logical_id(f"functions/{function}"))
    assert by_resource(tap.calls) == {RESOURCES[name]: verbs for name, verbs in grants.items()}


def by_resource(calls: Iterable[Call]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for call in calls:
        found.setdefault(call.resource, set()).add(call.verb)
    return found
