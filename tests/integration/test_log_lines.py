"""The lines of the log: one for each request and each step, out of which metrics are read."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from odometer.bootstrap import process
from odometer.engine.format.marks import FOLD, Mark
from odometer.logs import METRICS, NAMESPACE
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of
from tests.support.storage_calls import record_calls, throttled
from tests.support.usage_sender import (
    dispatch,
    fold,
    log_of,
    make_queue,
    message,
    run,
    send,
    stream,
    usage_apart,
    usage_event,
    work,
)
from tests.unit.test_dashboard import fields
from tools.emf import Point, lines_in, points_in

MISSING: dict[str, Any] = {}
EVENTS = [usage_event("a"), usage_event("b"), usage_event("c", type="unknown")]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every line that is written from now on."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("builtins.print", lambda text, **_: found.extend(lines_in(text)))
    return found


def a_day(stack: Stack, key: str) -> None:
    """Send, fold, settle, audit and ask; one request is refused."""
    make_queue()
    assert send(stack, key, EVENTS).status == 202
    fold(stream(log_of(stack, ACME)))
    run("settle")
    dispatch()
    run("audit")
    assert stack.get("/api/v1/organization", key).status == 200
    assert stack.get("/api/v1/organization").status == 401


def test_every_metric_of_the_table_is_emitted_and_no_other(
    stack: Stack, written: list[dict[str, Any]]
) -> None:
    a_day(stack, admin_of(stack, ACME))
    points = points_in(written)
    emitted = {(tuple(point.dimensions), point.name, point.unit) for point in points}
    assert emitted == {
        (dimensions, name, unit)
        for dimensions, units in METRICS.items()
        for name, unit in units.items()
    }
    assert {point.namespace for point in points} == {NAMESPACE}
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert all(now_ms - 60_000 < point.at_ms <= now_ms + 1 for point in points)


def total(points: list[Point], name: str, **dimensions: str) -> float:
    return sum(
        point.value
        for point in points
        if point.name == name and dimensions.items() <= point.dimensions.items()
    )


def test_events_are_counted_when_they_are_accepted_folded_and_settled(
    stack: Stack, written: list[dict[str, Any]]
) -> None:
    a_day(stack, admin_of(stack, ACME))
    points = points_in(written)
    counted = {name: total(points, name) for name in ("accepted", "rejected", "folded", "settled")}
    assert counted == {"accepted": 2, "rejected": 1, "folded": 2, "settled": 2}
    fold(stream(log_of(stack, ACME)))
    assert total(points_in(written), "folded") == 2
    assert total(points_in(written), "fold_delay_ms") < 60_000


def test_a_request_writes_one_line_whatever_becomes_of_it(
    stack: Stack, written: list[dict[str, Any]]
) -> None:
    key = admin_of(stack, ACME)
    stack.get("/api/v1/organization", key)
    stack.get("/nope", key)
    stack.get("/api/v1/organization")
    record_calls().fail = throttled
    stack.get("/api/v1/organization", key)
    told = [
        tuple(line.get(name) for name in ("message", "level", "family", "status_class", "code"))
        for line in written
    ]
    assert told == [
        ("answered", "INFO", "usage_metrics", "2xx", None),
        ("answered", "INFO", "edge", "4xx", "not_found"),
        ("answered", "INFO", "usage_metrics", "4xx", "unauthorized"),
        ("answered", "ERROR", "usage_metrics", "5xx", "unavailable"),
    ]
    assert written[-1]["reason"] == "ProvisionedThroughputExceededException"


def test_an_answer_that_nobody_expected_has_its_traceback_in_its_line(
    stack: Stack, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = admin_of(stack, ACME)
    monkeypatch.setattr(
        "odometer.storage.directory.DirectoryStore.enter",
        lambda *_: MISSING["a part that is missing"],
    )
    assert stack.get("/api/v1/organization", key).status == 500
    (line,) = written
    assert (line["code"], line["exception_name"]) == ("internal_error", "KeyError")
    assert "a part that is missing" in line["exception"]


def test_a_step_writes_one_line_with_its_organization_also_if_it_fails(
    stack: Stack, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day(stack, admin_of(stack, ACME))
    steps = [line for line in written if line["message"] != "answered"]
    told = Counter((line["message"], line.get("task"), line.get("organization")) for line in steps)
    assert told["stepped", "stream", ACME] == 1
    assert told["stepped", "audit", ACME] == told["stepped", "audit", OTHER] == 1
    assert told["dispatched", "dispatch", None] == 1
    assert all({"read_units", "write_units", "duration_ms"} <= line.keys() for line in steps)
    written.clear()
    usage_apart().put(Mark(ACME, 0, {FOLD: 0}).to_item())
    monkeypatch.setattr(process().work.engine, "fold_outstanding", lambda *_: MISSING["broken"])
    work(message(ACME))
    (line,) = written
    assert (line["level"], line["organization"], line["task"]) == ("ERROR", ACME, FOLD)
    assert "broken" in line["exception"]


def test_every_field_of_a_line_is_in_the_document(
    stack: Stack, written: list[dict[str, Any]]
) -> None:
    a_day(stack, admin_of(stack, ACME))
    assert {name for line in written for name in line} - {"_aws"} <= fields()


def test_the_units_of_a_line_are_those_of_its_step_alone(
    stack: Stack, written: list[dict[str, Any]]
) -> None:
    make_queue()
    send(stack, admin_of(stack, ACME), EVENTS)
    fold(stream(log_of(stack, ACME)))
    dispatch()
    work(message(ACME), message(ACME))
    of_engine = [line for line in written if line["family"] == "engine"]
    meter = process().engine_meter
    assert len(of_engine) == 4
    assert meter.read_units > 0
    assert sum(line["read_units"] for line in of_engine) == meter.read_units
    assert sum(line["write_units"] for line in of_engine) == meter.write_units
    assert total(points_in(written), "read_units", family="engine") == meter.read_units
