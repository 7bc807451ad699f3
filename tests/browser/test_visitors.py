"""What the other tests in this folder rely on: whatever goes wrong in a tab is noticed."""

from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser

from tests.support.browser import HOW_TO_INSTALL, Visitor, new_visitor, program

HOST = "http://127.0.0.1:9"
OTHER_HOST = "http://example.com"


def shown(browser: Browser, body: str) -> Visitor:
    """A tab that shows what no deployment served."""
    visitor = new_visitor(browser, HOST, "a key")
    content = f'<!doctype html><html lang="en"><title>A page</title><main>{body}</main></html>'
    visitor.page.route(
        f"{HOST}/", lambda route: route.fulfill(content_type="text/html", body=content)
    )
    visitor.page.goto(f"{HOST}/")
    visitor.page.wait_for_timeout(50)
    return visitor


def test_a_page_without_faults_is_not_accused(browser: Browser) -> None:
    visitor = shown(browser, "<h1>Nothing wrong</h1>")
    assert (visitor.unexpected(), visitor.findings()) == ([], [])
    assert visitor.page.evaluate("sessionStorage.getItem('odometer.token')") == "a key"


def test_every_console_message_is_a_problem(browser: Browser) -> None:
    visitor = shown(browser, "<script>console.info('left behind')</script>")
    assert [each.split(" {")[0] for each in visitor.unexpected()] == ["console info: left behind"]


def test_an_error_that_nobody_catches_is_a_problem(browser: Browser) -> None:
    visitor = shown(browser, "<script>setTimeout(() => { throw new Error('oh') })</script>")
    assert visitor.unexpected() == ["threw oh"]


def test_a_request_to_another_host_is_a_problem_and_reaches_nobody(browser: Browser) -> None:
    visitor = shown(browser, f"<img alt='A dot' src='{OTHER_HOST}/dot.png'>")
    assert f"asked another host: {OTHER_HOST}/dot.png" in visitor.unexpected()
    assert "ERR_NAME_NOT_RESOLVED" in visitor.unexpected()[1]


def test_a_problem_that_a_test_brings_about_is_left_out(browser: Browser) -> None:
    visitor = shown(browser, "<script>console.warn('as planned')</script>")
    visitor.expected.append("as planned")
    assert visitor.unexpected() == []


def test_what_nobody_can_read_is_found(browser: Browser) -> None:
    visitor = shown(browser, "<h1 style='color: #eee; background: #fff'>Pale</h1>")
    assert [each.split(":")[0] for each in visitor.findings()] == ["color-contrast"]


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_machine_without_chromium_skips_unless_everything_must_run(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    downloaded = SimpleNamespace(chromium=SimpleNamespace(executable_path="/nowhere"))
    with pytest.raises(outcome, match=HOW_TO_INSTALL):
        program(downloaded)  # type: ignore[arg-type]
