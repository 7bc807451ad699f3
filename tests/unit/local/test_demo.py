"""The demo: made by rule, the same every time, and written down for its owner alone."""

import json
import shlex
import subprocess
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from local import demo
from local.demo import NAMES, read_names, write_names
from local.demo_organization import OWN_KIND, OWN_PRODUCT, TEAMS, WEB_APP, DemoOrganization
from local.demo_usage import LAUNCHED_DAYS_AGO, demo_events, event_batches
from odometer.api.v1.events import LARGEST_BODY, MOST_EVENTS
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS
from odometer_cli.client import Client
from odometer_cli.failure import Unreachable

TODAY = date(2026, 11, 20)
DEMO = DemoOrganization("demo", size=200, teams=8, today=TODAY)
EVENTS = list(demo_events(DEMO, DEMO.first_day, DEMO.last_day))


def test_the_same_day_makes_the_same_organization_and_usage() -> None:
    again = DemoOrganization("demo", size=200, teams=8, today=TODAY)
    assert again.waves() == DEMO.waves()
    week = (date(2026, 8, 3), date(2026, 8, 9))
    assert list(demo_events(again, *week)) == [
        event for event in EVENTS if "2026-08-03" <= event["time"] < "2026-08-10"
    ]


def test_two_organizations_share_no_id_and_no_name() -> None:
    other = DemoOrganization("other", size=40, teams=3, today=TODAY)
    ours, theirs = names_in(DEMO), names_in(other)
    assert not ours & theirs


def names_in(organization: DemoOrganization) -> set[str]:
    rows = [row for wave in organization.waves() for row in wave if row["kind"] != "kind"]
    return {
        row[key] for row in rows for key in ("id", "username", "user_key", "name") if key in row
    }


def test_everybody_is_plainly_demo() -> None:
    assert all(each.username.startswith(("demo-user-", "demo-service-")) for each in DEMO.people)
    assert all(each.username.endswith("@example.com") for each in DEMO.people)


def test_the_cast_has_every_role_type_state_and_place() -> None:
    people = DEMO.people
    assert Counter(each.row["role"] for each in people) == {
        "TeamLead": 8,
        "Manager": 3,
        "Member": 189,
    }
    assert {each.row["type"] for each in people} == {"account-user", "service-user"}
    assert [len(wave) - extra for wave, extra in zip(DEMO.waves(), (20, 0, 0), strict=True)] == [
        200,
        sum(each.registered is not None for each in people),
        sum(each.deactivated is not None for each in people),
    ]
    assert any(each.registered is None for each in people)
    assert any(each.deactivated for each in people)
    assert any(each.row["team"] is None for each in people)


def test_the_member_is_in_the_team_that_the_team_lead_leads_and_both_stay() -> None:
    team = DEMO.id_of("Team 01")
    for person, role in ((DEMO.lead, "TeamLead"), (DEMO.member, "Member")):
        assert (person.row["team"], person.row["role"]) == (team, role)
        assert (person.registered is not None, person.deactivated) == (True, None)
    assert DEMO.manager.row["role"] == "Manager"
    assert DEMO.service_user.row["type"] == "service-user"


def test_states_follow_each_other_and_none_lies_ahead() -> None:
    for each in DEMO.people:
        days = [day for day in (each.invited, each.registered, each.deactivated) if day]
        assert days == sorted(set(days))
        assert days[-1] < TODAY


# usage


def test_usage_lasts_a_whole_year_and_knows_every_product() -> None:
    days = {event["time"][:10] for event in EVENTS}
    assert (min(days), max(days)) == (str(DEMO.first_day), str(DEMO.last_day))
    assert DEMO.last_day - DEMO.first_day == timedelta(days=364)
    products = {event["data"]["product"] for event in EVENTS}
    own = {DEMO.id_of(each) for each in ("Desktop App", "Web App", OWN_PRODUCT)}
    assert products == {*DEFAULT_PRODUCTS, *own}


def test_every_report_answers_for_the_range_that_the_demo_names() -> None:
    assert DEMO.last_day - DEMO.first_day_of_reports == timedelta(days=89)
    short = DemoOrganization("demo", size=20, teams=2, today=TODAY, days=7)
    assert short.first_day_of_reports == short.first_day


def test_only_people_with_an_account_on_that_day_use_anything() -> None:
    people = {each.username: each for each in DEMO.people}
    assert all(
        people[event["subject"]].has_account_on(date.fromisoformat(event["time"][:10]))
        for event in EVENTS
    )


