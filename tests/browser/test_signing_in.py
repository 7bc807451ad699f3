"""Who may look, and where the key is kept."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.browser import Visitor
from tests.support.live_deployment import Deployment


def places_of(visitor: Visitor) -> str:
    """Everything that outlives or leaves a tab: addresses, history, cookies, lasting storage."""
    session = visitor.context.new_cdp_session(visitor.page)
    entries = session.send("Page.getNavigationHistory")["entries"]
    kept = visitor.page.evaluate("[document.cookie, document.title, {...localStorage}]")
    asked = [request.url for request in visitor.requests]
    return json.dumps([[entry["url"] for entry in entries], kept, visitor.context.cookies(), asked])


def test_a_typed_key_signs_in_and_stays_in_the_tab(visit: Visit, deployment: Deployment) -> None:
    visitor = visit(None)
    page = visitor.open()
    page.get_by_label("Access key").fill(deployment["ADMIN_TOKEN"])
    page.get_by_role("button", name="Sign in").click()
    visitor.wait("partial", "overview")
    assert deployment["ADMIN_TOKEN"] not in places_of(visitor)
    page.reload()
    visitor.wait("partial", "overview")
    page.get_by_role("button", name="Sign out").click()
    visitor.wait("ready", "sign-in")
    assert page.evaluate("Object.keys(sessionStorage)") == []


def test_a_link_with_a_key_signs_in_and_the_address_forgets_it(
    visit: Visit, deployment: Deployment
) -> None:
    visitor = visit(None)
    visitor.open(f"#token={deployment['ADMIN_TOKEN']}", "partial")
    assert visitor.address.startswith("#/overview")
    assert deployment["ADMIN_TOKEN"] not in places_of(visitor)


def kept_key(visitor: Visitor) -> str:
    return str(visitor.page.evaluate("sessionStorage.getItem('odometer.token')"))


def test_a_link_with_another_key_asks_before_it_signs_in(
    visit: Visit, deployment: Deployment
) -> None:
    mine, theirs = deployment["ADMIN_TOKEN"], deployment["TEAMLEAD_TOKEN"]
    lead = deployment.get("/v1/me", "TEAMLEAD_TOKEN").json()["caller"]["user"]["username"]
    visitor = visit(None)
    visitor.open(f"#token={mine}")
    page = visitor.open(f"#token={theirs}", "ready")
    expect(page.get_by_role("main")).to_contain_text(deployment["ADMIN_USERNAME"])
    expect(page.get_by_role("main")).to_contain_text(lead)
    assert visitor.findings() == []
    page.get_by_role("button", name="Stay signed in").click()
    visitor.wait(view="overview")
    assert kept_key(visitor) == mine
    page.evaluate(f"location.hash = '#token={theirs}'")
    visitor.wait("ready", "other-key")
    page.get_by_role("button", name="Switch to the key of the link").click()
    visitor.wait(view="team")
    assert kept_key(visitor) == theirs
    assert not {mine, theirs} & set(re.findall(r"odo_[\w.-]+", places_of(visitor)))


def test_a_link_with_the_same_key_asks_nothing(visit: Visit, deployment: Deployment) -> None:
    visitor = visit(None)
    visitor.open(f"#token={deployment['ADMIN_TOKEN']}")
    visitor.open(f"#token={deployment['ADMIN_TOKEN']}")
    visitor.wait(view="overview")


def test_a_link_with_a_key_that_is_not_accepted_leaves_everything_as_it_is(
    visit: Visit, deployment: Deployment
) -> None:
    visitor = visit(None)
    visitor.expected.append("status of 401")
    visitor.open(f"#token={deployment['ADMIN_TOKEN']}")
    page = visitor.open("#token=odo_nonsense", "error")
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    page.get_by_role("button", name="Stay signed in").click()
    visitor.wait(view="overview")


def test_a_link_signs_in_whoever_has_a_key_that_has_ended(
    visit: Visit, deployment: Deployment
) -> None:
    visitor = visit("EXPIRED_TOKEN")
    visitor.expected.append("status of 401")
    visitor.open(f"#token={deployment['ADMIN_TOKEN']}")
    visitor.wait(view="overview")
    assert kept_key(visitor) == deployment["ADMIN_TOKEN"]


@pytest.mark.parametrize("key", ["EXPIRED_TOKEN", "REVOKED_TOKEN", "odo_nonsense"])
def test_a_key_that_is_not_accepted_is_asked_for_again(
    visit: Visit, deployment: Deployment, key: str
) -> None:
    visitor = visit(None)
    visitor.expected.append("status of 401")
    page = visitor.open()
    page.get_by_label("Access key").fill(deployment.names.get(key, key))
    page.get_by_label("Access key").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    visitor.wait("error", "sign-in")
    assert page.evaluate("Object.keys(sessionStorage)") == []


def test_a_key_that_ends_while_it_is_used_is_asked_for_again(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(state="partial")
    visitor.answer("/v1/usage", 401, {"error": {"code": "unauthorized", "message": "Ended"}})
    page.get_by_role("combobox", name="Period", exact=True).select_option("Last 7 days")
    visitor.wait("error", "sign-in")
    expect(page.get_by_role("alert")).to_contain_text("expired")


def test_a_key_that_may_only_send_is_told_so(visit: Visit) -> None:
    visitor = visit("INGEST_TOKEN")
    visitor.expected.append("status of 403")
    page = visitor.open(state="forbidden")
    page.get_by_role("button", name="Use another key").click()
    visitor.wait("ready", "sign-in")


@pytest.mark.parametrize(("key", "view"), [("TEAMLEAD_TOKEN", "team"), ("MEMBER_TOKEN", "user")])
def test_whoever_may_read_only_a_part_is_led_there(visit: Visit, key: str, view: str) -> None:
    visitor = visit(key)
    page = visitor.open(state="partial")
    expect(page.locator("main")).to_have_attribute("data-view", view)
    expect(page.get_by_role("link", name="Data", exact=True)).to_have_count(0)
