"""Readings that a process remembers, because every view that sees them sees the same.

A keyframe never changes. Nor do the deltas of a week whose end has one: what comes to these days
later is in late items. The key of a partition names organization, product, year, generation and
shard, so another organization or a rebuild never finds what is remembered here.
"""

from collections.abc import Iterable, Sequence
from datetime import date, tzinfo
from itertools import groupby
from typing import Final, NamedTuple

from odometer.domain.frozen import frozen
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import Frame, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading, frames_in
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange

_ENTRY_BYTES: Final = 500
_NOTHING_BEFORE: Final = "nothing before"


class Known(NamedTuple):
    """What is remembered of something, if anything, and where the rest is, if there is any."""

    frame: Frame | None
    rest: KeyRange | None


@frozen
class Readings:
    """The readings of a product that are remembered of a view's organization."""

    view: View
    product: MeteredProduct
    zone: tzinfo

    def recall(self, reading: Reading, key_range: KeyRange) -> Known:
        """What is remembered of a reading whose items are in a key range: all, or its keyframe."""
        whole = self._nothing if reading.day <= self._used_from(reading) else self._get(reading)
        if whole is not None:
            return Known(whole, None)
        keyframe = self._get(reading.keyframe)
        deltas = key_range._replace(first=keys.deltas_from(reading.base))
        return Known(keyframe, key_range if keyframe is None else deltas)

    def frame(self, reading: Reading, known: Known, items: Sequence[Item]) -> Frame:
        """A reading of what is remembered and of the rest, as much of which is kept as can be."""
        if known.frame is not None and known.rest is None:
            return known.frame
        if known.frame is None and reading.lacks_keyframe(items):
            self._keep_nothing_before(reading)
        in_order = groupby(items, key=lambda item: keys.is_keyframe(item["sk"]))
        read = {is_keyframe: self._frames(some) for is_keyframe, some in in_order}
        keyframe = self._total(read.get(True, ())) if known.frame is None else known.frame
        whole = self._total([keyframe, *read.get(False, ())])
        self._keep(
            *((reading, whole) if self._is_closed(reading) else (reading.keyframe, keyframe))
        )
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

    def _get(self, reading: Reading) -> Frame | None:
        found: Frame | None = self.view.memory.get(reading) if self._is_kept(reading) else None
        return found

    def _keep(self, reading: Reading, frame: Frame) -> None:
        if self._is_kept(reading):
            self.view.memory.keep(reading, frame, _ENTRY_BYTES + frame.weight)

    def _is_kept(self, reading: Reading) -> bool:
        return reading.year >= self.view.first_kept

    def _is_closed(self, reading: Reading) -> bool:
        sealed = calendar.day_of(self.view.head.sealed, self.zone)
        return reading.day == reading.base or calendar.keyframe_after(reading.day) <= sealed
