"""`odometer report` and `odometer seats`: what people, spreadsheets and programs are shown."""

import csv
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from unittest.mock import patch
from urllib.parse import urlencode

import pytest

from odometer.api.v1.usage_query import Comparison
from odometer.domain.people import Role
from odometer_cli import output
from odometer_cli.figures import change, shown, sparkline
from odometer_cli.report import GROUPS, Compare
from odometer_cli.seats import COLUMNS
from tests.support.apps import APP
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, stack_on_moto
from tests.support.typed import Said, odometer
from tests.support.usage_sender import ago, run, send, usage_event

DAYS = {"from": ago(days=20)[:10], "to": ago(days=-1)[:10], "timezone": "UTC"}
WHEN = tuple(word for name, value in DAYS.items() for word in (f"--{name}", value))
DOCS = ("--kind", "doc", *WHEN)
MEASURES = [
    {"name": "pages"},
    {"name": "credits", "decimals": 2},
    {"name": "work_ms", "unit": "ms"},
]
USERS = {"ann": ("core", 3), "bob": ("core", 5), "=cid": ("edge", 7)}


@pytest.fixture(scope="module")
def acme() -> Iterator[Stack]:
    """Three people of two teams, who have made pages for four days; a neighbour made some, too."""
    with stack_on_moto() as stack, open_to_clients(stack):
        for organization in (ACME, OTHER):
            fill(stack, organization)
        run("fold")
        yield stack


def fill(stack: Stack, organization: str) -> None:
    key = stack.keys[organization] = admin_of(stack, organization)
    row = {"name": "doc", "label": "Documents", "measures": MEASURES, "breakdowns": ["format"]}
    stack.apply(organization, "kind", row)
    for product in ("editor", "viewer"):
        row = {"id": product, "name": f"The {product}", "kind": "doc"}
        stack.apply(organization, "product", row)
    stack.apply(organization, "product", {"id": APP, "name": "Board", "kind": "app"})
    for team, name in (("core", "Core"), ("edge", "Edge"), ("twin-1", "Twin"), ("twin-2", "Twin")):
        stack.apply(organization, "team", {"id": f"{team}", "name": name})
    for user, (team, _) in USERS.items():
        stack.user(organization, username=user, team=team)
    events = [event(user, pages, day) for day in range(1, 5) for user, (_, pages) in USERS.items()]
    assert send(stack, key, events).json["accepted"] == len(events)


def event(user: str, pages: int, day: int) -> dict[str, object]:
    data = {
        "product": "editor",
        "pages": pages * day,
        "work_ms": 60_000,
        "credits": 0.07,
        "format": "pdf",
    }
    return usage_event(f"{user} {day}", subject=user, time=ago(days=day), data=data)


@pytest.fixture
def env(acme: Stack) -> Mapping[str, str]:
    return {"ODOMETER_URL": ADDRESS, "ODOMETER_KEY": acme.keys[ACME]}


def typed(env: Mapping[str, str], *words: str) -> Said:
    said = odometer(*words, env=env)
    assert said.exit_code == 0, said
    return said


def test_every_figure_of_a_kind_has_a_line_with_its_unit(env: Mapping[str, str]) -> None:
    _, *lines = typed(env, "report", *DOCS).out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        *("pages", "credits", "work_ms", "active_users"),
    ]
    cells = {line.split()[0]: line.split() for line in lines[1:]}
    assert cells["pages"][1] == "150"
    assert cells["work_ms"][1:4] == ["12", "min", "00"]
    assert cells["pages"][-1].endswith("▁█▇▅▃▁")


def test_figures_are_those_of_the_api(acme: Stack, env: Mapping[str, str]) -> None:
    query = {"kind": "doc", "group_by": "user", **DAYS}
    answer = acme.get(f"/v1/usage?{urlencode(query)}", env["ODOMETER_KEY"]).json
    said = typed(env, "report", *DOCS, "--group-by", "user", "--json").json
    assert {**said, "data_through": ""} == {**answer, "data_through": ""}


def test_groups_are_ranked_and_named_and_end_with_the_total(env: Mapping[str, str]) -> None:
    said = typed(env, "report", *DOCS, "--group-by", "user", "--sort", "pages")
    rows = [line.split()[:2] for line in said.out.splitlines()[2:]]
    assert rows == [["=cid", "70"], ["bob", "50"], ["ann", "30"], ["total", "150"]]


def test_teams_and_products_go_by_name_and_by_id(env: Mapping[str, str]) -> None:
    words = ("report", *WHEN, "--measure", "pages", "--json")
    by_id = typed(env, *words, "--product", "editor,viewer", "--team", "core").json["totals"]
    assert by_id["pages"]["value"] == 80
    names = ("--product", "the EDITOR", "--product", "viewer", "--team", "Core")
    assert typed(env, *words, *names).json["totals"] == by_id


def test_a_user_is_named_by_username(env: Mapping[str, str]) -> None:
    said = typed(env, "report", *DOCS, "--user", "bob", "--json").json
    assert said["totals"]["pages"]["value"] == 50


