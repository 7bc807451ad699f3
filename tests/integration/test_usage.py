"""GET /v1/usage: whole answers, compared with what a reckoning event by event says."""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from odometer.api.v1 import usage_rows
from odometer.domain.people import Role, UserType
from tests.support.apps import APP, OFFICE, OTHER_APP, SALES, Client, use
from tests.support.figures_oracle import Moment
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, stack_on_moto
from tests.support.usage_sender import BATCH, EVENTS, usage_event, used

USAGE = "/v1/usage"
ZONE = "Europe/Berlin"
NOW = datetime(2026, 4, 8, 10, 30, 15, tzinfo=UTC)
PEOPLE: Mapping[str, tuple[str | None, list[str], UserType]] = {
    "ann": ("core", [SALES], UserType.ACCOUNT),
    "bob": ("core", [SALES, OFFICE], UserType.ACCOUNT),
    "cid": ("edge", [], UserType.SERVICE),
    "dot": (None, [OFFICE], UserType.ACCOUNT),
}
HALVES = [datetime(2026, 3, 28, 22, 30, tzinfo=UTC), datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC)]


class Asking(Client):
    """The client, and what it must be answered."""

    moment: Moment

    def fill(self) -> None:
        """Usage of two months at all hours, among them those in which the clock is set forward."""
        self.put("organization", time_zone=ZONE)
        for team in ("core", "edge"):
            self.put("team", id=team, name=team.title())
        for who, (its_team, departments, type_) in PEOPLE.items():
            self.person(who, f"{who}.smith", *departments, team=its_team, type=type_)
        events = []
        for place, who in enumerate(PEOPLE):
            times = [
                NOW - timedelta(days=n, hours=7 * n + 3 * place) for n in range(1, 60, 2 + place)
            ]
            for n, at in enumerate([*times, *HALVES]):
                events += [
                    use(who, at, 1_000 * n + place, n % 3, app=OTHER_APP if n % 4 else APP),
                    used(who, "automation", at, n + 1, 77 * n, event=f"{who}{n}"),
                    used(who, "chat", at, 3 * n + 7, n + place, n, 5, event=f"chat{who}{n}"),
                    used(who, "code-completions", at, n, 11 * n + 1, 7, n, event=f"c{who}{n}"),
                ]
        self.used(*events)
        directory = self.stack.directories.open(self.organization)
        self.moment = Moment.of(events, ZONE, directory)

    def asks(self, query: Mapping[str, str], key: str | None = None, **headers: str) -> Reply:
        return self.get(USAGE, urlencode(query), key, **headers)

    def answer(self, query: Mapping[str, str]) -> dict[str, Any]:
        reply = self.asks(query)
        assert reply.status == 200, reply
        content: dict[str, Any] = json.loads(reply.text, parse_float=Fraction)
        return content


@pytest.fixture(scope="module", params=["folded", "settled"])
def client(request: pytest.FixtureRequest) -> Iterator[Asking]:
    """Before and after days are sealed; a neighbour has used everything as well."""
    with stack_on_moto() as stack:
        neighbour = Asking(stack, OTHER, NOW)
        neighbour.fill()
        client = Asking(stack, ACME, NOW)
        client.fill()
        if request.param == "settled":
            client.settle()
        yield client


