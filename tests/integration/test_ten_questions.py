"""Ten real questions, each answered by one request with the figures of DuckDB over the raw events.

DuckDB reads the events as they were sent, and has its own calendar of time zones.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from tempfile import NamedTemporaryFile
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlencode

import duckdb
import pytest
from pytest_socket import enable_socket

from odometer.domain.time import epoch_second
from tests.costs.costs import write_section
from tests.support.apps import Client
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.hops import counted_hops
from tests.support.raw_events import COLUMNS, NOW, ZONE, Company, Membership, company_of
from tests.support.stack import ROOT

pytestmark = pytest.mark.engine
NEW_YORK: Final = "America/New_York"
SALES: Final = "00000000-0000-4000-8000-000000000001"
MOST_UNITS, MOST_HOPS = 120, 2
TITLE: Final = "Ten questions"
TEXT: Final = """\
Ten real questions, each one request of a warm process, about 4,500 events of 60 people in two
years. Their figures are those of DuckDB over the raw events. Asked and counted by
`tests/integration/test_ten_questions.py`; `UPDATE=1` writes this table.

| request | hops | calls | read units |
| --- | ---: | ---: | ---: |"""
MACROS: Final = (
    "clock(second, zone) AS timezone(zone, to_timestamp(second))",
    "moment(local, zone) AS epoch(timezone(zone, local::TIMESTAMP))::BIGINT",
    "begins(part, second, zone) AS moment(date_trunc(part, clock(second, zone)), zone)",
    f"present() AS {epoch_second(NOW) + 1}",
    f"zone() AS '{ZONE}'",
    "day(local) AS moment(local, zone())",
    "this_year(second) AS second >= day('2025-11-17') AND second < day('2026-11-16')",
    "last_year(second) AS second >= day('2024-11-17') AND second < day('2025-11-16')",
)
PEOPLE: Final = dict.fromkeys(Membership._fields, "VARCHAR")
Rows = list[tuple[Any, ...]]


class Database:
    """What was sent, and who was in which team and department."""

    def __init__(self, company: Company) -> None:
        self.duckdb = duckdb.connect()
        for macro in MACROS:
            self.duckdb.execute(f"CREATE MACRO {macro}")
        self._read("events", COLUMNS, [event._asdict() for event in company.events])
        self._read("people", PEOPLE, [each._asdict() for each in company.memberships()])

    def rows(self, query: str) -> Rows:
        return self.duckdb.sql(query).fetchall()

    def _read(
        self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        with NamedTemporaryFile("w", suffix=".json") as file:
            file.writelines(f"{json.dumps(row, default=str)}\n" for row in rows)
            file.flush()
            self.duckdb.read_json(file.name, columns=dict(columns)).create(table)


class Asked(NamedTuple):
    """The company and its database, side by side."""

    company: Company
    database: Database
    costs: dict[str, str]

    def get(self, path: str, hops: int = MOST_HOPS, /, **parameters: object) -> Any:
        """The answer to the second of two equal requests, by a process that has the first."""
        query = urlencode({name.rstrip("_"): value for name, value in parameters.items()})
        self.company.client.get(path, query)
        with counted_hops() as counted:
            reply = self.company.client.get(path, query)
        assert reply.status == 200, reply
        units = float(reply.headers["X-Read-Units"])
        assert units <= MOST_UNITS
        assert counted.hops <= hops
        self.costs[f"`{path}?{unquote(query)}`"] = f"{counted.hops} | {counted.calls} | {units:g}"
        return json.loads(reply.text, parse_float=Decimal)

    def usage(self, hops: int = MOST_HOPS, /, **parameters: object) -> Any:
        return self.get("/v1/usage", hops, **parameters)

    def sql(self, query: str) -> Rows:
        return self.database.rows(query)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    enable_socket()
    with stack_on_counting_engine() as stack:
        company = company_of(Client(stack))
        asked = Asked(company, Database(company), {})
        yield asked
        lines = [f"| {request} | {cost} |" for request, cost in asked.costs.items()]
        write_section(ROOT / "docs" / "performance.md", TITLE, "\n".join([TEXT, *lines]))


def name_of(group: Mapping[str, Any], by: str) -> Any:
    """What a group is told by: its id, or its value; None for whatever is in no other group."""
    name = group[by]
    return name["id"] if isinstance(name, Mapping) else name


def totals_of(answer: Any, by: str, *measures: str) -> Rows:
    """The groups in their order, with the figures of the whole period."""
    return [
        (name_of(group, by), *(group["totals"][each]["value"] for each in measures))
        for group in answer["groups"]
    ]


def series_of(answer: Any, by: str, *measures: str) -> set[tuple[Any, ...]]:
    """The blocks of groups in which anything was used."""
    return {
        (name_of(group, by), second_of(block["from"]), *(block[each] for each in measures))
        for group in answer["groups"]
        for block in group["series"]
        if any(block[each] for each in measures)
    }


def blocks_of(answer: Any, *measures: str) -> set[tuple[Any, ...]]:
    """The blocks of the totals in which anything was used."""
    return {
        (second_of(block["from"]), *(block[each] for each in measures))
        for block in answer["series"]
        if any(block[each] for each in measures)
    }


def second_of(text: str) -> int:
    return epoch_second(datetime.fromisoformat(text))


def test_weekly_users_of_two_products_by_department_against_the_year_before(asked: Asked) -> None:
    answer = asked.usage(
        2,
        product="editor,viewer",
        measure="active_users",
        from_="2025-11-17",
        to="2026-11-16",
        timezone=ZONE,
        granularity="week",
        group_by="department",
        compare="previous_year",
    )
    weeks = asked.sql(
        """SELECT department, begins('week', second, zone()), count(DISTINCT who)
        FROM events JOIN people USING (who)
        WHERE product IN ('editor', 'viewer') AND this_year(second)
        GROUP BY ALL"""
    )
    assert len(weeks) > 200
    assert series_of(answer, "department", "active_users") == set(weeks)
    everybody = asked.sql(
        """SELECT count(DISTINCT who) FILTER (this_year(second)),
          count(DISTINCT who) FILTER (last_year(second))
        FROM events WHERE product IN ('editor', 'viewer')"""
    )
    assert [total_of(answer, "active_users")] == everybody
    compared = asked.sql(
        """SELECT department, count(DISTINCT who) FILTER (this_year(second)),
          count(DISTINCT who) FILTER (last_year(second))
        FROM events JOIN people USING (who)
        WHERE product IN ('editor', 'viewer') GROUP BY department"""
    )
    assert {
        (name_of(group, "department"), *figures_of(group["totals"]["active_users"]))
        for group in answer["groups"]
    } == set(compared)


def figures_of(figure: Mapping[str, Any]) -> tuple[Any, Any]:
    return figure["value"], figure["compare_value"]


def total_of(answer: Any, measure: str) -> tuple[Any, Any]:
    return figures_of(answer["totals"][measure])


def test_tokens_by_model_by_month(asked: Asked) -> None:
    answer = asked.usage(
        3,
        kind="model-call",
        measure="tokens",
        period="12mo",
        timezone="UTC",
        granularity="month",
        group_by="model",
    )
    months = asked.sql(
        """SELECT model, begins('month', second, 'UTC'), sum(tokens) FROM events
        WHERE calls = 1 AND second >= moment('2025-12-01', 'UTC') AND second < present()
        GROUP BY ALL"""
    )
    assert {model for model, *_ in months} == {"small", "large", "Größe ☃", None}
    assert series_of(answer, "model", "tokens") == set(months)
    total = sum(tokens for *_, tokens in months)
    assert answer["totals"]["tokens"]["value"] == total
    assert sum(tokens for _, tokens in totals_of(answer, "model", "tokens")) == total


def test_the_twenty_teams_that_lost_most(asked: Asked) -> None:
    answer = asked.usage(
        product="editor",
        measure="pages",
        period="90d",
        timezone=ZONE,
        group_by="team",
        compare="previous_period",
        sort="pages_change",
        order="asc",
        limit=20,
    )
    lost = asked.sql(
        """WITH ends AS (SELECT day('2026-08-21') AS start, 90 * 86400 AS length),
        used AS (
          SELECT team, sum(pages) FILTER (second >= start AND second < present()) AS value,
            sum(pages) FILTER (second >= start - length AND second < present() - length) AS before
          FROM events JOIN (SELECT DISTINCT who, team FROM people) USING (who), ends
          WHERE product = 'editor' AND team IS NOT NULL GROUP BY team
        )
        SELECT team, coalesce(value, 0), before, round(100 * (coalesce(value, 0) - before)
          ::DECIMAL(18, 4) / before, 1) AS change FROM used WHERE before > 0
        ORDER BY change, team LIMIT 20"""
    )
    found = [
        (group["team"]["id"], *figures_of(it := group["totals"]["pages"]), float(it["change_pct"]))
        for group in answer["groups"]
        if group["team"] is not None and group["totals"]["pages"]["compare_value"]
    ]
    assert len(lost) > 15
    assert found == lost[: len(found)]
    assert len(found) >= min(19, len(lost) - 1)


def test_who_has_not_used_anything_for_30_days(asked: Asked) -> None:
    answer = asked.get("/v1/seats", inactive_days=30, status="inactive", limit=1000)
    unused = asked.sql(
        """SELECT who, max(second), arg_max(product, second) FROM events GROUP BY who
        HAVING max(second) < day('2026-10-20')"""
    )
    assert unused
    assert {
        (seat["user"]["username"], second_of(it["at"]), it["product"])
        for seat in answer["data"]
        for it in [seat["last_active"]]
    } == set(unused)
    assert {seat["active_days"] for seat in answer["data"]} == {0}
    assert answer["seats"]["inactive"] == len(unused)
    assert (answer["seats"]["licensed"], answer["seats"]["never_used"]) == (70, 1)


def test_hours_of_yesterday(asked: Asked) -> None:
    answer = asked.usage(
        product="automation",
        measure="tests,active_users",
        period="yesterday",
        timezone=ZONE,
        granularity="hour",
    )
    hours = asked.sql(
        "SELECT begins('hour', second, zone()), sum(tests), count(DISTINCT who) FROM events "
        "WHERE product = 'automation' AND second >= day('2026-11-17') "
        "AND second < day('2026-11-18') GROUP BY ALL"
    )
    assert len(hours) > 2
    assert len(answer["series"]) == 24
    assert blocks_of(answer, "tests", "active_users") == set(hours)


def test_pages_of_each_export_by_type_of_user_and_quarter(asked: Asked) -> None:
    answer = asked.usage(
        kind="document",
        measure="pages_per_export,active_users",
        period="ytd",
        timezone=ZONE,
        granularity="quarter",
        group_by="user_type",
    )
    quarters = asked.sql(
        """SELECT type, begins('quarter', second, zone()),
          ((20000 * sum(pages) + sum(exports)) // (2 * sum(exports)))::BIGINT, count(DISTINCT who)
        FROM events JOIN (SELECT DISTINCT who, type FROM people) USING (who)
        WHERE exports = 1 AND second >= day('2026-01-01') AND second < present()
        GROUP BY ALL"""
    )
    found = series_of(answer, "user_type", "pages_per_export", "active_users")
    assert {(*ends, int(each * 10_000), users) for *ends, each, users in found} == set(quarters)


def test_the_days_of_one_person_on_another_continent(asked: Asked) -> None:
    answer = asked.usage(
        product="editor,viewer",
        user="person-03",
        measure="exports,pages",
        from_="2026-02-10",
        to="2026-04-01",
        timezone=NEW_YORK,
        granularity="day",
    )
    days = asked.sql(
        """SELECT begins('day', second, 'America/New_York'), sum(exports), sum(pages) FROM events
        WHERE product IN ('editor', 'viewer') AND who = 'person-03'
          AND second >= moment('2026-02-10', 'America/New_York')
          AND second < moment('2026-04-01', 'America/New_York') GROUP BY ALL"""
    )
    assert len(days) > 1
    assert blocks_of(answer, "exports", "pages") == set(days)
    lengths = {second_of(each["to"]) - second_of(each["from"]) for each in answer["series"]}
    assert lengths == {23 * 3600, 24 * 3600}


def test_credits_of_this_month_so_far_against_the_same_part_of_the_last(asked: Asked) -> None:
    answer = asked.usage(
        kind="document", measure="credits", period="mtd", timezone=ZONE, compare="previous_period"
    )
    ((now, before),) = asked.sql(
        """SELECT sum(credits) FILTER (second >= day('2026-11-01') AND second < present()),
        sum(credits) FILTER (second >= day('2026-10-01')
          AND second < day('2026-10-18 15:47:24')) FROM events"""
    )
    assert total_of(answer, "credits") == (now, before)


def test_what_each_product_was_used_for_month_by_month(asked: Asked) -> None:
    names = ("exports", "active_users", "active_days")
    answer = asked.usage(
        kind="document",
        measure=",".join(names),
        period="ytd",
        timezone=ZONE,
        granularity="month",
        group_by="product",
    )
    months = asked.sql(
        """SELECT product, begins('month', second, zone()), count(*), count(DISTINCT who),
          count(DISTINCT begins('day', second, zone())) FROM events
        WHERE exports = 1 AND second >= day('2026-01-01') AND second < present()
        GROUP BY ALL"""
    )
    assert series_of(answer, "product", *names) == set(months)


def test_teams_of_a_department_between_two_seconds(asked: Asked) -> None:
    answer = asked.usage(
        kind="document",
        measure="render_ms,active_users",
        department=SALES,
        from_="2026-10-03T07:11:13Z",
        to="2026-11-11T16:45:01Z",
        timezone=ZONE,
        granularity="week",
        group_by="team",
    )
    weeks = asked.sql(
        """SELECT team,
          greatest(begins('week', second, zone()), moment('2026-10-03 07:11:13', 'UTC')),
          sum(render_ms), count(DISTINCT who)
        FROM events JOIN people USING (who)
        WHERE exports = 1 AND department = '00000000-0000-4000-8000-000000000001'
          AND second >= moment('2026-10-03 07:11:13', 'UTC')
          AND second < moment('2026-11-11 16:45:01', 'UTC') GROUP BY ALL"""
    )
    assert len(weeks) > 5
    assert series_of(answer, "team", "render_ms", "active_users") == set(weeks)
