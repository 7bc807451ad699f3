"""The endpoints beside the users of one app, for the people of the published examples."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from odometer.domain.people import Role
from tests.support.apps import (
    APP,
    CLIENT,
    COMPARED_PERIOD,
    JAMES,
    OFFICE,
    OTHER_APP,
    PERIOD,
    SALES,
    SARAH,
    Client,
    example_client,
    get_json,
    james,
    sarah,
    use,
)
from tests.support.memory_directory import ACME
from tests.support.stack import stack_on_moto

APPS = f"{CLIENT}/analytics/apps"
DAYS = "start_date=2026-02-01&end_date=2026-02-28"
COMPARED = f"{DAYS}&compare_start_date=2026-01-01&compare_end_date=2026-01-31"
JAMES_MS, SARAH_MS = 24 * 6_060_000, 21 * 5_520_000


@pytest.fixture(scope="module", params=["folded", "settled"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """The client of the examples, before and after its days are sealed."""
    with stack_on_moto() as stack:
        client = example_client(stack)
        client.used(use(JAMES, client.now - timedelta(days=10), 5, 2, app=OTHER_APP))
        if request.param == "settled":
            client.settle()
        yield client


def metric(value: int, change: float | None = None, compared: int | None = None) -> dict[str, Any]:
    return {"value": value, "change_pct": change, "compare_value": compared}


# one app


def test_the_totals_of_an_app(client: Client) -> None:
    assert get_json(client, f"{APPS}/{APP}/utilization", f"granularity=daily&{DAYS}") == {
        "period": PERIOD,
        "unique_users": metric(2),
        "active_time_ms": metric(JAMES_MS + SARAH_MS),
        "avg_time_ms_per_day": metric(round((JAMES_MS + SARAH_MS) / 25)),
        "session_count": metric(24 + 21),
    }


def test_the_totals_of_an_app_beside_those_of_another_period(client: Client) -> None:
    answer = get_json(client, f"{APPS}/{APP}/utilization", f"granularity=daily&{COMPARED}")
    january = 20 * 5_386_666 + 31 * 5_756_000
    assert answer["period"] == COMPARED_PERIOD
    assert answer["unique_users"] == metric(2, 0.0, 2)
    assert answer["active_time_ms"]["compare_value"] == january
    assert answer["avg_time_ms_per_day"]["compare_value"] == round(january / 31)
    assert answer["session_count"] == metric(45, -11.8, 51)


@pytest.mark.parametrize(
    ("department", "users", "days"), [(SALES, 1, 24), (f"{SALES},{OFFICE}", 2, 25)]
)
def test_the_totals_of_departments_count_the_days_of_their_members(
    client: Client, department: str, users: int, days: int
) -> None:
    query = f"granularity=daily&{DAYS}&department_ids={department}"
    answer = get_json(client, f"{APPS}/{APP}/utilization", query)
    active_ms = JAMES_MS + (SARAH_MS if users == 2 else 0)
    assert answer["unique_users"] == metric(users)
    assert answer["avg_time_ms_per_day"] == metric(round(active_ms / days))


@pytest.mark.parametrize(
    ("granularity", "firsts"),
    [
        ("weekly", ["2026-02-01", "2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"]),
        ("monthly", ["2026-02-01"]),
        ("quarterly", ["2026-02-01"]),
    ],
)
def test_a_course_is_cut_at_mondays_months_and_quarters(
    client: Client, granularity: str, firsts: list[str]
) -> None:
    query = f"metric=user-count&granularity={granularity}&{DAYS}"
    answer = get_json(client, f"{APPS}/{APP}/activity", query)
    assert answer == {
        "metric": "user-count",
        "label": "Users",
        "period": {"start": "2026-02-01", "end": "2026-02-28"},
        "data": [{"date": first, "value": 2} for first in firsts],
    }


@pytest.mark.parametrize(
    ("metric_name", "label", "values"),
    [
        ("active-time", "Active time (ms)", [0, 120_000]),
        ("session-count", "Sessions", [0, 2]),
        ("user-count", "Users", [0, 2]),
    ],
)
def test_a_course_by_days_is_filled_with_zeros(
    client: Client, metric_name: str, label: str, values: list[int]
) -> None:
    days = "start_date=2026-02-25&end_date=2026-02-28"
    answer = get_json(
        client, f"{APPS}/{APP}/activity", f"metric={metric_name}&granularity=daily&{days}"
    )
    assert answer["label"] == label
    assert [point["date"] for point in answer["data"]] == [
        f"2026-02-{day}" for day in range(25, 29)
    ]
    found = [point["value"] for point in answer["data"]]
    assert [found[1], found[3]] == values


def test_a_metric_must_be_known(client: Client) -> None:
    path = f"{APPS}/{APP}/activity"
    for query, message in [
        (f"granularity=daily&{DAYS}", "metric is required"),
        (
            f"granularity=daily&{DAYS}&metric=money",
            "Unknown metric: money. Valid values: active-time, session-count, user-count",
        ),
    ]:
        answer = client.get(path, query)
        assert (answer.status, answer.json["error"]["message"]) == (400, message)


# all apps


def test_apps_are_ranked_by_their_use(client: Client) -> None:
    first = {
        "app": {"id": APP, "name": "Editor"},
        "unique_users": metric(2),
        "active_time_ms": metric(JAMES_MS + SARAH_MS),
        "avg_time_ms_per_day": metric(round((JAMES_MS + SARAH_MS) / 25)),
        "session_count": metric(45),
    }
    second = {
        "app": {"id": OTHER_APP, "name": "Board"},
        "unique_users": metric(1),
        "active_time_ms": metric(5),
        "avg_time_ms_per_day": metric(5),
        "session_count": metric(2),
    }
    path = f"{APPS}/utilization"
    whole = {"period": PERIOD, "data": [first, second], "total_count": 2, "next_cursor": None}
    assert get_json(client, path, DAYS) == whole
    by_name = get_json(client, path, f"{DAYS}&sort_by=name&sort_order=asc")
    assert by_name["data"] == [second, first]
    assert get_json(client, path, f"{DAYS}&q=EDIT")["data"] == [first]


def test_pages_of_apps_join(client: Client) -> None:
    path = f"{APPS}/utilization"
    first = get_json(client, path, f"{DAYS}&page_size=1")
    second = get_json(client, path, f"{DAYS}&page_size=1&cursor={first['next_cursor']}")
    names = [page["data"][0]["app"]["name"] for page in (first, second)]
    assert (names, second["next_cursor"]) == (["Editor", "Board"], None)


# users


def person(row: dict[str, Any], *departments: tuple[str, str]) -> dict[str, Any]:
    return {
        **row["user"],
        "departments": [{"id": each, "name": name} for each, name in departments],
        "created_at": "2026-02-28T12:00:00.000Z",
        "updated_at": "2026-02-28T12:00:00.000Z",
    }


def test_a_user_with_departments(client: Client) -> None:
    assert get_json(client, f"{CLIENT}/users/{JAMES}") == person(james(), (SALES, "Sales"))


def test_users_are_found_by_a_part_of_their_name_and_by_department(client: Client) -> None:
    expected = {
        "data": [person(sarah(), (OFFICE, "Office"))],
        "total_count": 1,
        "next_cursor": None,
    }
    assert get_json(client, f"{CLIENT}/users", "q=CHEN") == expected
    assert get_json(client, f"{CLIENT}/users", f"department_ids={OFFICE}") == expected


def test_users_are_ordered_with_those_never_active_last(client: Client) -> None:
    admin = f"Admin@{ACME[:4]}.example"

    def names(query: str) -> list[str]:
        found = get_json(client, f"{CLIENT}/users", f"{query}&page_size=500")["data"]
        return [row["username"] for row in found]

    assert names("sort_by=username") == [admin, "james.wilson", "sarah.chen"]
    assert names("sort_by=username&sort_order=desc") == ["sarah.chen", "james.wilson", admin]
    assert names("sort_by=last_activity") == ["sarah.chen", "james.wilson", admin]
    descending = "sort_by=last_activity&sort_order=desc"
    assert names(descending) == ["james.wilson", "sarah.chen", admin]


def test_every_list_is_a_table_whose_columns_are_there_also_when_no_row_is(client: Client) -> None:
    table = client.get(f"{CLIENT}/users", "q=chen", accept="text/csv").text.split("\r\n")
    assert table[0] == (
        "id,username,user_key,last_activity.at,last_activity.desktop_at,last_activity.web_at,"
        "departments,created_at,updated_at"
    )
    assert table[1].split(",")[6] == "Office"
    apps = client.get(f"{APPS}/utilization", f"{DAYS}&q=nothing", accept="text/csv").text
    assert apps.startswith("app.id,app.name,unique_users.value,unique_users.change_pct")
    course = f"metric=user-count&granularity=monthly&{DAYS}"
    points = client.get(f"{APPS}/{APP}/activity", course, accept="text/csv").text
    assert points == "date,value\r\n2026-02-01,2\r\n"


NO_USE = "start_date=2020-02-01&end_date=2020-02-28"


def test_a_table_of_what_a_user_has_used_has_the_columns_of_every_kind(client: Client) -> None:
    none, some = (
        client.get(f"{CLIENT}/users/{JAMES}/usage", days, accept="text/csv").text.split("\r\n")
        for days in (NO_USE, DAYS)
    )
    measures = (
        "tests,duration_ms,screenshots,completions,chars_completed,keystrokes,lines,interactions,"
        "useful_interactions,active_ms,sessions"
    )
    columns = [
        *("product.id", "product.name", "product.kind"),
        *(f"measures.{measure}" for measure in measures.split(",")),
        "days_active",
    ]
    assert none == [",".join(columns), ""]
    assert some[0] == none[0]
    assert some[1].startswith(f"{APP},Editor,app,,,")
    assert some[1].endswith(f",{JAMES_MS},24,24")


def test_an_explanation_without_terms_is_a_table_all_the_same(client: Client) -> None:
    query = "measure=users&from=2020-02-01T00:00:00Z&to=2020-03-01T00:00:00Z"
    assert client.get("/v1/explain", query, accept="text/csv").text == "term,key,sign,value\r\n"


def test_a_client_that_cannot_be_is_not_found_in_words_of_the_route(client: Client) -> None:
    """Only what the path names is spoken of."""
    nowhere = "/v2/clients/nouuid"
    messages = {
        f"{nowhere}/users": "Client not found",
        f"{nowhere}/analytics/apps/utilization": "Client not found",
        f"{nowhere}/analytics/apps/{APP}/utilization": "App or client not found",
        f"{nowhere}/users/{JAMES}": "User or client not found",
    }
    replies = {path: client.get(path) for path in messages}
    assert {path: reply.json["error"]["message"] for path, reply in replies.items()} == messages
    assert {reply.status for reply in replies.values()} == {404}


def test_an_unknown_user_is_not_found_and_nobody_of_a_client_is_told_apart(client: Client) -> None:
    missing = client.get(f"{CLIENT}/users/nobody")
    assert (missing.status, missing.json["error"]["message"]) == (404, "User or client not found")
    member = client.key_of(Role.MEMBER)
    assert client.get(f"{CLIENT}/users/{JAMES}", key=member).status == 403
    assert client.get(f"{CLIENT}/users/nobody", key=member).status == 403


# explained


def test_a_published_figure_is_explained(client: Client) -> None:
    published = get_json(client, f"{APPS}/{APP}/utilization", f"granularity=daily&{DAYS}")
    query = f"product={APP}&measure=active_ms&from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    whole = get_json(client, "/v1/explain", query)
    assert whole["value"] == published["active_time_ms"]["value"]
    assert sum(term["sign"] * term["value"] for term in whole["terms"]) == whole["value"]
    assert whole["range"] == "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z"
    mine = get_json(client, "/v1/explain", f"{query}&user={JAMES}")
    assert mine["value"] == JAMES_MS
    days = get_json(
        client, "/v1/explain", f"{query.replace('active_ms', 'days_active')}&user={SARAH}"
    )
    assert days["value"] == 21


@pytest.mark.parametrize(
    ("query", "status", "details"),
    [
        ("product=nothing&measure=tests", 404, {"product": "nothing"}),
        ("product=chat,nothing&measure=users", 404, {"product": "nothing"}),
        (f"product={APP}&measure=active_ms&user=nobody", 404, {"user": "nobody"}),
        (f"product={APP}&measure=active_ms&team=nowhere", 404, {"team": "nowhere"}),
        (f"product={APP}&measure=active_ms&department_id={SALES}", 400, {"department_id": SALES}),
        (f"product={APP}&measure=tests", 400, {"measure": "tests"}),
        (f"product={APP}&measure=active_ms&type=robot", 400, {"type": "robot"}),
        (f"product={APP}&measure=active_ms&department_ids=Sales", 400, {"department_ids": "Sales"}),
        ("measure=accounts&state=asleep", 400, {"state": "asleep"}),
        ("measure=days_active", 400, {"product": None}),
        ("product=chat&measure=days_active&type=account-user", 400, {"measure": "days_active"}),
        (f"product={APP}&measure=active_ms&page_size=0", 400, {"page_size": "0"}),
    ],
)
def test_an_explanation_needs_a_figure_that_there_is(
    client: Client, query: str, status: int, details: dict[str, Any]
) -> None:
    span = "from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    answer = client.get("/v1/explain", f"{query}&{span}")
    assert answer.status == status, answer
    assert answer.json["error"]["details"] == details


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("1969-12-31T23:59:59Z", "1970-01-02T00:00:00Z"),
        ("1970-01-01T00:00:00+05:30", "1970-01-02T00:00:00Z"),
        ("2999-12-31T00:00:00Z", "3000-01-01T00:00:00Z"),
        ("9999-12-30T00:00:00Z", "9999-12-31T00:00:00Z"),
    ],
)
def test_an_explanation_is_of_years_that_can_be_reckoned_with(
    client: Client, start: str, end: str
) -> None:
    for measure in ("active_ms", "days_active", "users", "accounts"):
        query = f"product={APP}&measure={measure}&from={quote(start)}&to={quote(end)}"
        answer = client.get("/v1/explain", query)
        message = answer.json["error"]["message"]
        assert answer.status == 400, answer
        assert message.endswith("expected an instant of the years 1970 to 2999")


def test_an_explanation_of_the_outermost_years_is_empty(client: Client) -> None:
    for year in (1970, 2999):
        span = f"from={year}-01-01T00:00:00Z&to={year}-12-31T23:59:59Z"
        for measure in ("active_ms", "days_active", "users"):
            assert (
                get_json(client, "/v1/explain", f"product={APP}&measure={measure}&{span}")["value"]
                == 0
            )


def test_accounts_are_those_there_were_by_then(client: Client) -> None:
    span = "measure=accounts&from=1970-01-01T00:00:00Z&to="
    assert get_json(client, "/v1/explain", f"{span}1971-01-01T00:00:00Z")["value"] == 0
    assert (
        get_json(client, "/v1/explain", f"{span}1972-01-01T00:00:00Z&state=registered")["value"]
        == 0
    )


def test_an_app_is_explained_and_covered_by_its_id_in_either_case(client: Client) -> None:
    span = "from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    for path in (f"/v1/explain?measure=active_ms&{span}", "/v1/coverage?"):
        lower, upper = (get_json(client, f"{path}&product={name}") for name in (APP, APP.upper()))
        assert lower == upper
        assert lower.get("value", 1) > 0


def test_nobody_is_in_a_department_that_is_unknown(client: Client) -> None:
    span = "from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    for measure in ("active_ms", "sessions", "days_active", "users", "accounts"):
        query = f"product={APP}&measure={measure}&department_ids={JAMES[:-1]}0&{span}"
        answer = get_json(client, "/v1/explain", query.replace(JAMES[:2], "a1"))
        assert answer["value"] == sum(term["value"] for term in answer["terms"]) == 0