MARCH = {"from": "2026-03-01", "to": "2026-04-01"}
WEEKS = {"from": "2026-03-22T11:00:00+01:00", "to": "2026-04-07T03:30:00Z"}
SPRING = {"from": "2026-03-28", "to": "2026-03-31"}
QUERIES: Mapping[str, Mapping[str, str]] = {
    "totals": {"kind": "app", **MARCH},
    "one product": {"product": APP, **MARCH},
    "two kinds": {"kind": "app,test", **MARCH},
    "two kinds with a common measure": {
        "kind": "completion,chat",
        "measure": "lines,chars_completed,automation_factor,chat_consumption_rate,active_users",
        **MARCH,
    },
    "days": {"kind": "app", "granularity": "day", **MARCH},
    "days of another zone": {
        "kind": "app", "granularity": "day", "timezone": "America/New_York", **MARCH,
    },
    "days at an offset": {"kind": "test", "granularity": "day", "timezone": "+05:30", **SPRING},
    "hours where the clock is set forward": {"kind": "test", "granularity": "hour", **SPRING},
    "hours at an offset": {
        "kind": "app", "granularity": "hour", "timezone": "-03:30", **SPRING, "group_by": "user",
    },
    "weeks of a cut range": {"kind": "app", "granularity": "week", "group_by": "product", **WEEKS},
    "months by team": {
        "kind": "chat", "granularity": "month", "group_by": "team",
        "from": "2026-02-10", "to": "2026-04-08", "compare": "previous_year",
    },
    "quarters by department": {
        "kind": "app", "granularity": "quarter", "group_by": "department", "sort": "active_users",
        "from": "2026-02-10", "to": "2026-04-08", "order": "asc",
    },
    "years by type": {
        "kind": "app", "granularity": "year", "group_by": "user_type", "timezone": "UTC",
        "from": "2025-12-20", "to": "2026-03-20",
    },
    "users by change": {
        "kind": "chat", "group_by": "user", **MARCH, "compare": "previous_period",
        "measure": "interactions,chat_consumption_rate,active_days",
        "sort": "chat_consumption_rate_change",
    },
    "users by name": {"kind": "test", "group_by": "user", **MARCH, "sort": "name", "q": "B.S"},
    "days active": {
        "kind": "app", "measure": "active_days,active_users", "group_by": "team", **WEEKS,
        "granularity": "week", "sort": "active_days",
    },
    "days active in UTC": {"kind": "test,chat", "measure": "active_days", **MARCH},
    "of a team": {"kind": "app", "group_by": "user", "team": "core", **MARCH},
    "of a department": {
        "kind": "app", "group_by": "team", "department": OFFICE, **MARCH, "granularity": "week",
    },
    "of a user": {"kind": "app", "user": "bob.smith", "granularity": "month", **MARCH},
    "of machines": {"kind": "app", "user_type": "service-user", "group_by": "department", **MARCH},
    "of nobody": {"kind": "app", "user": "cid", "team": "core", "group_by": "user", **MARCH},
    "of two filters": {"kind": "app", "department": SALES, "team": "core", **MARCH},
    "compared by hand": {
        "kind": "test", "group_by": "department", **MARCH,
        "compare_from": "2026-02-03T05:00:00Z", "compare_to": "2026-02-20", "sort": "tests_change",
    },
    "before anything": {"kind": "test", "from": "2020-01-01", "to": "2020-01-02",
                        "granularity": "hour", "group_by": "team"},
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_an_answer_is_what_the_events_add_up_to(client: Asking, name: str) -> None:
    query = QUERIES[name]
    answer = client.answer(query)
    expected = client.moment.answer(query)
    assert {part: answer[part] for part in expected} == expected
    assert answer["total_groups"] == len(expected["groups"])
    assert ("series" in answer) == (query.get("granularity", "all") != "all")
    assert answer["next_cursor"] is None


def test_an_answer_says_what_was_asked(client: Asking) -> None:
    query = {**WEEKS, "kind": "app", "granularity": "week", "compare": "previous_period"}
    reply = client.asks(query)
    answer = reply.json
    assert list(answer) == [
        "from", "to", "compare_from", "compare_to", "timezone", "granularity", "group_by",
        "complete", "data_through", "totals", "series", "groups", "total_groups", "next_cursor",
        "explain",
    ]  # fmt: skip
    assert (answer["from"], answer["to"]) == (
        "2026-03-22T11:00:00+01:00", "2026-04-07T05:30:00+02:00",
    )  # fmt: skip
    assert answer["timezone"] == ZONE
    assert answer["complete"] is True
    assert reply.headers["X-Data-Through"] == answer["data_through"]
    assert reply.headers["X-Query-Range"] == (
        "2026-03-22T10:00:00Z/2026-04-07T03:30:00Z, 2026-03-06T16:30:00Z/2026-03-22T10:00:00Z"
    )
    assert float(reply.headers["X-Read-Units"]) > 0
    products = quote(f"{APP},{OTHER_APP}")
    assert answer["explain"] == f"/v1/explain?product={products}{{&measure,from,to}}"


def test_what_has_not_been_counted_is_partial(client: Asking) -> None:
    query = {"kind": "app", "period": "7d", "granularity": "day", "timezone": "+00:00"}
    answer = client.answer(query)
    assert answer["complete"] is False
    assert (answer["from"], answer["to"]) == ("2026-04-02T00:00:00Z", "2026-04-08T10:30:16Z")
    assert [block.get("partial", False) for block in answer["series"]] == [False] * 6 + [True]
    rows = client.asks(query, accept="application/x-ndjson").text.splitlines()
    assert [json.loads(row)["partial"] for row in rows] == [False] * 6 + [True]


def test_decimals_are_exact_beyond_what_floats_hold(client: Asking) -> None:
    kind = {
        "name": "document",
        "measures": [{"name": "credits", "unit": "credits", "decimals": 6}, {"name": "pages"}],
        "ratios": [
            {"name": "credits_per_page", "of": "credits", "per": "pages"},
            {"name": "pages_per_user", "of": "pages", "per": "active_users"},
        ],
    }
    reply = client.stack.put(client.admin, {"kinds": [kind]})
    assert reply.status == 200, reply
    client.put("product", id="docs", name="Docs", kind="document")
    at = NOW - timedelta(days=3)
    for who in ("ann", "bob"):
        client.used(
            *(used(who, "docs", at, 2**40 - n, 3, event=f"{who}docs{n}") for n in range(20))
        )
    total = sum(2 * (2**40 - n) for n in range(20))
    text = client.asks({"kind": "document", "period": "30d"}).text
    assert f'"credits":{{"value":{Decimal(total).scaleb(-6).normalize():f},' in text
    ratio = client.answer({"product": "docs", "period": "30d", "measure": "credits_per_page"})
    exact = Fraction(total, 10**6 * 120)
    value = ratio["totals"]["credits_per_page"]["value"]
    assert abs(Fraction(value) - exact) <= Fraction(1, 20_000)
    table = client.asks(
        {"kind": "document", "period": "30d", "group_by": "user"}, accept="text/csv"
    )
    (row, _) = csv.DictReader(StringIO(table.text))
    assert Decimal(row["credits.value"]) == Decimal(total).scaleb(-6) / 2


DOCUMENT = {
    "name": "sheet",
    "measures": [
        {"name": "exports", "aggregate": "count"},
        {"name": "credits", "unit": "credits", "decimals": 2},
    ],
    "breakdowns": ["format"],
}
FORMATS = ("pdf", None, "odt", "Pdf", None, "pdf", "csv")


@pytest.fixture(scope="module")
def sheets(client: Asking) -> Asking:
    """Sheets are told apart by format, if they have one; slides are a kind without products."""
    slides = {"name": "slides", "measures": [{"name": "shown"}], "breakdowns": ["format"]}
    document = {
        "kinds": [DOCUMENT, slides],
        "products": [{"id": "sheets", "name": "Sheets", "kind": "sheet"}],
    }
    assert client.stack.put(client.admin, document).status == 200
    body = [
        usage_event(
            f"sheet{place}",
            source="test",
            subject="ann",
            time=f"2026-04-0{1 + place}T21:59:59Z",
            data={"product": "sheets", "credits": place + 0.25}
            | ({"format": text} if text else {}),
        )
        for place, text in enumerate(FORMATS)
    ]
    sent = client.stack.call("POST", EVENTS, client.admin, headers=BATCH, body=body)
    assert sent.json["accepted"] == len(FORMATS), sent
    client.usage_sender.engine.fold_outstanding(client.organization, client.now)
    return client


APRIL = {"kind": "sheet", "from": "2026-04-01", "to": "2026-04-08", "group_by": "format"}


def test_groups_of_a_breakdown_are_its_values_and_what_had_none(sheets: Asking) -> None:
    answer = sheets.answer({**APRIL, "granularity": "day", "measure": "credits,exports"})
    found = {
        group["format"]: {name: each["value"] for name, each in group["totals"].items()}
        for group in answer["groups"]
    }
    sums = {
        text: {
            "credits": sum(Fraction(4 * n + 1, 4) for n, it in enumerate(FORMATS) if it == text),
            "exports": FORMATS.count(text),
        }
        for text in dict.fromkeys(FORMATS)
    }
    assert found == sums
    assert list(found) == sorted(sums, key=lambda text: -sums[text]["credits"])
    for group in answer["groups"]:
        of_days = [block["exports"] for block in group["series"]]
        assert of_days == [int(text == group["format"]) for text in FORMATS]
    by_name = sheets.answer({**APRIL, "sort": "name"})["groups"]
    assert [group["format"] for group in by_name] == ["csv", "odt", "Pdf", "pdf", None]
    assert {group["totals"]["active_users"]["value"] for group in by_name} == {None}
    named = sheets.answer({**APRIL, "q": "PD", "limit": "1"})
    assert (named["total_groups"], named["groups"][0]["format"]) == (2, "pdf")
    rest = sheets.answer({**APRIL, "q": "PD", "limit": "1", "cursor": named["next_cursor"]})
    assert [group["format"] for group in rest["groups"]] == ["Pdf"]


def test_the_figures_of_values_are_explained(sheets: Asking) -> None:
    answer = sheets.answer(APRIL)
    for group in answer["groups"]:
        ends = ("credits", answer["from"], answer["to"])
        url = expanded(answer["explain"], *ends, group["format"])
        explained = json.loads(sheets.get(url).text, parse_float=Fraction)
        assert explained["value"] == group["totals"]["credits"]["value"], group


def test_a_breakdown_has_no_users(sheets: Asking) -> None:
    reply = sheets.asks({**APRIL, "user": "ann"})
    words = "group_by: a breakdown is one of everybody's usage: expected no filter of users"
    assert (reply.status, reply.json["error"]["message"]) == (400, words)


@pytest.mark.parametrize("group_by", ["none", "format", "user", "product"])
def test_a_kind_without_products_has_used_nothing(sheets: Asking, group_by: str) -> None:
    query = {**APRIL, "kind": "slides", "group_by": group_by, "granularity": "week"}
    answer = sheets.answer({**query, "measure": "shown,active_users,active_days"})
    assert {name: each["value"] for name, each in answer["totals"].items()} == {
        "shown": 0,
        "active_users": 0,
        "active_days": 0,
    }
    assert (answer["groups"], answer["total_groups"]) == ([], 0)


def test_more_products_than_are_answered_at_once_are_refused_before_any_is_read(
    client: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer.api.v1.asked.MOST_PRODUCTS", 1)
    query = {"from": "2026-04-01", "to": "2026-04-08"}
    assert client.asks({**query, "product": APP}).status == 200
    for name, sent in (("product", f"{APP},{OTHER_APP}"), ("kind", "app")):
        reply = client.asks({**query, name: sent})
        words = "2 products, of which at most 1 are answered at once: expected some of them"
        assert (reply.status, reply.json["error"]["message"]) == (
            400,
            f"{name}: {words} by product",
        )


def test_a_page_of_long_series_has_fewer_groups_and_its_cursor_goes_on(
    client: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_rows, "PAGE_BYTES", 2_000)
    query = {"kind": "app", **MARCH, "group_by": "department", "granularity": "week"}
    pages = [client.answer(query)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(client.answer({**query, "cursor": cursor}))
    expected = client.moment.answer(query)["groups"]
    assert [page["groups"] for page in pages] == [[group] for group in expected]
    assert {page["total_groups"] for page in pages} == {len(expected)}


# faults


FAULTS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "no product": ({"period": "7d"}, "kind: expected either product or kind"),
    "both": (
        {"period": "7d", "kind": "app", "product": APP},
        "kind: expected either product or kind",
    ),
    "no period": ({"kind": "app"}, "period: expected either from and to, or period"),
    "half a range": ({"kind": "app", "from": "2026-03-01"}, "to: expected from and to together"),
    "two periods": (
        {"kind": "app", **MARCH, "period": "7d"},
        "period: expected either from and to, or period",
    ),
    "reversed": (
        {"kind": "app", "from": "2026-03-01", "to": "2026-03-01"},
        "to: expected an instant after from, within 732 days",
    ),
    "too long": (
        {"kind": "app", "from": "2020-01-01", "to": "2023-01-01"},
        "to: expected an instant after from, within 732 days",
    ),
    "no date": (
        {"kind": "app", "from": "2026-02-30", "to": "2026-03-01"},
        "from: expected an ISO 8601 date or date-time that exists",
    ),
    "no year": (
        {"kind": "app", "from": "1969-02-20", "to": "2026-03-01"},
        "from: expected an ISO 8601 date or date-time of the years 1970 to 2999",
    ),
    "no zone": (
        {"kind": "app", **MARCH, "timezone": "Europe/Atlantis"},
        "timezone: expected an IANA time zone like Europe/Berlin or +HH:MM",
    ),
    "a path": (
        {"kind": "app", **MARCH, "timezone": "../../etc/passwd"},
        "timezone: expected an IANA time zone like Europe/Berlin or +HH:MM",
    ),
    "no granularity": (
        {"kind": "app", **MARCH, "granularity": "daily"},
        "granularity: expected one of all, hour, day, week, month, quarter, year",
    ),
    "too many hours": (
        {"kind": "app", **MARCH, "granularity": "hour"},
        "granularity: hours of at most 7 days: expected a coarser one, or a shorter period",
    ),
    "too many blocks": (
        {"kind": "app", "from": "2025-01-01", "to": "2026-04-01", "granularity": "day"},
        "granularity: at most 400 blocks: expected a coarser one, or a shorter period",
    ),
    "a zone that does not reach": (
        {
            "kind": "app",
            "from": "2025-12-01",
            "to": "2026-04-01",
            "granularity": "day",
            "timezone": "UTC",
        },
        (
            "timezone: a series in UTC is answered for up to 92 days; "
            "one in Europe/Berlin for app goes further"
        ),
    ),
    "no zone that reaches both": (
        {
            "kind": "app,chat",
            "from": "2025-12-01",
            "to": "2026-04-01",
            "granularity": "month",
            "timezone": "Asia/Tokyo",
        },
        (
            "timezone: a series in Asia/Tokyo is answered for up to 92 days; "
            "one in Europe/Berlin for app and UTC for chat goes further"
        ),
    ),
    "no measure": (
        {"kind": "app", **MARCH, "measure": "active_ms,tests"},
        "measure: expected some of active_ms, sessions, active_users, active_days",
    ),
    "days of two calendars": (
        {"kind": "app,test", **MARCH, "measure": "active_days"},
        (
            "measure: expected active_days of kinds whose days are of one calendar: "
            "some of these are UTC days"
        ),
    ),
    "no group": (
        {"kind": "app", **MARCH, "group_by": "platform"},
        "group_by: expected one of none, product, team, department, user, user_type",
    ),
    "no order": (
        {"kind": "app", **MARCH, "sort": "tests"},
        (
            "sort: expected name or one of active_ms, sessions, active_users, active_days, "
            "maybe with _change behind it"
        ),
    ),
    "a change from nothing": (
        {"kind": "app", **MARCH, "sort": "sessions_change"},
        "sort: a change needs compare, too",
    ),
    "half a comparison": (
        {"kind": "app", **MARCH, "compare_from": "2026-01-01"},
        "compare_to: expected compare_from and compare_to together",
    ),
    "two comparisons": (
        {
            "kind": "app",
            **MARCH,
            "compare": "previous_year",
            "compare_from": "2026-01-01",
            "compare_to": "2026-02-01",
        },
        "compare_to: expected either compare, or compare_from and compare_to",
    ),
    "a comparison with nothing": (
        {"kind": "app", "from": "1970-02-01", "to": "1970-03-01", "compare": "previous_year"},
        "compare: expected a period of the years 1970 to 2999 to compare with",
    ),
    "no page": (
        {"kind": "app", **MARCH, "limit": "1001"},
        "limit: expected an integer from 1 to 1000",
    ),
    "no cursor": ({"kind": "app", **MARCH, "cursor": "x"}, "cursor: Invalid cursor"),
    "unknown": ({"kind": "app", **MARCH, "days": "3"}, "days: unknown parameter"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_its_parameter_and_says_what_is_expected(client: Asking, name: str) -> None:
    query, message = FAULTS[name]
    reply = client.asks(query)
    assert (reply.status, reply.json["error"]["message"]) == (400, message)
    assert list(reply.json["error"]["details"]) == [message.partition(":")[0]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product", "nothing"),
        ("kind", "nothing"),
        ("team", "nowhere"),
        ("department", "00000000-0000-0000-0000-000000000000"),
        ("user", "nobody"),
    ],
)
def test_what_is_not_there_is_not_found(client: Asking, name: str, value: str) -> None:
    what = {} if name in ("product", "kind") else {"kind": "app"}
    reply = client.asks({**what, **MARCH, name: value})
    assert (reply.status, reply.json["error"]) == (
        404,
        {"code": "not_found", "message": f"{name}: not found", "details": {name: value}},
    )


# pages


@pytest.mark.parametrize("limit", ["1", "3"])
@pytest.mark.parametrize("group_by", ["user", "department", "product"])
def test_pages_join_to_the_whole_ranking(client: Asking, group_by: str, limit: str) -> None:
    query = {"kind": "app", "period": "30d", "group_by": group_by, "granularity": "week"}
    whole = client.answer(query)
    page = client.answer({**query, "limit": limit})
    groups = page["groups"]
    while page["next_cursor"]:
        client.stack.now = NOW + timedelta(hours=3)
        page = client.answer({**query, "limit": limit, "cursor": page["next_cursor"]})
        assert [page[name] for name in ("from", "to", "totals", "series", "total_groups")] == [
            whole[name] for name in ("from", "to", "totals", "series", "total_groups")
        ]
        groups += page["groups"]
    client.stack.now = NOW
    assert groups == whole["groups"]
    assert len(groups) == whole["total_groups"]


def team_of(group: Mapping[str, Any]) -> Mapping[str, str]:
    return group["team"] or {"id": "", "name": ""}


def test_every_row_is_in_a_table_and_in_lines(client: Asking) -> None:
    query = {"kind": "app", **MARCH, "group_by": "team", "granularity": "week"}
    groups = client.answer(query)["groups"]
    expected = [
        {"team.id": team_of(group)["id"], "team.name": team_of(group)["name"], "partial": "false"}
        | {name: str(value) for name, value in block.items()}
        for group in groups
        for block in group["series"]
    ]
    table = client.asks({**query, "limit": "1"}, accept="text/csv")
    assert list(csv.DictReader(StringIO(table.text))) == expected
    lines = client.asks(query, accept="application/x-ndjson").text.splitlines()
    assert [json.loads(line)["team"] for line in lines] == [
        group["team"] for group in groups for _ in group["series"]
    ]


def test_an_answer_that_the_client_has_is_not_sent_again(client: Asking) -> None:
    query = {"kind": "app", **MARCH, "group_by": "user", "limit": "1"}
    tag = client.asks(query).headers["ETag"]
    assert client.asks(query, **{"if-none-match": tag}).status == 304


# rights


def test_leads_ask_about_their_team_and_members_about_themselves(client: Asking) -> None:
    lead = client.stack.key(
        ACME, client.person("lou", "lou", team="core", role=Role.TEAM_LEAD), now=NOW
    )
    member = client.stack.key(
        ACME, client.person("max", "max", team="core", role=Role.MEMBER), now=NOW
    )
    query = {"kind": "app", **MARCH, "group_by": "user"}
    statuses = {
        about: tuple(client.asks({**query, **named}, key).status for key in (lead, member))
        for about, named in {
            "nobody": {},
            "team": {"team": "core"},
            "other team": {"team": "edge"},
            "themselves by name": {"user": "max"},
            "member of the team": {"user": "ann"},
            "stranger": {"user": "cid"},
            "unknown": {"user": "nobody"},
        }.items()
    }
    assert statuses == {
        "nobody": (403, 403),
        "team": (200, 403),
        "other team": (403, 403),
        "themselves by name": (200, 200),
        "member of the team": (200, 403),
        "stranger": (403, 403),
        "unknown": (403, 403),
    }
    shown = client.asks({**query, "team": "core"}, lead).json["groups"]
    assert [group["user"]["id"] for group in shown] == ["ann", "bob"]


# explained


@pytest.mark.parametrize(
    "name",
    ["months by team", "weeks of a cut range", "users by name", "days active", "years by type"],
)
def test_any_figure_is_explained_where_the_answer_says(client: Asking, name: str) -> None:
    answer = client.answer(QUERIES[name])
    by, (group, *_) = answer["group_by"], answer["groups"]
    block = group.get("series", [{**{n: answer[n] for n in ("from", "to")}}])[-1]
    figures = group["totals"] if "series" not in group else block
    for measure in set(figures) - {"from", "to", "partial"}:
        its_id = group[by]["id"] if isinstance(group[by], dict) else group[by]
        url = expanded(answer["explain"], measure, block["from"], block["to"], its_id)
        value = (
            figures[measure]["value"] if isinstance(figures[measure], dict) else figures[measure]
        )
        assert json.loads(client.get(url).text, parse_float=Fraction)["value"] == value


@pytest.mark.parametrize("group_by", ["team", "department"])
def test_whoever_is_in_no_group_is_one_that_is_shown_and_explained(
    client: Asking, group_by: str
) -> None:
    query = {"kind": "app", **MARCH, "group_by": group_by, "sort": "name"}
    answer = client.answer(query)
    nobodys = answer["groups"][-1]
    assert nobodys[group_by] is None
    for measure, figure in nobodys["totals"].items():
        url = expanded(answer["explain"], measure, answer["from"], answer["to"], "")
        assert client.get(url).json["value"] == figure["value"]
    rows = list(csv.DictReader(StringIO(client.asks(query, accept="text/csv").text)))
    assert (rows[-1][f"{group_by}.id"], rows[-1][f"{group_by}.name"]) == ("", "")
    assert list(rows[-1])[:3] == [f"{group_by}.id", f"{group_by}.name", "from"]


def expanded(template: str, measure: str, start: str, end: str, group: str | None) -> str:
    """A URI of the template; a variable without a value is left out."""
    base, _, names = template.rstrip("}").partition("{")
    values = zip(names[1:].split(","), [measure, start, end, group], strict=False)
    return f"{base}{names[0]}{urlencode({name: it for name, it in values if it is not None})}"
