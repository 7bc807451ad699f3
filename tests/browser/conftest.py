"""Tests at the page in a real browser, against a deployment with the demo in it."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Scheme, Visitor, new_visitor, started_browser
from tests.support.live_deployment import Deployment

PRODUCT = "code-completions"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder `browser`."""
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module, because no other test can use asyncio as long as it runs."""
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def days(deployment: Deployment) -> Mapping[str, str]:
    """The last 28 days that are over, as the API takes them."""
    end = date.fromisoformat(deployment["DEMO_TO"]) + timedelta(days=1)
    return {"from": str(end - timedelta(days=28)), "to": str(end)}


@pytest.fixture(scope="session")
def addresses(deployment: Deployment, days: Mapping[str, str]) -> Mapping[str, str]:
    """The address of every view, for those days."""
    query = urlencode(days)
    return {
        "overview": f"#/overview?{query}",
        "product": f"#/product/{PRODUCT}?{query}",
        "team": f"#/team/{deployment['TEAM_ID']}?{query}",
        "user": f"#/user/{deployment['USER_ID']}?{query}",
        "seats": "#/seats",
        "data": "#/data",
    }


class Visit(Protocol):
    """Opens a new tab without any past; a name of `demo.env` stands for its key."""

    def __call__(
        self,
        key: str | None = "ADMIN_TOKEN",
        *,
        size: tuple[int, int] = (1280, 800),
        scheme: Scheme = "light",
        reduced_motion: bool = False,
    ) -> Visitor: ...


@pytest.fixture
def visit(browser: Browser, deployment: Deployment) -> Iterator[Visit]:
    """Visitors, of whom none may leave a console message, an error or a foreign request."""
    visitors: list[Visitor] = []

    def visit(key: str | None = "ADMIN_TOKEN", **wishes: Any) -> Visitor:
        token = deployment.names.get(key or "", key)
        visitors.append(new_visitor(browser, deployment["BASE_URL"], token, **wishes))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.page.unroute_all(behavior="ignoreErrors")  # some may be answered at this moment
        visitor.context.close()
    assert [each for visitor in visitors for each in visitor.unexpected()] == []