def active_on(first: str, last: str, team: str | None = None) -> float:
    """How many people used anything on a working day, on average; in a team or in all."""
    people = {each.username: each for each in DEMO.people}
    pairs = {
        (event["time"][:10], event["subject"])
        for event in EVENTS
        if first <= event["time"][:10] <= last
        and team in (None, people[event["subject"]].team.name)
        and people[event["subject"]].row["type"] == "account-user"
    }
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    days = [begin + timedelta(days=ago) for ago in range((end - begin).days + 1)]
    return len(pairs) / sum(day.weekday() < 5 for day in days)


def test_weekends_are_quiet() -> None:
    on = Counter(date.fromisoformat(event["time"][:10]).weekday() for event in EVENTS)
    assert max(on[5], on[6]) * 5 < min(on[day] for day in range(5))


def test_more_people_use_it_from_quarter_to_quarter() -> None:
    quarters = (
        ("2026-01-05", "2026-03-27"),
        ("2026-03-30", "2026-06-26"),
        ("2026-08-31", "2026-11-19"),
    )
    first, second, last = (active_on(*each) for each in quarters)
    assert first * 1.1 < second
    assert second * 1.1 < last


def test_the_last_week_of_december_and_august_are_dips() -> None:
    assert active_on("2025-12-24", "2026-01-01") * 5 < active_on("2026-01-05", "2026-01-16")
    assert active_on("2026-08-03", "2026-08-28") * 1.1 < active_on("2026-09-01", "2026-09-25")


def test_the_web_app_is_launched_and_found_within_weeks() -> None:
    launched = TODAY - timedelta(days=LAUNCHED_DAYS_AGO)
    used = Counter(
        (date.fromisoformat(event["time"][:10]) - launched).days // 14
        for event in EVENTS
        if event["data"]["product"] == DEMO.id_of(WEB_APP)
    )
    assert min(used) == 0
    assert used[0] * 4 < used[4]


def test_one_team_fades_away() -> None:
    (fading,) = (team.name for team in TEAMS if team.is_fading)
    assert active_on("2026-10-05", "2026-11-19", fading) * 2 < active_on(
        "2026-03-02", "2026-05-29", fading
    )


def test_some_seats_were_never_used_and_some_not_for_long() -> None:
    used = {event["subject"] for event in EVENTS}
    lately = {event["subject"] for event in EVENTS if event["time"] > "2026-10-21"}
    seats = {each.username for each in DEMO.people if each.has_account_on(TODAY)}
    assert len(seats - used) >= 5
    assert len((seats & used) - lately) >= 10
    assert len(seats & lately) >= 100


def test_teams_and_departments_are_plainly_demo_and_tell_apart() -> None:
    rows = [row for row in DEMO.waves()[0] if row["kind"] in {"team", "department"}]
    names = {row["name"] for row in rows}
    assert len(names) == len(rows) == 14
    assert all(name.startswith("Demo ") for name in names)
    sizes = Counter(each.team.name for each in DEMO.people)
    assert max(sizes.values()) > 2 * min(sizes.values())


def test_every_event_has_an_id_of_its_own_and_all_measures_of_its_kind() -> None:
    assert len({event["id"] for event in EVENTS}) == len(EVENTS)
    apps = dict.fromkeys((DEMO.id_of("Desktop App"), DEMO.id_of("Web App")), KINDS["app"])
    kinds = {**DEFAULT_PRODUCTS, **apps}
    own = {each["name"] for each in OWN_KIND["measures"] if "aggregate" not in each}
    for event in EVENTS:
        values = dict(event["data"])
        if (product := values.pop("product")) == DEMO.id_of(OWN_PRODUCT):
            assert set(values) == {*own, *OWN_KIND["breakdowns"]}
            continue
        kind = kinds[product]
        assert values.pop("platform", None) in (kind.platforms or (None,))
        assert set(values) == set(kind.measures)
        assert any(values.values())


def data_of(*measures: str) -> list[dict[str, Any]]:
    """The data of every event that has all these measures."""
    return [event["data"] for event in EVENTS if set(measures) <= set(event["data"])]


def users_of(product: str) -> set[str]:
    return {event["subject"] for event in EVENTS if event["data"]["product"] == product}


def test_sessions_last_minutes_and_a_day_in_an_app_less_than_a_working_day() -> None:
    assert all(
        3 <= each["active_ms"] / each["sessions"] / 60_000 <= 45 for each in data_of("sessions")
    )
    days: Counter[tuple[str, str]] = Counter()
    for event in EVENTS:
        days[event["subject"], event["time"][:10]] += event["data"].get("active_ms", 0)
    assert max(days.values()) < 10 * 60 * 60_000


