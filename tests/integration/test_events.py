"""POST /v1/events: what counts, what does not and why, and that a 202 is a promise."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from odometer.access.policy import Scope
from odometer.api.v1 import events
from odometer.domain.events import Event
from odometer.domain.people import Role
from odometer.engine.format import log_entries
from odometer.storage.log import size_of
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Reply, Stack, stack_on_moto
from tests.support.usage_sender import ago, log_of, receipt, refused, send, usage_event

APP = "6f2d4a2e-0b1c-4d3e-8f5a-6b7c8d9e0f1a"
HUGE = 2**40
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass
class Door:
    """The intake of one organization, and what it has taken since a test began."""

    stack: Stack
    key: str
    before: int = 0

    def send(self, body: Any, **headers: str) -> Reply:
        return send(self.stack, self.key, body, **headers)

    def taken(self) -> list[list[Event[str]]]:
        """The events of every batch that became durable."""
        return [log_entries.events_of(entry) for entry in log_of(self.stack, ACME)[self.before :]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One deployment for all these tests: each looks at what it has brought itself."""
    with stack_on_moto() as stack:
        stack.apply(ACME, "product", {"id": APP, "name": "Notes", "kind": "app"})
        yield stack


@pytest.fixture
def door(stack: Stack) -> Door:
    """The door, for a Member with a key that may send events and nothing else."""
    machine = stack.user(ACME, username="ci", role=Role.MEMBER)
    return Door(stack, stack.key(ACME, machine, Scope.WRITE_USAGE), len(log_of(stack, ACME)))


def used(product: Any = "automation", **measures: Any) -> dict[str, Any]:
    """The data of an event."""
    return {"product": product, **measures}


def text(name: str) -> str:
    return f"{name}: expected text without control characters"


WHOLE = f"expected an integer from 0 to {HUGE}"
TEST_MEASURES = "expected one of tests, duration_ms above 0"
INSTANT = "time: expected an instant like 2026-02-28T17:42:00Z"
EARLIEST = f"{datetime.now(UTC).year - 2}-01-01"

