"""A cursor opens the chain it was made for, and nothing else: always a 400, never another's row."""

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.support.apps import (
    CLIENT,
    OFFICE,
    OTHER_APP,
    SALES,
    SARAH,
    USERS,
    Client,
    example_client,
    use,
)
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack

FEBRUARY = "granularity=daily&start_date=2026-02-01&end_date=2026-02-28"


@pytest.fixture
def client(stack: Stack) -> Client:
    return example_client(stack)


def first_cursor(client: Client) -> str:
    cursor = client.users(f"{FEBRUARY}&page_size=1").json["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


def turned_away(reply: Reply, message: str = "Invalid cursor") -> bool:
    error = reply.json["error"]
    same = (error["code"], error["message"]) == ("invalid_parameter", message)
    return reply.status == 400 and same and list(error["details"]) == ["cursor"]


def spoiled(cursor: str) -> Iterator[str]:
    """The cursor with single bits flipped, cut at either end, doubled, and in other alphabets."""
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for bit in range(0, 8 * len(content), 41):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        yield base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
    yield from (cursor[:1], cursor[:-1], cursor[1:], cursor[: len(cursor) // 2], cursor * 2)
    yield from ("null", "0", "eyJsYXN0X2lkIjoidTJiM2M0ZDUifQ", "%00", "%F0%9F%92%A9", "A" * 8000)


def test_a_whole_cursor_leads_on(client: Client) -> None:
    reply = client.users(f"{FEBRUARY}&page_size=1&cursor={first_cursor(client)}")
    usernames = [row["user"]["username"] for row in reply.json["data"]]
    assert (reply.status, usernames, reply.json["next_cursor"]) == (200, ["sarah.chen"], None)


def test_a_spoiled_cursor_is_refused_whatever_was_done_to_it(client: Client) -> None:
    attempts = list(spoiled(first_cursor(client)))
    assert len(attempts) > 20
    for attempt in attempts:
        reply = client.users(f"{FEBRUARY}&page_size=1&cursor={attempt}")
        assert reply.status == 400, attempt
        assert "cursor" in reply.json["error"]["details"]
        assert "james" not in reply.text


@pytest.mark.parametrize(
    "query",
    [
        FEBRUARY.replace("daily", "weekly"),
        FEBRUARY.replace("02-28", "02-27"),
        f"{FEBRUARY}&department_ids={SALES}",
        f"{FEBRUARY}&department_ids={OFFICE}",
        f"{FEBRUARY}&sort_order=asc",
        f"{FEBRUARY}&sort_by=username",
        f"{FEBRUARY}&compare=previous_period",
    ],
)
def test_a_cursor_is_of_one_period_order_and_filter(client: Client, query: str) -> None:
    assert turned_away(client.users(f"{query}&cursor={first_cursor(client)}"))


def test_a_cursor_is_of_one_route(client: Client) -> None:
    cursor = first_cursor(client)
    other_app = USERS.replace(USERS.split("/")[6], OTHER_APP)
    assert turned_away(client.get(other_app, f"{FEBRUARY}&cursor={cursor}"))
    assert turned_away(client.get(f"{CLIENT}/users", f"cursor={cursor}"))


def test_a_cursor_is_worth_nothing_to_another_client(client: Client) -> None:
    cursor = first_cursor(client)
    neighbour = Client(client.stack, OTHER)
    theirs = USERS.replace(client.organization, OTHER)
    assert turned_away(neighbour.get(theirs, f"{FEBRUARY}&cursor={cursor}"))
    assert neighbour.get(USERS, f"{FEBRUARY}&cursor={cursor}").status == 403


def test_a_cursor_lives_a_day(client: Client) -> None:
    query = f"{FEBRUARY}&page_size=1&cursor={first_cursor(client)}"
    client.later(timedelta(hours=23, minutes=59))
    assert client.users(query).status == 200
    client.later(timedelta(minutes=1))
    assert turned_away(client.users(query), "Cursor expired")


PAGES = {
    USERS: FEBRUARY,
    f"{CLIENT}/users": "",
    "/v1/explain": "measure=users&from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z",
}


@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("path", PAGES)
def test_whoever_takes_every_row_is_asked_for_no_page_and_sent_to_none(
    client: Client, path: str, media_type: str
) -> None:
    query = PAGES[path]
    whole = client.get(path, query, accept=media_type)
    assert (whole.status, "Link" in whole.headers) == (200, False)
    cursor = first_cursor(client)
    for paging in ("page_size=1", "page_size=banana", "page_size=1&page_size=2", "cursor=banana"):
        reply = client.get(path, f"{query}&{paging}", accept=media_type)
        assert (reply.status, reply.text) == (200, whole.text), paging
    client.later(timedelta(hours=25))
    assert client.get(path, f"{query}&cursor={cursor}", accept=media_type).status == 200


def test_every_row_is_that_of_now_whatever_chain_the_cursor_is_of(client: Client) -> None:
    cursor = client.get(f"{CLIENT}/users", "page_size=1").json["next_cursor"]
    client.stack.apply(ACME, "user", {"username": "came.later"})
    query = f"page_size=1&cursor={cursor}"
    assert "came.later" in client.get(f"{CLIENT}/users", query, accept="text/csv").text


# pages that the client has


@pytest.mark.parametrize("path", PAGES)
def test_a_page_with_a_cursor_is_not_sent_again_while_nothing_has_changed(
    client: Client, path: str
) -> None:
    query = f"{PAGES[path]}&page_size=1".lstrip("&")
    first = client.get(path, query)
    assert first.json["next_cursor"]
    client.later(timedelta(seconds=7))
    again = client.get(path, query, **{"if-none-match": first.headers["ETag"]})
    assert (again.status, again.text) == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sent_again_when_the_pages_after_it_have_changed(
    client: Client, path: str
) -> None:
    query = f"{PAGES[path]}&page_size=1".lstrip("&")
    tag = client.get(path, query).headers["ETag"]
    client.used(use(SARAH, client.now - timedelta(days=10), 5, 2))
    assert client.get(path, query, **{"if-none-match": tag}).status == 200


def test_a_page_that_is_not_sent_again_has_a_cursor_that_leads_on_for_hours(client: Client) -> None:
    query = f"{FEBRUARY}&page_size=1"
    kept = client.users(query)
    renewed = 0
    for _ in range(30):
        client.later(timedelta(hours=1))
        reply = client.users(query, **{"if-none-match": kept.headers["ETag"]})
        renewed += reply.status == 200
        kept = reply if reply.status == 200 else kept
        client.later(timedelta(hours=11))
        assert client.users(f"{query}&cursor={kept.json['next_cursor']}").status == 200
        client.later(-timedelta(hours=11))
    assert 2 <= renewed <= 3
