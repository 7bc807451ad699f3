"""What events may say of an organization's own kind, to the last digit."""

import re
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import pytest

from odometer.api.v1.events import parsed
from odometer.directory.kinds import NEW_KIND, changed
from odometer.domain import events
from odometer.domain.events import Event, Refused, Rules
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, MEASURE_LIMIT
from odometer.domain.numbers import LONGEST_NUMBER, Number, exact, kept, shown
from tests.support.usage_sender import usage_event

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
KIND = changed(
    NEW_KIND,
    {
        "name": "document",
        "measures": [
            {"name": "exports", "aggregate": "count"},
            {"name": "pages"},
            {"name": "credits", "unit": "credits", "decimals": 2},
            {"name": "energy", "decimals": 6},
            {"name": "render_ms", "unit": "ms"},
        ],
        "breakdowns": ["format", "region"],
    },
)
SUMS = changed(NEW_KIND, {"name": "sums", "measures": [{"name": "credits", "decimals": 2}]})
RULES = Rules({**DEFAULT_PRODUCTS, "editor": KIND, "till": SUMS}, NOW, retention_years=3)


def read(product: str = "editor", **data: Any) -> Event[str]:
    """The event with this data, as its JSON is read."""
    body = ", ".join(f'"{name}": {value}' for name, value in data.items())
    event = usage_event(time="2026-11-21T12:00:00Z", data={"product": product})
    event["data"] = parsed(f'{{"product": "{product}"{", " if body else ""}{body}}}'.encode())
    return RULES.read(event)


def refused(product: str = "editor", **data: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        read(product, **data)
    return error.value.code, error.value.message


def test_an_event_that_is_counted_needs_to_say_nothing() -> None:
    assert read().measures == (1, 0, 0, 0, 0)
    words = "exports: counted by itself, events send nothing for it"
    assert refused(exports=1) == ("counted_measure", words)


def test_without_a_count_something_is_above_0() -> None:
    assert read("till", credits="0.01").measures == (1, 0, 0, 0)
    assert refused("till") == ("no_usage", "expected one of credits above 0")
    assert refused("till", credits="0.00") == ("no_usage", "expected one of credits above 0")


@pytest.mark.parametrize(
    ("sent", "whole"),
    [
        ("12.50", 1250),
        ("12.5", 1250),
        ("12.500", 1250),
        ("1e2", 10_000),
        ("1.25E1", 1250),
        ("1250e-2", 1250),
        ("0.07", 7),
        ("0.29", 29),
        ("-0.0", 0),
        ("0e400", 0),
        ("1.10", 110),
        ("10995116277.76", MEASURE_LIMIT),
    ],
)
def test_decimals_are_kept_exactly(sent: str, whole: int) -> None:
    assert read(credits=sent).measures == (1, 0, whole, 0, 0)


MOST = "expected a number from 0 to 10995116277.76"


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        ("12.505", "too_many_decimals", "credits: more than 2 decimals"),
        ("1e-7", "too_many_decimals", "credits: more than 2 decimals"),
        ("1e-99999999999", "too_many_decimals", "credits: more than 2 decimals"),
        ("0.001", "too_many_decimals", "credits: more than 2 decimals"),
        *(
            (sent, "invalid_measure", f"credits: {MOST}")
            for sent in (
                *("-1", "-0.01", "10995116277.77", "1e400", "1e99999999999999999999", "NaN"),
                *("Infinity", "true", "null", '"12.50"', "[1]", "{}", "9" * 33, "0." + "9" * 40),
                *("9" * 5_000, "1" * 32),
            )
        ),
    ],
)
def test_what_is_no_such_number_is_refused(sent: str, code: str, message: str) -> None:
    assert refused(credits=sent) == (code, message)


def test_a_measure_without_decimals_takes_whole_numbers_however_they_are_written() -> None:
    assert read(pages="1e2", render_ms="5.0").measures == (1, 100, 0, 0, 5)
    assert refused(pages="1.5") == ("too_many_decimals", "pages: more than 0 decimals")


def test_a_built_in_kind_takes_whole_numbers_as_ever() -> None:
    words = f"tests: expected an integer from 0 to {MEASURE_LIMIT}"
    for sent in ("1.0", "1e2", "1.5"):
        assert refused("automation", tests=sent) == ("invalid_measure", words)
    assert all(kind.is_built_in for kind in KINDS.values())


