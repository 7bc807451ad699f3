"""Blocks of time in UTC, and what is added up in each."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from odometer.domain.kinds import KINDS
from odometer.domain.time import Period, epoch_second
from odometer.engine.format.strips import Count
from odometer.engine.read.series import Series
from odometer.reports.blocks import ANY, USERS, blocks, edges, tally_blocks, tally_of
from odometer.reports.blocks import Granularity as Cut


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


MARCH = Period(at(3, 28, 12), at(4, 7))


@pytest.mark.parametrize(
    ("cut", "begins"),
    [
        (Cut.ALL, []),
        (Cut.DAILY, [*(at(3, day) for day in (29, 30, 31)), *(at(4, day) for day in range(1, 7))]),
        (Cut.WEEKLY, [at(3, 30), at(4, 6)]),
        (Cut.MONTHLY, [at(4, 1)]),
    ],
)
def test_a_period_is_cut_where_blocks_begin_and_nothing_of_it_is_lost(
    cut: Cut, begins: list[datetime]
) -> None:
    found = blocks(MARCH, cut)
    assert [each.start for each in found] == [MARCH.start, *begins]
    assert [each.end for each in found] == [*begins, MARCH.end]
    assert edges(found) == [epoch_second(each) for each in (MARCH.start, *begins, MARCH.end)]


def test_a_period_that_begins_or_ends_where_a_block_does_is_not_cut_there() -> None:
    assert blocks(Period(at(3, 30), at(4, 6)), Cut.WEEKLY) == [Period(at(3, 30), at(4, 6))]
    assert len(blocks(Period(at(3, 30), at(4, 6, 1)), Cut.WEEKLY)) == 2


CHAT, TEST = KINDS["chat"], KINDS["test"]
FIRST = (Count(0b011, (5, 4, 3, 2)), Count(0b110, (7, 70)))
SECOND = (Count(0b100, (1, 1, 1, 1)), Count(0, ()))


def test_a_user_of_two_products_is_one_user_and_measures_are_told_by_kind() -> None:
    assert tally_of(FIRST, [CHAT, TEST]) == {
        ("chat", "interactions"): 5,
        ("chat", "useful_interactions"): 4,
        ("chat", "lines"): 3,
        ("chat", "chars_completed"): 2,
        ("test", "tests"): 7,
        ("test", "duration_ms"): 70,
        ("chat", USERS): 2,
        ("test", USERS): 2,
        (ANY, USERS): 3,
    }


@dataclass
class Shards:
    """A series of two blocks in two shards."""

    edges: tuple[int, ...] = (0, 1, 2)
    products: tuple[SimpleNamespace, ...] = (SimpleNamespace(kind=CHAT), SimpleNamespace(kind=TEST))

    def of_users(self, users: Collection[int] | None) -> Iterator[Iterator[tuple[Count, ...]]]:
        shards = [(FIRST, SECOND), (SECOND, SECOND)]
        return iter([iter(shard) for shard in (shards if users is None else shards[:1])])


def test_blocks_are_added_up_over_shards() -> None:
    first, second = tally_blocks(cast("Series", Shards()), None)
    assert (first[ANY, USERS], first["chat", "interactions"], first["test", "tests"]) == (4, 6, 7)
    assert (second[ANY, USERS], second["chat", "lines"], second["test", USERS]) == (2, 2, 0)
    alone, _ = tally_blocks(cast("Series", Shards()), {1})
    assert alone[ANY, USERS] == 3
