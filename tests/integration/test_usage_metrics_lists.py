"""The lists of the directory as lines: every row, whatever part of them a page would show."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import OTHER, Reply, stack_on_moto

LISTS = {
    "/api/v1/organization/teams": "offset=1&limit=1",
    "/api/v1/organization/users": "offset=1&limit=1&teamMember=true&active=true",
    "/api/v1/instance/permissions": "role=Member",
    "/api/v1/team/{team}/users": "offset=1&limit=1",
}


@pytest.fixture(scope="module")
def us() -> Iterator[People]:
    """The cast, with a team and a user whose names a spreadsheet would reckon with."""
    with stack_on_moto() as stack:
        people_of(stack, OTHER)
        us = people_of(stack, ACME)
        stack.apply(ACME, "team", {"id": "sum", "name": "=SUM(A1)"})
        stack.apply(ACME, "user", {"id": "plus", "username": "+1", "team": us.id("core")})
        yield us


def ask(us: People, path: str, **headers: str) -> Reply:
    url = f"{path.format(team=us.id('core'))}?{LISTS.get(path, '')}"
    return us.stack.get(url, us.key("admin"), **headers)


def rows(us: People, path: str) -> list[dict[str, Any]]:
    """The whole list, asked for as pages."""
    url = f"{path.format(team=us.id('core'))}?{LISTS[path]}".replace("offset=1&limit=1", "")
    found = us.stack.get(f"{url}&offset=0&limit=0", us.key("admin")).json
    whole: list[dict[str, Any]] = found["data"] if isinstance(found, dict) else found
    return whole


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_given_in_lines_whole(us: People, path: str) -> None:
    reply = ask(us, path, accept="application/x-ndjson")
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in reply.text.splitlines()] == rows(us, path)
    assert len(rows(us, path)) > 1


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_given_as_a_table_without_formulas(us: People, path: str) -> None:
    reply = ask(us, path, accept="text/csv")
    expected = [{name: cell(value) for name, value in row.items()} for row in rows(us, path)]
    assert reply.headers["Content-Type"] == "text/csv"
    assert list(csv.DictReader(io.StringIO(reply.text))) == expected


def cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(("=", "+")) else text


@pytest.mark.parametrize("path", LISTS)
def test_a_list_that_has_not_changed_is_not_sent_again(us: People, path: str) -> None:
    first = ask(us, path)
    assert "X-Query-Range" not in first.headers
    assert ask(us, path, **{"if-none-match": first.headers["ETag"]}).status == 304


@pytest.mark.parametrize("path", ["organization/teams", "organization/users", "team/{}/users"])
def test_a_table_ignores_paging(us: People, path: str) -> None:
    url = f"/api/v1/{path.format(us.id('core'))}"
    whole, *others = (
        us.stack.get(f"{url}{query}", us.key("admin"), accept="text/csv")
        for query in ("?offset=0&limit=0", "", "?limit=banana&offset=-1", "?limit=1&limit=2")
    )
    assert len(whole.text.splitlines()) > 2
    for other in others:
        assert (other.status, other.text) == (200, whole.text)


def test_an_empty_table_has_its_columns(us: People) -> None:
    url = "/api/v1/organization/users?offset=0&limit=0&teamMember=true&active=false"
    reply = us.stack.get(url, us.key("admin"), accept="text/csv")
    assert reply.text == "id,username,email,role,verified,deactivatedAt,updatedAt\r\n"


@pytest.mark.parametrize("path", [*LISTS, "/api/v1/organization", "/api/v1/license"])
@pytest.mark.parametrize("accept", ["text/html", "image/*", "*/*;q=0"])
def test_an_accept_that_nothing_fits_gets_json(us: People, path: str, accept: str) -> None:
    replies = [ask(us, path, **each) for each in ({"accept": accept}, {})]
    assert {(reply.status, reply.text) for reply in replies} == {(200, replies[1].text)}
    assert replies[0].headers["Content-Type"] == "application/json"