def test_the_values_of_breakdowns() -> None:
    assert read().values == ()
    assert read(format="null", region='""').values == ()
    assert read(region='"eu"').values == ("", "eu")
    assert read(format='"pdf"', region='"eu west é"').values == ("pdf", "eu west é")
    assert read(format=f'"{"é" * 32}"').values == ("é" * 32, "")


@pytest.mark.parametrize(
    "sent", ["1", "1.5", "true", "false", "0", "[]", '"a\\u0000"', '"\\ud800"']
)
def test_a_breakdown_is_text(sent: str) -> None:
    words = "format: expected text without control characters"
    assert refused(format=sent) == ("invalid_breakdown", words)


def test_a_value_of_a_breakdown_has_64_bytes_at_most() -> None:
    words = "format: longer than 64 bytes"
    assert refused(format=f'"{"é" * 32}a"') == ("invalid_breakdown", words)


def test_what_the_kind_does_not_have_is_refused() -> None:
    words = "tests: no measure of document; it has pages, credits, energy, render_ms"
    assert refused(tests=1) == ("unknown_measure", words)
    assert refused("till", credits=1, format='"pdf"') == (
        "unknown_measure",
        "format: no measure of sums; it has credits",
    )


def test_as_many_measures_are_named_as_somebody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_NAMED", 2)
    assert refused(tests=1)[1] == "tests: no measure of document; it has pages, credits, …"


def test_any_number_is_kept_and_shown_exactly() -> None:
    random = Random(7)
    for _ in range(500):
        decimals, whole = random.randrange(7), random.randrange(MEASURE_LIMIT + 1)
        digits = shown(whole, decimals)
        assert kept(int(digits) if digits.isdigit() else exact(digits), decimals) == whole
    assert [shown(each, 2) for each in (0, 5, 50, 1250, -5, 10**20)] == [
        *("0", "0.05", "0.5", "12.5", "-0.05", "1000000000000000000"),
    ]


def test_a_name_that_stands_for_a_number_is_no_text() -> None:
    event = usage_event(data={"product": "editor"}, id=exact("1.5"))
    with pytest.raises(Refused) as error:
        RULES.read(event)
    assert error.value.code == "invalid_id"


def test_every_code_is_documented() -> None:
    """Those that are made of the name of an attribute are those of the attributes that are read."""
    code = "".join(
        Path("layers/odometer/odometer", module).read_text()
        for module in ("domain/events.py", "api/v1/events.py")
    )
    named = set(re.findall(r'Refused\("(\w+)"', code))
    texts = re.findall(r'text\((?:sent|data), "(\w+)"', code)
    named |= {f"{fault}_{name}" for name in texts for fault in ("missing", "invalid")}
    named |= {f"invalid_{name}" for name in re.findall(r'check_constant\(sent, "(\w+)"', code)}
    _, table = Path("docs/events.md").read_text().split("## Codes of events that do not count")
    codes = re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", "".join(codes)))
    assert len(named) > 20
    assert named == documented


def test_the_longest_number_is_exact_and_one_with_as_many_zeros_is_kept() -> None:
    longest = "1." + "0" * (LONGEST_NUMBER - 2)
    assert (exact(longest), exact(longest + "0")) == (Number(longest), inf)
    assert kept(Number(f"1e{LONGEST_NUMBER}"), 0) == 10**LONGEST_NUMBER
    assert kept(Number(f"1e{LONGEST_NUMBER + 1}"), 0) is None
    assert kept(Number("1" + "0" * 24 + "e-24"), 0) == 1
    assert kept(Number(f"{10**LONGEST_NUMBER}e-{LONGEST_NUMBER}"), 0) == 1
    assert isinstance(kept(Number("12e1"), 2), int)
    assert kept(Number(f"{2**62 + 1}e0"), 0) == 2**62 + 1


def test_digits_are_shown_without_zeros_behind_the_last_decimal_only() -> None:
    assert [shown(each, 0) for each in (0, 10, 100)] == ["0", "10", "100"]
    assert [shown(each, 3) for each in (1_000, 1_010, -500)] == ["1", "1.01", "-0.5"]


def test_whole_numbers_are_kept_by_the_decimals_of_their_measure() -> None:
    assert read(credits=5, pages=5).measures == (1, 5, 500, 0, 0)
    assert read(pages=0).measures == (1, 0, 0, 0, 0)
    assert read(pages=MEASURE_LIMIT).measures == (1, MEASURE_LIMIT, 0, 0, 0)
    words = f"pages: expected a number from 0 to {MEASURE_LIMIT}"
    for pages in (-1, MEASURE_LIMIT + 1):
        assert refused(pages=pages) == ("invalid_measure", words)
