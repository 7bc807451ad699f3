"""What `docs/events.md` and `docs/errors.md` say is what the code does."""

import io
import json
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import Message
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.error import HTTPError

import pytest

from local.template import written
from odometer.api.app_utilization import family as app_utilization
from odometer.api.app_utilization.family import AppUtilization
from odometer.api.routes import FAMILIES
from odometer.api.usage_metrics import family as usage_metrics
from odometer.api.usage_metrics.family import OrganizationUsageQuery, UsageMetrics
from odometer.api.usage_report import family as usage_report
from odometer.api.usage_report.family import SummaryQuery, UsageReport
from odometer.api.v1 import events
from odometer.api.v1.usage_query import UsageQuery
from odometer.domain import errors
from odometer.domain.errors import Invalid, OdometerError, Throttled
from odometer.domain.events import AHEAD, LONGEST_ID, LONGEST_NAME, LONGEST_VALUE, Rules
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, MEASURE_LIMIT, Kind
from odometer.web.family import MESSAGES, STATUS, Envelope, Family
from odometer.web.messages import JSON, Request, as_json
from odometer.web.models import Query, read_query

EVENTS, ERRORS = Path("docs/events.md").read_text(), Path("docs/errors.md").read_text()
RULES = Rules(DEFAULT_PRODUCTS, datetime(2026, 3, 1, tzinfo=UTC), 3)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def section(page: str, title: str) -> str:
    """A section of a page, up to the next of its level."""
    _, _, text = page.partition(f"\n## {title}\n")
    assert text
    return text.partition("\n## ")[0]


# events


def test_the_examples_are_events_that_count() -> None:
    sent = [json.loads(each) for each in blocks(EVENTS, "json")]
    batches = [each if isinstance(each, list) else [each] for each in sent if "errors" not in each]
    assert [len(batch) for batch in batches] == [1, 2]
    for batch in batches:
        assert events.read_batch(batch, RULES)[1].accepted == len(batch)


def test_the_limits_are_those_of_the_code() -> None:
    for limit in (LONGEST_ID, LONGEST_NAME, LONGEST_VALUE, events.LONGEST_KEY):
        assert f"{limit} bytes" in EVENTS
    assert f"2^40 ({MEASURE_LIMIT:,})" in EVENTS
    assert f"{events.MOST_EVENTS:,} events, at most {events.LARGEST_BODY >> 20} MiB" in EVENTS
    assert f"{AHEAD.seconds // 60} minutes ahead" in EVENTS
    for media_type in (JSON, events.ONE, events.BATCH):
        assert f"| `{media_type}` |" in EVENTS


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_kind_has_a_row_with_its_measures_units_and_ratios(kind: Kind) -> None:
    (row,) = re.findall(rf"^\| `{kind.name}` \| .*", EVENTS, re.MULTILINE)
    _, _, measures, ratios, products, days, _ = (cell.strip() for cell in row.split("|"))
    assert measures == ", ".join(f"`{each.name}` ({each.unit})" for each in kind.described)
    assert re.findall(r"`(\w+)` =", ratios) == [each.name for each in kind.ratios]
    assert set(re.findall(r"`(\w+)`", ratios.partition("=")[2])) == {
        name for each in kind.ratios for name in (each.of, *each.divisors)
    }
    assert tuple(re.findall(r"`([\w-]+)`", products)) == kind.products
    assert days == ("local" if kind.local_days else "UTC")


