"""Storage that fails while a report is made: it says that it is partial, or it is refused."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from threading import Event
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from odometer.api.usage_report.family import BASE, ReportedProduct
from odometer.bootstrap import process
from odometer.domain.errors import Unavailable
from odometer.domain.time import Period
from odometer.engine.format import keys
from odometer.engine.read.measuring import Used
from odometer.services.usage import Usage
from tests.support.memory_directory import ACME
from tests.support.people import People, bearer, people_of
from tests.support.stack import Reply, endpoints, proxy_event, stack_on_moto
from tests.support.storage_calls import (
    Answer,
    Call,
    StorageCalls,
    record_calls,
    refused,
    throttled,
    timed_out,
)
from tests.support.usage_sender import UsageSender, used

BEGIN = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
NOW = BEGIN + timedelta(days=40)
QUERY = {
    "type": "account-user",
    "product": "automation",
    "from": "2026-04-10 08:00:00",
    "to": "2026-05-11 23:59:59",
}
FAULTS: dict[str, Callable[[Call], Answer]] = {
    "throttled": throttled,
    "timed out": timed_out,
    "broken": lambda _: refused("InternalServerError", 500),
}
SECRET = "odometer"  # a process reads it once, for its first request
NEEDED = ("directory", "usage", SECRET)
ASKED_AGAIN = {("directory", True), ("usage", True)}
"""The first call is about both; where it is refused, each is asked by itself."""
UNRESOLVED = {"status": "error", "message": "failed to resolve org users"}
UNREAD = {"status": "error", "message": "failed to read all usage"}


@dataclass
class Tapped:
    """An organization, and a tap on all that its reports read."""

    us: People
    calls_made: StorageCalls
    key: str

    def ask(self, endpoint: str, **headers: str) -> Reply:
        """Ask as a process that remembers nothing."""
        process.cache_clear()
        self.calls_made.calls.clear()
        url = f"{BASE}/{endpoint}?{urlencode(QUERY)}"
        return self.us.stack.get(url, self.key, **headers)


@pytest.fixture(scope="module")
def tapped_report() -> Iterator[Tapped]:
    """Forty days of all products: sealed weeks, ragged ends, late events, and a tail."""
    with stack_on_moto() as stack:
        us = people_of(stack, ACME)
        calls_made = record_calls()
        usage_sender = UsageSender(ACME)
        for days in range(0, 41, 5):
            now = BEGIN + timedelta(days=days)
            ago = [now - timedelta(days=days) for days in (0, 1, 6)]
            names = [us.username(who) for who in ("member", "lead")]
            usage_sender.send(
                [used(w, p, at, 2, 1) for p in ReportedProduct for at in ago for w in names], now
            )
            if now < NOW:
                usage_sender.settle(now)
        yield Tapped(us, calls_made, us.key("admin"))


@pytest.fixture
def report(tapped_report: Tapped) -> Iterator[Tapped]:
    yield tapped_report
    tapped_report.calls_made.fail = lambda _: None


def about(calls_made: StorageCalls, resource: str) -> int:
    return sum(call.resource == resource for call in calls_made.calls)


def each_failing(calls_made: StorageCalls, fault: Callable[[Call], Answer]) -> Iterator[str]:
    """Let each of the calls fail, one at a time, and tell what it is about."""
    for resource, count in Counter(call.resource for call in calls_made.calls).items():
        for number in range(1, count + 1):

            def fail(call: Call, resource: str = resource, number: int = number) -> Answer | None:
                is_it = call.resource == resource and about(calls_made, resource) == number
                return fault(call) if is_it else None

            calls_made.fail = fail
            yield resource


def uncached(reply: Reply) -> bool:
    """Nothing invites anybody to keep the answer, or to take it for complete."""
    found = reply.headers.keys() & {"ETag", "X-Data-Through"}
    return reply.headers["Cache-Control"] == "no-store" and not found


def partial_drilldown(whole: Any) -> Any:
    metadata = {
        **whole["data"]["metadata"],
        "totalUsers": 0,
        "totalTests": 0,
        "totalDuration": 0,
        "pagination": {"limit": 10, "page": 1, "total": 0, "totalPages": 0},
        "partial": True,
    }
    return {"status": "success", "data": {"metadata": metadata, "users": []}}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_drilldown_is_whole_or_partial_or_refused(report: Tapped, fault: str) -> None:
    whole = report.ask("drilldown")
    assert whole.json["data"]["metadata"]["totalUsers"] == 2
    outcomes = set()
    for failed in each_failing(report.calls_made, FAULTS[fault]):
        reply = report.ask("drilldown")
        outcomes.add((failed, reply.text == whole.text))
        if reply.text == whole.text:
            assert reply.headers["X-Data-Through"] <= whole.headers["X-Data-Through"]
        elif failed == "usage" and reply.status == HTTPStatus.OK:
            assert reply.json == partial_drilldown(whole.json)
            assert uncached(reply)
        else:
            assert (reply.status, reply.json) == (500, UNRESOLVED)
            assert uncached(reply)
    always = {("activity", True), ("log", True), *((each, False) for each in NEEDED)}
    assert always <= outcomes <= always | ASKED_AGAIN


@pytest.mark.parametrize("fault", FAULTS)
def test_a_summary_is_whole_or_partial_or_refused(report: Tapped, fault: str) -> None:
    whole = report.ask("summary").json["data"]
    partial = 0
    for failed in each_failing(report.calls_made, FAULTS[fault]):
        reply = report.ask("summary")
        if reply.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            assert reply.json == UNRESOLVED
            assert failed in NEEDED
        elif failed == "usage" and reply.json["data"] != whole:
            partial += is_partial(reply.json["data"], whole)
            assert reply.status == 200
            assert uncached(reply)
    assert partial


def is_partial(data: Any, whole: Any) -> bool:
    """Every product is what it is or 0, and the answer says which of both is to be expected."""
    assert data["metadata"].pop("partial") is True
    assert {**data["metadata"], "totalUsers": 2} == whole["metadata"]
    for product, totals in whole["products"].items():
        assert data["products"][product] in (totals, dict.fromkeys(totals, 0))
    assert data["products"] != whole["products"]
    return bool(data["metadata"]["totalUsers"])


def test_a_product_that_cannot_be_read_takes_no_other_with_it(
    report: Tapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = report.ask("summary").json["data"]["products"]
    monkeypatch.setattr(Usage, "of", unreadable("realtime", Usage.of))
    data = report.ask("summary").json["data"]
    assert data["products"] == {**whole, "realtime": {"totalTests": 0, "totalDuration": 0}}
    assert (data["metadata"]["totalUsers"], data["metadata"]["partial"]) == (2, True)


def unreadable(product: str, of: Callable[..., Used]) -> Callable[..., Used]:
    def attempted(usage: Usage, wanted: str, period: Period) -> Used:
        if wanted == product:
            raise Unavailable
        return of(usage, wanted, period)

    return attempted


@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
def test_lines_have_no_room_to_say_that_they_are_partial(
    report: Tapped, endpoint: str, media_type: str
) -> None:
    report.calls_made.fail = lambda call: throttled(call) if call.resource == "usage" else None
    reply = report.ask(endpoint, accept=media_type)
    assert (reply.status, reply.json) == (503, UNREAD)
    assert reply.headers["Retry-After"] == "2"
    assert uncached(reply)


@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
def test_usage_that_never_comes_is_given_up_in_time(report: Tapped, endpoint: str) -> None:
    never = Event()

    def hang(call: Call) -> None:
        if call.verb == "Query":
            never.wait()

    process().memory.of(ACME).forget()  # what goes on from a known view begins with a query, too
    report.calls_made.fail = hang
    event = proxy_event("GET", f"{BASE}/{endpoint}?{urlencode(QUERY)}", bearer(report.key))
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_500)
    answer: Any = endpoints()[f"usage_report/{endpoint}"](event, context)
    never.set()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["data"]["metadata"]["partial"] is True
    assert answer["headers"]["Cache-Control"] == "no-store"


def test_a_frame_that_should_be_there_and_is_not_is_no_smaller_number(report: Tapped) -> None:
    table, frames = process().table("usage"), keys.frames(ACME, "automation", 2026, 0, 0)
    keyframe = keys.keyframe(date(2026, 4, 13), 0)
    lost = table.get(frames, keyframe)
    assert lost
    table.delete(frames, keyframe)
    replies = [report.ask(endpoint) for endpoint in ("summary", "drilldown")]
    table.put(lost)
    for reply in replies:
        assert reply.json == {"status": "error", "message": "internal server error"}
        assert (reply.status, uncached(reply)) == (500, True)


def test_an_answer_after_a_failure_is_whole_again(report: Tapped) -> None:
    whole = report.ask("drilldown").text
    report.calls_made.fail = lambda call: throttled(call) if call.resource == "usage" else None
    assert report.ask("drilldown").json["data"]["metadata"]["partial"] is True
    report.calls_made.fail = lambda _: None
    assert report.ask("drilldown").text == whole
