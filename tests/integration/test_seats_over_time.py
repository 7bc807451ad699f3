"""GET /v1/seats while people work, come back, move and are paged through."""

from __future__ import annotations

from datetime import timedelta

import pytest

from odometer.domain.people import Role
from tests.support.apps import OTHER_APP, SALES, Client, get_json, use
from tests.support.seats import CORE, IDS, SEATS, admin_seat, client_on, listed, whole
from tests.support.stack import Stack


@pytest.fixture
def client(stack: Stack) -> Client:
    return client_on(stack)


def test_seats_are_answered_whole_before_and_after_they_are_settled(client: Client) -> None:
    expected = whole(admin_seat(client))
    assert get_json(client, SEATS) == expected
    client.settle()
    assert get_json(client, SEATS) == expected


def test_of_one_product_the_last_use_is_that_of_the_product(client: Client) -> None:
    for is_settled in (False, True):
        if is_settled:
            client.settle()
        answer = get_json(client, SEATS, f"product={OTHER_APP}&q=ann")
        (row,) = answer["data"]
        assert row["last_active"] == {"at": "2026-02-27T09:00:00Z", "product": OTHER_APP}
        assert (row["active_days"], row["status"]) == (1, "active")
        assert answer["seats"]["never_used"] == 3


def test_who_came_back_has_the_seat_since_then_and_what_was_used_before_counts(
    client: Client,
) -> None:
    client.put("user", id=IDS["eve"], state="registered", state_since=1_772_400_000_000)
    (row,) = get_json(client, SEATS, "q=eve")["data"]
    assert (row["state"], row["seat_since"]) == ("registered", "2026-03-01T21:20:00.000Z")
    assert (row["status"], row["active_days"]) == ("active", 1)


def test_days_are_those_of_the_organization(client: Client) -> None:
    """In Kiritimati Fay worked on the evening of the 28th, and it is the evening of the 2nd."""
    client.put("organization", time_zone="Pacific/Kiritimati")
    client.settle()
    answer = client.get(SEATS, "inactive_days=2&status=active")
    assert answer.headers["X-Query-Range"] == "2026-02-28T10:00:00Z/2026-03-02T10:00:00Z"
    assert listed(client, "inactive_days=2&status=active") == ["ann"]
    assert listed(client, "inactive_days=3&status=active") == ["fay", "ann"]


def test_usage_of_years_that_are_not_kept_is_none(client: Client) -> None:
    assert listed(client, "status=inactive") == ["bob"]
    client.put("organization", retention_years=1)
    assert listed(client, "status=inactive") == []
    assert "bob" in listed(client, "status=never_used")


def test_pages_join_while_people_go_on(client: Client) -> None:
    whole = get_json(client, SEATS, "limit=1000")
    client.settle()
    found, query = [], "limit=1"
    while True:
        page = get_json(client, SEATS, query)
        found += page["data"]
        if not page["next_cursor"]:
            break
        client.used(use(IDS["bob"], client.now, 1, len(found)))
        client.settle()
        client.later(timedelta(hours=2))
        query = f"limit=1&cursor={page['next_cursor']}"
        assert page["as_of"] == whole["as_of"]
        assert page["seats"] == whole["seats"]
    assert found == whole["data"]
    assert listed(client, "status=inactive") == []


def test_a_lead_asks_about_the_own_team_and_a_member_about_nobody_else(client: Client) -> None:
    lead = client.put("user", username="lead@x.example", role=Role.TEAM_LEAD, team=CORE)
    key = client.stack.key(client.organization, lead, now=client.now)
    client.put("team", id="other", name="Other")
    assert client.get(SEATS, f"team={CORE}", key).json["seats"]["licensed"] is None
    for query in ("", "team=other", "team=nothing", f"department={SALES}"):
        assert client.get(SEATS, query, key).status == 403
    member = client.stack.key(client.organization, IDS["cid"], now=client.now)
    for query in ("", f"team={CORE}", f"user={IDS['ann']}"):
        assert client.get(SEATS, query, member).status == 403
    (row,) = client.get(SEATS, f"user={IDS['cid']}", member).json["data"]
    assert row["status"] == "never_used"