class Intake:
    """A deployment that fails in some ways before it answers."""

    def __init__(self, *answers: Exception | bytes) -> None:
        self.answers = list(answers)
        self.bodies: list[Any] = []

    def __call__(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        self.bodies.append(request.data)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


def failed(status: int, **headers: str) -> HTTPError:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return HTTPError("http://intake.example", status, "", message, None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Mock:
    slept = Mock()
    monkeypatch.setattr(time, "sleep", slept)
    return slept


def sent_by_the_example(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> Any:
    (code,) = blocks(EVENTS, "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own example
    monkeypatch.setattr(urllib.request, "urlopen", intake)
    return names["send"]([{"id": "run-1"}], "http://intake.example", "odo_1")


def test_the_sender_sends_the_same_again_until_it_is_taken(
    pauses: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = failed(503, Retry_After="7")
    intake = Intake(
        RemoteDisconnected("gone"), busy, TimeoutError(), failed(504), b'{"accepted":1}'
    )
    assert sent_by_the_example(intake, monkeypatch) == {"accepted": 1}
    assert intake.bodies == [b'[{"id": "run-1"}]'] * 5
    assert [call.args[0] for call in pauses.mock_calls] == [1, 7, 4, 8]


@pytest.mark.parametrize(
    ("answers", "tries"), [([failed(400)], 1), ([failed(503)] * 6, 6), ([ConnectionError()] * 6, 6)]
)
def test_the_sender_gives_up_where_nothing_helps(
    answers: Sequence[Exception], tries: int, pauses: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(*answers)
    with pytest.raises((HTTPError, ConnectionError)):
        sent_by_the_example(intake, monkeypatch)
    assert (len(intake.bodies), len(pauses.mock_calls)) == (tries, tries - 1)


# errors


def all_errors(root: type[OdometerError] = OdometerError) -> Iterator[type[OdometerError]]:
    yield root
    for each in root.__subclasses__():
        yield from all_errors(each)


def test_every_code_has_its_status_and_its_message() -> None:
    codes = {each.code for each in all_errors() if each.__module__ == errors.__name__}
    rows = dict(
        re.findall(r"^\| ([0-9]+) \| `(\w+)` \|", section(ERRORS, "What to do"), re.MULTILINE)
    )
    assert {code: int(status) for status, code in rows.items()} == {c: STATUS[c] for c in codes}
    words = section(ERRORS, "The envelope: `/v1` and `/v2`")
    for code in codes - {Invalid.code}:
        assert f"| `{code}` | {MESSAGES[code]}" in words


def test_every_word_of_a_family_stands_in_its_section() -> None:
    words: Mapping[str, Sequence[str]] = {
        "The envelope: `/v1` and `/v2`": [
            *app_utilization.WORDS.values(),
            *(each for each in app_utilization.MESSAGES.values() if "{" not in each),
        ],
        "Usage report": [
            *(*usage_report.MESSAGES.values(), *usage_report.WORDS.values()),
            usage_report.UNREAD,
        ],
        "Usage metrics": [
            *(f"| {status} | `{word[0]}` | {word[1]}" for status, word in WORDS_BY_STATUS),
            usage_metrics.INVALID_ORGANIZATION,
        ],
    }
    missing = [
        word for title, some in words.items() for word in some if word not in section(ERRORS, title)
    ]
    assert missing == []


WORDS_BY_STATUS = list(usage_metrics.WORDS.items())


def faults_of(query: type[Query], **sent: str) -> Invalid:
    with pytest.raises(Invalid) as error:
        read_query(query, {}, {name.rstrip("_"): [value] for name, value in sent.items()})
    return error.value


@pytest.mark.parametrize(
    ("title", "family", "error"),
    [
        (
            "The envelope: `/v1` and `/v2`",
            Envelope(),
            faults_of(UsageQuery, product="chat", period="28d", granularity="fortnight", limit="0"),
        ),
        (
            "Usage report",
            UsageReport(),
            faults_of(
                SummaryQuery, type="account-user", from_="yesterday", to="2026-02-28 23:59:59"
            ),
        ),
        (
            "Usage metrics",
            UsageMetrics(),
            faults_of(
                OrganizationUsageQuery,
                **{"organizationId": "1", "from": "yesterday", "to": "2026-02-28"},
                granularity="hourly",
            ),
        ),
        ("What the gateway answers", Envelope(), Throttled()),
    ],
)
def test_a_family_has_an_example_of_its_errors(
    title: str, family: Family, error: OdometerError
) -> None:
    (example,) = blocks(section(ERRORS, title), "json")
    sent = json.loads(example)
    request = Request("GET", "/", {}, {}, {}, b"", sent.get("requestId", ""))
    problem = family.problem(error, family.status(error), request)
    assert example.strip() == as_json(problem).decode()


def test_every_family_is_told_of() -> None:
    told = {type(family) for family in FAMILIES.values()} | {AppUtilization}
    assert told == {Envelope, UsageReport, UsageMetrics, AppUtilization}
    assert all(f"`{prefix}`" in ERRORS for prefix in FAMILIES if prefix != "/")


def test_every_status_of_the_gateway_is_told() -> None:
    answers = written()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    rows = re.findall(
        r"^\| ([0-9, ]+) \|", section(ERRORS, "What the gateway answers"), re.MULTILINE
    )
    told = {int(status) for row in rows for status in row.split(",")}
    assert told == {answer.get("StatusCode", 400) for answer in answers.values()}


def test_the_codes_of_rows_are_told() -> None:
    """Those that are given in words where rows are applied, and those that faults bring along."""
    code = Path("layers/odometer/odometer/api/v1/directory.py").read_text()
    named = {"invalid_parameter", "conflict", "not_found", *re.findall(r'code="(\w+)"', code)}
    rows = [line for line in ERRORS.splitlines() if line.startswith("| `PUT /v1/directory` |")]
    assert named <= set(re.findall(r"`(\w+)`", "".join(rows)))
