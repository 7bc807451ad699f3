"""A year of completions and chats: the usage that the counts of usage over time speak of.

Sixty percent of the users on weekdays, five percent at weekends, each in both products, four
measures in each.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from operator import mul
from random import Random

from odometer.domain.kinds import DEFAULT_PRODUCTS
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.frames import SHARD, Frame, active, parts, plus, to_attributes, total
from odometer.engine.format.products import MeteredProduct
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

    def days(self) -> Iterator[date]:
        """Every day of more than a year, in order."""
        return iter(calendar.days(FIRST, END))

    def day(self, day: date, product: MeteredProduct) -> list[array[int]]:
        """Every measure of every user on a day."""
        draw = Random(f"{day} {product.id}")
        share = AT_WORK if day.weekday() < _SATURDAY else AT_HOME
        here = [dice < share for dice in self._thrown(Random(f"{day}"))]
        return [
            array("Q", map(mul, here, (1 + int(most * dice) for dice in self._thrown(draw))))
            for most in MOST[product.id]
        ]

    def _thrown(self, draw: Random) -> list[float]:
        offset = draw.randrange(_POOL - self.users)
        return self._dice[offset : offset + self.users]

    def frames(self, day: date, product: MeteredProduct) -> list[Frame]:
        """A day by shard."""
        columns = self.day(day, product)
        slices = [slice(at, at + SHARD) for at in range(0, self.users, SHARD)]
        measures = [
            tuple(int.from_bytes(column[cut].tobytes(), "little") for column in columns)
            for cut in slices
        ]
        return [(*each, active(each)) for each in measures]


def store_usage(store: Store, organization: str, year: Year) -> None:
    """Put the frames of all days into a store."""
    for product in PRODUCTS:
        readings = nothing = [total((), len(product.kind.measures))] * -(-year.users // SHARD)
        for day in year.days():
            following = day + timedelta(1)
            frames = year.frames(day, product)
            readings = [plus(*pair) for pair in zip(readings, frames, strict=True)]
            for shard, frame in enumerate(frames):
                pk = keys.frames(organization, product.id, day.year, 0, shard)
                _put(store, pk, keys.delta(day, 1, 0), frame)
                if following == calendar.keyframe_after(day):
                    _put(store, pk, keys.keyframe(following, 0), readings[shard])
            if following == calendar.new_year(following.year):
                readings = nothing
    head = UsageHead("UTC", calendar.first_second(END, UTC), plan=1, users=year.users)
    store.put(head.to_item(organization))


def _put(store: Store, pk: str, sk: str, frame: Frame) -> None:
    (whole,) = parts(frame)
    store.put({"pk": pk, "sk": sk, **to_attributes(whole)})
