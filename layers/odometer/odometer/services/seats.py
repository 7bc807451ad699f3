"""What those who have a seat used last, and on how many days."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain

from odometer.domain.time import Period, instant_at
from odometer.domain.time import day_of as local_day
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.last_used import (
    ByUser,
    DayOfUse,
    Found,
    LastUses,
    active_days,
    begin_days_of_use,
    last_of_days,
)
from odometer.services.usage import Usage, products_of


@dataclass(frozen=True)
class SeatUsage:
    """The use of some products in the last days up to a moment, that day included."""

    usage: Usage
    products: Sequence[MeteredProduct]
    as_of: datetime
    days: int

    @cached_property
    def seconds(self) -> range:
        today = local_day(self.as_of, self.usage.zone)
        first, end = today - timedelta(self.days - 1), today + timedelta(1)
        return calendar.seconds_of(first, end, self.usage.zone)

    @property
    def period(self) -> Period:
        return Period(instant_at(self.seconds.start), instant_at(self.seconds.stop))

    def active_days(self, users: Collection[int]) -> Mapping[int, int]:
        """On how many of the days each of some users used any of the products."""
        return active_days(self._days, users) if users else {}

    @cached_property
    def last(self) -> ByUser:
        """When everybody last used any of the products, in the years that are kept."""
        uses, kept = self._found.by_user, self._kept_from
        uses = {user: use for user, use in uses.items() if use.second >= kept}
        return uses if self._found.is_all else self._with_older(uses)

    def _with_older(self, uses: ByUser) -> ByUser:
        """The same with what was settled before anybody wrote it down: frames tell the day."""
        before = range(self._kept_from, self.seconds.start)
        older = self._read(before, self.products)
        order = [each.id for each in products_of(self.usage.directory)]
        told = last_of_days(chain(older, self._days), order)
        return {**told, **{user: use for user, use in uses.items() if use >= told.get(user, use)}}

    @cached_property
    def _found(self) -> Found:
        catalog = products_of(self.usage.directory)
        return LastUses(self.usage.view, catalog, self.products).found()

    @property
    def in_use(self) -> Sequence[MeteredProduct]:
        """The products that somebody used in these days; all where that is not known."""
        if not self._found.is_all:
            return self.products
        first, by_product = self.seconds.start, self._found.by_product
        return [each for each in self.products if by_product.get(each.id, -1) >= first]

    @cached_property
    def _days(self) -> Sequence[DayOfUse]:
        seconds = range(max(self.seconds.start, self._kept_from), self.seconds.stop)
        return self._read(seconds, self.in_use)

    def _read(self, seconds: range, products: Sequence[MeteredProduct]) -> Sequence[DayOfUse]:
        begin = self.usage.tasks.begin
        return begin_days_of_use(self.usage.view, products, seconds, begin)() if seconds else ()

    @cached_property
    def _kept_from(self) -> int:
        """The first second of the years that are kept, in UTC as events are taken."""
        first = self.usage.directory.organization.first_kept(self.usage.now)
        return calendar.first_second(calendar.new_year(first), UTC)
