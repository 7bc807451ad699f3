"""Names are text: whatever somebody calls a product, a team or themselves, it does nothing."""

import json
from collections.abc import Mapping

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit

HOSTILE = (
    "<img src=x onerror=\"document.title='taken'\">",
    "</script><script>document.title='taken'</script>",
    "javascript:document.title='taken'",
    '"><b onmouseover=alert(1)>',
    "\u202edemo\u202c \ufdfd " + "W" * 200,
)
NAMED = ("name", "username", "email", "label", "organization")


def renamed(value: object, names: list[str]) -> object:
    """The same answer with hostile names in turn."""
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: next_name(names)
        if key in NAMED and isinstance(each, str) and not is_word_of_the_api(value, key)
        else renamed(each, names)
        for key, each in value.items()
    }


def is_word_of_the_api(value: Mapping[str, object], key: str) -> bool:
    """Whether it is the name of a kind or a measure, which has a grammar, and not its label."""
    return key == "name" and ("unit" in value or "measures" in value or "per" in value)


def next_name(names: list[str]) -> str:
    names.append(HOSTILE[len(names) % len(HOSTILE)])
    return names[-1]


@pytest.mark.parametrize("view", ["overview", "product", "team", "user", "seats", "data"])
def test_a_hostile_name_is_shown_as_text(
    visit: Visit, addresses: Mapping[str, str], view: str
) -> None:
    visitor = visit(size=(360, 640))
    names: list[str] = []

    def rename(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(renamed(answer.json(), names)))

    for path in ("/v1/me", "/v1/usage", "/v1/seats"):
        visitor.intercept(path, rename)
    page = visitor.open(addresses[view])
    page.unroute_all(behavior="ignoreErrors")
    assert set(HOSTILE) & set(names)
    expect(page.get_by_text(HOSTILE[0]).first).to_be_attached()
    assert page.evaluate("document.title").endswith(tuple(HOSTILE))
    assert page.locator("img[src=x], main script, b[onmouseover], a[href^=javascript]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
