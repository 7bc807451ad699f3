"""Readings: the frames that add up to the totals of a year at the start of a day."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple, Self

from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import Frame, from_attributes
from odometer.engine.format.products import MeteredProduct
from odometer.engine.rounds import Steps, in_rounds
from odometer.engine.store import Item, KeyRange, Store

STRIP_WEIGHT: Final = 1
DELTA_WEIGHT: Final = 4
KEYFRAME_WEIGHT: Final = 10
"""What items weigh beside each other, as `tests/costs` counts them."""


class MissingKeyframe(RuntimeError):
    """A keyframe that must exist cannot be read: the reading is unknown, not zero."""


def frames_in(items: Iterable[Item], plan: int, product: MeteredProduct) -> list[Frame]:
    measures = product.measures
    return [from_attributes(i, measures) for i in items if keys.plan_of(i["sk"]) <= plan]


class Reading(NamedTuple):
    """The totals at the start of a day: those at another day of its week, and the deltas between.

    That base is where the week begins, unless something else of it leaves less to read. In the
    first week of a year there is no keyframe; at the end of a year there is nothing else.
    """

    pk: str
    year: int
    base: date
    day: date

    @classmethod
    def of(cls, pk: str, year: int, day: date) -> Self:
        return cls(pk, year, calendar.keyframe_before(day), day)

    def key_range(self, *, strong: bool = True) -> KeyRange:
        """The keyframe of its base, and the deltas."""
        first = min(keys.frames_from(self.base), keys.deltas_from(self.day))
        last = max(keys.deltas_from(self.base), keys.frames_from(self.day))
        return KeyRange(self.pk, first, last, strong)

    def deltas(self, *, strong: bool) -> KeyRange:
        first, last = sorted((self.base, self.day))
        return KeyRange(self.pk, keys.deltas_from(first), keys.frames_from(last), strong)

    def lacks_keyframe(self, items: Iterable[Item]) -> bool:
        """Whether its base has none, which 1 January never has."""
        return self.base != calendar.new_year(self.year) and not any(
            keys.is_keyframe(item["sk"]) for item in items
        )

    @property
    def before(self) -> KeyRange:
        """Any frame before its base: a keyframe is missing only where nobody had used anything."""
        return KeyRange(self.pk, "F", keys.frames_from(self.base), limit=1)


def require_keyframes(read: Iterable[tuple[Reading, Iterable[Item]]]) -> Steps[None]:
    """Raise `MissingKeyframe` rather than leave out the keyframe of a reading."""
    lacking = [reading for reading, items in read if reading.lacks_keyframe(items)]
    before = (yield [reading.before for reading in lacking]) if lacking else []
    for reading, found in zip(lacking, before, strict=True):
        if found:
            raise MissingKeyframe(reading.pk, reading.base)


def read_each(
    store: Store, readings: Mapping[int, Reading]
) -> Iterator[tuple[int, Sequence[Item]]]:
    """Items of readings by shard, all read at once; raises `MissingKeyframe` as a reading does."""
    answers = store.read([reading.key_range() for reading in readings.values()])
    in_rounds(store, require_keyframes(zip(readings.values(), answers, strict=True)))
    yield from zip(readings, answers, strict=True)
