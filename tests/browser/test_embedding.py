"""The page and the chart inside pages of elsewhere: what a token opens, and how it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.conftest import Visit
from tests.support.browser import Visitor
from tests.support.live_deployment import Deployment

OUTER = """<!doctype html><html lang="en"><title>A product</title>
<link rel="icon" href="data:,"><body><main><h1>A product</h1>
<script>window.heard = []; addEventListener("message", (event) => heard.push(event.data));
for (const name of ["odometer-ready", "odometer-token-needed", "odometer-error"])
  addEventListener(name, (event) => heard.push({ type: name, ...event.detail }));</script>"""


class OtherOrigin(ThreadingHTTPServer):
    """Another origin on this machine, which has one page."""

    page = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), OnePage)
        self.origin = f"http://127.0.0.1:{self.server_port}"


class OnePage(BaseHTTPRequestHandler):
    """Answers everything with the page of its server."""

    server: OtherOrigin

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@dataclass
class Outer:
    """A page of another origin, which holds a part of this one."""

    visitor: Visitor
    deployment: Deployment
    server: OtherOrigin

    def token(self, origin: str | None = None, **about: Any) -> str:
        subject = about or {"organization": True}
        wish = {"for": subject, "expires_in": 600, "origins": [origin or self.server.origin]}
        made = self.deployment.send("POST", "/v1/embed-tokens", "ADMIN_TOKEN", json=wish)
        return str(made.raise_for_status().json()["token"])

    def show(self, body: str) -> Page:
        page = self.visitor.page
        self.visitor.expected.append(f"asked another host: {self.server.origin}/")
        self.server.page = OUTER + body
        page.goto(f"{self.server.origin}/", wait_until="domcontentloaded")
        return page

    def frame(self, query: str, token: str) -> FrameLocator:
        address = f"{self.deployment['BASE_URL']}/?embed=1&{query}#token={token}"
        page = self.show(
            f'<iframe title="Usage" width="900" height="700" src="{address}"></iframe>'
        )
        return page.frame_locator("iframe")

    def chart(self, token: str, attributes: str) -> Page:
        source = f"{self.deployment['BASE_URL']}/page/chart-element.js"
        return self.show(
            f'<script type="module" src="{source}"></script>'
            f'<odometer-chart token="{token}" {attributes}></odometer-chart>'
        )

    def heard(self, kind: str) -> list[Any]:
        found: list[Any] = self.visitor.page.evaluate(
            "kind => window.heard.filter((each) => each && each.type === kind)", kind
        )
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[OtherOrigin]:
    with OtherOrigin() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def outer(visit: Visit, deployment: Deployment, server: OtherOrigin) -> Outer:
    return Outer(visit(None), deployment, server)


# the page in a frame


def test_a_framed_view_shows_what_its_token_opens_without_navigation(outer: Outer) -> None:
    team = outer.deployment["TEAM_ID"]
    inner = outer.frame("view=overview&period=last_month&theme=dark", outer.token(team=team))
    main = inner.locator('main[data-view="team"][data-state="ready"]')
    main.wait_for()
    expect(inner.get_by_role("navigation", name="Views")).to_have_count(0)
    expect(inner.locator("html")).to_have_attribute("data-theme", "dark")
    frame = outer.visitor.page.frames[1]
    assert "oet_" not in frame.url
    assert "period=last_month" in frame.url
    assert frame.evaluate("sessionStorage.getItem('odometer.token')") is None
    assert outer.heard("odometer:height")[-1]["height"] > 100


def test_a_framed_view_of_others_is_refused(outer: Outer) -> None:
    inner = outer.frame("view=data", outer.token())
    inner.locator('main[data-view="data"][data-state="forbidden"]').wait_for()


@pytest.mark.parametrize("token", ["", "odo_a-key", "oet_<b>"])
def test_a_frame_takes_nothing_but_an_embed_token(outer: Outer, token: str) -> None:
    key = outer.deployment["ADMIN_TOKEN"]
    outer.visitor.context.add_init_script(f"sessionStorage.setItem('odometer.token', '{key}')")
    inner = outer.frame("view=seats", token)
    expect(inner.get_by_role("heading")).to_have_text("This view has no token")
    assert outer.heard("odometer:token-needed") == [
        {"type": "odometer:token-needed", "reason": "missing"}
    ]
    assert outer.visitor.asked("/v1/me") == []


def test_a_frame_whose_token_has_ended_goes_on_with_a_new_one(outer: Outer) -> None:
    token = outer.token()
    outer.visitor.expected.append("status of 401")
    inner = outer.frame("view=seats", f"{token[:-4]}AAAA")
    expect(inner.get_by_role("heading")).to_have_text("This view has ended")
    assert outer.heard("odometer:token-needed")[-1]["reason"] == "ended"
    outer.visitor.page.evaluate(
        "token => window.frames[0].postMessage({ type: 'odometer:token', token }, '*')", token
    )
    inner.locator('main[data-view="seats"][data-state="ready"]').wait_for()


def test_a_token_that_is_put_into_the_address_later_is_taken_out_and_used(outer: Outer) -> None:
    inner = outer.frame("view=seats", "")
    expect(inner.get_by_role("heading")).to_have_text("This view has no token")
    token = outer.token()
    outer.visitor.page.locator("iframe").evaluate(
        "(frame, token) => { frame.src = `${frame.src.split('#')[0]}#token=${token}`; }", token
    )
    inner.locator('main[data-view="seats"][data-state="ready"]').wait_for()
    assert token not in outer.visitor.page.frames[1].url


def test_a_page_that_is_signed_in_cannot_be_framed(outer: Outer) -> None:
    outer.visitor.expected += ["frame-ancestors", "refused", "violates"]
    page = outer.show(f'<iframe title="Usage" src="{outer.deployment["BASE_URL"]}/"></iframe>')
    expect(page.frame_locator("iframe").locator("main")).to_have_count(0)


# the chart


def test_a_chart_draws_the_figures_of_the_api(outer: Outer) -> None:
    page = outer.chart(
        outer.token(),
        'product="chat" measure="interactions" period="last_month" granularity="week"',
    )
    chart = page.locator("odometer-chart")
    chart.locator("figcaption").wait_for()
    expect(chart.locator("figcaption")).to_contain_text("Interactions")
    query = "product=chat&measure=interactions&period=last_month&granularity=week"
    answer = outer.deployment.get(f"/v1/usage?{query}", "ADMIN_TOKEN").json()
    (ready,) = outer.heard("odometer-ready")
    assert ready["usage"]["series"] == answer["series"]
    chart.get_by_text("Table", exact=True).press("Enter")
    cells = chart.get_by_role("cell").all_inner_texts()
    assert cells == [f"{block['interactions']:,}" for block in answer["series"]]
    assert outer.visitor.findings() == []


def test_a_chart_compares_groups_by_name_and_dash(outer: Outer) -> None:
    page = outer.chart(
        outer.token(), 'kind="app" group-by="product" granularity="week" theme="dark"'
    )
    chart = page.locator("odometer-chart")
    chart.locator("li").first.wait_for()
    names = {
        each["product"]["name"] for each in outer.heard("odometer-ready")[0]["usage"]["groups"]
    }
    assert set(chart.locator("li").all_inner_texts()) == names
    expect(chart.locator("path")).to_have_count(2 * len(names))


def test_a_chart_without_a_good_token_asks_for_one_and_goes_on(outer: Outer) -> None:
    outer.visitor.expected += ["CORS", "ERR_FAILED", "status of 40", "asked another host"]
    page = outer.chart("oet_over", 'product="chat"')
    chart = page.locator("odometer-chart")
    expect(chart).to_contain_text("cannot be loaded now")
    assert outer.heard("odometer-token-needed")[-1]["reason"] == "ended"
    chart.evaluate("(chart, token) => chart.setAttribute('token', token)", outer.token())
    chart.locator("figcaption").wait_for()
    expect(chart.locator("figcaption")).to_contain_text("Active users")
    chart.evaluate(
        "(chart, token) => chart.setAttribute('token', token)",
        outer.token("https://elsewhere.example"),
    )
    expect(chart).to_contain_text("cannot be loaded now")
