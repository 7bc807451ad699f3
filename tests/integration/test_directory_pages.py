"""A large export comes in pages, all of one version, and nobody sees a page that is not theirs."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest

from odometer.api.v1 import export
from odometer.domain.kinds import KINDS
from odometer.services.erasure import erase
from tests.support.forgetful_trail import FORGETFUL
from tests.support.memory_directory import ACME, NOON
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, Stack

PATH = "/v1/directory/export"


@pytest.fixture
def us(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> People:
    """An organization whose pages hold about six lines."""
    monkeypatch.setattr(export, "LARGEST_PAGE", 2_000)
    people_of(stack, OTHER)
    return people_of(stack, ACME)


def following(reply: Reply) -> str | None:
    link = reply.headers.get("Link")
    return link.partition("<")[2].partition(">")[0] if link else None


def walked(us: People, first: Reply) -> list[str]:
    """The lines of a page and of those that follow it."""
    lines, reply = first.text.splitlines(), first
    while query := following(reply):
        reply = us.stack.get(PATH + query, us.key("admin"))
        assert reply.status == 200
        assert len(json.dumps(reply.text)) <= 2_002
        lines += reply.text.splitlines()
    return lines


def test_the_pages_of_an_export_join_to_the_whole(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = us.stack.get(PATH, us.key("admin"))
    assert following(first)
    lines = walked(us, first)
    monkeypatch.setattr(export, "LARGEST_PAGE", 1_000_000)
    whole = us.stack.get(PATH, us.key("admin"))
    assert following(whole) is None
    assert lines == whole.text.splitlines()
    again = us.stack.call(
        "PUT",
        "/v1/directory",
        us.key("admin"),
        headers={"content-type": "application/x-ndjson"},
        body="\n".join(lines),
    )
    assert {row["status"] for row in again.json["results"]} == {"unchanged"}


def test_all_pages_show_the_version_of_the_first_without_whoever_was_erased(us: People) -> None:
    first = us.stack.get(PATH, us.key("admin"))
    us.stack.user(ACME, id=us.id("member"), username="renamed@example.com")
    us.stack.user(ACME, username="new@example.com")
    erase(us.stack.directories, ACME, us.id("stranger"), NOON + timedelta(hours=1), FORGETFUL)
    text = "\n".join(walked(us, first))
    assert us.username("member") in text
    assert "renamed@example.com" not in text
    assert "new@example.com" not in text
    assert us.id("stranger") not in text
    assert us.id("gone") in text


def test_a_cursor_is_worth_nothing_to_others_or_changed(us: People) -> None:
    query = following(us.stack.get(PATH, us.key("admin"))) or ""
    them = People(us.stack, OTHER)
    for url, key in (
        (PATH + query, them.key("admin")),
        (PATH + query[:-4], us.key("admin")),
        (f"{PATH}?cursor={quote('x' * 40)}", us.key("admin")),
    ):
        reply = us.stack.get(url, key)
        assert (reply.status, reply.json["error"]["message"]) == (400, "cursor: Invalid cursor")


def test_a_line_that_is_larger_than_a_page_is_a_page(
    us: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST_PAGE", 1)
    reply = us.stack.get(PATH, us.key("admin"))
    pages = 1
    while query := following(reply):
        assert len(reply.text.splitlines()) == 1
        reply = us.stack.get(PATH + query, us.key("admin"))
        pages += 1
    assert pages == 1 + len(KINDS) + 1 + 2 + 7