MALFORMED: dict[str, tuple[Any, str, str]] = {
    "null": (None, "not_an_event", "expected an object"),
    "number": (7, "not_an_event", "expected an object"),
    "text": ("run-1", "not_an_event", "expected an object"),
    "list": ([usage_event()], "not_an_event", "expected an object"),
    "empty": ({}, "invalid_specversion", 'specversion: expected "1.0"'),
    "no specversion": (
        usage_event(specversion=None),
        "invalid_specversion",
        'specversion: expected "1.0"',
    ),
    "old specversion": (
        usage_event(specversion="0.3"),
        "invalid_specversion",
        'specversion: expected "1.0"',
    ),
    "number as specversion": (
        usage_event(specversion=1.0),
        "invalid_specversion",
        'specversion: expected "1.0"',
    ),
    "no id": (usage_event(id=None), "missing_id", "id: required"),
    "empty id": (usage_event(id=""), "missing_id", "id: required"),
    "number as id": (usage_event(id=17), "invalid_id", text("id")),
    "id of 257 bytes": (usage_event(id="i" * 257), "invalid_id", "id: longer than 256 bytes"),
    "id of 129 letters and 258 bytes": (
        usage_event(id="é" * 129),
        "invalid_id",
        "id: longer than 256 bytes",
    ),
    "NUL in id": (usage_event(id="run\x00"), "invalid_id", text("id")),
    "half a character in id": (usage_event(id="run\ud800"), "invalid_id", text("id")),
    "no source": (usage_event(source=None), "missing_source", "source: required"),
    "source of 129 bytes": (
        usage_event(source="s" * 129),
        "invalid_source",
        "source: longer than 128 bytes",
    ),
    "line end in source": (usage_event(source="ci\r\n"), "invalid_source", text("source")),
    "no type": (usage_event(type=None), "invalid_type", 'type: expected "usage"'),
    "another type": (usage_event(type="use"), "invalid_type", 'type: expected "usage"'),
    "no subject": (usage_event(subject=None), "missing_subject", "subject: required"),
    "subject of 129 bytes": (
        usage_event(subject="é" * 64 + "s"),
        "invalid_subject",
        "subject: longer than 128 bytes",
    ),
    **{
        f"subject {blank!r}": (
            usage_event(subject=blank),
            "invalid_subject",
            "subject: expected text without blanks around it",
        )
        for blank in (" ", " p01", "p01 ", "p01\u00a0", "\u3000")
    },
    **{
        f"{name} with {letter!a}": (
            usage_event(**{name: f"ci{letter}/eu-1"}),
            f"invalid_{name}",
            f"{name}: expected text without invisible characters",
        )
        for name in ("subject", "source")
        for letter in ("\u200b", "\u202e", "\ufeff", "\u3164")
    },
    "list as subject": (usage_event(subject=["james"]), "invalid_subject", text("subject")),
    "no time": (usage_event(time=None), "missing_time", "time: required"),
    "number as time": (usage_event(time=1772300520), "invalid_time", text("time")),
    "time without offset": (
        usage_event(time="2026-02-28T17:42:00"),
        "invalid_time",
        INSTANT,
    ),
    "date as time": (usage_event(time="2026-02-28"), "invalid_time", INSTANT),
    "Arabic digits in time": (
        usage_event(time="٢٠٢٦-02-28T17:42:00Z"),
        "invalid_time",
        INSTANT,
    ),
    "30 February": (
        usage_event(time="2026-02-30T17:42:00Z"),
        "invalid_time",
        "time: no such instant",
    ),
    **{
        f"time with the offset {offset}": (
            usage_event(time=f"2026-02-28T10:00:00{offset}"),
            "invalid_time",
            INSTANT,
        )
        for offset in ("+05:60", "+05:99", "-24:00", "+99:00")
    },
    "before the first year": (
        usage_event(time="0001-01-01T00:00:00+14:00"),
        "invalid_time",
        "time: no such instant",
    ),
    "an hour ahead": (
        usage_event(time=ago(hours=-1)),
        "time_ahead",
        "time: more than 5 minutes ahead",
    ),
    "before the years that are kept": (
        usage_event(time=f"{datetime.now(UTC).year - 3}-12-31T23:59:59Z"),
        "time_too_old",
        f"time: before {EARLIEST}, as far as usage is kept",
    ),
    "no data": (usage_event(data=None), "invalid_data", "data: expected an object"),
    "list as data": (usage_event(data=[1]), "invalid_data", "data: expected an object"),
    "no product": (usage_event(data={"tests": 1}), "missing_product", "product: required"),
    "number as product": (usage_event(data=used(product=5)), "invalid_product", text("product")),
    "unknown product": (
        usage_event(data=used("toaster", tests=1)),
        "unknown_product",
        "product: toaster is not in the directory",
    ),
    "negative": (usage_event(data=used(tests=-1)), "invalid_measure", f"tests: {WHOLE}"),
    "fraction": (usage_event(data=used(tests=1.5)), "invalid_measure", f"tests: {WHOLE}"),
    "whole as fraction": (usage_event(data=used(tests=1.0)), "invalid_measure", f"tests: {WHOLE}"),
    "text as measure": (usage_event(data=used(tests="1")), "invalid_measure", f"tests: {WHOLE}"),
    "true as measure": (usage_event(data=used(tests=True)), "invalid_measure", f"tests: {WHOLE}"),
    "null as measure": (usage_event(data=used(tests=None)), "invalid_measure", f"tests: {WHOLE}"),
    "above 2^40": (usage_event(data=used(tests=HUGE + 1)), "invalid_measure", f"tests: {WHOLE}"),
    "above every float": (
        usage_event(data=used(tests=10**400)),
        "invalid_measure",
        f"tests: {WHOLE}",
    ),
    "NaN": (usage_event(data=used(tests=math.nan)), "invalid_measure", f"tests: {WHOLE}"),
    "infinity": (usage_event(data=used(tests=-math.inf)), "invalid_measure", f"tests: {WHOLE}"),
    "nested junk": (
        usage_event(data=used(tests={"a": [{"b": 1}]})),
        "invalid_measure",
        f"tests: {WHOLE}",
    ),
    "no measure": (usage_event(data=used()), "no_usage", TEST_MEASURES),
    "all measures 0": (
        usage_event(data=used(tests=0, duration_ms=0)),
        "no_usage",
        TEST_MEASURES,
    ),
    "a measure of another kind": (
        usage_event(data=used(tests=1, screenshots=1)),
        "unknown_measure",
        "screenshots: no measure of test; it has tests, duration_ms",
    ),
    "a measure nobody can print": (
        usage_event(data={**used(tests=1), "a\ud800\x00": 1}),
        "unknown_measure",
        f"a{UNPRINTABLE}{UNPRINTABLE}: no measure of test; it has tests, duration_ms",
    ),
    "platform of a kind without": (
        usage_event(data=used(tests=1, platform="web")),
        "unknown_measure",
        "platform: no measure of test; it has tests, duration_ms",
    ),
    "unknown platform": (
        usage_event(data=used(APP, active_ms=1, platform="watch")),
        "unknown_platform",
        "platform: expected one of desktop, web",
    ),
    "list as platform": (
        usage_event(data=used(APP, active_ms=1, platform=["web"])),
        "unknown_platform",
        "platform: expected one of desktop, web",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_event_is_refused_by_its_code_and_the_rest_is_taken(
    case: str, door: Door
) -> None:
    event, code, message = MALFORMED[case]
    sent_id = event.get("id") if isinstance(event, dict) else None
    shown = (
        sent_id.replace("\x00", UNPRINTABLE).replace("\ud800", UNPRINTABLE)[:64]
        if isinstance(sent_id, str)
        else None
    )
    reply = door.send([usage_event("good-1"), event, usage_event("good-2")])
    error = {"index": 1, "id": shown, "code": code, "message": message}
    assert (reply.status, reply.json) == (202, receipt(2, errors=[error]))
    assert [len(batch) for batch in door.taken()] == [2]


TWICE = '{"specversion":"1.0","id":"a","id":"b"}'
TWICE_INSIDE = json.dumps(usage_event("a")).replace('"tests": 1', '"tests": 1, "tests": 2')


@pytest.mark.parametrize(("event", "shown"), [(TWICE, "b"), (TWICE_INSIDE, "a")])
def test_an_event_that_says_something_twice_says_nothing(
    event: str, shown: str, door: Door
) -> None:
    body = f"[{event},{json.dumps(usage_event())}]"
    reply = door.send(body, content_type="application/json")
    error = {
        "index": 0,
        "id": shown,
        "code": "duplicate_name",
        "message": "a name stands twice in one object",
    }
    assert (reply.status, reply.json) == (202, receipt(1, errors=[error]))


GOOD = json.dumps([usage_event()])


@pytest.mark.parametrize("digits", [33, 400, 5_000])
def test_a_number_of_many_digits_spoils_its_event_only(digits: int, door: Door) -> None:
    event = json.dumps(usage_event("long")).replace('"tests": 1', f'"tests": {"9" * digits}')
    reply = door.send(f"[{event},{GOOD[1:]}", content_type="application/json")
    error = {"index": 0, "id": "long", "code": "invalid_measure", "message": f"tests: {WHOLE}"}
    assert (reply.status, reply.json) == (202, receipt(1, errors=[error]))


def test_ordinary_numbers_are_read_without_a_call_for_each() -> None:
    with patch.object(events, "whole") as whole:
        assert events.parsed(GOOD.encode()) == [usage_event()]
    assert whole.mock_calls == []


ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
NOT_JSON = (400, refused("invalid_parameter", "body: not valid JSON"))
TOO_LARGE = (413, refused("payload_too_large", "Larger than can be handled at once"))
UNSUPPORTED = (415, refused("unsupported_media_type", "Content type not supported"))
NOTHING = (400, refused("invalid_parameter", "body: expected 1 to 1000 events"))


def announced(media_type: str) -> tuple[int, dict[str, Any]]:
    return 400, refused("invalid_parameter", f"body: not what {media_type} announces")


BODIES: dict[str, tuple[str | bytes, str, tuple[int, dict[str, Any]]]] = {
    "no JSON": ("events", "application/json", NOT_JSON),
    "cut JSON": (GOOD[:-1], "application/json", NOT_JSON),
    "nothing": ("", "application/json", NOT_JSON),
    "neither a number nor a word": (GOOD.replace("5321", "nan"), "application/json", NOT_JSON),
    "UTF-16": (GOOD.encode("utf-16"), "application/json", NOT_JSON),
    "no UTF-8": (GOOD.encode()[:-1] + b"\xff]", "application/json", NOT_JSON),
    "NUL": (GOOD + "\x00", "application/json", NOT_JSON),
    "nested without end": ("[" * 100_000, "application/json", NOT_JSON),
    "two documents": (GOOD + GOOD, "application/json", NOT_JSON),
    "no events": ("[]", "application/json", NOTHING),
    "1,001 events": (json.dumps([usage_event()] * 1001), "application/json", TOO_LARGE),
    "1 MiB and a byte": (GOOD + " " * (2**20 - len(GOOD) + 1), "application/json", TOO_LARGE),
    "a batch sent as one": (GOOD, ONE, announced(ONE)),
    "one sent as a batch": (json.dumps(usage_event()), MANY, announced(MANY)),
    "text": (GOOD, "text/plain", UNSUPPORTED),
    "a form": (GOOD, "application/x-www-form-urlencoded", UNSUPPORTED),
    "no content type": (GOOD, "", UNSUPPORTED),
    "lines": (GOOD, "application/x-ndjson", UNSUPPORTED),
}


@pytest.mark.parametrize("case", BODIES)
def test_of_a_body_that_is_no_batch_nothing_is_taken(case: str, door: Door) -> None:
    body, media_type, (status, answer) = BODIES[case]
    reply = door.send(body, content_type=media_type)
    assert (reply.status, reply.json) == (status, answer)
    assert door.taken() == []


@pytest.mark.parametrize("media_type", ["application/json", f"{ONE}; charset=utf-8", ONE.upper()])
def test_one_event_is_taken_by_itself(media_type: str, door: Door) -> None:
    reply = door.send(json.dumps(usage_event()), content_type=media_type)
    assert (reply.status, reply.json) == (202, receipt(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "é" * 128},
        {"source": "s" * 128, "subject": "é" * 64},
        {"time": ago(minutes=-3)},
        {"time": f"{EARLIEST}T00:00:00Z"},
        {"time": f"{EARLIEST}T05:30:00.999999999+05:30"},
        {"data": used(tests=HUGE, duration_ms=0)},
        {"data": used(APP, active_ms=1, platform="web")},
        {"data": used(APP, sessions=1)},
        {"data": used("chat", interactions=1, useful_interactions=1, lines=1, chars_completed=1)},
        {"traceparent": "00-1", "dataschema": None, "comexample": {"nested": [1]}},
    ],
)
def test_an_event_at_the_limit_counts(changes: dict[str, Any], door: Door) -> None:
    reply = door.send([usage_event(**changes)])
    assert (reply.status, reply.json) == (202, receipt(1))


def test_an_app_is_the_same_in_either_case_of_its_id(door: Door) -> None:
    data = [used(each, active_ms=1) for each in (APP, APP.upper())]
    events = [usage_event(str(number), data=each) for number, each in enumerate(data)]
    assert door.send(events).json == receipt(2)
    ((one, other),) = door.taken()
    assert (one.product, other.product) == (APP, APP)


def test_repeats_in_a_batch_are_counted_as_such_and_the_first_is_kept(door: Door) -> None:
    same_date = usage_event(time="2026-02-28T00:00:00Z")
    sent = [
        same_date,
        usage_event(time="2026-02-28T23:59:59Z", data=used("smartui", screenshots=4)),
        usage_event(time="2026-03-01T00:00:00Z"),
        usage_event(time="2026-02-28T01:00:00Z", source="ci/eu-2"),
    ]
    reply = door.send(sent)
    assert (reply.status, reply.json) == (202, receipt(3, duplicate=1))
    (batch,) = door.taken()
    assert [event.product for event in batch] == ["automation"] * 3


def test_a_neighbour_has_nothing_of_it(door: Door) -> None:
    door.send([usage_event()])
    assert len(door.taken()) == 1
    assert log_of(door.stack, OTHER) == []


def test_a_batch_without_a_good_event_leaves_no_trace(door: Door) -> None:
    assert door.send([{}]).status == 202
    assert door.taken() == []


LETTERS = [*map(chr, range(0x21, 0x7F))]


def long_text(random: Random) -> str:
    return "".join(random.choices(LETTERS, k=128))


def test_a_thousand_events_with_the_longest_names_fit_one_item(door: Door) -> None:
    random = Random(1)
    batch = [
        usage_event(
            f"{number}",
            source=long_text(random),
            subject=long_text(random),
            time=ago(days=random.randrange(300)),
            data=used(
                "code-completions",
                completions=random.randrange(HUGE),
                chars_completed=random.randrange(HUGE),
                keystrokes=random.randrange(HUGE),
                lines=random.randrange(HUGE),
            ),
        )
        for number in range(1000)
    ]
    reply = door.send(batch)
    assert (reply.status, reply.json) == (202, receipt(1000))
    entry = log_of(door.stack, ACME)[-1]
    assert size_of(entry) < 260_000
    assert [len(batch) for batch in door.taken()] == [1000]


def test_a_batch_that_no_item_can_hold_is_refused_whole(door: Door) -> None:
    with patch("odometer.storage.log.LARGEST_ENTRY", 10_000):
        reply = door.send([usage_event(subject=long_text(Random(n)), id=f"{n}") for n in range(99)])
    assert (reply.status, reply.json) == TOO_LARGE
    assert door.taken() == []


def test_a_batch_of_which_nothing_is_taken_says_so_first(door: Door) -> None:
    unknown = {"product": "nothing", "tests": 1}
    batch = [usage_event("a", data=unknown), usage_event("b", time="soon"), usage_event("c", id="")]
    batch.append(usage_event("d", data=unknown))
    reply = door.send(batch)
    why = "2 unknown_product, 1 invalid_time, 1 missing_id"
    warning = f"none of the 4 events was accepted: {why}"
    assert reply.status == 202
    assert reply.text.startswith(f'{{"accepted":0,"warning":"{warning}",')
    assert reply.headers["Warning"] == f'199 odometer "{warning}"'


def test_one_event_that_is_not_taken_says_so_first(door: Door) -> None:
    reply = door.send(usage_event(time="soon"))
    assert reply.json["warning"] == "the event was not accepted: 1 invalid_time"


def test_a_replayed_answer_warns_again(door: Door) -> None:
    first, again = (door.send(usage_event(time="soon"), Idempotency_Key="one") for _ in range(2))
    assert (again.text, again.headers["Warning"]) == (first.text, first.headers["Warning"])
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_batch_of_which_some_is_taken_does_not_warn(door: Door) -> None:
    reply = door.send([usage_event("a"), usage_event("b", time="soon")])
    assert (reply.json["accepted"], "warning" in reply.json) == (1, False)
    assert "Warning" not in reply.headers
