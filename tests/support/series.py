"""Usage over time, asked for as clients do: February 2026 when a test does not say."""

from datetime import UTC, datetime
from typing import Any

from tests.support.people import People
from tests.support.stack import Reply

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
COMPLETION, CHAT = "code-completions", "chat"


def at(day: int, clock: str = "10:00:00", month: int = 2) -> datetime:
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{clock}Z")


def ask(us: People, path: str = "organization", who: str = "admin", **changes: str | None) -> Reply:
    """Ask for February, by default; a parameter that is None is left out."""
    query: dict[str, str | None] = {
        "organizationId": us.organization,
        "from": "2026-02-01",
        "to": "2026-03-01",
        "granularity": "all",
        **changes,
    }
    sent = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
    return us.stack.get(f"/api/v1/{path}/usage?{sent}", us.key(who))


def blocks(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply
    found: list[dict[str, Any]] = reply.json["usage"]["data"]
    return found
