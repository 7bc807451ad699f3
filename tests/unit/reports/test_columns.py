"""Columns: what a figure is made of in one kind or in several, and how decimals are written."""

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odometer.domain import numbers
from odometer.domain.errors import Invalid
from odometer.domain.kinds import KINDS, Aggregate, Kind, Measure, Ratio, Unit
from odometer.reports.columns import columns_of

DOCUMENT = Kind(
    "document",
    (
        Measure("exports", Aggregate.COUNT),
        Measure("pages"),
        Measure("credits", unit=Unit.CREDITS, decimals=2),
    ),
    ratios=(
        Ratio("pages_per_export", "pages", "exports"),
        Ratio("credits_per_user", "credits", "active_users"),
        Ratio("waste", "pages", "pages+exports"),
    ),
)
SCAN = Kind(
    "scan",
    (Measure("pages"), Measure("credits", unit=Unit.CREDITS, decimals=3), Measure("waste")),
    ratios=(Ratio("credits_per_user", "credits", "active_users", "Credits"),),
)
IMAGE = Kind(
    "image", (Measure("pages", unit=Unit.BYTES),), ratios=(Ratio("share", "pages", "pages"),)
)
LOCAL = Kind("local", (Measure("pages"),), local_days=True)


class Counts(NamedTuple):
    """What some users did."""

    sums: dict[tuple[str, str], int]
    active_users: int | None = 3
    active_days: int | None = 4


FOUND = Counts(
    {
        ("document", "exports"): 7,
        ("document", "pages"): 20,
        ("document", "credits"): 1_234,
        ("scan", "pages"): 5,
        ("scan", "credits"): 10_000,
        ("scan", "waste"): 1,
    }
)


def shown(*kinds: Kind, measure: str | None = None) -> dict[str, str | None]:
    """Every figure as it is written."""
    found = {}
    for column in columns_of(measure.split(",") if measure else None, kinds):
        value = column.value.of(FOUND)
        found[column.name] = None if value is None else numbers.shown(value, column.decimals)
    return found


def test_without_names_all_measures_and_the_active_users_are_asked_for() -> None:
    assert shown(DOCUMENT) == {
        "exports": "7",
        "pages": "20",
        "credits": "12.34",
        "active_users": "3",
    }


def test_a_measure_of_two_kinds_is_added_at_the_finest_of_its_decimals() -> None:
    assert shown(DOCUMENT, SCAN, measure="credits,pages") == {"credits": "22.34", "pages": "25"}


def test_a_ratio_is_a_quotient_of_sums_with_four_decimals() -> None:
    assert shown(DOCUMENT, measure="pages_per_export,waste,credits_per_user") == {
        "pages_per_export": "2.8571",
        "waste": "0.7407",
        "credits_per_user": "4.1133",
    }


def test_a_ratio_that_all_kinds_have_is_one_of_all_of_them() -> None:
    assert shown(DOCUMENT, SCAN, measure="credits_per_user") == {"credits_per_user": "7.4467"}


def test_a_ratio_of_one_kind_is_made_of_that_kind() -> None:
    found = shown(DOCUMENT, SCAN, measure="pages_per_export")
    assert found == {"pages_per_export": "2.8571"}


def test_a_ratio_to_nothing_is_null() -> None:
    (column,) = columns_of(["pages_per_export"], [DOCUMENT])
    nothing = Counts(dict.fromkeys(FOUND.sums, 0))
    assert column.value.of(nothing) is None


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        ("nothing", (DOCUMENT,)),
        ("", (DOCUMENT,)),
        ("pages", (DOCUMENT, IMAGE)),
        ("waste", (DOCUMENT, SCAN)),
        ("credits_per_user", (DOCUMENT, LOCAL)),
        ("active_days", (DOCUMENT, LOCAL)),
    ],
)
def test_what_differs_between_kinds_is_refused_by_name(names: str, kinds: tuple[Kind, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        columns_of(names.split(","), kinds)
    (fault,) = refused.value.faults
    assert (fault.name, fault.value) == ("measure", names)
    told = [name for kind in kinds if len(kinds) > 1 for name in (kind.name,)]
    assert names == "active_days" or all(name in fault.message for name in told)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_name_of_a_built_in_kind_can_be_asked_for(kind: Kind) -> None:
    names = [*kind.measures, *(ratio.name for ratio in kind.ratios), "active_users", "active_days"]
    assert [column.name for column in columns_of(names, [kind])] == names


@given(st.integers(-(10**40), 10**40), st.integers(0, 6))
def test_a_decimal_has_exactly_its_digits(number: int, decimals: int) -> None:
    text = numbers.shown(number, decimals)
    assert Fraction(text) == Fraction(number, 10**decimals)
    assert "." not in text or not text.endswith(("0", "."))
    assert not text.lstrip("-").startswith("00")


def test_a_count_is_of_users_or_of_days() -> None:
    assert shown(DOCUMENT, measure="active_days,active_users") == {
        "active_days": "4",
        "active_users": "3",
    }
    users, days, ratio, pages = columns_of(
        ["active_users", "active_days", "credits_per_user", "pages"], [DOCUMENT]
    )
    assert [each.counts for each in (users, days, ratio, pages)] == [
        ["active_users"],
        ["active_days"],
        ["active_users"],
        [],
    ]


def test_of_a_kind_that_was_not_used_a_sum_is_nothing() -> None:
    (column,) = columns_of(["pages"], [DOCUMENT, SCAN])
    assert column.value.of(Counts({("scan", "pages"): 5})) == 5
    assert column.value.of(Counts({})) == 0


def test_a_ratio_to_a_measure_with_decimals_is_to_what_was_measured() -> None:
    ratios = (Ratio("pages_per_credit", "pages", "credits"),)
    assert shown(replace(DOCUMENT, ratios=ratios), measure="pages_per_credit") == {
        "pages_per_credit": "1.6207"
    }


def test_a_ratio_to_days_is_of_one_calendar() -> None:
    ratios = (Ratio("pages_per_day", "pages", "active_days"),)
    here, there = replace(DOCUMENT, ratios=ratios), replace(LOCAL, ratios=ratios)
    assert shown(here, measure="pages_per_day") == {"pages_per_day": "5"}
    with pytest.raises(Invalid) as refused:
        columns_of(["pages_per_day"], [here, there])
    assert refused.value.faults[0].name == "measure"