def test_a_completion_has_about_a_dozen_characters_and_saves_some_typing() -> None:
    found = data_of("completions")
    assert all(6 <= each["chars_completed"] / each["completions"] <= 18 for each in found)
    completed, typed = (
        sum(each[name] for each in found) for name in ("chars_completed", "keystrokes")
    )
    assert 0.2 < completed / (completed + typed) < 0.4


def test_about_six_of_ten_answers_are_useful_and_only_those_are_consumed() -> None:
    found = data_of("interactions")
    useful, asked = (
        sum(each[name] for each in found) for name in ("useful_interactions", "interactions")
    )
    assert 0.5 < useful / asked < 0.7
    for each in found:
        assert each["useful_interactions"] <= each["interactions"] <= 30
        assert 2 * each["useful_interactions"] <= each["lines"] <= 12 * each["useful_interactions"]
        assert 12 * each["lines"] <= each["chars_completed"] <= 48 * each["lines"]


def test_a_test_takes_between_ten_seconds_and_two_minutes() -> None:
    assert all(
        10_000 <= each["duration_ms"] / each["tests"] <= 120_000 for each in data_of("tests")
    )


def test_apps_have_different_users_and_some_in_common() -> None:
    desktop, web = users_of(DEMO.id_of("Desktop App")), users_of(DEMO.id_of("Web App"))
    people = {each.username for each in DEMO.people}
    assert (
        min(map(len, (desktop - web, web - desktop, desktop & web, people - desktop - web))) >= 10
    )
    for app, platform in (("Desktop App", "desktop"), ("Web App", "web")):
        sent = [each for each in data_of("platform") if each["product"] == DEMO.id_of(app)]
        assert {each["platform"] for each in sent} == {platform}


def test_teams_differ_in_how_much_they_work_and_in_what() -> None:
    teams = {each.username: each.row["team"] for each in DEMO.people}
    sizes = Counter(teams.values())
    work = Counter(teams[event["subject"]] for event in EVENTS)
    each = [work[team] / sizes[team] for team in sizes if team]
    assert max(each) > 1.5 * min(each) > 0
    products_used = {event["data"]["product"] for event in EVENTS}
    favourites = Counter((teams[event["subject"]], event["data"]["product"]) for event in EVENTS)
    favourite = {
        team: max(products_used, key=lambda name: favourites[team, name]) for team in sizes
    }
    assert len(set(favourite.values())) >= 4


def test_machines_run_tests_and_nothing_else() -> None:
    machines = {each.username for each in DEMO.people if each.row["type"] == "service-user"}
    used = {event["data"]["product"] for event in EVENTS if event["subject"] in machines}
    assert used == set(DEFAULT_PRODUCTS) - {"code-completions", "chat"}


def test_loading_sends_no_more_events_than_a_first_start_has_patience_for() -> None:
    assert 15_000 < len(EVENTS) < 22_000


def test_batches_hold_every_event_in_order_within_the_limits() -> None:
    sent = list(event_batches(EVENTS))
    assert [event for batch in sent for event in batch] == EVENTS
    assert all(len(batch) <= MOST_EVENTS for batch in sent)
    long = [{"id": str(number), "source": "s" * 100_000} for number in range(30)]
    sizes = [len(json.dumps(batch)) for batch in event_batches(long)]
    assert max(sizes) <= LARGEST_BODY
    assert len(sizes) == 3


# the record


def test_names_are_written_so_that_a_shell_reads_back_every_value(tmp_path: Path) -> None:
    odd = {name: f"$HOME `id` \"{name}\" 'x' \\ #" for name in NAMES}
    write_names(tmp_path / "demo.env", odd)
    script = f". {shlex.quote(str(tmp_path / 'demo.env'))} && printf '%s' \"$TEAM_ID\""
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S607  our own script
    assert shell.stdout == odd["TEAM_ID"]
    assert read_names(tmp_path / "demo.env") == odd


