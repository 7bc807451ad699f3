"""Every parameter of the usage report, right and wrong, in the words that its clients match on."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from odometer.api.usage_report.family import BASE
from tests.support.memory_directory import ACME
from tests.support.stack import Reply, admin_of, answer_to, proxy_event, stack_on_moto

GOOD: dict[str, Any] = {
    "type": "account-user",
    "product": "automation",
    "from": "2026-06-23 00:00:00",
    "to": "2026-06-23 23:59:59",
}
TYPE = "invalid or missing type (valid: [account-user service-user])"
PRODUCT = (
    "invalid or missing product (valid: [automation app-automation hyperexecute realtime realdevice"
    " smartui])"
)
CLOCK = "invalid {} format: {} (expected YYYY-MM-DD HH:MM:SS)"
OFFSET = "invalid timezone format: {} (expected +HH:MM or -HH:MM, e.g. +05:30)"
ORDER = "to must be after from"
SPAN = "date range exceeds maximum allowed span of 90 days"
PAGE = "page must be a positive integer"
LIMIT = "limit must be a positive integer between 1 and 100"

ARABIC = {ord(str(digit)): chr(0x660 + digit) for digit in range(10)}
NO_CLOCKS = [
    "2026-06-23",
    "2026-06-23T00:00:00",
    "2026-06-23 00:00",
    "2026-06-23 00:00:00Z",
    "2026-06-23 00:00:00.000",
    "2026-06-23 00:00:60",
    "2026-06-23 24:00:00",
    "2026-02-29 00:00:00",
    "2026-13-01 00:00:00",
    "2026-6-23 00:00:00",
    "26-06-23 00:00:00",
    "02026-06-23 00:00:00",
    "-2026-06-23 00:00:00",
    " 2026-06-23 00:00:00",
    "2026-06-23 00:00:00 ",
    "2026-06-23  00:00:00",
    "2026-06-23 00:00:00\n",
    "2026-06-23%2000:00:00",
    "2026-06-23 00:00:00".translate(ARABIC),
    "1782172800",
    " ",
    "\x00",
    "{value}",
    "%s",
    "x" * 8000,
]
NO_OFFSETS = [
    "IST",
    "Z",
    "UTC",
    "Asia/Kolkata",
    "0530",
    "+0530",
    "5:30",
    "+5:30",
    "+05:60",
    "+14:01",
    "+15:00",
    "-12:01",
    "-14:00",
    "+-5:30",
    "--05:30",
    "  05:30",
    "+05:30 ",
    "+05:30:00",
    "-841",
    "721",
    "+330",
    " 330",
    "--330",
    "0330",
    "-00",
    "1e2",
    "5.0",
    "3_00",
    "300".translate(ARABIC),
    "+05:30".translate(ARABIC),
    "%2B05:30",
    "\x00",
    " ",
    "x" * 8000,
]
NO_INTEGERS = [
    "0",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1e3",
    "1_000",
    "5.0",
    "0x1",
    "true",
    "one",
    "1".translate(ARABIC),
    "\u00b2",
    "\x00",
    "1\n",
    "9" * 20,
    "9" * 5000,
]
NO_TYPES = ["", "admin", "Account-User", "account_user", "account-user ", "account-user\x00"]
NO_PRODUCTS = ["", "Automation", "SMARTUI", "chat", "code-completions", "automation,smartui"]

Ask = Callable[..., Reply]


@pytest.fixture(scope="module")
def key() -> Iterator[str]:
    """The key of an Admin, in a deployment of their own."""
    with stack_on_moto() as stack:
        yield admin_of(stack, ACME)


@pytest.fixture
def ask(key: str) -> Ask:
    """Ask a report with some parameters changed; None leaves one out, a list sends it twice."""

    def ask(endpoint: str = "drilldown", query: str = "", **changes: Any) -> Reply:
        sent = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
        text = "&".join(filter(None, [urlencode(sent, doseq=True), query]))
        headers = {"authorization": f"Bearer {key}"}
        return answer_to(proxy_event("GET", f"{BASE}/{endpoint}?{text}", headers))

    return ask


def refusal(message: str) -> tuple[int, Any, str]:
    return 400, {"status": "error", "message": message}, "no-store"


def refused(reply: Reply) -> tuple[int, Any, str]:
    return reply.status, reply.json, reply.headers["Cache-Control"]


def cases() -> Iterator[tuple[dict[str, Any], str]]:
    """Wrong values with the one message that each must get."""
    for value in [None, *NO_TYPES, ["account-user"] * 2, ["account-user", ""]]:
        yield {"type": value}, TYPE
    for end in ("from", "to"):
        for value in (None, ""):
            yield {end: value}, f"{end} is required"
        for text in NO_CLOCKS:
            yield {end: text}, CLOCK.format(end, "{}").replace("{}", text)
        twice = [GOOD[end]] * 2
        yield {end: twice}, CLOCK.format(end, GOOD[end])
    for text in NO_OFFSETS:
        yield {"timezone": text}, OFFSET.replace("{}", text)
    yield {"timezone": ["+05:30", "-330"]}, OFFSET.format("-330")
    for text in ("2026-06-23 00:00:00", "2026-06-22 23:59:59", "1970-01-01 00:00:00"):
        yield {"to": text}, ORDER
    for text in ("2026-09-21 00:00:01", "2999-12-31 23:59:59"):
        yield {"to": text}, SPAN


def drilldown_cases() -> Iterator[tuple[dict[str, Any], str]]:
    for value in [None, *NO_PRODUCTS, ["automation", "smartui"]]:
        yield {"product": value}, PRODUCT
    for text in NO_INTEGERS:
        yield {"page": text}, PAGE
    for text in [*NO_INTEGERS, "101", "1000"]:
        yield {"limit": text}, LIMIT
    yield {"page": ["1", "1"]}, PAGE
    yield {"limit": ["10", "10"]}, LIMIT


def named(case: object) -> str:
    return ascii(case)[:60]


@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
@pytest.mark.parametrize(("wrong", "message"), list(cases()), ids=named)
def test_a_wrong_value_gets_the_message_of_its_parameter(
    ask: Ask, endpoint: str, wrong: dict[str, Any], message: str
) -> None:
    assert refused(ask(endpoint, **wrong)) == refusal(message)


@pytest.mark.parametrize(("wrong", "message"), list(drilldown_cases()), ids=named)
def test_a_wrong_value_of_a_drilldown_gets_the_message_of_its_parameter(
    ask: Ask, wrong: dict[str, Any], message: str
) -> None:
    assert refused(ask(**wrong)) == refusal(message)


@pytest.mark.parametrize(("wrong", "message"), list(drilldown_cases()), ids=named)
def test_a_summary_knows_no_product_and_no_pages(
    ask: Ask, wrong: dict[str, Any], message: str
) -> None:
    assert ask("summary", **wrong).status == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "x"}, TYPE),
    ({"product": "x"}, PRODUCT),
    ({"from": "x"}, CLOCK.format("from", "x")),
    ({"to": "x"}, CLOCK.format("to", "x")),
    ({"timezone": "x"}, OFFSET.format("x")),
    ({"from": GOOD["to"], "to": GOOD["from"]}, ORDER),
    ({"page": "x"}, PAGE),
    ({"limit": "x"}, LIMIT),
]


@pytest.mark.parametrize("first", range(len(WRONG)))
def test_the_first_fault_in_the_order_of_the_table_wins(ask: Ask, first: int) -> None:
    together: dict[str, Any] = {}
    for changes, _ in reversed(WRONG[first:]):
        together |= changes
    assert refused(ask(**together)) == refusal(WRONG[first][1])


@pytest.mark.parametrize("first", range(len(WRONG)))
@pytest.mark.parametrize("second", range(len(WRONG)))
def test_of_two_faults_the_earlier_wins(ask: Ask, first: int, second: int) -> None:
    together = {**WRONG[max(first, second)][0], **WRONG[min(first, second)][0]}
    assert refused(ask(**together)) == refusal(WRONG[min(first, second)][1])


def test_the_span_is_held_against_the_limit_after_the_order_and_before_the_page(ask: Ask) -> None:
    assert refused(ask(to="2027-06-23 00:00:00", page="x")) == refusal(SPAN)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("%2B05:30", "+05:30"),
        ("+05:30", "+05:30"),
        ("%2005:30", "+05:30"),
        ("05:30", "+05:30"),
        ("-330", "+05:30"),
        ("300", "-05:00"),
        ("-08:00", "-08:00"),
        ("%2B05:45", "+05:45"),
        ("%2B14:00", "+14:00"),
        ("-840", "+14:00"),
        ("-12:00", "-12:00"),
        ("720", "-12:00"),
        ("0", "+00:00"),
        ("-0", "+00:00"),
        ("-00:00", "+00:00"),
        ("+00:00", "+00:00"),
        ("-00:30", "-00:30"),
        ("1", "-00:01"),
        ("", "+00:00"),
    ],
)
@pytest.mark.parametrize("endpoint", ["summary", "drilldown"])
def test_an_offset_is_shown_resolved(ask: Ask, endpoint: str, sent: str, shown: str) -> None:
    reply = ask(endpoint, f"timezone={sent}")
    assert reply.status == 200
    assert reply.json["data"]["metadata"]["timezone"] == shown
    start = datetime.fromisoformat(f"{GOOD['from']}{shown}")
    last = datetime.fromisoformat(f"2026-06-24 00:00:00{shown}")
    first, end = (f"{each.astimezone().timestamp():.0f}" for each in (start, last))
    ranged = reply.headers["X-Query-Range"].split("/")
    assert [f"{datetime.fromisoformat(each).timestamp():.0f}" for each in ranged] == [first, end]


def test_without_an_offset_the_clock_is_that_of_utc(ask: Ask) -> None:
    reply = ask()
    assert reply.json["data"]["metadata"]["timezone"] == "+00:00"
    assert reply.headers["X-Query-Range"] == "2026-06-23T00:00:00Z/2026-06-24T00:00:00Z"


@pytest.mark.parametrize("space", ["+", "%20"])
def test_a_space_may_be_sent_in_both_ways(ask: Ask, space: str) -> None:
    ends = "&".join(f"{end}={GOOD[end].replace(' ', space)}" for end in ("from", "to"))
    reply = ask("summary", ends, **dict.fromkeys(("from", "to")))
    metadata = reply.json["data"]["metadata"]
    assert {end: metadata[end] for end in ("from", "to")} == {
        end: GOOD[end] for end in ("from", "to")
    }


@pytest.mark.parametrize("year", ["0000", "0001", "1969", "3000", "9999"])
@pytest.mark.parametrize("name", ["from", "to"])
def test_a_year_outside_the_bound_is_refused_with_the_bound(ask: Ask, name: str, year: str) -> None:
    sent = f"{year}-12-31 23:59:59"
    bounded = CLOCK.replace("SS)", "SS of the years 1970 to 2999)")
    assert refused(ask(**{name: sent})) == refusal(bounded.format(name, sent))


@pytest.mark.parametrize(
    ("start", "last"),
    [
        ("2026-06-23 00:00:00", "2026-06-23 00:00:01"),
        ("2026-06-23 00:00:00", "2026-09-21 00:00:00"),
        ("2024-02-29 00:00:00", "2024-02-29 12:00:00"),
        ("1970-01-01 00:00:00", "1970-01-02 00:00:00"),
        ("2999-12-01 00:00:00", "2999-12-31 23:59:59"),
    ],
)
@pytest.mark.parametrize("offset", ["+14:00", "-12:00"])
def test_any_range_of_a_second_to_90_days_is_shown_as_it_was_sent(
    ask: Ask, start: str, last: str, offset: str
) -> None:
    reply = ask(**{"from": start, "to": last, "timezone": offset})
    assert reply.status == 200
    metadata = reply.json["data"]["metadata"]
    assert (metadata["from"], metadata["to"], metadata["totalTests"]) == (start, last, 0)


@pytest.mark.parametrize(
    ("sent", "page", "limit"),
    [
        ({}, 1, 10),
        ({"page": "", "limit": ""}, 1, 10),
        ({"page": "007", "limit": "100"}, 7, 100),
        ({"page": f"{2**63 - 1}", "limit": "1"}, 2**63 - 1, 1),
    ],
    ids=named,
)
def test_pages_are_counted_from_one(ask: Ask, sent: dict[str, str], page: int, limit: int) -> None:
    assert ask(**sent).json["data"]["metadata"]["pagination"] == {
        "limit": limit,
        "page": page,
        "total": 0,
        "totalPages": 0,
    }


@pytest.mark.parametrize(
    "unknown",
    ["x=1", "x=1&x=2", "from, to=1&from, to=2", "From=x", "start=x", "period=x", "=", "&"],
)
def test_unknown_parameters_are_ignored(ask: Ask, unknown: str) -> None:
    assert ask(query=quote(unknown, safe="=&")).status == 200


def test_half_a_character_is_refused_and_not_repeated(key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    event = proxy_event("GET", f"{BASE}/summary?{urlencode(GOOD)}", headers)
    event["multiValueQueryStringParameters"]["from"] = ["\ud800" * 3]
    assert refused(answer_to(event)) == refusal(CLOCK.format("from", "???"))
