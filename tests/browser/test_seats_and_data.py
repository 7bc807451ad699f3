"""Seats and Data in a browser: figures are those of the API, and a person can change them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.support.browser import Visitor
from tests.support.live_deployment import Deployment

HOSTILE = "<img src=x onerror=alert(1)>'\"`; rm -rf ~ #"


def asked(deployment: Deployment, path: str, key: str = "ADMIN_TOKEN") -> Any:
    return deployment.get(path, key).raise_for_status().json()


def usernames(visitor: Visitor) -> list[str]:
    return [row[0] for row in visitor.rows("Seats")]


def test_seats_are_those_of_the_api(visit: Visit, deployment: Deployment) -> None:
    answer = asked(deployment, "/v1/seats?limit=50")
    visitor = visit()
    page = visitor.open("#/seats")
    assert usernames(visitor) == [seat["user"]["username"] for seat in answer["data"]]
    for label in ("Active", "Inactive", "Never used", "Invited"):
        name = label.lower().replace(" ", "_")
        assert visitor.figure(label) == f"{answer['seats'][name]:,}"
    licensed = answer["seats"]["licensed"]
    expect(page.get_by_role("group", name="Seats", exact=True)).to_contain_text(f"of {licensed:,}")
    assert visitor.findings() == []


def test_seats_are_filtered_sorted_and_turned_and_the_address_says_how(
    visit: Visit, deployment: Deployment
) -> None:
    visitor = visit()
    page = visitor.open("#/seats?status=invited")
    invited = asked(deployment, "/v1/seats?status=invited&limit=50")["data"]
    assert usernames(visitor) == [seat["user"]["username"] for seat in invited]
    page.get_by_role("button", name="Invited", exact=True).press("Enter")
    page.get_by_role("button", name="User", exact=True).press("Enter")
    expect(page.get_by_role("columnheader", name="User")).to_have_attribute(
        "aria-sort", "ascending"
    )
    assert visitor.address == "#/seats?sort=username"
    by_name = asked(deployment, "/v1/seats?sort=username&limit=1000")["data"]
    pages = page.get_by_role("navigation", name="Pages of seats")
    expect(pages).to_contain_text(f"1–50 of {len(by_name)}")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(pages).to_contain_text("51–100 of")
    expected = [seat["user"]["username"] for seat in by_name[50:100]]
    expect(page.get_by_role("table", name="Seats").locator("tbody th")).to_have_text(expected)


def test_nobody_fits_and_the_filters_can_be_cleared(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("#/seats?q=nobody-has-this-name", state="empty")
    page.get_by_role("button", name="Clear filters").press("Enter")
    visitor.wait("ready", "seats")
    assert visitor.address == "#/seats"


def test_an_organization_without_seats_says_where_they_come_from(
    visit: Visit, deployment: Deployment
) -> None:
    answer = asked(deployment, "/v1/seats?limit=1")
    none = dict.fromkeys(answer["seats"], 0)
    visitor = visit()
    visitor.answer(
        "/v1/seats",
        200,
        {**answer, "data": [], "seats": none, "total_count": 0, "next_cursor": None},
    )
    page = visitor.open("#/seats", state="empty")
    said = page.get_by_role("status").filter(has_text="Nobody has a seat yet")
    expect(said).to_contain_text("PUT /v1/directory")
    expect(page.get_by_role("button", name="Clear filters")).to_have_count(0)
    expect(page.get_by_text("Nobody has ever used")).to_have_count(0)
    assert visitor.findings() == []


def test_seats_that_nobody_has_ever_used_lead_to_what_has_arrived(
    visit: Visit, deployment: Deployment
) -> None:
    answer = asked(deployment, "/v1/seats?limit=3")
    for seat in answer["data"]:
        seat |= {"status": "never_used", "active_days": 0}
        seat["last_active"] = dict.fromkeys(seat["last_active"])
    unused = {**answer["seats"], "active": 0, "inactive": 0, "assigned": 3, "never_used": 3}
    visitor = visit()
    visitor.answer("/v1/seats", 200, {**answer, "seats": unused, "total_count": 3})
    page = visitor.open("#/seats?product=chat", state="ready")
    assert [row[3:5] for row in visitor.rows("Seats")] == [["–", "0"]] * 3
    assert visitor.figure("Never used") == "3"
    said = page.get_by_role("status").filter(has_text="Nobody has ever used chat")
    said.get_by_role("link", name="See what has arrived").click()
    visitor.wait(view="data")


def test_a_team_lead_sees_the_seats_of_their_team(visit: Visit, deployment: Deployment) -> None:
    me = asked(deployment, "/v1/me", "TEAMLEAD_TOKEN")
    visitor = visit("TEAMLEAD_TOKEN")
    page = visitor.open("#/seats")
    teams = set(
        page.get_by_role("table", name="Seats").locator("tbody td:nth-child(2)").all_inner_texts()
    )
    assert teams == {me["teams"][0]["name"]}


def test_names_in_seats_are_text_and_run_nothing(visit: Visit, deployment: Deployment) -> None:
    answer = asked(deployment, "/v1/seats?limit=1")
    (seat,) = answer["data"]
    seat["user"]["username"], seat["user"]["team"] = HOSTILE, {"id": "x", "name": HOSTILE}
    visitor = visit()
    visitor.answer("/v1/seats", 200, answer)
    page = visitor.open("#/seats")
    assert usernames(visitor) == [HOSTILE]
    expect(page.locator("main img")).to_have_count(0)


def test_data_is_that_of_the_api(visit: Visit, deployment: Deployment) -> None:
    answer = asked(deployment, "/v1/coverage")
    visitor = visit()
    page = visitor.open("#/data")
    release = asked(deployment, "/v1/me")["release"]
    expect(page.get_by_text(f"how fresh it is. Odometer {release}.")).to_be_visible()
    rows = {row[0]: row[2] for row in visitor.rows("What has arrived of each product")}
    names = {each["id"]: each["name"] for each in asked(deployment, "/v1/me")["products"]}
    assert rows == {names[each["product"]]: f"{each['events']:,}" for each in answer["products"]}
    assert visitor.figure("Events") == f"{sum(each['events'] for each in answer['products']):,}"
    assert visitor.findings() == []


@pytest.mark.parametrize("key", ["TEAMLEAD_TOKEN", "MEMBER_TOKEN"])
def test_who_may_not_read_what_has_arrived_is_told_who_may(visit: Visit, key: str) -> None:
    visitor = visit(key)
    page = visitor.open("#/data", state="forbidden")
    expect(page.get_by_role("alert")).to_contain_text("Only an Admin or a Manager")
    assert visitor.asked("/v1/coverage") == []


def growing(answer: Any, product: str) -> Callable[[Route], None]:
    """Answers as long as a page waits, until an event has come."""
    times = 0

    def answer_more(route: Route) -> None:
        nonlocal times
        times += 1
        for each in answer["products"]:
            if each["product"] == product:
                each["events"] = int(times > 2)
        route.fulfill(json=answer)

    return answer_more


def test_the_first_event_turns_the_page_green(visit: Visit, deployment: Deployment) -> None:
    answer = asked(deployment, "/v1/coverage")
    for each in answer["products"]:
        each |= {"events": 0, "first_event_at": None, "last_event_at": None, "sources": []}
    first = answer["products"][0]["product"]
    visitor = visit()
    visitor.page.clock.install()
    visitor.intercept("/v1/coverage", growing(answer, first))
    page = visitor.open("#/data", state="empty")
    command = page.get_by_label("Command to send an event")
    expect(command).to_contain_text(f"curl {deployment['BASE_URL']}/v1/events")
    expect(command).to_contain_text(f'"product":"{first}"')
    waiting = page.locator("[data-arrived]")
    expect(waiting).to_have_text("Waiting for your event…")
    page.clock.fast_forward(2_000)
    expect(waiting).to_have_text("Waiting for your event…")
    page.clock.fast_forward(3_000)
    expect(waiting).to_have_text("✓ Your event has arrived.")
    assert len(visitor.asked("/v1/coverage")) == 3


def test_a_command_holds_no_key_and_nothing_that_a_shell_would_run(
    visit: Visit, deployment: Deployment
) -> None:
    answer = asked(deployment, "/v1/coverage")
    me = asked(deployment, "/v1/me")
    me["caller"]["user"]["username"] = HOSTILE
    visitor = visit()
    visitor.answer("/v1/me", 200, me)
    visitor.answer(
        "/v1/coverage", 200, {**answer, "products": [{**answer["products"][0], "events": 0}]}
    )
    text = visitor.open("#/data", state="empty").get_by_label("Command to send").inner_text()
    assert '"subject":"USERNAME"' in text
    assert not re.search(r"rm -rf|odo_", text)
