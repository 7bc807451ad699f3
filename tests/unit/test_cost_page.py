"""The cost page is what was counted, times what it costs."""

import re
from pathlib import Path

import pytest

from odometer_cli import prices
from odometer_cli.prices import PRICES
from tools.billing import gb_seconds
from tools.cost_page import KNOBS, PAGE, renewed
from tools.counts import DOCUMENT, SIZES, Way, published_steps
from tools.monthly_bill import (
    ACCEPT_CPU_MS,
    FOLD_CPU_MS,
    LOADS,
    REPORT_CPU_MS,
    SETTLE_CPU_MS,
    Knobs,
    Load,
    Month,
)


def test_the_page_is_counted_units_times_prices() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "python -m tools.cost_page renews it"


def test_an_event_in_batches_of_100_costs_what_its_parts_cost() -> None:
    """By hand: units of three steps at $0.625 and $0.125 a million."""
    steps = published_steps()[Way(100, 1_000)]
    load = Load("by hand", 1, 1_000, 1_000_000, 0, Way(100, 1_000))
    (writes,) = [each for each in Month(load).lines if each.price == prices.WRITE_UNIT]
    daily = ("accept", "fold", "settle", "audit")
    ours = 1_000_000 * sum(steps[step].write_units for step in daily)
    assert writes.amount == pytest.approx(ours, 0.02)
    assert writes.dollars == pytest.approx(0.625 * writes.amount / 1_000_000)


def test_a_bill_has_a_line_for_each_service_and_adds_up() -> None:
    for load in LOADS:
        month = Month(load)
        assert month.dollars == sum(
            line.price.dollars * line.amount / line.price.each for line in month.lines
        )
        services = {line.price.service for line in month.lines}
        assert services == {
            "API Gateway",
            "CloudWatch",
            "DynamoDB",
            "Lambda",
            "SQS",
            "Secrets Manager",
            "X-Ray",
        }


def test_ten_times_the_load_costs_at_most_ten_times_as_much() -> None:
    small, medium, large = (Month(load).dollars for load in LOADS)
    assert small < medium < 10 * small
    assert medium < large < 10.5 * medium


@pytest.mark.parametrize("words", KNOBS)
def test_every_knob_turns_something(words: str) -> None:
    month = Month(LOADS[1])
    assert Month(LOADS[1], KNOBS[words]).dollars != month.dollars
    assert Month(LOADS[1], Knobs()).dollars == month.dollars


def test_larger_batches_cost_less() -> None:
    at = [Month(LOADS[2]._replace(way=Way(batch, 5_000))).dollars for batch in (10, 100, 1_000)]
    assert at == sorted(at, reverse=True)
    assert at[0] > 1.5 * at[1]


def test_a_price_is_listed_once_and_is_positive() -> None:
    assert len({(each.service, each.of) for each in PRICES}) == len(PRICES)
    assert all(each.dollars > 0 for each in PRICES)


def test_less_memory_waits_cheaper_and_computes_for_the_same() -> None:
    assert gb_seconds(10, 0, 512) == gb_seconds(10, 0, 1_024) / 2
    assert gb_seconds(0, 10, 512) == pytest.approx(gb_seconds(0, 10, 1_024))


def measured(pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, DOCUMENT.read_text(encoding="utf-8"))]


def test_the_time_of_the_processor_is_no_less_than_measured() -> None:
    """Events: seconds a step took in process, with the time of the sockets."""
    ranked = measured(r"\| whole days \| 28 \| ([\d.]+) ±[\d.]+ \(1\.0\)")
    assert [REPORT_CPU_MS[users] for users in SIZES] > ranked[:2]
    rates = [
        float(each.replace(",", ""))
        for each in re.findall(
            r"^\| (?:accept|fold|settle) \| [\d.]+ \| ([\d,]+) \|",
            DOCUMENT.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]
    taken = [1_000 / rate for rate in rates]
    for assumed, found in zip((ACCEPT_CPU_MS, FOLD_CPU_MS, SETTLE_CPU_MS), taken, strict=True):
        assert found <= assumed <= 4 * found


def test_prices_have_one_home() -> None:
    """A price that stands twice is wrong in one place, soon."""
    found = [
        path
        for folder in ("bench", "cli", "tools", "local")
        for path in Path(folder).rglob("*.py")
        if "0000133334" in path.read_text(encoding="utf-8")
    ]
    assert found == [Path("cli/odometer_cli/prices.py")]
