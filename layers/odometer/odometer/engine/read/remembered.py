"""Readings that a process remembers, because every view that sees them sees the same.

A keyframe never changes. Nor do the deltas of a week whose end has one: what comes to these days
later is in late items. So a reading of such a week goes on from either of its keyframes, or from
any day of it that is remembered, forwards or backwards. The key of a partition names organization,
product, year, generation and shard, so another organization or a rebuild never finds what is
remembered here; nor does a product whose kind has got one more measure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, tzinfo
from itertools import groupby
from typing import Final, NamedTuple

from odometer.domain.frozen import frozen
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import Frame, minus, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import (
    DELTA_WEIGHT,
    KEYFRAME_WEIGHT,
    Reading,
    frames_in,
)
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange

_ENTRY_BYTES: Final = 500
_NOTHING_BEFORE: Final = "nothing before"


class Known(NamedTuple):
    """A reading, and what is remembered of its base, if anything."""

    reading: Reading
    base: Frame | None

    @property
    def is_whole(self) -> bool:
        return self.base is not None and self.reading.base == self.reading.day

    @property
    def weight(self) -> int:
        """Of what is left to read."""
        deltas = abs((self.reading.day - self.reading.base).days)
        return DELTA_WEIGHT * deltas + (KEYFRAME_WEIGHT if self.base is None else 0)

    def rest(self, is_strong: Callable[[date], bool]) -> KeyRange | None:
        """Where the rest is, if there is any."""
        if self.is_whole:
            return None
        asked = self.reading.deltas if self.base is not None else self.reading.key_range
        return asked(strong=is_strong(max(self.reading.base, self.reading.day)))


@frozen
class Readings:
    """The readings of a product that are remembered of a view's organization."""

    view: View
    product: MeteredProduct
    zone: tzinfo

    def recall(self, reading: Reading) -> Known:
        """The reading, based on whatever leaves least to read."""
        whole = self._whole(reading)
        if whole is not None:
            return Known(reading._replace(base=reading.day), whole)
        return min(self._bases(reading), key=lambda known: known.weight)

    def _whole(self, reading: Reading) -> Frame | None:
        """All of it, if it is remembered; a later view may know a week that is open in this one."""
        if reading.day <= self._used_from(reading):
            return self._nothing
        return self._get(reading, reading.day) if self._is_closed(reading) else None

    def _bases(self, reading: Reading) -> Iterator[Known]:
        """The keyframe before, and of a week that is over also the one after and days between."""
        ends = reading.base, calendar.keyframe_after(reading.day)
        days = calendar.days(ends[0], ends[1] + DAY) if ends[1] <= self._sealed else ends[:1]
        for base in days:
            known = Known(reading._replace(base=base), self._get(reading, base))
            if known.base is not None or base in ends:
                yield known

    def frame(self, known: Known, items: Sequence[Item]) -> Frame:
        """A reading of what is remembered and of the rest, as much of which is kept as can be."""
        reading, base = known
        if base is not None and known.is_whole:
            return base
        in_order = groupby(items, key=lambda item: keys.is_keyframe(item["sk"]))
        read = {is_keyframe: self._frames(some) for is_keyframe, some in in_order}
        if base is None:
            base = self._total(read.get(True, ()))
            if reading.lacks_keyframe(items):
                self._keep_nothing_before(reading)
        deltas = read.get(False, ())
        forwards = reading.base <= reading.day
        whole = self._total([base, *deltas]) if forwards else minus(base, self._total(deltas))
        if self._is_closed(reading):
            self._keep(reading, reading.day, whole)
        else:
            self._keep(reading, reading.base, base)
        return whole

    def _used_from(self, reading: Reading) -> date:
        """A day before which a partition has nothing, if one is known."""
        known: date | None = None
        if self._is_kept(reading):
            known = self.view.memory.get((_NOTHING_BEFORE, reading.pk))
        return known or date.min

    def _keep_nothing_before(self, reading: Reading) -> None:
        """Of a sealed week that was found to begin without a keyframe, and rightly so."""
        if self._is_kept(reading) and reading.base > self._used_from(reading):
            name = (_NOTHING_BEFORE, reading.pk)
            self.view.memory.keep(name, reading.base, _ENTRY_BYTES)

    @property
    def _nothing(self) -> Frame:
        return self._total(())

    def _frames(self, items: Iterable[Item]) -> list[Frame]:
        return frames_in(items, self.view.head.plan, self.product)

    def _total(self, frames: Iterable[Frame]) -> Frame:
        return total(frames, self.product.measures)

    def _get(self, reading: Reading, day: date) -> Frame | None:
        """The totals at the start of a day, if they are remembered; those of a year begin at 0."""
        if day == calendar.new_year(reading.year):
            return self._nothing
        found: Frame | None = None
        if self._is_kept(reading):
            found = self.view.memory.get(self._name(reading, day))
        return found

    def _keep(self, reading: Reading, day: date, frame: Frame) -> None:
        if self._is_kept(reading):
            self.view.memory.keep(self._name(reading, day), frame, _ENTRY_BYTES + frame.weight)

    def _name(self, reading: Reading, day: date) -> tuple[object, ...]:
        """A frame has the measures that its kind had when it was read; one may be added later."""
        return Reading, reading.pk, day, self.product.measures

    def _is_kept(self, reading: Reading) -> bool:
        return reading.year >= self.view.first_kept

    def _is_closed(self, reading: Reading) -> bool:
        return reading.day == reading.base or calendar.keyframe_after(reading.day) <= self._sealed

    @property
    def _sealed(self) -> date:
        return calendar.day_of(self.view.head.sealed, self.zone)
