"""Which events count, what is read of them, and that an ordinary one is read without a search."""

from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any
from unittest.mock import DEFAULT, patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from odometer.domain import text
from odometer.domain.events import (
    DIGEST_BYTES,
    Event,
    Refused,
    Rules,
    digest_of,
)
from odometer.domain.events import (
    text as text_of,
)
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, MEASURE_LIMIT, Aggregate, Kind, Measure
from odometer.domain.numbers import exact
from odometer.domain.time import epoch_second
from tests.integration.test_events import APP, MALFORMED
from tests.support.usage_sender import usage_event

NOW = datetime(2026, 11, 21, 20, 0, 0, 700_000, tzinfo=UTC)
RULES = Rules(DEFAULT_PRODUCTS, NOW, retention_years=3)


@pytest.mark.parametrize("time", ["2026-11-21T20:05:00.999Z", "2024-01-01T00:00:00Z"])
def test_the_first_and_the_last_second_are_taken(time: str) -> None:
    event = RULES.read(usage_event(time=time))
    assert event.second == epoch_second(datetime.fromisoformat(time))


@pytest.mark.parametrize(
    ("time", "code", "message"),
    [
        ("2026-11-21T20:05:01Z", "time_ahead", "time: more than 5 minutes ahead"),
        (
            "2023-12-31T23:59:59.999999Z",
            "time_too_old",
            "time: before 2024-01-01, as far as usage is kept",
        ),
    ],
)
def test_the_second_before_and_the_one_after_are_refused(
    time: str, code: str, message: str
) -> None:
    with pytest.raises(Refused) as refused:
        RULES.read(usage_event(time=time))
    assert (refused.value.code, refused.value.message) == (code, message)


def test_in_an_ordinary_event_nobody_searches_for_odd_letters() -> None:
    patterns = dict.fromkeys(("CONTROL", "IGNORABLE", "UUID"), DEFAULT)
    with patch.multiple(text, **patterns) as searches:
        RULES.read(usage_event(time="2026-11-21T12:00:00Z"))
    assert [each.mock_calls for each in searches.values()] == [[], [], []]


BROKEN_DOWN = replace(KINDS["visual"], name="images", breakdowns=("format", "plan"))
COUNTED = Kind("calls", (Measure("calls", Aggregate.COUNT), Measure("credits", decimals=2)))
PRODUCTS = {**DEFAULT_PRODUCTS, APP: KINDS["app"], "images": BROKEN_DOWN, "model": COUNTED}
PRODUCT_RULES = Rules(PRODUCTS, datetime.now(UTC), 3)


def read(**attributes: Any) -> Event[str]:
    return Rules(PRODUCTS, datetime.now(UTC), 3).read(usage_event(**attributes))


