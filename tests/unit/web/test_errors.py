"""Every family maps every domain error, in its own published shape."""

from collections.abc import Iterator

import pytest

from odometer.api.app_utilization.family import AppUtilization
from odometer.api.routes import ByPrefix
from odometer.api.usage_metrics.family import UsageMetrics
from odometer.api.usage_report.family import UsageReport
from odometer.domain.errors import (
    MOST_TOLD,
    Fault,
    Invalid,
    NotAllowed,
    OdometerError,
    Throttled,
)
from odometer.storage.aws import Cancelled, ConditionFailed
from odometer.web.family import STATUS, Envelope, Family, echoed
from odometer.web.messages import Request
from tests.support.stack import proxy_event

REQUEST = Request.of(proxy_event("GET", "/x", {"x-request-id": "mine"}))
ENVELOPE, USAGE_METRICS = Envelope(), UsageMetrics()
FAMILIES = [ENVELOPE, USAGE_METRICS, UsageReport(), AppUtilization(), ByPrefix()]


def tree(root: type[OdometerError] = OdometerError) -> Iterator[type[OdometerError]]:
    yield root
    for kind in root.__subclasses__():
        if kind not in (Cancelled, ConditionFailed):  # which storage tells nobody
            yield from tree(kind)


def example(kind: type[OdometerError]) -> OdometerError:
    if kind is NotAllowed:
        return NotAllowed(("GET", "PUT"))
    if kind is Invalid:
        return Invalid(Fault("one", "rule", "was wrong", 1), Fault("two", "rule", "too", "2" * 99))
    return Throttled(7) if kind is Throttled else kind("a secret of ours")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_every_family_speaks_of_every_error(family: Family, kind: type[OdometerError]) -> None:
    error = example(kind)
    body = str(family.problem(error, STATUS[kind.code], REQUEST))
    assert "a secret of ours" not in body
    assert "''" not in body


def test_every_error_has_a_status_of_its_own_kind() -> None:
    assert {kind.code for kind in tree()} == set(STATUS)


def test_the_envelope_shows_all_faults_and_short_values() -> None:
    assert ENVELOPE.problem(example(Invalid), 400, REQUEST) == {
        "error": {
            "code": "invalid_parameter",
            "message": "one: was wrong; two: too",
            "details": {"one": 1, "two": "2" * 64},
        }
    }


def test_a_value_is_shown_however_deep_it_is() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    shown = echoed(deep)
    assert shown == "…"
    while deep:  # Python would go as deep to forget it at once
        (deep,) = deep  # type: ignore[assignment]


def test_the_envelope_tells_as_many_faults_as_an_answer_has_room_for() -> None:
    faults = [Fault(f"f{number}", "rule", "was wrong", number) for number in range(5_000)]
    problem = ENVELOPE.problem(Invalid(*faults), 400, REQUEST)["error"]
    assert list(problem["details"]) == [f"f{number}" for number in range(MOST_TOLD)]
    told = USAGE_METRICS.problem(Invalid(*faults), 400, REQUEST)["details"]["errors"]
    assert len(told) == MOST_TOLD


def test_the_envelope_says_once_what_is_too_large() -> None:
    error = Invalid(Fault("from", "size", "narrow it", "x"), Fault("to", "size", "narrow it"))
    assert ENVELOPE.problem(error, 400, REQUEST) == {
        "error": {
            "code": "invalid_parameter",
            "message": "narrow it",
            "details": {"from": "x", "to": None},
        }
    }


def test_usage_metrics_lists_all_faults() -> None:
    assert USAGE_METRICS.problem(example(Invalid), 400, REQUEST) == {
        "error": "BAD_REQUEST",
        "message": "Bad Request – Invalid or missing parameters.",
        "status": 400,
        "requestId": "mine",
        "details": {"errors": ["one: was wrong", "two: too"]},
    }


@pytest.mark.parametrize(
    ("status", "word", "message"),
    [
        (401, "UNAUTHORIZED", "Unauthorized – Invalid token."),
        (403, "FORBIDDEN", "Forbidden – User lacks permission."),
        (404, "NOT_FOUND", "Not Found – Resource not found."),
        (500, "INTERNAL_SERVER_ERROR", "Internal Server Error – Unexpected server error."),
    ],
)
def test_usage_metrics_words_its_errors_as_published(status: int, word: str, message: str) -> None:
    kind = next(kind for kind in tree() if STATUS[kind.code] == status)
    assert USAGE_METRICS.problem(kind(), status, REQUEST) == {
        "error": word,
        "message": message,
        "status": status,
        "requestId": "mine",
        "details": {"errors": []},
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_an_error_says_what_to_do_about_it(family: Family) -> None:
    found = {kind.code: dict(family.headers(example(kind))) for kind in tree()}
    assert {code: headers for code, headers in found.items() if headers} == {
        "unauthorized": {"WWW-Authenticate": family.challenge},
        "method_not_allowed": {"Allow": "GET, PUT"},
        "too_many_requests": {"Retry-After": "7"},
        "unavailable": {"Retry-After": "2"},
    }
