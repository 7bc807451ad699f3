"""What a person does with the page: choose, share, go back, save, ask why, use no mouse."""

import csv
import io
import struct
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PRODUCT, Visit
from tests.support.browser import Visitor, number
from tests.support.live_deployment import Deployment

DENSITY = 2


def choose(page: Page, control: str, choice: str) -> None:
    page.get_by_role("combobox", name=control, exact=True).select_option(choice)


def saved(visitor: Visitor, button: str) -> tuple[str, bytes]:
    """The name and the content of the file that a button saves."""
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_what_is_chosen_is_in_the_address_which_opens_the_same_view(
    visit: Visit, deployment: Deployment
) -> None:
    visitor = visit()
    page = visitor.open()
    choose(page, "Period", "Last 7 days")
    visitor.wait()
    choose(page, "Compared with", "nothing")
    visitor.wait()
    page.get_by_text("Filters", exact=False).first.click()
    choose(page, "Team", deployment["TEAM_ID"])
    visitor.wait()
    for part in ("period=7d", "compare=none", f"team={deployment['TEAM_ID']}"):
        assert part in visitor.address
    copied = visit()
    copied.open(visitor.address)
    assert copied.figure("Active users") == visitor.figure("Active users")
    for control, chosen in (("Period", "7d"), ("Compared with", "none")):
        combobox = copied.page.get_by_role("combobox", name=control, exact=True)
        expect(combobox).to_have_value(chosen)
    expect(copied.page.locator("main .change")).to_have_count(0)


def test_own_dates_are_whole_days(visit: Visit, days: Mapping[str, str]) -> None:
    visitor = visit()
    page = visitor.open()
    choose(page, "Period", "Own dates…")
    page.get_by_label("From", exact=True).fill(days["from"])
    page.get_by_label("To", exact=True).fill(days["from"])
    page.get_by_role("button", name="Show", exact=True).click()
    visitor.wait("ready|empty")
    assert f"from={days['from']}" in visitor.address
    page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("The last day is before the first.")).to_be_visible()
    expect(page.get_by_role("button", name="Show", exact=True)).to_be_disabled()


def test_back_and_forward_lead_through_the_views(
    visit: Visit, addresses: Mapping[str, str]
) -> None:
    visitor = visit()
    page = visitor.open(addresses["overview"])
    page.get_by_role("link", name="Seats", exact=True).click()
    visitor.wait(view="seats")
    page.get_by_role("link", name=PRODUCT).first.click()
    visitor.wait(view="product")
    page.go_back()
    visitor.wait(view="seats")
    page.go_back()
    visitor.wait(view="overview")
    assert visitor.address == addresses["overview"]
    page.go_forward()
    visitor.wait(view="seats")


def test_a_chart_is_saved_as_csv_and_as_a_picture(
    visit: Visit, addresses: Mapping[str, str], days: Mapping[str, str]
) -> None:
    visitor = visit()
    visitor.open(addresses["product"])
    name, content = saved(visitor, f"Save {PRODUCT}: Active users as CSV")
    assert name.endswith(".csv")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    shown = [cells[1] for cells in visitor.rows(f"{PRODUCT}: Active users")]
    assert [number(float(row["active_users"])) for row in rows[-len(shown) :]] == shown
    name, content = saved(visitor, f"Save {PRODUCT}: Active users as PNG")
    assert name.endswith(".png")
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG")
    assert width > height > 200


def test_a_figure_says_how_it_is_made_up(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit()
    page = visitor.open(addresses["product"])
    page.get_by_role("button", name="Completions", exact=True).click()
    visitor.wait()
    shown = visitor.figure("Completions")
    page.get_by_role("button", name="How is this figure made up?").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem").last).to_contain_text(shown)
    assert visitor.findings() == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_somebody_without_a_mouse_finds_a_user(visit: Visit, deployment: Deployment) -> None:
    visitor = visit(reduced_motion=True)
    page = visitor.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Search products, teams and users")).to_be_focused()
    page.keyboard.type("demo-user-0")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    visitor.wait("ready|partial|empty", "user")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_contain_text("demo-user-0")


def test_a_chart_is_read_with_arrow_keys(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit(reduced_motion=True)
    page = visitor.open(addresses["overview"])
    rows = visitor.rows("Active users")
    page.get_by_role("group", name="Active users, chart").focus()
    page.keyboard.press("End")
    tip = page.locator(".chart-tip").first
    expect(tip).to_contain_text(rows[-1][0])
    page.keyboard.press("ArrowLeft")
    expect(tip).to_contain_text(rows[-2][0])
    expect(tip).to_contain_text(rows[-2][1])


def test_everything_that_can_be_used_has_a_visible_focus(
    visit: Visit, addresses: Mapping[str, str]
) -> None:
    visitor = visit()
    page = visitor.open(addresses["overview"])
    unseen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUS)
        if found is None:
            break
        unseen |= {found["html"]} if not found["seen"] else set()
    assert unseen == set()


FOCUS = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  const seen = box.width > 0 && (style.outlineStyle !== 'none' || style.boxShadow !== 'none');
  return {html: element.outerHTML.slice(0, 160), seen};
}
"""


@pytest.mark.parametrize(
    ("by", "label"),
    [("team", "Most active teams by active users"), ("product", "Products by active users")],
)
def test_a_list_is_ranked_by_its_change_as_the_api_ranks_it(
    visit: Visit, addresses: Mapping[str, str], by: str, label: str
) -> None:
    visitor = visit()
    page = visitor.open(addresses["overview"])
    table = page.get_by_role("table", name=label)
    for ordered in ("desc", "asc"):
        with page.expect_response(
            lambda it: "active_users_change" in it.url and f"group_by={by}" in it.url
        ) as answered:
            table.get_by_role("link", name="Change").click()
        visitor.wait()
        groups = answered.value.json()["groups"]
        changes = [group["totals"]["active_users"]["change_pct"] for group in groups]
        known = [change for change in changes if change is not None]
        assert known == sorted(known, reverse=ordered == "desc")
        assert len(set(known)) > 1
        assert [row[0] for row in visitor.rows(label)] == [
            group[by]["name"] if group[by] else "Without a team" for group in groups
        ][: len(visitor.rows(label))]
    assert visitor.address.endswith(f"sort={by}_change&order=asc")
    table.get_by_role("link", name="Active users").click()
    visitor.wait()
    assert visitor.address == addresses["overview"]


def test_reduced_motion_leaves_no_animation(visit: Visit, addresses: Mapping[str, str]) -> None:
    visitor = visit(reduced_motion=True)
    held: list[Route] = []
    visitor.intercept("/v1/seats", lambda route: held.append(route))  # noqa: PLW0108
    page = visitor.open(addresses["seats"], "loading")
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_theme_that_was_chosen_stays(visit: Visit) -> None:
    visitor = visit(None, scheme="light")
    page = visitor.open()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    choose(page, "Theme", "Dark")
    dark = page.evaluate(ground)
    page.reload()
    assert page.evaluate(ground) == dark != light