@pytest.mark.parametrize(
    ("words", "fault", "remedy"),
    [
        (("--team", "Cora"), "No team is called Cora.", "Is it Core?"),
        (("--team", "Twin"), "2 teams are called Twin.", "Give an id: twin-1, twin-2"),
        (("--product", "Nothing"), "No product is called Nothing.", "Give one of: "),
        (("--kind", "Dokuments"), "No kind is called Dokuments.", "Is it Documents?"),
        (("--department", "Sales"), "No department is called Sales.", "There is no department"),
        (("--from", "2026-01-01"), "--from and --to go together.", "Give both"),
        (("--csv", "--json"), "--csv and --json exclude each other.", "Give one"),
        (("--csv", "--limit", "3"), "CSV has every row.", "Leave out --limit"),
        (("--product", "editor", "--kind", "doc"), "--product and --kind exclude", "Give one"),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_may_be(
    env: Mapping[str, str], words: tuple[str, ...], fault: str, remedy: str
) -> None:
    said = odometer("report", *words, env=env)
    assert (said.exit_code in (1, 2), said.out) == (True, "")
    first, second = said.err.splitlines()
    assert (first.startswith(fault), second.startswith(remedy)) == (True, True)


def test_without_a_question_it_shows_how_many_users_each_product_has(
    env: Mapping[str, str],
) -> None:
    lines = typed(env, "report").out.splitlines()
    assert lines[2].split()[:3] == ["The", "editor", "3"]
    assert lines[-1].split()[:2] == ["total", "3"]


def test_pages_are_read_until_there_are_enough(env: Mapping[str, str]) -> None:
    words = ("report", *DOCS, "--group-by", "user")
    with patch("odometer_cli.asking.LARGEST_PAGE", 1):
        whole = typed(env, *words, "--json").json
        cut = typed(env, *words, "--limit", "2")
    assert [group["user"]["username"] for group in whole["groups"]] == ["=cid", "bob", "ann"]
    assert whole["next_cursor"] is None
    assert len(cut.out.splitlines()) == 5
    assert cut.err == "2 of 3: --limit 3 shows more, --csv every row.\n"


def test_a_spreadsheet_gets_the_table_of_the_api_without_formulas(
    acme: Stack, env: Mapping[str, str]
) -> None:
    said = typed(env, "report", *DOCS, "--group-by", "user", "--csv")
    rows = list(csv.DictReader(said.out.splitlines()))
    assert [row["user.username"] for row in rows] == ["'=cid", "bob", "ann"]
    query = {"kind": "doc", "group_by": "user", **DAYS}
    url = f"/v1/usage?{urlencode(query)}"
    table = acme.get(url, env["ODOMETER_KEY"], accept="text/csv").text
    assert said.out.splitlines() == table.splitlines()


def test_decimals_keep_their_digits(env: Mapping[str, str]) -> None:
    said = typed(env, "report", *DOCS, "--measure", "credits", "--json")
    assert json.loads(said.out, parse_float=str)["totals"]["credits"]["value"] == "0.84"


def test_a_narrow_terminal_shows_what_fits_and_says_what_does_not(
    env: Mapping[str, str],
) -> None:
    with patch.object(output.out, "_width", 60):
        said = typed(env, "report", *DOCS, "--group-by", "user")
    assert max(map(len, said.out.splitlines()[1:])) <= 60
    assert "pages" in said.out
    assert said.err == (
        "No room for credits, work_ms, active_users: widen the window, or give --measure.\n"
    )


def test_nothing_is_coloured_where_nobody_looks(env: Mapping[str, str]) -> None:
    assert "\x1b" not in typed(env, "report", *DOCS).out


def test_a_period_without_usage_says_so(env: Mapping[str, str]) -> None:
    words = ("--from", "2026-01-01", "--to", "2026-01-03", "--group-by", "team")
    assert "Nothing was used." in typed(env, "report", "--kind", "doc", *words).out


def test_whoever_sees_only_themselves_is_shown_themselves(
    acme: Stack, env: Mapping[str, str]
) -> None:
    bob = next(user for user in acme.directories.open(ACME).users if user.username == "bob")
    key = acme.key(ACME, bob.id)
    said = typed({**env, "ODOMETER_KEY": key}, "report", *DOCS, "--json").json
    assert (bob.role, said["totals"]["pages"]["value"]) == (Role.MEMBER, 50)


def test_where_days_of_another_zone_cannot_be_a_series_there_are_totals(
    env: Mapping[str, str],
) -> None:
    words = ("report", "--product", "automation", "--period", "12mo", "--timezone", "Asia/Tokyo")
    assert "by month" not in typed(env, *words).out
    refused = odometer(*words, "--granularity", "month", env=env)
    assert (refused.exit_code, refused.err[:4]) == (1, "400:")


def test_a_deployment_of_a_former_release_is_asked_by_ids(
    acme: Stack, env: Mapping[str, str]
) -> None:
    real = acme.call

    def former(method: str, url: str, *rest: object, **more: object) -> object:
        path = "/v1/nothing" if url == "/v1/me" else url
        return real(method, path, *rest, **more)  # type: ignore[arg-type]

    with patch.object(acme, "call", former):
        assert typed(env, "report", *DOCS, "--team", "core", "--json").json["totals"]
        said = odometer("report", env=env)
    assert said.err.splitlines() == ["Of what?", "Give --product or --kind."]


def test_the_words_of_options_are_those_of_the_api() -> None:
    assert {*Compare} - {"none"} == {*Comparison}
    assert "user_type" in GROUPS


# seats


def test_seats_are_counted_and_listed(env: Mapping[str, str]) -> None:
    said = typed(env, "seats").out.splitlines()
    assert said[0] == "4 seats: 3 active, 0 inactive, 1 never used; 0 invited"
    assert said[1].split() == list(COLUMNS)
    rows = [line.split() for line in said[3:]]
    assert sorted(row[:2] for row in rows) == [["=cid", "Edge"], ["ann", "Core"], ["bob", "Core"]]
    assert {row[3] for row in rows} == {"active"}


def test_seats_are_those_of_the_api(acme: Stack, env: Mapping[str, str]) -> None:
    said = typed(env, "seats", "--team", "CORE", "--sort", "username", "--json").json
    answer = acme.get("/v1/seats?team=core&sort=username", env["ODOMETER_KEY"]).json
    assert said["data"] == answer["data"]
    assert [row["user"]["username"] for row in said["data"]] == ["ann", "bob"]


def test_seats_of_a_product_or_a_status_are_listed(env: Mapping[str, str]) -> None:
    used = typed(env, "seats", "--product", "The viewer", "--status", "active")
    assert used.out.splitlines()[1:] == ["There are none of those."]
    assert "bob" in typed(env, "seats", "--user", "bob").out


def test_seats_as_a_table_have_no_formulas(env: Mapping[str, str]) -> None:
    rows = list(csv.DictReader(typed(env, "seats", "--csv").out.splitlines()))
    assert "'=cid" in {row["user.username"] for row in rows}


def test_more_seats_than_are_listed_are_told(env: Mapping[str, str]) -> None:
    said = typed(env, "seats", "--limit", "2")
    assert said.err == "2 of 4: --limit 4 shows more, --csv every row.\n"


# tokens

PAGE = ("--origin", "https://app.example.com")


def test_a_token_shows_what_it_is_of_and_stands_alone_on_its_line(
    acme: Stack, env: Mapping[str, str]
) -> None:
    words = ("token", "--team", "core", "--product", "the editor", *PAGE, "--expires-in", "15m")
    said = typed(env, *words)
    assert said.out.startswith("oet_")
    assert said.out.count("\n") == 1
    shown = typed({**env, "ODOMETER_KEY": said.out.strip()}, "report", *DOCS, "--json").json
    assert shown["totals"]["pages"]["value"] == 80
    assert said.err.startswith("It ends at 2")
    refused = odometer("whoami", env={**env, "ODOMETER_KEY": said.out.strip()})
    assert (refused.exit_code, refused.err.splitlines()[0]) == (2, "This is an embed token.")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "Whose usage?"),
        (("--organization", "--user", "bob"), "Whose usage?"),
        (("--user", "bob", "--expires-in", "1d"), "1d: no length of time."),
        (("--user", "bob", "--expires-in", "25h"), "400: expires_in: expected an integer"),
        (("--user", "nobody"), "400: for.user: expected the id of a user"),
    ],
)
def test_a_token_that_cannot_be_made_says_why(
    env: Mapping[str, str], words: tuple[str, ...], fault: str
) -> None:
    said = odometer("token", *PAGE, *words, env=env)
    assert (said.out, said.err[: len(fault)]) == ("", fault)


# figures


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_234_567, None, "1,234,567"),
        (Decimal("1234.50"), "credits", "1,234.50"),
        (None, "ms", "–"),
        (870, "ms", "870 ms"),
        (5_321, "ms", "5.3 s"),
        (59_999, "ms", "60.0 s"),
        (725_000, "ms", "12 min 05 s"),
        (90, "seconds", "1 min 30 s"),
        (4_444_444_444, "ms", "1,234 h 34 min"),
        (999, "bytes", "999 B"),
        (1_234_567, "bytes", "1.2 MB"),
    ],
)
def test_a_figure_is_shown_in_its_unit(value: Decimal, unit: str | None, text: str) -> None:
    assert shown(value, unit) == text


def test_a_change_has_a_sign() -> None:
    assert [change(each) for each in (None, 0, Decimal("-3.5"), 1200)] == [
        *("", "+0.0 %", "-3.5 %", "+1,200.0 %"),
    ]


def test_a_series_is_a_line_of_blocks() -> None:
    assert sparkline([0, 1, 2, 4, 8, None, 8]) == "▁▂▃▅█ █"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline(range(100), width=8) == "▁▂▃▄▅▆▇█"