def refused(event: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        Rules(PRODUCTS, datetime.now(UTC), 3).read(event)
    assert str(error.value) == error.value.message
    return error.value.code, error.value.message


def test_all_that_an_event_says_is_read_in_the_order_of_its_kind() -> None:
    event = usage_event(time="2026-11-21T12:00:01.9+01:00")
    expected = Event(
        who="james.wilson@example.com",
        product="automation",
        source="ci/eu-1",
        second=epoch_second(datetime(2026, 11, 21, 11, 0, 1, tzinfo=UTC)),
        platform=0,
        measures=(1, 5321, 0, 0),
        digest=digest_of("ci/eu-1", "run-1"),
    )
    assert RULES.read(event) == expected
    assert expected.identity == (date(2026, 11, 21), expected.digest)


def test_an_identity_is_of_the_day_in_which_the_event_was() -> None:
    days = [
        RULES.read(usage_event(time=f"2026-11-{day}Z")).identity[0]
        for day in ("20T00:00:00", "20T23:59:59", "21T00:00:00")
    ]
    assert days == [date(2026, 11, 20), date(2026, 11, 20), date(2026, 11, 21)]


def test_a_digest_tells_where_a_source_ends_and_an_id_begins() -> None:
    assert digest_of("ci", "1") == blake2b(b"2:ci1", digest_size=DIGEST_BYTES).digest()
    assert digest_of("ci", "1") == digest_of("ci", "1") != digest_of("ci1", "")
    assert digest_of("é", "x") == blake2b(b"2:\xc3\xa9x", digest_size=DIGEST_BYTES).digest()


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_event_is_refused_for_the_first_rule_that_it_breaks(case: str) -> None:
    event, code, message = MALFORMED[case]
    assert refused(event) == (code, message)


@pytest.mark.parametrize(("name", "longest"), [("id", 256), ("source", 128), ("subject", 128)])
def test_the_longest_text_is_counted_in_bytes(name: str, longest: int) -> None:
    for whole in ("x" * longest, "é" * (longest // 2)):
        read(**{name: whole})
        words = (f"invalid_{name}", f"{name}: longer than {longest} bytes")
        assert refused(usage_event(**{name: f"{whole}x"})) == words


ODD: tuple[Any, ...] = (
    "",
    " ",
    "x ",
    " x",
    "a b",
    "é",
    "x\n",
    "x\u200b",
    "x" * 128,
    "x" * 129,
    "x" * 257,
    None,
    1,
    [],
)


def found(sent: Any) -> object:
    """An event, or the code and the words by which it is refused."""
    try:
        return PRODUCT_RULES.read(sent)
    except Refused as why:
        return why.code, why.message


@pytest.mark.parametrize("name", ["id", "source", "subject", "time", "type", "specversion"])
def test_one_look_at_all_texts_finds_what_a_look_at_each_finds(name: str) -> None:
    others: tuple[Any, ...] = ({}, {"type": "other"}, {"subject": ""})
    for event in (usage_event(**{**more, name: odd}) for odd in ODD for more in others):
        at_once = found(event)
        with patch("odometer.domain.events.ordinary_texts", return_value=None):
            assert found(event) == at_once


NAMES: tuple[Any, ...] = (None, 1, [], "", "é", "unknown")
COUNTS: tuple[Any, ...] = (0, 1, MEASURE_LIMIT, MEASURE_LIMIT + 1, -1, True, 1.0, "1", None, [])
USES: tuple[Any, ...] = (
    None,
    [],
    "tests",
    {"tests": 1},
    *({"product": odd, "tests": 1} for odd in NAMES),
    *({"product": "automation", "tests": count} for count in COUNTS),
    *({"product": "realtime", "tests": 0, "duration_ms": count} for count in COUNTS),
    *({"product": "chat", "lines": count, "interactions": 1} for count in COUNTS),
    {"product": "automation", "tests": 1, "lines": 1},
    {"product": "automation", "tests": 1, "platform": "web"},
    *({"product": APP, "active_ms": 1, "platform": each} for each in ("web", "desktop", "", None)),
    {"product": APP.upper(), "active_ms": 1, "platform": ["web"]},
    {"product": APP.upper(), "sessions": 2},
    *({"product": "images", "screenshots": 1, "plan": odd} for odd in ODD),
    {"product": "images", "screenshots": 1, "format": "png", "plan": "free"},
    {"product": "images", "format": "png"},
    *({"product": "model", "credits": count} for count in (*COUNTS, exact("0.25"), exact("0.125"))),
    {"product": "model"},
)
EVENTS: tuple[Any, ...] = (
    *(usage_event(data=data) for data in USES),
    *(usage_event(**{name: odd}) for name in ("id", "source", "subject") for odd in ODD),
    *(usage_event(time=f"{datetime.now(UTC):%FT%T}.5{zone}") for zone in ("Z", "+00:00", "")),
    *(event for event, _, _ in MALFORMED.values()),
)
GOOD = [event for event in EVENTS if isinstance(found(event), Event)]


def test_no_batch_is_read_together_of_which_one_event_is_refused() -> None:
    ordinary = usage_event()
    for event in (each for each in EVENTS if each not in GOOD):
        for batch in ([event], [ordinary, event], [event, ordinary]):
            assert PRODUCT_RULES.read_together(batch) is None
    assert PRODUCT_RULES.read_together([]) is None


@given(st.lists(st.sampled_from(GOOD), min_size=1))
@example(GOOD)
def test_a_batch_that_is_read_together_says_what_each_of_its_events_says(batch: list[Any]) -> None:
    assert PRODUCT_RULES.read_together(batch) == [PRODUCT_RULES.read(event) for event in batch]


def test_what_an_ordinary_batch_says_is_not_looked_up_event_by_event() -> None:
    uses: tuple[Any, ...] = (
        {"product": "automation", "tests": 0, "duration_ms": MEASURE_LIMIT},
        {"product": "chat", "interactions": 1},
    )
    batch = [usage_event(data=data) for data in uses]
    with patch("odometer.domain.events.measures_of") as measures_of:
        assert len(PRODUCT_RULES.read_together(batch) or ()) == len(batch)
    assert measures_of.mock_calls == []


def test_a_text_is_given_back_as_it_was_sent() -> None:
    assert [text_of({"id": sent}, "id", 4) for sent in ("x", "a b", "é", "éé")] == [
        "x",
        "a b",
        "é",
        "éé",
    ]


def test_a_product_that_is_a_uuid_is_one_in_either_case() -> None:
    assert read(data={"product": APP.upper(), "active_ms": 1}).product == APP


@pytest.mark.parametrize(("platform", "place"), [({}, 0), ("desktop", 1), ("web", 2), (None, 0)])
def test_a_platform_is_kept_by_its_place(platform: Any, place: int) -> None:
    said = {} if platform == {} else {"platform": platform}
    assert read(data={"product": APP, "active_ms": 1, **said}).platform == place


def test_a_measure_may_be_as_large_as_the_limit_and_is_0_where_it_is_left_out() -> None:
    assert read(data={"product": "automation", "duration_ms": MEASURE_LIMIT}).measures == (
        0,
        MEASURE_LIMIT,
        0,
        0,
    )
    assert read(data={"product": "automation", "tests": 0, "duration_ms": 1}).measures[:2] == (0, 1)


def test_a_measure_that_nobody_knows_is_named_by_its_first_letters() -> None:
    data = {"product": "automation", "tests": 1, "m" * 65: 1}
    words = f"{'m' * 64}: no measure of test; it has tests, duration_ms"
    assert refused(usage_event(data=data)) == ("unknown_measure", words)


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ({}, ()),
        ({"format": ""}, ()),
        ({"plan": "pro"}, ("", "pro")),
        ({"format": "pdf"}, ("pdf", "")),
        ({"format": "é" * 32, "plan": None}, ("é" * 32, "")),
    ],
)
def test_values_of_breakdowns_are_in_the_order_of_the_kind(
    said: dict[str, Any], values: tuple[str, ...]
) -> None:
    assert read(data={"product": "images", "screenshots": 1, **said}).values == values


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (7, "format: expected text without control characters"),
        ("a\x00", "format: expected text without control characters"),
        ("x" * 65, "format: longer than 64 bytes"),
        ("é" * 33, "format: longer than 64 bytes"),
    ],
)
def test_a_value_that_nobody_can_show_is_refused(value: Any, why: str) -> None:
    event = usage_event(data={"product": "images", "screenshots": 1, "format": value})
    assert refused(event) == ("invalid_breakdown", why)


def test_years_that_are_kept_are_whole_and_the_present_one_is_the_last() -> None:
    def rules(years: int) -> Rules:
        return Rules(DEFAULT_PRODUCTS, NOW, years)

    firsts = [datetime.fromtimestamp(rules(years).seconds.start, UTC) for years in (1, 3)]
    assert firsts == [datetime(2026, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]


def test_a_kind_without_breakdowns_takes_none() -> None:
    plain: Kind = KINDS["visual"]
    assert "format" not in plain.attributes
    event = usage_event(data={"product": "smartui", "screenshots": 1, "format": "pdf"})
    assert refused(event) == ("unknown_measure", "format: no measure of visual; it has screenshots")
