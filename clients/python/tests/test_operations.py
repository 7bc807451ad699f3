"""Both clients ask every operation of a deployment in this process."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.python.tests.conftest import Served
from odometer_client import AsyncClient, Client, Conflict, NotFound, operations
from odometer_client.operations import Call
from tests.support.usage_sender import ago, run, usage_event

KIND = {
    "kind": "kind",
    "name": "document",
    "label": "Documents",
    "days": "utc",
    "measures": [{"name": "credits", "unit": "credits", "decimals": 2}],
    "breakdowns": ["format"],
}
PRODUCT = {"kind": "product", "id": "docs", "name": "Docs", "product_kind": "document"}
TODAY = datetime.now(UTC).date()


def exact_event(name: str, spent: str, who: str = "ada@example.com") -> dict[str, Any]:
    data = {"product": "docs", "credits": Decimal(spent), "format": "pdf"}
    return usage_event(name, subject=who, data=data, source="tests", time=ago(minutes=2))


class Asked:
    """One of the two clients, with results as the blocking one gives them."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.called.add(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            found = getattr(self.client, name)(*args, **kwargs)
            if isinstance(found, Awaitable):
                return self.loop.run_until_complete(found)
            if hasattr(found, "__aiter__"):
                return self.loop.run_until_complete(listed(found))
            return list(found) if name.endswith("_pages") else found

        return call

    loop = asyncio.new_event_loop()


async def listed(pages: Any) -> list[Any]:
    return [each async for each in pages]


@pytest.fixture(params=["client", "async_client"])
def asked(served: Served, request: pytest.FixtureRequest) -> Asked:
    return Asked(getattr(served, request.param)())


def test_every_operation_is_answered(asked: Asked) -> None:
    ask_everything(asked, lambda: run("fold"))


def ask_everything(asked: Asked, count_events: Callable[[], object]) -> None:
    """Ask every operation of an organization that has no usage yet."""
    ask_about_usage(asked, count_events)
    ask_about_the_directory(asked)
    make_keys(asked)
    assert asked.called >= described(), described() - asked.called


def ask_about_usage(asked: Asked, count_events: Callable[[], object]) -> None:
    done = asked.put_directory([KIND, PRODUCT]).results
    assert [each.status for each in done] == ["created", "created"]
    events = [exact_event("1", "0.10"), exact_event("2", "0.25", "bob@example.com"), {}]
    receipt = asked.send(events, idempotency_key="once")
    assert (receipt.accepted, receipt.rejected) == (2, 1)
    assert [(each.index, each.code) for each in receipt.errors] == [(2, "invalid_specversion")]
    count_events()
    with pytest.raises(Conflict) as conflict:
        asked.send(events[:1], idempotency_key="once")
    assert (conflict.value.status, conflict.value.code) == (409, "conflict")

    usage = asked.usage(product="docs", start=TODAY - timedelta(7), end=TODAY + timedelta(2))
    assert usage.totals["credits"].value == Decimal("0.35")
    assert isinstance(usage.totals["credits"].value, Decimal)
    pages = asked.usage_pages(
        product=["docs"], period="7d", group_by="user", granularity="day", sort="name", limit=1
    )
    groups = [group for page in pages for group in page]
    assert [group.name for group in groups] == ["ada@example.com", "bob@example.com"]
    assert groups[0].by == "user"
    assert sum(block.figures["credits"] for block in groups[0].series) == Decimal("0.1")
    (by_format,) = asked.usage(product="docs", period="7d", group_by="format")
    assert (by_format.by, by_format.id, by_format.name) == ("format", "pdf", "pdf")

    me = asked.me()
    assert (me.caller.type, me.caller.subject) == ("key", {"organization": True})
    (kind,) = [each for each in me.kinds if each.name == "document"]
    assert [(each.name, each.decimals) for each in kind.measures] == [("credits", 2)]

    now = datetime.now(UTC)
    question = {"product": "docs", "measure": "credits", "start": now - timedelta(1), "end": now}
    assert asked.explain(**question).value == Decimal("0.35")
    assert [each.value for each in asked.explain_pages(**question)] == [Decimal("0.35")]

    (docs,) = asked.coverage(product="docs", start=TODAY - timedelta(1)).products
    assert [(each.source, each.events) for each in docs.sources] == [("tests", 2)]
    assert docs.last_event_at.tzinfo is not None

    seats = asked.seats(inactive_days=7, limit=1)
    assert (len(seats.data), seats.total_count, seats.seats.active) == (1, 3, 2)
    users = [seat.user.id for page in asked.seats_pages(limit=1) for seat in page]
    assert len(set(users)) == 3