def test_only_the_owner_may_read_the_record_also_when_it_is_written_again(tmp_path: Path) -> None:
    record = tmp_path / "demo.env"
    record.write_text("left over")
    record.chmod(0o644)
    for _ in range(2):
        write_names(record, dict.fromkeys(NAMES, "value"))
        assert record.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["demo.env"]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Where a run with a record in `tmp_path` would load the demo."""
    loaded: list[str] = []

    def load(base_url: str) -> dict[str, str]:
        loaded.append(base_url)
        return dict.fromkeys(NAMES, "new") | {"BASE_URL": base_url}

    monkeypatch.setattr(demo, "load", load)
    monkeypatch.setattr("sys.argv", ["demo", "--home", str(tmp_path)])
    monkeypatch.setenv("BASE_URL", "http://here")
    return loaded


def run_answered(status: int) -> None:
    with patch.object(Client, "send", lambda *_: httpx.Response(status)):
        assert demo.main() == 0


def test_a_second_run_loads_nothing_and_learns_the_new_address(
    loads: list[str], tmp_path: Path
) -> None:
    write_names(tmp_path / "demo.env", dict.fromkeys(NAMES, "old"))
    run_answered(200)
    assert loads == []
    expected: dict[str, Any] = dict.fromkeys(NAMES, "old") | {"BASE_URL": "http://here"}
    assert read_names(tmp_path / "demo.env") == expected


@pytest.mark.parametrize(("known", "status"), [(NAMES, 401), (NAMES[:-1], 200), ((), 200)])
def test_what_is_incomplete_or_no_longer_answered_is_loaded_again(
    loads: list[str], tmp_path: Path, known: tuple[str, ...], status: int
) -> None:
    lines = [f"{name}=old\n" for name in known]
    (tmp_path / "demo.env").write_text("".join([demo.HEADING, *lines]))
    run_answered(status)
    assert loads == ["http://here"]
    assert read_names(tmp_path / "demo.env")["TEAM_ID"] == "new"


def test_a_stack_that_is_too_busy_to_answer_is_asked_again(
    loads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(demo, "start_page", lambda *_: None)
    replies = [Unreachable("timed out"), httpx.Response(502), httpx.Response(200)]
    write_names(tmp_path / "demo.env", dict.fromkeys(NAMES, "old"))
    with patch.object(Client, "send", side_effect=replies) as send:
        assert demo.main() == 0
    assert (send.call_count, loads) == (3, [])


def test_whoever_opens_the_page_waits_for_no_function_to_start() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, text='<link href="page/a.css"><script src="page/v-1/b.js">')

    client = Client("http://here", "key", httpx.MockTransport(answer))
    demo.start_page(client, "editor")
    assert asked[0] == "/"
    files, questions = {"/page/a.css", "/page/v-1/b.js"}, {"/v1/me", "/v1/seats", "/v1/usage"}
    assert set(asked[1:]) == files | questions


def test_a_page_that_is_too_slow_to_start_keeps_nobody_from_the_stack(
    loads: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_names(tmp_path / "demo.env", dict.fromkeys(NAMES, "old"))
    replies = [httpx.Response(200), Unreachable("timed out")]
    with patch.object(Client, "send", side_effect=replies):
        assert demo.main() == 0
    assert "Look at it" in capsys.readouterr().out
    assert loads == []


def test_only_a_load_says_how_long_it_took(
    loads: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for _ in range(2):
        run_answered(200)
        said.append("Loading the demo: 0.0 s" in capsys.readouterr().out)
    assert (said, loads) == ([True, False], ["http://here"])
    assert (tmp_path / "demo.env").exists()


def test_a_demo_of_an_older_edition_is_completed(loads: list[str], tmp_path: Path) -> None:
    write_names(tmp_path / "demo.env", dict.fromkeys(NAMES, "old"))
    newer = demo.HEADING.replace("edition", "edition after")
    with patch.object(demo, "HEADING", newer):
        run_answered(200)
    assert loads == ["http://here"]


def test_a_load_that_was_cut_short_goes_on_where_it_ended() -> None:
    """States that a user has passed are not sent again: history would refuse them."""
    left = next(each for each in DEMO.people if each.deactivated)
    wave = [row for wave in DEMO.waves() for row in wave if row.get("id") == left.id]
    known = {left.id: wave[1]["state_since"]}
    assert [demo.is_new(row, known) for row in wave] == [False, False, True]
    assert datetime.fromisoformat(wave[2]["state_since"]) < datetime.now(UTC)


def coverage_of(*events: int) -> httpx.Response:
    return httpx.Response(200, json={"products": [{"events": each} for each in events]})


def test_a_loaded_demo_waits_until_reports_count_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    answers = [coverage_of(), coverage_of(2, 1), coverage_of(2, 3), coverage_of(9, 9)]
    with patch.object(Client, "send", side_effect=answers) as send:
        demo.wait_until_shown(Client("http://here", "key"), 5)
    assert (send.call_count, len(pauses)) == (3, 2)


def test_a_stack_that_counts_too_slowly_is_not_waited_for_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 1000, 50))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with patch.object(Client, "send", lambda *_: coverage_of(1)):
        demo.wait_until_shown(Client("http://here", "key"), 5)
    assert next(clock) < 1000


def test_the_demo_prints_a_link_that_opens_the_page_signed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: f"the-{name}" for name in NAMES}
    demo.show(names, tmp_path / "demo.env")
    assert "the-BASE_URL/#token=the-ADMIN_TOKEN\n" in capsys.readouterr().out
