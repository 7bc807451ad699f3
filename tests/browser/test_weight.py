"""How heavy the page is, compressed as the gateway sends it, which the local one does not."""

import gzip
from collections.abc import Mapping

import httpx

from tests.browser.conftest import Visit

MOST_BYTES = 150_000
MOST_FILES = 20
MOST_QUESTIONS = 10


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
