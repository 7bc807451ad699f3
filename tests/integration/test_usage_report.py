"""What the usage report answers, whole: JSON as published, lines, caching, and who may ask."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from odometer.access.policy import Scope
from odometer.api.usage_report.family import BASE, ReportedProduct
from odometer.web import messages
from tests.support.memory_directory import ACME
from tests.support.people import People, basic, bearer, people_of
from tests.support.stack import OTHER, Reply, Stack
from tests.support.usage_sender import UsageSender, used

DAY = {"from": "2026-06-23 00:00:00", "to": "2026-06-23 23:59:59"}
NOW = datetime(2026, 6, 24, 12, tzinfo=UTC)
NO_TESTS = {"totalTests": 0, "totalDuration": 0}
FORMULA = "=cmd|'/c calc'!A1"


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{clock}Z")


@pytest.fixture
def us(stack: Stack) -> People:
    """An organization whose use of 23 June is known, beside one that uses everything."""
    us, other = people_of(stack, ACME), people_of(stack, OTHER)
    stack.now = NOW
    for people, name in ((us, "robot@acme.example"), (other, "robot@globex.example")):
        row = {"id": people.id("robot"), "username": name, "type": "service-user"}
        stack.apply(people.organization, "user", row)
    stack.apply(ACME, "user", {"id": "acme-formula", "username": FORMULA})
    usage_sender = UsageSender(ACME)
    member, lead, robot = (us.username(who) for who in ("member", "lead", "robot"))
    events = [
        used(member, "automation", at("22 23:59:59"), 50, 50),
        used(member, "automation", at("23 00:00:00"), 3, 120),
        used(member, "automation", at("23 23:59:59"), 1, 5),
        used(member, "automation", at("24 00:00:00"), 100, 100),
        used(lead, "automation", at("23 12:00:00"), 4, 125),
        used(FORMULA, "automation", at("23 09:30:00"), 4, 126),
        used(robot, "automation", at("23 12:00:00"), 10, 1000),
        used(member, "smartui", at("23 12:00:00"), 7),
        used(robot, "smartui", at("23 12:00:00"), 9),
        used(robot, "hyperexecute", at("23 12:00:00"), 0, 9),
    ]
    usage_sender.send(events[::2], at("24 00:10:00"))
    usage_sender.settle(NOW)
    usage_sender.send(events[1::2], NOW)
    UsageSender(OTHER).send(
        [used(other.username("member"), each, at("23 12:00:00"), 1000) for each in ReportedProduct],
        NOW,
    )
    return us


def ask(us: People, endpoint: str, headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
    query = {"type": "account-user", **DAY, **query}
    sent = bearer(us.key("admin")) if headers is None or "authorization" not in headers else {}
    url = f"{BASE}/{endpoint}?{urlencode(query)}"
    return us.stack.get(url, **{**sent, **(headers or {})})


def drilldown(us: People, headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
    return ask(us, "drilldown", headers, **{"product": "automation", **query})


def row(us: People, who: str, **measures: int) -> dict[str, Any]:
    name = us.username(who)
    return {"id": us.id(who), "username": name, "email": name, **measures}


def ran(us: People, who: str, tests: int, duration: int) -> dict[str, Any]:
    return row(us, who, totalTestsRun=tests, totalDuration=duration)


def formula_row() -> dict[str, Any]:
    names = {"id": "acme-formula", "username": FORMULA, "email": ""}
    return {**names, "totalTestsRun": 4, "totalDuration": 126}


def test_a_summary_has_all_products_of_the_users_of_one_type(us: People) -> None:
    reply = ask(us, "summary")
    assert reply.json == {
        "status": "success",
        "data": {
            "metadata": {
                "type": "account-user",
                "totalUsers": 3,
                **DAY,
                "timezone": "+00:00",
                "organization": {"id": ACME, "name": "Acme Corp"},
            },
            "products": {
                "automation": {"totalTests": 12, "totalDuration": 376},
                "app-automation": NO_TESTS,
                "hyperexecute": NO_TESTS,
                "realtime": NO_TESTS,
                "realdevice": NO_TESTS,
                "smartui": {"totalScreenshots": 7},
            },
        },
    }


def test_a_summary_of_service_users_is_of_them_alone(us: People) -> None:
    data = ask(us, "summary", type="service-user").json["data"]
    assert data["metadata"]["totalUsers"] == 1
    assert data["products"] == {
        **{product.value: NO_TESTS for product in ReportedProduct},
        "automation": {"totalTests": 10, "totalDuration": 1000},
        "hyperexecute": {"totalTests": 0, "totalDuration": 9},
        "smartui": {"totalScreenshots": 9},
    }


def test_a_drilldown_ranks_the_users_of_one_type_beside_the_totals_of_everybody(us: People) -> None:
    assert drilldown(us).json == {
        "status": "success",
        "data": {
            "metadata": {
                "type": "account-user",
                "product": "automation",
                "totalUsers": 3,
                "totalTests": 22,
                "totalDuration": 1376,
                **DAY,
                "timezone": "+00:00",
                "organization": {"id": ACME, "name": "Acme Corp"},
                "pagination": {"limit": 10, "page": 1, "total": 3, "totalPages": 1},
            },
            "users": [formula_row(), ran(us, "lead", 4, 125), ran(us, "member", 4, 125)],
        },
    }


def test_a_drilldown_of_smartui_speaks_of_screenshots_only(us: People) -> None:
    data = drilldown(us, product="smartui").json["data"]
    assert data["users"] == [row(us, "member", totalScreenshots=7)]
    assert data["metadata"] == {
        "type": "account-user",
        "product": "smartui",
        "totalUsers": 1,
        "totalScreenshots": 16,
        **DAY,
        "timezone": "+00:00",
        "organization": {"id": ACME, "name": "Acme Corp"},
        "pagination": {"limit": 10, "page": 1, "total": 1, "totalPages": 1},
    }


def test_names_stand_in_the_published_order(us: People) -> None:
    metadata = list(drilldown(us).json["data"]["metadata"])
    assert metadata == [
        *("type", "product", "totalUsers", "totalTests", "totalDuration"),
        *("from", "to", "timezone", "organization", "pagination"),
    ]
    assert list(ask(us, "summary").json["data"]["metadata"]) == [
        *("type", "totalUsers", "from", "to", "timezone", "organization")
    ]


def test_the_type_is_the_one_that_a_user_has_now(us: People) -> None:
    us.stack.apply(ACME, "user", {"id": "acme-lead", "type": "service-user"})
    assert [each["id"] for each in drilldown(us).json["data"]["users"]] == [
        "acme-formula",
        "acme-member",
    ]


def test_the_last_second_counts_and_the_next_does_not(us: People) -> None:
    def tests(start: str, last: str) -> Any:
        query: dict[str, Any] = {"from": f"2026-06-{start}", "to": f"2026-06-{last}"}
        return drilldown(us, **query).json["data"]["metadata"]["totalTests"]

    assert tests("23 00:00:00", "23 23:59:58") == 21
    assert tests("23 00:00:00", "23 23:59:59") == 22
    assert tests("23 00:00:00", "24 00:00:00") == 122
    assert tests("22 23:59:59", "23 00:00:00") == 53


def test_a_page_past_the_end_is_empty_and_its_totals_are_true(us: People) -> None:
    first, past = (drilldown(us, page=page).json["data"] for page in (1, 9))
    pagination = {"limit": 10, "page": 9, "total": 3, "totalPages": 1}
    assert past == {"metadata": {**first["metadata"], "pagination": pagination}, "users": []}


def test_nobody_is_no_pages(us: People) -> None:
    data = drilldown(us, product="realtime").json["data"]
    assert data["users"] == []
    assert data["metadata"]["totalUsers"] == 0
    assert data["metadata"]["pagination"] == {"limit": 10, "page": 1, "total": 0, "totalPages": 0}


def test_someone_met_after_the_request_began_has_a_name(us: People) -> None:
    stranger = "stranger@nowhere.example"
    UsageSender(ACME).send([used(stranger, "automation", at("23 10:00:00"), 99)], NOW)
    first = drilldown(us).json["data"]["users"][0]
    assert (first["username"], first["email"], first["totalTestsRun"]) == (stranger, stranger, 99)


# what comes with an answer


def test_an_answer_says_what_it_speaks_of_how_far_it_is_complete_and_what_it_cost(
    us: People,
) -> None:
    reply = drilldown(us, timezone="+05:45")
    named = ("Content-Type", "Cache-Control", "Vary", "X-Query-Range", "X-Data-Through")
    assert {name: reply.headers[name] for name in named} == {
        "Content-Type": "application/json",
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding",
        "X-Query-Range": "2026-06-22T18:15:00Z/2026-06-23T18:15:00Z",
        "X-Data-Through": "2026-06-24T11:58:00Z",
    }
    assert float(reply.headers["X-Read-Units"]) > 0


@pytest.mark.parametrize("known", ["W/{}", "{}", 'W/"other", {}', "*"])
@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "application/x-ndjson"])
def test_an_answer_that_the_client_has_is_not_sent_again(
    us: People, known: str, media_type: str
) -> None:
    accept = {"accept": media_type}
    tag = drilldown(us, accept).headers["ETag"]
    sent = known.format(tag.removeprefix("W/"))
    again = drilldown(us, {**accept, "if-none-match": sent})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    assert "Content-Type" not in again.headers


def test_an_answer_that_has_changed_is_sent(us: People) -> None:
    tags = {
        drilldown(us).headers["ETag"],
        drilldown(us, page=2).headers["ETag"],
        drilldown(us, {"accept": "text/csv"}).headers["ETag"],
    }
    UsageSender(ACME).send([used(us.username("lead"), "automation", at("23 13:00:00"), 1)], NOW)
    reply = drilldown(us, {"if-none-match": ", ".join(tags)})
    assert reply.status == 200
    assert reply.headers["ETag"] not in tags
    assert len(tags) == 3


# lines


def test_a_table_has_every_row_and_no_formula(us: People) -> None:
    reply = drilldown(us, {"accept": "text/csv"}, limit=1, page=2)
    assert reply.headers["Content-Type"] == "text/csv"
    assert reply.text.split("\r\n") == [
        "id,username,email,totalTestsRun,totalDuration",
        f"acme-formula,'{FORMULA},,4,126",
        "acme-lead,lead@acme.example,lead@acme.example,4,125",
        "acme-member,member@acme.example,member@acme.example,4,125",
        "",
    ]


@pytest.mark.parametrize("paging", [{"page": "banana"}, {"limit": "0"}, {"page": 7, "limit": 3}])
def test_a_table_has_every_row_whichever_page_was_asked_for(
    us: People, paging: dict[str, Any]
) -> None:
    accept = {"accept": "text/csv"}
    reply = drilldown(us, accept, **paging)
    assert (reply.status, reply.text) == (200, drilldown(us, accept).text)
    assert drilldown(us, {"accept": "image/png"}, page="banana").status == 400


def test_lines_have_every_row(us: People) -> None:
    reply = drilldown(us, {"accept": "application/x-ndjson"}, limit=1)
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert list(map(json.loads, reply.text.splitlines())) == [
        formula_row(),
        ran(us, "lead", 4, 125),
        ran(us, "member", 4, 125),
    ]


def test_a_table_of_nobody_has_its_columns(us: People) -> None:
    tables = [
        drilldown(us, {"accept": "text/csv"}, product=each, to="2026-06-23 00:00:01").text
        for each in ("realtime", "smartui")
    ]
    assert tables == [
        "id,username,email,totalTestsRun,totalDuration\r\n",
        "id,username,email,totalScreenshots\r\n",
    ]


def test_a_summary_is_a_line_for_each_product(us: People) -> None:
    assert ask(us, "summary", {"accept": "text/csv"}).text.split("\r\n") == [
        "product,totalTests,totalDuration,totalScreenshots",
        "automation,12,376,",
        "app-automation,0,0,",
        "hyperexecute,0,0,",
        "realtime,0,0,",
        "realdevice,0,0,",
        "smartui,,,7",
        "",
    ]
    lines = ask(us, "summary", {"accept": "application/x-ndjson"}).text.splitlines()
    assert json.loads(lines[-1]) == {"product": "smartui", "totalScreenshots": 7}


@pytest.mark.parametrize("accept", ["image/png", "text/html, image/*", "*/*;q=0", "text/csv;q=x"])
@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
def test_an_accept_that_nothing_fits_gets_json(us: People, endpoint: str, accept: str) -> None:
    replies = [ask(us, endpoint, each, product="automation") for each in ({"accept": accept}, {})]
    assert {(reply.status, reply.text) for reply in replies} == {(200, replies[1].text)}
    assert replies[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ("identity", "the answer is too large without gzip"),
        ("gzip", "the answer is too large: narrow from, to"),
    ],
)
def test_rows_that_lambda_cannot_carry_are_refused_with_what_makes_fewer(
    us: People, monkeypatch: pytest.MonkeyPatch, accept: str, message: str
) -> None:
    monkeypatch.setattr(messages, "COMPRESSED_FROM", 99)
    monkeypatch.setattr(messages, "ANSWER_LIMIT", 150)
    reply = drilldown(us, {"accept": "text/csv", "accept-encoding": accept})
    assert (reply.status, reply.json) == (400, {"status": "error", "message": message})


# who may ask


@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
def test_nobody_known_is_challenged_before_anything_is_read(us: People, endpoint: str) -> None:
    wrong = [{}, bearer("nonsense"), basic("manager@acme.example", us.key("admin"))]
    for headers in wrong:
        reply = us.stack.get(f"{BASE}/{endpoint}?type=nonsense", **headers)
        message = "Invalid or missing Basic Auth credentials"
        assert (reply.status, reply.json) == (401, {"status": "error", "message": message})
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="odometer", charset="UTF-8"'


@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
def test_only_admins_may_ask_with_keys_for_reading_usage(us: People, endpoint: str) -> None:
    keys = [*map(us.key, ("manager", "lead", "member")), us.key("admin", Scope.READ_DIRECTORY)]
    for key in keys:
        reply = us.stack.get(f"{BASE}/{endpoint}?type=nonsense", key)
        message = "admin access required"
        assert (reply.status, reply.json) == (403, {"status": "error", "message": message})


def test_username_and_key_are_as_good_as_a_token(us: People) -> None:
    proof = basic(us.username("admin"), us.key("admin", Scope.READ_USAGE))
    assert drilldown(us, proof).text == drilldown(us).text


def test_an_answer_is_the_same_to_the_byte_whatever_the_neighbour_does(us: People) -> None:
    before = [ask(us, "summary").text, drilldown(us).text]
    neighbours = UsageSender(OTHER)
    neighbours.send([used("member@globex.example", "automation", at("23 01:00:00"), 10**6)], NOW)
    neighbours.settle(NOW)
    assert [ask(us, "summary").text, drilldown(us).text] == before
