"""What is shown is what the API answers to questions of these tests' own."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import PRODUCT, Visit
from tests.support.browser import number
from tests.support.live_deployment import Deployment

Ask = Callable[..., Any]


@pytest.fixture
def ask(deployment: Deployment, days: Mapping[str, str]) -> Ask:
    """The totals, groups or series of the days that the views are opened for."""

    def ask(**question: str) -> Any:
        query = {**days, "compare": "previous_period", **question}
        return deployment.get("/v1/usage", "ADMIN_TOKEN", params=query).raise_for_status().json()

    return ask


@pytest.fixture(scope="module")
def me(deployment: Deployment) -> Any:
    return deployment.get("/v1/me", "ADMIN_TOKEN").raise_for_status().json()


def ranked(answer: Any, by: str, measure: str) -> list[list[str]]:
    """Names and values of groups, the largest first."""
    return [
        [
            group[by].get("name") or group[by]["username"],
            number(group["totals"][measure]["value"]),
        ]
        for group in answer["groups"]
        if group[by]
    ]


def test_the_overview_shows_who_used_what(
    visit: Visit, addresses: Mapping[str, str], ask: Ask, me: Any, deployment: Deployment
) -> None:
    every = ",".join(product["id"] for product in me["products"])
    by_product = ask(product=every, measure="active_users", group_by="product", limit="1000")
    by_day = ask(product=every, measure="active_users", granularity="day")
    by_team = ask(product=every, measure="active_users", group_by="team")
    seats = deployment.get("/v1/seats", "ADMIN_TOKEN").json()["seats"]
    visitor = visit()
    visitor.open(addresses["overview"])
    assert visitor.figure("Active users") == number(by_product["totals"]["active_users"]["value"])
    assert visitor.figure("Seats used") == number(seats["active"])
    assert visitor.figure("Seats not used") == number(seats["inactive"] + seats["never_used"])
    shown = [cells[1] for cells in visitor.rows("Active users")]
    assert shown == [number(block["active_users"]) for block in by_day["series"]]
    products = [cells[:2] for cells in visitor.rows("Products by active users")]
    assert sorted(products) == sorted(ranked(by_product, "product", "active_users"))
    teams = [cells[:2] for cells in visitor.rows("Most active teams by active users")]
    assert [cells[1] for cells in teams] == [
        cells[1] for cells in ranked(by_team, "team", "active_users")
    ][: len(teams)]


def test_a_series_in_parts_stands_beside_the_period_before_it(
    visit: Visit, ask: Ask, me: Any, deployment: Deployment
) -> None:
    last = date.fromisoformat(deployment["DEMO_TO"])
    end = last - timedelta(days=last.weekday())
    edges = [str(end - timedelta(weeks=weeks)) for weeks in (28, 21, 14, 0)]
    every = ",".join(product["id"] for product in me["products"])
    question = {"product": every, "measure": "active_users", "granularity": "week"}
    visitor = visit()
    visitor.open(f"#/overview?from={edges[2]}&to={edges[3]}&granularity=week")
    assert len([each for each in visitor.asked("/v1/usage") if "=week" in each.url]) == 4
    halves = [ask(**question, **{"from": start, "to": end}) for start, end in pairwise(edges[:3])]
    weeks = [number(week["active_users"]) for half in halves for week in half["series"]]
    assert [cells[2] for cells in visitor.rows("Active users")] == weeks
    assert len(weeks) == 14


def test_a_product_shows_every_measure_of_its_kind(
    visit: Visit, addresses: Mapping[str, str], ask: Ask, me: Any
) -> None:
    kind = next(each["kind"] for each in me["products"] if each["id"] == PRODUCT)
    described = next(each for each in me["kinds"] if each["name"] == kind)
    labels = {each["name"]: each["label"] for each in described["measures"] + described["ratios"]}
    measures = ",".join([*labels, "active_users"])
    totals = ask(product=PRODUCT, measure=measures)["totals"]
    visitor = visit()
    visitor.open(addresses["product"])
    shown = {name: visitor.figure(label) for name, label in labels.items()}
    assert shown == {name: number(totals[name]["value"]) for name in labels}
    assert visitor.figure("Active users") == number(totals["active_users"]["value"])


def test_another_measure_of_a_product_is_charted(
    visit: Visit, addresses: Mapping[str, str], ask: Ask
) -> None:
    visitor = visit()
    page = visitor.open(addresses["product"])
    page.get_by_role("button", name="Completions", exact=True).click()
    visitor.wait()
    series = ask(product=PRODUCT, measure="completions", granularity="day")["series"]
    shown = [cells[1] for cells in visitor.rows(f"{PRODUCT}: Completions")]
    assert shown == [number(block["completions"]) for block in series]
    by_user = ask(product=PRODUCT, measure="completions", group_by="user", limit="1000")
    users = [cells[:2] for cells in visitor.rows("Users by completions")]
    assert users == ranked(by_user, "user", "completions")[: len(users)]


def test_a_team_shows_its_own_figures(
    visit: Visit, addresses: Mapping[str, str], ask: Ask, me: Any, deployment: Deployment
) -> None:
    every = ",".join(product["id"] for product in me["products"])
    question = {"product": every, "measure": "active_users", "team": deployment["TEAM_ID"]}
    answer = ask(**question, group_by="product", limit="1000")
    visitor = visit()
    visitor.open(addresses["team"])
    assert visitor.figure("Active users") == number(answer["totals"]["active_users"]["value"])
    shown = [cells[:2] for cells in visitor.rows("Products by active users")]
    used = [cells for cells in ranked(answer, "product", "active_users") if cells[1] != "0"]
    assert sorted(shown) == sorted(used)


def test_a_user_shows_their_own_figures(
    visit: Visit, addresses: Mapping[str, str], ask: Ask, deployment: Deployment
) -> None:
    question = {"product": deployment["APP_ID"], "user": deployment["USER_ID"]}
    totals = ask(**question, measure="active_ms,sessions,active_days")["totals"]
    visitor = visit()
    page = visitor.open(addresses["user"])
    app = page.get_by_role("group", name="Products used").get_by_role("button", name="Desktop App")
    app.click()
    visitor.wait()
    assert visitor.figure("Active time") == number(totals["active_ms"]["value"])
    assert visitor.figure("Sessions") == number(totals["sessions"]["value"])
    assert visitor.figure("Days active") == number(totals["active_days"]["value"])


def test_seats_are_those_of_the_api(
    visit: Visit, addresses: Mapping[str, str], deployment: Deployment
) -> None:
    answer = deployment.get("/v1/seats", "ADMIN_TOKEN", params={"limit": "1000"}).json()
    visitor = visit()
    visitor.open(addresses["seats"])
    for label in ("Active", "Inactive", "Never used", "Invited"):
        value = answer["seats"][label.lower().replace(" ", "_")]
        assert (label, visitor.figure(label)) == (label, number(value))
    shown = {cells[0]: cells[4] for cells in visitor.rows("Seats")}
    known = {row["user"]["username"]: number(row["active_days"]) for row in answer["data"]}
    assert shown
    assert shown == {name: known[name] for name in shown}


def test_data_says_what_has_arrived(
    visit: Visit, addresses: Mapping[str, str], deployment: Deployment, me: Any
) -> None:
    names = {product["id"]: product["name"] for product in me["products"]}
    answer = deployment.get("/v1/coverage", "ADMIN_TOKEN").json()
    visitor = visit()
    visitor.open(addresses["data"])
    shown = {cells[0]: cells[2] for cells in visitor.rows("What has arrived of each product")}
    assert shown == {names[each["product"]]: number(each["events"]) for each in answer["products"]}
