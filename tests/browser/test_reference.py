"""The API reference, read and tried in a browser: `GET /docs`."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.live_deployment import Deployment
from tests.support.stack import endpoints
from tools.openapi import documents
from tools.whole import whole

DOCUMENT = whole(documents(endpoints()))
OPERATIONS = {
    each["operationId"]: (verb.upper(), path, each)
    for path, operations in DOCUMENT["paths"].items()
    for verb, each in operations.items()
}
HOSTILE = """x'y"$(id)`id`<b>&%\\"""


def opened(page: Page, operation: str) -> Page:
    """The page, at an operation."""
    page.evaluate("hash => { location.hash = hash }", f"#/{operation}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(OPERATIONS[operation][1])
    return page


def sent(page: Page, status: int) -> str:
    """What is answered to the form as it is filled in."""
    page.get_by_role("button", name="Send").click()
    page.locator(f'[data-answer="{status}"]').wait_for()
    return page.get_by_role("region", name="answer", exact=True).inner_text()


def test_every_operation_is_shown_with_its_parameters_and_errors(visit: Visit) -> None:
    page = visit(None).open("docs")
    listed = page.get_by_role("navigation").get_by_role("link")
    assert listed.count() == len(OPERATIONS)
    for operation, (verb, path, content) in OPERATIONS.items():
        opened(page, operation)
        shown = page.locator("main").inner_text()
        assert f"{verb} {path}" in " ".join(shown.split()), operation
        names = [each["name"] for each in content.get("parameters", ())]
        assert all(name in shown for name in names), operation
        refused = [status for status in content["responses"] if int(status) >= 400]
        errors = page.get_by_role("region", name="Errors").locator("summary").all_inner_texts()
        assert [each.split()[0] for each in errors] == refused


def test_a_link_leads_to_an_operation_and_a_wrong_one_says_so(visit: Visit) -> None:
    visitor = visit(None)
    page = visitor.open("docs#/v1Seats")
    expect(page).to_have_title("GET /v1/seats · Odometer")
    page.get_by_role("link", name="GET /v1/usage", exact=True).click()
    assert visitor.address == "docs#/v1Usage"
    expect(page.locator("main")).to_be_focused()
    page = visitor.open("docs#/nothing")
    expect(page.get_by_role("alert")).to_contain_text("no operation nothing")


def test_operations_are_found_by_words_and_by_keys_alone(visit: Visit) -> None:
    page = visit(None).open("docs")
    page.keyboard.press("/")
    page.keyboard.type("seats inactive_days")
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("/v1/seats")
    page.get_by_role("searchbox").press("Escape")
    expect(links).to_have_count(len(OPERATIONS))


def test_a_key_is_tried_and_stays_in_the_tab(visit: Visit, deployment: Deployment) -> None:
    visitor = visit(None)
    page = opened(visitor.open("docs"), "v1ListKeys")
    visitor.expected.append("status of 401")
    assert '"unauthorized"' in sent(page, 401)
    page.get_by_label("Access key").fill(deployment["ADMIN_TOKEN"])
    assert '"keys"' in sent(page, 200)
    kept = page.evaluate("[sessionStorage.getItem('odometer.token'), localStorage.length]")
    assert kept == [deployment["ADMIN_TOKEN"], 0]
    assert deployment["ADMIN_TOKEN"] not in page.url + page.locator("main").inner_text()


def test_basic_credentials_are_tried(visit: Visit, deployment: Deployment) -> None:
    page = opened(visit(None).open("docs"), "usageReportSummary")
    page.get_by_label("Scheme").select_option("basic")
    page.get_by_label("Username").fill(deployment["ADMIN_USERNAME"])
    page.get_by_label("Access key").fill(deployment["ADMIN_ACCESS_KEY"])
    assert '"status": "success"' in sent(page, 200)


def test_an_event_is_sent_as_the_example_has_it(visit: Visit, deployment: Deployment) -> None:
    page = opened(visit("ADMIN_TOKEN").open("docs"), "v1SendEvents")
    body = page.get_by_role("textbox", name="Body")
    body.fill(body.input_value().replace("ada@example.com", deployment["ADMIN_USERNAME"]))
    assert '"rejected": 0' in sent(page, 202)


def run(code: str, language: str, deployment: Deployment) -> str:
    """What code of a language prints that was copied from the page."""
    programs = {
        "curl": ["bash", "-c", f"{code} -sS"],
        "Python": [sys.executable, "-c", code],
        "JavaScript": [".local/tools/node/bin/node", "--input-type=module", "-e", code],
    }
    environment = {**os.environ, "ODOMETER_KEY": deployment["ADMIN_TOKEN"]}
    program = programs[language]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
def test_code_that_is_copied_does_what_the_form_does(
    visit: Visit, deployment: Deployment, language: str
) -> None:
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("no curl")
    page = opened(visit("ADMIN_TOKEN").open("docs"), "v1Seats")
    page.locator('[name="q"]').fill(HOSTILE)
    page.get_by_role("button", name=language, exact=True).click()
    code = page.get_by_role("region", name=f"{language} code").inner_text()
    assert deployment["ADMIN_TOKEN"] not in code
    assert json.loads(run(code, language, deployment))["data"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_use_it(visit: Visit, scheme: Any, width: int) -> None:
    visitor = visit("ADMIN_TOKEN", size=(width, 800), scheme=scheme)
    page = visitor.open("docs")
    assert visitor.findings() == []
    opened(page, "v1Usage")
    page.locator("details").first.evaluate("each => { each.open = true }")
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
