"""The users of one app: the published examples to the letter, and every row of its tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from odometer.access.policy import Scope
from odometer.domain.people import Role
from odometer.web import messages
from tests.support.apps import (
    APP,
    CLIENT,
    COMPARED,
    COMPARED_PERIOD,
    FEBRUARY,
    JAMES,
    OFFICE,
    OTHER_APP,
    PERIOD,
    SALES,
    SARAH,
    USERS,
    Client,
    example_client,
    james,
    ranked,
    sarah,
)
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, stack_on_moto


@pytest.fixture(scope="module")
def settled() -> Iterator[Client]:
    """The client of the examples; its days are sealed."""
    with stack_on_moto() as stack:
        client = example_client(stack)
        client.settle()
        yield client


def refusal(message: str, **details: Any) -> dict[str, Any]:
    return {"error": {"code": "invalid_parameter", "message": message, "details": details}}


# the published examples


def test_the_top_users_of_an_app(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&page_size=5")
    expected = {
        "period": PERIOD,
        "data": [james(), sarah()],
        "total_count": 2,
        "next_cursor": None,
    }
    assert (answer.status, answer.json) == (200, expected)
    assert answer.text == json.dumps(expected, separators=(",", ":"))


def test_the_full_list_month_over_month(settled: Client) -> None:
    answer = settled.users(f"{COMPARED}&sort_by=avg_time_change&sort_order=desc")
    expected = {
        "period": COMPARED_PERIOD,
        "data": [james(12.5, 5_386_666), sarah(-4.1, 5_756_000)],
        "total_count": 2,
        "next_cursor": None,
    }
    assert (answer.status, answer.json) == (200, expected)


def test_one_department(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&department_ids={SALES}")
    assert answer.status == 200
    assert answer.json == {
        "period": PERIOD,
        "data": [james()],
        "total_count": 1,
        "next_cursor": None,
    }


def test_an_empty_result(settled: Client) -> None:
    answer = settled.get(USERS.replace(APP, OTHER_APP), FEBRUARY)
    assert answer.status == 200
    assert answer.text == (
        '{"period":{"start_date":"2026-02-01","end_date":"2026-02-28",'
        '"compare_start_date":null,"compare_end_date":null},'
        '"data":[],"total_count":0,"next_cursor":null}'
    )


def test_the_example_of_an_error_word_for_word(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&sort_by=avgDailyTime")
    assert answer.status == 400
    assert answer.json == {
        "error": {
            "code": "invalid_parameter",
            "message": "Unknown sort_by: avgDailyTime. "
            "Valid values: avg_time, avg_time_change, days_active, username",
            "details": {"sort_by": "avgDailyTime"},
        }
    }


# parameters, row by row

BAD_DATE = "Expected a date as YYYY-MM-DD"
GRANULARITIES = "daily, weekly, monthly, quarterly"
COME_TOGETHER = "compare_start_date and compare_end_date must come together"
EXCLUDE = "compare and the comparison dates exclude each other"
LONG = "x" * 100
Case = tuple[Mapping[str, str | None], dict[str, Any]]
REFUSALS: list[Case] = [
    ({"granularity": None}, refusal("granularity is required", granularity=None)),
    (
        {"granularity": "hourly"},
        refusal(
            f"Unknown granularity: hourly. Valid values: {GRANULARITIES}", granularity="hourly"
        ),
    ),
    (
        {"granularity": ""},
        refusal(f"Unknown granularity: . Valid values: {GRANULARITIES}", granularity=""),
    ),
    ({"start_date": None}, refusal("start_date is required", start_date=None)),
    ({"end_date": None}, refusal("end_date is required", end_date=None)),
    (
        {"start_date": "01.02.2026"},
        refusal(f"Invalid start_date: 01.02.2026. {BAD_DATE}", start_date="01.02.2026"),
    ),
    (
        {"start_date": "2026-02-30"},
        refusal(f"Invalid start_date: 2026-02-30. {BAD_DATE}", start_date="2026-02-30"),
    ),
    *(
        (
            {"start_date": day},
            refusal(
                f"Invalid start_date: {day}. {BAD_DATE} of the years 1970 to 2999", start_date=day
            ),
        )
        for day in ("0000-01-01", "0001-01-01", "1969-12-31", "3000-01-01", "9999-12-31")
    ),
    (
        {"end_date": "20260228"},
        refusal(f"Invalid end_date: 20260228. {BAD_DATE}", end_date="20260228"),
    ),
    (
        {"end_date": "2026-02-28T00:00"},
        refusal(f"Invalid end_date: 2026-02-28T00:00. {BAD_DATE}", end_date="2026-02-28T00:00"),
    ),
    (
        {"end_date": "2026-01-31"},
        refusal("end_date is before start_date", start_date="2026-02-01", end_date="2026-01-31"),
    ),
    (
        {"end_date": "2027-02-02"},
        refusal("Date range exceeds 366 days", start_date="2026-02-01", end_date="2027-02-02"),
    ),
    (
        {"compare_start_date": "2026-01-01"},
        refusal(COME_TOGETHER, compare_start_date="2026-01-01", compare_end_date=None),
    ),
    (
        {"compare_end_date": "2026-01-31"},
        refusal(COME_TOGETHER, compare_start_date=None, compare_end_date="2026-01-31"),
    ),
    (
        {"compare_start_date": "2026-01-32", "compare_end_date": "2026-01-31"},
        refusal(
            f"Invalid compare_start_date: 2026-01-32. {BAD_DATE}", compare_start_date="2026-01-32"
        ),
    ),
    (
        {"compare_start_date": "2026-01-01", "compare_end_date": "2025-12-31"},
        refusal(
            "compare_end_date is before compare_start_date",
            compare_start_date="2026-01-01",
            compare_end_date="2025-12-31",
        ),
    ),
    (
        {"compare_start_date": "2024-12-31", "compare_end_date": "2026-01-01"},
        refusal(
            "Date range exceeds 366 days",
            compare_start_date="2024-12-31",
            compare_end_date="2026-01-01",
        ),
    ),
    (
        {"compare": "last_year"},
        refusal("Unknown compare: last_year. Valid values: previous_period", compare="last_year"),
    ),
    (
        {
            "compare": "previous_period",
            "compare_start_date": "2026-01-01",
            "compare_end_date": "2026-01-31",
        },
        refusal(
            EXCLUDE,
            compare="previous_period",
            compare_start_date="2026-01-01",
            compare_end_date="2026-01-31",
        ),
    ),
    (
        {"department_ids": ""},
        refusal("Invalid department_ids: . Expected UUIDs separated by commas", department_ids=""),
    ),
    (
        {"department_ids": f"{SALES},"},
        refusal(
            f"Invalid department_ids: {SALES},. Expected UUIDs separated by commas",
            department_ids=f"{SALES},",
        ),
    ),
    (
        {"department_ids": "sales"},
        refusal(
            "Invalid department_ids: sales. Expected UUIDs separated by commas",
            department_ids="sales",
        ),
    ),
    (
        {"department_ids": ",".join([SALES] * 51)},
        refusal(
            f"Invalid department_ids: {f'{SALES},{SALES}'[:64]}. Expected 1 to 50 UUIDs",
            department_ids=f"{SALES},{SALES}"[:64],
        ),
    ),
    (
        {"department_id": "sales"},
        refusal(
            "Invalid department_id: sales. Expected UUIDs separated by commas",
            department_id="sales",
        ),
    ),
    (
        {"sort_order": "DESC"},
        refusal("Unknown sort_order: DESC. Valid values: asc, desc", sort_order="DESC"),
    ),
    *[
        (
            {"page_size": size},
            refusal(
                f"Invalid page_size: {size}. Expected an integer from 1 to 200", page_size=size
            ),
        )
        for size in ("0", "201", "-1", "5.0", "1_0", "ten", "", "+5", "\u0665")
    ],
    ({"cursor": "abc"}, refusal("Invalid cursor", cursor="abc")),
    ({"cursor": LONG}, refusal("Invalid cursor", cursor=LONG[:64])),
    ({"sort": "asc"}, refusal("Unknown parameter: sort", sort="asc")),
    ({"app_id": APP}, refusal("Unknown parameter: app_id", app_id=APP)),
]
"""What is changed of a good query, and the answer to it."""


@pytest.mark.parametrize(("changed", "expected"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_bad_parameter_is_named(
    settled: Client, changed: Mapping[str, str | None], expected: dict[str, Any]
) -> None:
    good = dict(pair.split("=") for pair in FEBRUARY.split("&"))
    sent = {name: value for name, value in {**good, **changed}.items() if value is not None}
    answer = settled.users(urlencode(sent))
    assert (answer.status, answer.json) == (400, expected)


def test_a_parameter_sent_twice_has_no_value(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&sort_by=username&sort_by=username")
    assert answer.status == 400
    assert answer.json == refusal("sort_by was sent more than once", sort_by="username")


@pytest.mark.parametrize("granularity", ["daily", "weekly", "monthly", "quarterly"])
def test_granularity_is_checked_and_alters_nothing(settled: Client, granularity: str) -> None:
    answer = settled.users(FEBRUARY.replace("monthly", granularity))
    assert answer.json["data"] == [james(), sarah()]


def test_366_days_are_the_most(settled: Client) -> None:
    for days in (
        "start_date=2025-03-01&end_date=2026-03-01",
        "start_date=2024-01-01&end_date=2024-12-31",
    ):
        assert settled.users(f"granularity=daily&{days}").status == 200


def test_dates_far_from_any_use_are_answered(settled: Client) -> None:
    for days in (
        "start_date=1970-01-01&end_date=1970-12-31",
        "start_date=2999-01-01&end_date=2999-12-31",
    ):
        answer = settled.users(f"granularity=daily&{days}&compare=previous_period")
        assert (answer.status, answer.json["data"]) == (200, [])


def test_the_previous_period_is_as_long_and_ends_the_day_before(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&compare=previous_period")
    assert answer.json["period"] == {
        **PERIOD,
        "compare_start_date": "2026-01-04",
        "compare_end_date": "2026-01-31",
    }


# departments


def test_departments_are_united_and_an_unknown_one_is_empty(settled: Client) -> None:
    unknown = SALES.replace("d", "e")
    assert ranked(settled, f"{FEBRUARY}&department_ids={SALES},{OFFICE}") == [JAMES, SARAH]
    assert ranked(settled, f"{FEBRUARY}&department_ids={SALES},{SALES.upper()}") == [JAMES]
    assert ranked(settled, f"{FEBRUARY}&department_ids={unknown}") == []


def test_the_former_name_of_the_department_filter_still_works_and_says_so(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&department_id={SALES}")
    assert answer.json["data"] == [james()]
    said = {name: answer.headers.get(name) for name in ("Deprecation", "Sunset", "Link")}
    assert said == {
        "Deprecation": "@1795132800",
        "Sunset": "Sat, 20 Nov 2027 00:00:00 GMT",
        "Link": '<urn:odometer:deprecation:department_id>; rel="deprecation"',
    }


def test_the_plural_wins_when_both_names_come(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&department_id={SALES}&department_ids={OFFICE}")
    assert answer.json["data"] == [sarah()]
    assert "Deprecation" in answer.headers


def test_the_current_name_is_not_deprecated(settled: Client) -> None:
    answer = settled.users(f"{FEBRUARY}&department_ids={SALES}")
    assert {"Deprecation", "Sunset", "Link"}.isdisjoint(answer.headers)


# who may ask, and for what


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": {}}}


UNAUTHORIZED = (401, error("unauthorized", "Authentication required"))
FORBIDDEN = (403, error("forbidden", "Insufficient permissions for this client"))
NOT_FOUND = (404, error("not_found", "App or client not found"))


def status_and_body(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.json


def test_checks_are_made_in_their_order(settled: Client) -> None:
    nobody, other = f"/v2/clients/{'x' * 36}", f"/v2/clients/{OTHER}"
    mine = f"/v2/clients/{ACME}"
    rest = f"/analytics/apps/{APP}/utilization/users"
    no_app = "/analytics/apps/nothing/utilization/users"
    stack, bad = settled.stack, "?granularity=never"
    assert status_and_body(stack.get(nobody + rest + bad)) == UNAUTHORIZED
    assert status_and_body(stack.get(nobody + rest + bad, settled.admin)) == NOT_FOUND
    assert status_and_body(stack.get(other + no_app + bad, settled.admin)) == FORBIDDEN
    assert stack.get(mine + no_app + bad, settled.admin).status == 400
    assert status_and_body(stack.get(f"{mine}{no_app}?{FEBRUARY}", settled.admin)) == NOT_FOUND


@pytest.mark.parametrize(
    "app_id", ["automation", "00000000-0000-0000-0000-000000000000", "x", f"{APP}0"]
)
def test_what_is_no_app_of_the_client_is_not_found(settled: Client, app_id: str) -> None:
    assert status_and_body(settled.get(USERS.replace(APP, app_id), FEBRUARY)) == NOT_FOUND


def test_ids_in_a_path_are_read_in_either_case(settled: Client) -> None:
    path = USERS.replace(APP, APP.upper()).replace(ACME, ACME.upper())
    assert settled.get(path, FEBRUARY).json["total_count"] == 2


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.MANAGER, 200), (Role.TEAM_LEAD, 403), (Role.MEMBER, 403)],
)
def test_who_may_ask_depends_on_the_role(settled: Client, role: Role, status: int) -> None:
    assert settled.get(USERS, FEBRUARY, settled.key_of(role)).status == status


def test_a_key_for_something_else_may_not(settled: Client) -> None:
    key = settled.stack.key(ACME, JAMES, Scope.READ_DIRECTORY, now=settled.now)
    assert status_and_body(settled.get(USERS, FEBRUARY, key)) == FORBIDDEN


# every row


def test_all_rows_as_a_table_and_as_lines(settled: Client) -> None:
    query = f"{COMPARED}&page_size=1"
    table = settled.users(query, accept="text/csv")
    lines = settled.users(query, accept="application/x-ndjson")
    assert table.headers["Content-Type"].startswith("text/csv")
    seen = "2026-02-28T17:42:00.000Z"
    heard = "2026-02-28T16:10:00.000Z"
    assert [line.split(",") for line in table.text.split("\r\n")] == [
        [
            *("user.id", "user.username", "user.user_key"),
            *(f"user.last_activity.{name}" for name in ("at", "desktop_at", "web_at")),
            *(f"avg_time_ms_per_day.{name}" for name in ("value", "change_pct", "compare_value")),
            "days_active",
        ],
        [
            *(JAMES, "james.wilson", "james.wilson@example.com", seen, seen, ""),
            *("6060000", "12.5", "5386666", "24"),
        ],
        [
            *(SARAH, "sarah.chen", "sarah.chen@example.com", heard, heard),
            *("2026-02-27T09:00:00.000Z", "5520000", "-4.1", "5756000", "21"),
        ],
        [""],
    ]
    rows = [json.loads(line) for line in lines.text.splitlines()]
    assert rows == [james(12.5, 5_386_666), sarah(-4.1, 5_756_000)]


def test_an_answer_says_what_it_is_made_from(settled: Client) -> None:
    headers = settled.users(COMPARED).headers
    assert headers["X-Query-Range"] == (
        "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z, 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z"
    )
    assert headers["X-Data-Through"].endswith("Z")
    assert float(headers["X-Read-Units"]) > 0


@pytest.mark.parametrize(
    ("path", "query", "details"),
    [
        (
            USERS,
            f"{FEBRUARY}&department_ids={OFFICE}",
            {"start_date": "2026-02-01", "end_date": "2026-02-28", "department_ids": OFFICE},
        ),
        (
            f"{CLIENT}/analytics/apps/utilization",
            "start_date=2026-02-01&end_date=2026-02-28",
            {"start_date": "2026-02-01", "end_date": "2026-02-28", "q": None},
        ),
        (f"{CLIENT}/users", "q=e", {"q": "e", "department_ids": None}),
    ],
)
def test_rows_that_cannot_be_carried_are_refused_with_each_parameter_that_makes_fewer(
    settled: Client,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    query: str,
    details: dict[str, str | None],
) -> None:
    monkeypatch.setattr(messages, "COMPRESSED_FROM", 9)
    monkeypatch.setattr(messages, "ANSWER_LIMIT", 2_000)
    monkeypatch.setattr("gzip.compress", lambda body, *_, **__: body * 20)
    headers = {"accept": "text/csv", "accept-encoding": "gzip"}
    reply = settled.get(path, query, **headers)
    message = f"the answer is too large: narrow {', '.join(details)}"
    error = {"code": "invalid_parameter", "message": message, "details": details}
    assert (reply.status, reply.json) == (400, {"error": error})
