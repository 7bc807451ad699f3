"""Readings: the frames that add up to the totals of a year at the start of a day."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, Self

from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import Frame, alike, from_attributes, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Item, KeyRange, Store


class MissingKeyframe(RuntimeError):
    """A keyframe that must exist cannot be read: the reading is unknown, not zero."""


def frames_in(items: Iterable[Item], plan: int, product: MeteredProduct) -> list[Frame]:
    measures = product.measures
    return [from_attributes(i, measures) for i in items if keys.plan_of(i["sk"]) <= plan]


def day_key_ranges(pk: str, day: date, *, strong: bool = True) -> list[KeyRange]:
    starts = (keys.deltas_from(day), keys.late_from(day))
    return [KeyRange(pk, start, start + keys.TOP, strong) for start in starts]


def without_days(frame: Frame, known: Iterable[Frame]) -> Frame:
    """The frame of a day without the flags of users whose day is counted already."""
    same, *others = alike([frame, *known])
    *measures, days = same.columns
    for other in others:
        days &= ~other.columns[-1]
    return Frame((*measures, days), same.lane_bytes)


class Reading(NamedTuple):
    """The totals at the start of a day: the keyframe of its week and the deltas since.

    In the first week of a year there is no keyframe; at the end of a year there is nothing else.
    """

    pk: str
    year: int
    base: date
    day: date

    @classmethod
    def of(cls, pk: str, year: int, day: date) -> Self:
        return cls(pk, year, calendar.keyframe_before(day), day)

    def key_range(self, *, strong: bool = True) -> KeyRange:
        last = max(keys.deltas_from(self.base), keys.frames_from(self.day))
        return KeyRange(self.pk, keys.frames_from(self.base), last, strong)

    def frame(
        self, store: Store, items: Sequence[Item], plan: int, product: MeteredProduct
    ) -> Frame:
        """The reading as of a plan; raises `MissingKeyframe` rather than leave its keyframe out."""
        if not any(item["sk"] < keys.deltas_from(self.base) for item in items):
            self._require_nothing_before(store)
        return total(frames_in(items, plan, product), product.measures)

    def _require_nothing_before(self, store: Store) -> None:
        """A week begins without a keyframe only where nobody had used anything."""
        before = KeyRange(self.pk, "F", keys.frames_from(self.base), limit=1)
        if self.base != calendar.new_year(self.year) and store.read([before])[0]:
            raise MissingKeyframe(self.pk, self.base)
