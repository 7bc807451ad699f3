"""What each function does to AWS is what template.yaml grants it: no less, and no more."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest

from odometer.access.keys import AccessKey
from odometer.access.limits import Asked, Limits
from odometer.bootstrap import process
from odometer.storage.key_activity import activity_key
from tests.support.grants import not_granted, not_used
from tests.support.memory_directory import ACME
from tests.support.people import ORIGIN, YESTERDAY, People, people_of
from tests.support.stack import Reply, Stack
from tests.support.storage_calls import Call, record_calls
from tests.unit.test_template import granted, logical_id

RESOURCES = {
    "DirectoryTable": "directory",
    "ActivityTable": "activity",
    "LogTable": "log",
    "UsageTable": "usage",
    "Secret": "odometer",
}


Step = Callable[[People, str], Reply]


def ask(method: str, url: Callable[[People], str] | str, body: Any = None, **headers: str) -> Step:
    """A request of an Admin; the body may depend on who is there."""

    def step(us: People, key: str) -> Reply:
        path = url if isinstance(url, str) else url(us)
        sent = body(us) if callable(body) else body
        return us.stack.call(method, path, key, body=sent, headers=headers)

    return step


def get(url: Callable[[People], str] | str) -> list[Step]:
    return [ask("GET", url)]


def key_of_member(us: People) -> str:
    key = AccessKey.parse(us.key("member"))
    assert key
    return key.key_id


def owner_of_a_key(us: People) -> str:
    key_of_member(us)
    return us.id("member")


def beside_a_key_that_is_gone(us: People, key: str) -> Reply:
    """A page of keys, among whose last uses is one of a key that no longer exists."""
    table = replace(us.stack.directories.table, name="activity")
    table.put({"pk": ACME, "sk": activity_key("0" * 12), "used_at": 0})
    return us.stack.get("/v1/keys?limit=1", key)


def new_key(us: People) -> dict[str, Any]:
    return {"name": "new", "user": us.id("member"), "scopes": ["usage:read"]}


def event(us: People) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "usage",
        "id": "1",
        "source": "test",
        "subject": us.id("member"),
        "time": YESTERDAY.isoformat(timespec="seconds"),
        "data": {"product": "automation", "tests": 1},
    }


def export_across_a_change(us: People, key: str) -> Reply:
    """Both pages of a directory that is changed between them."""
    with patch("odometer.api.v1.export.LARGEST_PAGE", 500):
        link = us.stack.get("/v1/directory/export", key).headers["Link"]
        us.stack.user(ACME, username="later@acme.example")
        return us.stack.get(f"/v1/directory/export{link[1 : link.index('>')]}", key)


NEW_TOKEN = {"for": {"organization": True}, "expires_in": 60, "origins": [ORIGIN]}
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
    "v1/put_directory": [
        ask("PUT", "/v1/directory", {"teams": [{"name": "New"}]}),
        ask("PUT", "/v1/directory", {"teams": [{"name": "New", "is_default": True}]}),
    ],
    "v1/export_directory": [export_across_a_change],
    "v1/erase_user": [ask("DELETE", lambda us: f"/v1/users/{owner_of_a_key(us)}")],
    "v1/trail": get("/v1/audit") + get("/v1/audit?of=deployment"),
    "v1/create_embed_token": [ask("POST", "/v1/embed-tokens", NEW_TOKEN)],
    "v1/create_key": [ask("POST", "/v1/keys", new_key)],
    "v1/list_keys": [beside_a_key_that_is_gone, *get("/v1/keys")],
    "v1/revoke_key": [ask("DELETE", lambda us: f"/v1/keys/{key_of_member(us)}")],
    "v1/rotate_key": [ask("POST", lambda us: f"/v1/keys/{key_of_member(us)}/rotate")],
    "v1/send_events": [
        ask("POST", "/v1/events", event),
        ask("POST", "/v1/events", event, **{"idempotency-key": "once"}),
        ask("POST", "/v1/events", event, **{"idempotency-key": "once"}),
    ],
    "v1/coverage": get("/v1/coverage"),
    "edge/not_found": get("/nowhere"),
    "edge/page": get("/"),
}
"""What brings each function to do all that it ever does."""


@pytest.mark.parametrize("function", TOURS)
def test_a_function_uses_exactly_the_verbs_that_it_is_granted(stack: Stack, function: str) -> None:
    us = people_of(stack, ACME)
    key, calls_made = us.key("admin"), record_calls()
    stack.now = datetime.now(UTC)
    for step in TOURS[function]:
        process.cache_clear()
        be_busy(stack.now)
        assert step(us, key).status < 300 or function == "edge/not_found"
    grants = granted(logical_id(f"functions/{function}"))
    assert by_resource(each.call for each in calls_made.requests) == {
        RESOURCES[name]: verbs for name, verbs in grants.items()
    }
    name = logical_id(f"functions/{function}")
    assert not_granted(name, calls_made.requests) == []
    assert not_used(name, calls_made.requests) == []


def be_busy(now: datetime) -> None:
    """Let the process have served so much of the organization that it shares its counts."""
    for asked in Asked:
        load = process().loads.of(ACME, asked, now)
        load.limit(Limits(requests=1), asked)
        load.count("requests", 1, "key")


def by_resource(calls: Iterable[Call]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for call in calls:
        found.setdefault(call.resource, set()).add(call.verb)
    return found
