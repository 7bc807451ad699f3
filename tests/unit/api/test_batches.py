"""Batches of events: which of them count, what is answered, and that most are read at once."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from odometer.api.v1.events import read_batch
from odometer.domain.events import Rules
from odometer.domain.kinds import DEFAULT_PRODUCTS
from tests.support.usage_sender import usage_event

RULES = Rules(DEFAULT_PRODUCTS, datetime(2026, 11, 22, 12, tzinfo=UTC), 3)
YESTERDAY, TODAY = "2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z"
USES = ({"product": "automation", "tests": 1}, {"product": "chat", "lines": 2})
EVENTS = [
    usage_event(name, time=time, data=data)
    for name in ("run-1", "run-2")
    for time in (YESTERDAY, TODAY)
    for data in USES
]
REFUSED = usage_event(data={"product": "automation"})


@given(st.lists(st.sampled_from([*EVENTS, REFUSED]), max_size=12), st.sets(st.integers(0, 11)))
@example(EVENTS, set())
@example([], set())
def test_a_batch_is_read_at_once_as_it_is_read_event_by_event(
    batch: list[Any], passed_over: set[int]
) -> None:
    at_once = read_batch(batch, RULES, passed_over)
    with patch.object(Rules, "read_together", return_value=None):
        assert read_batch(batch, RULES, passed_over) == at_once


@given(st.lists(st.sampled_from(EVENTS), min_size=1))
def test_the_first_event_of_an_identity_counts_and_the_others_repeat_it(batch: list[Any]) -> None:
    good, receipt = read_batch(batch, RULES)
    named = [(event["id"], event["time"]) for event in batch]
    firsts = sorted({named.index(name) for name in named})
    assert good == [RULES.read(batch[at]) for at in firsts]
    assert (receipt.accepted, receipt.duplicate) == (len(firsts), len(batch) - len(firsts))


def test_an_ordinary_batch_is_not_read_event_by_event() -> None:
    batch = [usage_event(f"run-{number}", time=TODAY) for number in range(3)]
    with patch.object(Rules, "read") as read:
        assert read_batch(batch, RULES)[1].accepted == len(batch)
    assert read.mock_calls == []


def test_events_that_were_refused_at_the_first_try_are_passed_over() -> None:
    good, receipt = read_batch(EVENTS[:2] + EVENTS[4:6], RULES, {0, 1})
    assert good == [RULES.read(EVENTS[4])]
    assert receipt.rejected == 0
