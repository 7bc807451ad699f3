"""A person at the page: a real browser that notes whatever should not have happened."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    Route,
    expect,
    sync_playwright,
)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW_TO_INSTALL = (
    "no Chromium: `apt-get install chromium`, or `.venv/bin/playwright install chromium`"
)
FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no other host can be reached
)
AXE = Path(__file__).parents[2] / ".local/tools/js/node_modules/axe-core/axe.min.js"
KEY_IN_TAB = "odometer.token"
PATIENCE_MS = 30_000
SHOWN = "ready|partial"
"""The states in which a view shows figures."""

Scheme = Literal["light", "dark"]


def program(playwright: Playwright) -> str:
    """The Chromium of this machine; without it tests are skipped, but not where all must run."""
    found = [path for path in map(shutil.which, PROGRAMS) if path]
    own = playwright.chromium.executable_path
    if not found and not Path(own).exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_INSTALL)
    return found[0] if found else own


expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def started_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(playwright), args=FLAGS)
        yield browser
        browser.close()


def new_visitor(
    browser: Browser,
    base_url: str,
    token: str | None,
    *,
    size: tuple[int, int] = (1280, 800),
    scheme: Scheme = "light",
    reduced_motion: bool = False,
) -> Visitor:
    """A tab without any past; with a token it is signed in."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce" if reduced_motion else "no-preference",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(PATIENCE_MS)
    if token:
        stored = f"{json.dumps(KEY_IN_TAB)}, {json.dumps(token)}"
        context.add_init_script(f"if (origin !== 'null') sessionStorage.setItem({stored})")
    visitor = Visitor(context, base_url, context.new_page())
    visitor.listen()
    return visitor


@dataclass
class Visitor:
    """A tab, what was asked for in it, and what went wrong."""

    context: BrowserContext
    base_url: str
    page: Page
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of problems that a test brings about."""

    def listen(self) -> None:
        self.context.on("request", self._on_request)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.problems.append(f"threw {error.error}"))

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.base_url, "data:", "blob:")):
            self.problems.append(f"asked another host: {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        self.problems.append(f"console {message.type}: {message.text} {message.location}")

    def unexpected(self) -> list[str]:
        return [each for each in self.problems if not any(part in each for part in self.expected)]

    def open(self, address: str = "", state: str = SHOWN) -> Page:
        """Load a view by its address behind the base address, and wait for its state."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base_url}/{address}")
        self.wait(state)
        return self.page

    def wait(self, state: str = SHOWN, view: str | None = None) -> None:
        """Wait for a state (or one of several), and until all that is shown is there."""
        named = f'[data-view="{view}"]' if view else ""
        states = ", ".join(f'[data-state="{each}"]' for each in state.split("|"))
        self.page.locator(f"main{named}:is({states})").wait_for()
        if state != "loading":
            expect(self.page.locator("main [aria-busy=true], main .skeleton")).to_have_count(0)

    def figure(self, label: str) -> str:
        """The exact value of a figure."""
        shown = self.page.get_by_role("group", name=label, exact=True).locator(".figure-value")
        return shown.get_attribute("title") or shown.inner_text()

    def rows(self, table: str) -> list[list[str]]:
        """What stands in the rows of a table, exactly where a cell shows it shortened."""
        rows = self.page.get_by_role("table", name=table, exact=True).locator("tbody tr").all()
        return [[exact(cell) for cell in row.locator("th, td").all()] for row in rows]

    @property
    def address(self) -> str:
        """The address as a person would copy it, behind the base address."""
        return self.page.url.removeprefix(self.base_url + "/")

    def answer(self, path: str, status: int, body: Any, **headers: str) -> None:
        """Answer requests for a path in place of the deployment."""
        self.intercept(
            path, lambda route: route.fulfill(status=status, json=body, headers=headers or None)
        )
        if status >= httpx.codes.BAD_REQUEST:
            self.expected.append(f"status of {status}")

    def intercept(self, path: str, handle: Callable[[Route], None]) -> None:
        self.page.route(re.compile(re.escape(self.base_url + path) + r"(\?|$)"), handle)

    def asked(self, path: str) -> list[Request]:
        """The requests for a path, oldest first."""
        return [each for each in self.requests if self._path(each) == path]

    def _path(self, request: Request) -> str:
        return request.url.removeprefix(self.base_url).partition("?")[0].partition("#")[0]

    def findings(self) -> list[str]:
        """What axe says would keep somebody from using what is shown."""
        self.page.evaluate(AXE.read_text())
        answer = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}"
            for rule in answer["violations"]
            if rule["impact"] in {"serious", "critical"}
            for node in rule["nodes"]
        ]


def exact(cell: Locator) -> str:
    return cell.get_attribute("title") or cell.inner_text().strip()


def number(value: float | None, decimals: int = 4) -> str:
    """A number as a British browser writes it in full."""
    if value is None:
        return "–"
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