def ask_about_the_directory(asked: Asked) -> None:
    rows = [row for page in asked.export_directory_pages() for row in page]
    assert rows == asked.export_directory()
    assert rows[0]["kind"] == "organization"

    ada = next(row["id"] for row in rows if row.get("username") == "ada@example.com")
    assert asked.erase_user(ada) is None
    with pytest.raises(NotFound):
        asked.usage(product="docs", period="7d", user="ada@example.com")


def make_keys(asked: Asked) -> None:
    key = asked.create_key(name="ci", user="bob@example.com", scopes=["usage:read"])
    assert key.access_key.startswith("odo_")
    assert str(key.access_key) not in repr(key)
    rotated = asked.rotate_key(key.key_id, grace_seconds=60)
    assert (rotated.key_id, rotated.former_until is None) == (key.key_id, False)
    assert asked.revoke_key(key.key_id) is None
    assert [each.name for each in asked.list_keys() if each.revoked_at] == ["ci"]

    token = asked.create_embed_token(
        subject={"organization": True}, expires_in=60, origins=["https://app.example.com"]
    )
    assert token.token.startswith("oet_")
    assert str(token.token) not in repr(token)


LISTED_KEY = {
    "key_id": "a",
    "prefix": "odo_a",
    "name": "ci",
    "user": "u",
    "scopes": ["usage:read"],
    "created_at": "2026-02-28T12:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}


def a_page_of_keys(request: httpx.Request) -> httpx.Response:
    """One key on each of three pages, of which the second is empty."""
    here = request.url.params.get("cursor", "a")
    following = {"a": "b", "b": "c"}.get(here)
    link = {"Link": f'<?cursor={following}>; rel="next"'} if following else {}
    rows = [] if here == "b" else [{**LISTED_KEY, "key_id": here}]
    return httpx.Response(200, json={"keys": rows, "next_cursor": following}, headers=link)


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_all_keys_are_listed_whatever_pages_they_come_in(
    client: type[Client | AsyncClient],
) -> None:
    transport = httpx.MockTransport(a_page_of_keys)
    asked = Asked(client("https://odometer.example", "odo_key", transport=transport))
    assert [each.key_id for each in asked.list_keys()] == ["a", "c"]


def described() -> set[str]:
    """The operations that there are, which both clients have under the same names."""
    return {
        name
        for name, each in vars(operations).items()
        if inspect.isfunction(each) and "Call[" in str(each.__annotations__.get("return"))
        if name not in ("get", "post", "page_after")
    }


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_method_has_the_words_and_parameters_of_its_operation(client: type[Any]) -> None:
    assert client.usage.__doc__ == operations.usage.__doc__
    names = list(inspect.signature(client("https://x.test", "odo_x").create_key).parameters)
    assert names == ["name", "user", "scopes", "expires_at"]


def test_every_operation_is_a_method_of_both_clients() -> None:
    for client in (Client, AsyncClient):
        assert {name for name in described() if not hasattr(client, name)} == set()


def returned(call: Call[Any], names: Iterable[str]) -> list[str]:
    return [call.query[name] for name in names]


def test_parameters_are_written_as_the_api_reads_them() -> None:
    question = operations.usage(
        product=("docs", "slides"),
        start=datetime(2026, 1, 2, 3, tzinfo=UTC),
        end=date(2026, 2, 1),
        limit=5,
    )
    wanted = ["docs,slides", "2026-01-02T03:00:00+00:00", "2026-02-01", "5"]
    assert returned(question, ["product", "from", "to", "limit"]) == wanted
    assert operations.revoke_key("../users/1").path == "/v1/keys/%2E%2E%2Fusers%2F1"
