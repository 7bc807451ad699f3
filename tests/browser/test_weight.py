"""What stands between an address and its first chart: bytes, requests, and questions in turn.

Bytes are compressed as the gateway sends them, which the local one does not.
"""

import gzip
from collections.abc import Mapping

import httpx
from playwright.sync_api import Route

from tests.browser.conftest import Visit

MOST_BYTES = 150_000
MOST_FILES = 20
MOST_QUESTIONS = 10
FIRST_QUESTIONS = ("/v1/me", "/v1/usage")


def test_the_overview_is_light(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit()
    page = visitor.page
    page.goto(f"{visitor.base_url}/{addresses['overview']}")
    page.locator("canvas").first.wait_for()
    first_chart_ms = page.evaluate("performance.now()")
    visitor.wait()
    questions = [request for request in visitor.requests if "/v1/" in request.url]
    urls = {
        request.url.partition("#")[0] for request in visitor.requests if request not in questions
    }
    files = [httpx.get(url, trust_env=False).raise_for_status().content for url in urls]
    weight = sum(len(gzip.compress(content)) for content in files)
    print(f"{len(files)} files of {weight:,} bytes, {len(questions)} questions")
    print(f"the first chart after {first_chart_ms:,.0f} ms")
    assert 0 < weight < MOST_BYTES
    assert len(files) <= MOST_FILES
    assert len(questions) <= MOST_QUESTIONS


def test_the_first_chart_waits_for_two_questions_and_for_no_other(
    visit: Visit, addresses: Mapping[str, str]
) -> None:
    visitor = visit()
    held: list[Route] = []

    def is_of_the_chart(url: str) -> bool:
        return "granularity=" in url and "compare" not in url

    def hold(route: Route) -> None:
        route.continue_() if is_of_the_chart(route.request.url) else held.append(route)

    visitor.intercept("/v1/seats", hold)
    visitor.intercept("/v1/usage", hold)
    visitor.page.goto(f"{visitor.base_url}/{addresses['overview']}")
    visitor.page.locator("canvas").first.wait_for()
    answered = [path for path in FIRST_QUESTIONS for request in visitor.asked(path)]
    assert len(answered) - len([each for each in held if "/v1/usage" in each.request.url]) == 2
    assert len(visitor.requests) <= MOST_FILES + 4


def test_who_is_calling_is_asked_while_the_page_is_loaded(visit: Visit) -> None:
    visitor = visit()
    held: list[Route] = []
    visitor.page.route("**/uPlot.esm.js", lambda route: held.append(route))  # noqa: PLW0108
    with visitor.page.expect_request("**/v1/me"):
        visitor.page.goto(f"{visitor.base_url}/", wait_until="commit")
    held[0].continue_()
    visitor.wait()
    assert len(visitor.asked("/v1/me")) == 1
