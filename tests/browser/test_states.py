"""Every view says what it shows: nothing yet, nothing at all, a refusal, a failure, or a part."""

import re
from collections import Counter
from collections.abc import Mapping

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit

ANSWERED_BY = {
    "overview": "/v1/usage",
    "product": "/v1/usage",
    "team": "/v1/usage",
    "user": "/v1/usage",
    "seats": "/v1/seats",
    "data": "/v1/coverage",
}
"""The request that a view stands and falls with."""
REFUSALS = {
    403: ("forbidden", "may not read"),
    404: ("error", "no such thing"),
    500: ("error", "failed"),
}
REFUSAL = {"error": {"code": "refused", "message": "Refused for a test", "details": {}}}


@pytest.mark.parametrize("view", ANSWERED_BY)
def test_a_view_says_why_there_is_no_answer(
    visit: Visit, addresses: Mapping[str, str], view: str
) -> None:
    visitor = visit()
    for status, (state, words) in REFUSALS.items():
        visitor.answer(ANSWERED_BY[view], status, REFUSAL)
        page = visitor.open(addresses[view], state)
        expect(page.get_by_role("alert").filter(has_text=words).first).to_be_visible()
        page.unroute_all()


@pytest.mark.parametrize("view", ["overview", "product", "team", "user"])
def test_a_view_of_a_time_without_use_says_so(
    visit: Visit, addresses: Mapping[str, str], view: str
) -> None:
    address = addresses[view].partition("?")[0]
    visitor = visit()
    page = visitor.open(f"{address}?from=2020-06-01&to=2020-06-29", "empty")
    said = page.get_by_role("status").filter(
        has_text=re.compile("nobody|no usage|nothing", re.IGNORECASE)
    )
    expect(said.first).to_be_visible()
    assert visitor.findings() == []


@pytest.mark.parametrize("view", ["overview", "team", "user"])
def test_products_that_are_left_out_are_said(
    visit: Visit, addresses: Mapping[str, str], view: str
) -> None:
    visitor = visit()

    def have_many(route: Route) -> None:
        me = route.fetch().json()
        route.fulfill(json=me | {"products": me["products"] * 40, "more_products": True})

    def ask_for_each_once(route: Route) -> None:
        url = httpx.URL(route.request.url)
        products = url.params.get("product", "").split(",")
        once = url.copy_set_param("product", ",".join(dict.fromkeys(products)))
        route.continue_(url=str(once if products != [""] else url))

    visitor.intercept("/v1/me", have_many)
    visitor.intercept("/v1/usage", ask_for_each_once)
    page = visitor.open(addresses[view])
    expect(
        page.get_by_text(re.compile("the first 100 of more than 4\\d\\d products"))
    ).to_be_visible()


@pytest.mark.parametrize(("state", "notes"), [("ready", 0), ("partial", 1)])
def test_a_view_says_whether_all_of_its_period_is_counted(
    visit: Visit, addresses: Mapping[str, str], state: str, notes: int
) -> None:
    visitor = visit()

    def answer(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"complete": state == "ready"})

    visitor.intercept("/v1/usage", answer)
    page = visitor.open(addresses["team"], state)
    expect(page.get_by_text("counted up to")).to_have_count(notes)


def test_a_busy_service_is_asked_three_times(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit()
    visitor.answer("/v1/usage", 503, REFUSAL)
    page = visitor.open(addresses["team"], "error")
    expect(page.get_by_role("alert").filter(has_text="busy").first).to_be_visible()
    times = Counter(request.url for request in visitor.asked("/v1/usage"))
    assert set(times.values()) == {3}


@pytest.mark.parametrize("view", ANSWERED_BY)
def test_a_view_waits_and_says_so(visit: Visit, addresses: Mapping[str, str], view: str) -> None:
    visitor = visit()
    held: list[Route] = []
    visitor.intercept(ANSWERED_BY[view], lambda route: held.append(route))  # noqa: PLW0108
    page = visitor.open(addresses[view], "loading")
    expect(page.get_by_role("status").first).to_contain_text("Loading")
    assert visitor.findings() == []
    visitor.intercept(ANSWERED_BY[view], lambda route: route.continue_())
    for route in held:
        route.continue_()
    visitor.wait(view=view)


@pytest.mark.parametrize("view", ["overview", "product", "team", "user"])
def test_a_service_that_cannot_be_reached_can_be_asked_again(
    visit: Visit, addresses: Mapping[str, str], view: str
) -> None:
    visitor = visit()
    visitor.expected.append("ERR_FAILED")
    visitor.intercept("/v1/usage", lambda route: route.abort())
    page = visitor.open(addresses[view], "error")
    page.unroute_all()
    page.get_by_role("button", name="Try again").first.click()
    visitor.wait("ready", view)


def test_a_view_that_is_left_while_it_loads_does_not_come_back(
    visit: Visit, addresses: Mapping[str, str]
) -> None:
    visitor = visit()
    held: list[Route] = []
    visitor.page.route("**/views/product.js", lambda route: held.append(route))  # noqa: PLW0108
    page = visitor.open(addresses["overview"])
    page.evaluate("location.hash = '#/product/chat'")
    visitor.wait("loading", "product")
    page.go_back()
    visitor.wait(view="overview")
    with page.expect_event("requestfinished", lambda it: it.url.endswith("/views/product.js")):
        held[0].continue_()
    page.evaluate(f"import('{held[0].request.url}')")
    visitor.wait(view="overview")
