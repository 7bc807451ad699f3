"""The client of the published examples: one app, two departments, and use of one's own choice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.domain.people import Role
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack
from tests.support.usage_sender import UsageSender, used

APP = "f1a2b3c4-d5e6-7890-abcd-ef1234567890"
OTHER_APP = "f2b3c4d5-e6f7-8901-bcde-f12345678901"
THEIR_APP = "f3c4d5e6-f7a8-9012-cdef-123456789012"
SALES = "d1a2b3c4-e5f6-7890-abcd-ef1234567890"
OFFICE = "d2b3c4d5-e6f7-8901-bcde-f12345678901"
JAMES = "u1a2b3c4-d5e6-7890-abcd-ef1234567890"
SARAH = "u2b3c4d5-e6f7-8901-bcde-f12345678901"
CLIENT = f"/v2/clients/{ACME}"
USERS = f"{CLIENT}/analytics/apps/{APP}/utilization/users"
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLATFORMS = {None: 0} | {name: at for at, name in enumerate(KINDS["app"].platforms, 1)}


def use(
    who: str,
    at: datetime,
    active_ms: int,
    sessions: int = 1,
    *,
    app: str = APP,
    platform: str | None = "desktop",
) -> Event[str]:
    name = f"{who} {at} {active_ms} {sessions} {app} {platform}"
    event = used(who, app, at, active_ms, sessions, event=name)
    return event._replace(platform=PLATFORMS[platform])


def daily(who: str, days: Iterable[date], total_ms: int, zone: str = "UTC") -> list[Event[str]]:
    """A use at noon of each day; all together they take `total_ms`."""
    noons = [datetime.combine(day, time(12), ZoneInfo(zone)) for day in days]
    share, rest = divmod(total_ms, len(noons))
    return [use(who, noon, share + (at < rest)) for at, noon in enumerate(noons)]


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(ahead) for ahead in range(count)]


@dataclass(eq=False)
class Client:
    """An organization with two apps, two departments and an Admin."""

    stack: Stack
    organization: str = ACME
    now: datetime = MARCH
    usage_sender: UsageSender = field(init=False)

    def __post_init__(self) -> None:
        self.stack.now = self.now
        self.usage_sender = UsageSender(self.organization)
        self.put("product", id=APP, name="Editor", kind="app")
        self.put("product", id=OTHER_APP, name="Board", kind="app")
        self.put("department", id=SALES, name="Sales")
        self.put("department", id=OFFICE, name="Office")
        self.admin = self.key_of(Role.ADMIN)

    def put(self, what: str, /, **row: object) -> str:
        return self.stack.apply(self.organization, what, row)

    def key_of(self, role: Role) -> str:
        name = f"{role.value}@{self.organization[:4]}.example"
        user = self.put("user", username=name, role=role)
        return self.stack.key(self.organization, user, now=self.now)

    def person(self, user_id: str, username: str, *departments: str, **row: object) -> str:
        """Put a user whose `user_key` is an e-mail address made of the username."""
        key = f"{username}@example.com"
        names = {"id": user_id, "username": username, "user_key": key}
        return self.put("user", **names, departments=list(departments), **row)

    def used(self, *events: Event[str]) -> None:
        self.usage_sender.send(events, self.now)

    def settle(self) -> None:
        self.usage_sender.settle(self.now)

    def later(self, passed: timedelta) -> None:
        self.now += passed
        self.stack.now = self.now

    def get(self, path: str, query: str = "", key: str | None = None, **headers: str) -> Reply:
        url = f"{path}?{query}" if query else path
        return self.stack.get(url, key or self.admin, **headers)

    def users(self, query: str, **headers: str) -> Reply:
        return self.get(USERS, query, **headers)


def example_client(stack: Stack) -> Client:
    """The published examples, and another organization with the same names."""
    client = Client(stack)
    client.person(JAMES, "james.wilson", SALES)
    client.person(SARAH, "sarah.chen", OFFICE)
    client.used(*example_figures())
    neighbour = Client(stack, OTHER)
    neighbour.person(JAMES, "james.wilson", SALES)
    neighbour.used(*daily(JAMES, days_from(date(2026, 2, 1), 28), 10**9))
    return client


def example_figures() -> Sequence[Event[str]]:
    """24 and 21 days in February 2026, and the averages of January that they are compared with."""
    february, january = date(2026, 2, 1), date(2026, 1, 1)
    return [
        *daily(JAMES, days_from(february, 23), 24 * 6_060_000 - 60_000),
        use(JAMES, datetime(2026, 2, 28, 17, 42, tzinfo=UTC), 60_000),
        *daily(JAMES, days_from(january, 20), 20 * 5_386_666),
        *daily(SARAH, days_from(february, 19), 21 * 5_520_000 - 120_000),
        use(SARAH, datetime(2026, 2, 27, 9, tzinfo=UTC), 60_000, platform="web"),
        use(SARAH, datetime(2026, 2, 28, 16, 10, tzinfo=UTC), 60_000),
        *daily(SARAH, days_from(january, 31), 31 * 5_756_000),
    ]


FEBRUARY = "granularity=monthly&start_date=2026-02-01&end_date=2026-02-28"
COMPARED = f"{FEBRUARY}&compare_start_date=2026-01-01&compare_end_date=2026-01-31"


def user_row(
    user: str, username: str, desktop_at: str, web_at: str | None, average: list[Any], days: int
) -> dict[str, Any]:
    """A row of an app's users; `average` is its value, its change and the value compared with."""
    return {
        "user": {
            "id": user,
            "username": username,
            "user_key": f"{username}@example.com",
            "last_activity": {"at": desktop_at, "desktop_at": desktop_at, "web_at": web_at},
        },
        "avg_time_ms_per_day": dict(
            zip(("value", "change_pct", "compare_value"), average, strict=True)
        ),
        "days_active": days,
    }


def james(change: float | None = None, compared: int | None = None) -> dict[str, Any]:
    at = "2026-02-28T17:42:00.000Z"
    return user_row(JAMES, "james.wilson", at, None, [6_060_000, change, compared], 24)


def sarah(change: float | None = None, compared: int | None = None) -> dict[str, Any]:
    desktop_at, web_at = "2026-02-28T16:10:00.000Z", "2026-02-27T09:00:00.000Z"
    return user_row(SARAH, "sarah.chen", desktop_at, web_at, [5_520_000, change, compared], 21)


COMPARE = ("compare_start_date", "compare_end_date")
PERIOD = {"start_date": "2026-02-01", "end_date": "2026-02-28", **dict.fromkeys(COMPARE)}
COMPARED_PERIOD = {**PERIOD, **dict(zip(COMPARE, ("2026-01-01", "2026-01-31"), strict=True))}


def ranked(client: Client, query: str) -> list[str]:
    return [row["user"]["id"] for row in client.users(query).json["data"]]


def get_json(client: Client, path: str, query: str = "") -> Any:
    answer = client.get(path, query)
    assert answer.status == 200, answer
    return answer.json
