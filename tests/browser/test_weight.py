"""How heavy the page is: counted by the browser, compressed as it is sent."""

from collections.abc import Mapping

from tests.browser.conftest import Visit

MOST_BYTES = 150_000
MOST_FILES = 20
MOST_QUESTIONS = 10

COUNTED = """
() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
  .map((each) => ({name: each.name, bytes: each.transferSize}))
"""


def test_the_overview_is_light(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit()
    page = visitor.page
    page.goto(f"{visitor.base_url}/{addresses['overview']}")
    page.locator("canvas").first.wait_for()
    first_chart_ms = page.evaluate("performance.now()")
    visitor.wait()
    sent = page.evaluate(COUNTED)
    files = [each for each in sent if "/v1/" not in each["name"]]
    weight = sum(each["bytes"] for each in files)
    questions = len(sent) - len(files)
    print(f"{len(files)} files of {weight:,} bytes, {questions} questions")
    print(f"the first chart after {first_chart_ms:,.0f} ms")
    assert 0 < weight < MOST_BYTES
    assert len(files) <= MOST_FILES
    assert questions <= MOST_QUESTIONS
