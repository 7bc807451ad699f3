"""A year of completions and chats: the usage that the counts of usage over time speak of.

Sixty percent of the users on weekdays, five percent at weekends, each in both products, four
measures in each.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import date
from random import Random

from bench.frame_items import by_shard, decisions, frame_items, frame_of
from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.engine import calendar
from odometer.engine.format.frames import Frame
from odometer.engine.format.products import (
    PEOPLE,
    PEOPLE_SHARD,
    RESERVED,
    MeteredProduct,
    places,
)
from odometer.engine.store import Store

PRODUCTS = [MeteredProduct(name, DEFAULT_PRODUCTS[name]) for name in ("code-completions", "chat")]
MOST = {
    "code-completions": (120, 4_000, 9_000, 300),
    "chat": (40, 30, 500, 6_000),
}
"""The most of every measure that a user has on a day."""
FIRST, END = date(2025, 1, 1), date(2026, 1, 19)
AT_WORK, AT_HOME = 0.6, 0.05
_SATURDAY = 5
_POOL = 50_021


class Year:
    """The same days for the same number of users, every time."""

    def __init__(self, users: int) -> None:
        self.users = users
        random = Random(users)
        self._dice = [random.random() for _ in range(_POOL)]

    @property
    def someone(self) -> int:
        """Somebody whose block of people is stored."""
        return self.users // 2

    def days(self) -> Iterator[date]:
        """Every day of more than a year, in order."""
        return iter(calendar.days(FIRST, END))

    def day(
        self, day: date, product: MeteredProduct, whose: slice = slice(None)
    ) -> list[array[int]]:
        """Every measure of every user on a day, or of some users."""
        draw = Random(f"{day} {product.id}")
        share = AT_WORK if day.weekday() < _SATURDAY else AT_HOME
        here = [dice < share for dice in self._thrown(Random(f"{day}"), whose)]
        return [
            array("Q", [at and 1 + int(most * dice) for at, dice in zip(here, thrown, strict=True)])
            for most in MOST[product.id]
            for thrown in [self._thrown(draw, whose)]
        ]

    def _thrown(self, draw: Random, whose: slice) -> list[float]:
        offset = draw.randrange(_POOL - self.users)
        return self._dice[offset : offset + self.users][whose]


def people_frame(year: Year, day: date) -> Frame:
    """What someone and their neighbours used on a day: a row for each of them and product."""
    at = places(PRODUCTS, PEOPLE)
    rows = [[0] * (PEOPLE_SHARD * RESERVED) for _ in range(PEOPLE.measures)]
    first = year.someone // PEOPLE_SHARD * PEOPLE_SHARD
    block = slice(first, first + PEOPLE_SHARD)
    for product in PRODUCTS:
        begin = at[product.id] * PEOPLE_SHARD
        for row, column in zip(rows, year.day(day, product, block), strict=False):
            row[begin : begin + len(column)] = column
    return frame_of(rows)


def store_usage(store: Store, organization: str, year: Year) -> None:
    """Store the frames of all days, and one block of people."""
    for product in PRODUCTS:
        days = ((day, by_shard(year.day(day, product))) for day in year.days())
        store.put_all(frame_items(organization, product, days))
    block = year.someone // PEOPLE_SHARD
    people = ((day, [people_frame(year, day)]) for day in year.days())
    store.put_all(frame_items(organization, PEOPLE, people, block))
    store.put_all(decisions(organization, END, year.users))
