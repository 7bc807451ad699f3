"""An organization whose seats are used, or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.apps import APP, OTHER_APP, SALES, Client, get_json, use
from tests.support.stack import OTHER, Stack
from tests.support.usage_sender import used

SEATS = "/v1/seats"
CORE = "core"
IDS = {name: f"u-{name}" for name in ("ann", "bob", "cid", "dot", "eve", "fay")}
STATES = (*["registered"] * 3, "invited", "deactivated", "registered")
YEAR_MS = 1_767_225_600_000  # 2026-01-01


def client_on(stack: Stack) -> Client:
    """Ann works today, Bob did long ago, Cid never; Dot is invited, Eve left, Fay uses tests."""
    client = Client(stack)
    client.put("license", exp=1, iat=0, seats=9, seats_cap=9)
    client.put("team", id=CORE, name="Core")
    for name, state in zip(IDS, STATES, strict=True):
        place = {"team": CORE} if name in ("ann", "cid") else {}
        departments = [SALES] if name in ("ann", "bob") else []
        since = {"state": state, "state_since": YEAR_MS}
        client.person(IDS[name], name, *departments, **place, **since)
    client.used(
        use(IDS["ann"], client.now - timedelta(hours=1), 5),
        use(IDS["ann"], client.now - timedelta(days=3), 5, app=OTHER_APP),
        use(IDS["ann"], client.now - timedelta(days=3, hours=1), 5),
        use(IDS["bob"], datetime(2025, 12, 24, 18, tzinfo=UTC), 5, app=OTHER_APP),
        use(IDS["eve"], client.now - timedelta(days=4), 5),
        used(IDS["fay"], "automation", client.now - timedelta(days=2), 1, 1, event="fay"),
    )
    neighbour = Client(stack, OTHER)
    neighbour.person(IDS["cid"], "cid")
    neighbour.used(use(IDS["cid"], client.now - timedelta(hours=1), 5))
    return client


def seat(name: str, status: str, at: str | None, product: str | None, **more: Any) -> Any:
    user: dict[str, Any] = {"id": IDS[name], "username": name, "email": ""}
    user |= {"team": None, "departments": []}
    return {
        "user": user | more.pop("user", {}),
        "state": "registered",
        "seat_since": "2026-01-01T00:00:00.000Z",
        "last_active": {"at": at, "product": product},
        "active_days": 0,
        "status": status,
        **more,
    }


TEAM = {"id": CORE, "name": "Core"}
SALES_REF = {"id": SALES, "name": "Sales"}


def whole(admin: Any) -> Any:
    never = sorted(
        [admin, seat("cid", "never_used", None, None, user={"team": TEAM})],
        key=lambda row: row["user"]["id"],
    )
    invited = seat("dot", "invited", None, None, state="invited")
    first = sorted([*never, invited], key=lambda row: row["user"]["id"])
    return {
        "as_of": "2026-03-02T09:00:00Z",
        "seats": {
            "licensed": 9,
            "assigned": 5,
            "active": 2,
            "inactive": 1,
            "never_used": 2,
            "invited": 1,
        },
        "data": [
            *first,
            seat(
                "bob",
                "inactive",
                "2025-12-24T18:00:00Z",
                OTHER_APP,
                user={"departments": [SALES_REF]},
            ),
            seat("fay", "active", "2026-02-28T09:00:00Z", "automation", active_days=1),
            seat(
                "ann",
                "active",
                "2026-03-02T08:00:00Z",
                APP,
                active_days=2,
                user={"team": TEAM, "departments": [SALES_REF]},
            ),
        ],
        "total_count": 6,
        "next_cursor": None,
    }


def admin_seat(client: Client) -> Any:
    """The Admin who asks has a seat, too, and never uses it."""
    (found,) = (
        row for row in get_json(client, SEATS, "q=admin@")["data"] if row["status"] == "never_used"
    )
    return found


def listed(client: Client, query: str) -> list[str]:
    rows = get_json(client, SEATS, query)["data"]
    return [r["user"]["username"] for r in rows if r["user"]["username"] in IDS]
