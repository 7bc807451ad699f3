"""Audit: fold the log again, a bounded piece at a time, which must bring nothing.

A checkpoint says up to where it came. It goes on only after a piece was folded, so a piece may be
folded again, and none is left out.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from odometer.domain.frozen import frozen
from odometer.engine.format import keys, log_entries
from odometer.engine.format.log_entries import accepted_ms
from odometer.engine.store import Item
from odometer.engine.write.fold import Folding

HOUR_MS: Final = 3_600_000
FIRST_MS: Final = 26 * HOUR_MS
"""The first audit of an organization begins so long ago."""
_ENTRY = "V"


class Piece(NamedTuple):
    """What one step has audited."""

    missed: int
    """Events that had long been accepted and were in no fold."""
    is_last: bool
    """Whether nothing is left that is an hour old."""


@frozen
class Audit:
    """Audits the log of any organization."""

    folding: Folding
    most_events: int = 50_000
    most_entries: int = 2_000

    def step(self, organization: str, now_ms: int) -> Piece:
        """Fold a piece of the log again, of what was accepted at least an hour ago."""
        missed = 0
        for lane, through_ms in enumerate(self.folding.watermarks(organization)):
            piece = self._step(organization, lane, min(through_ms, now_ms - HOUR_MS), now_ms)
            missed += piece.missed
            if not piece.is_last:
                return Piece(missed, is_last=False)
        return Piece(missed, is_last=True)

    def through_ms(self, organization: str) -> int | None:
        """Every batch accepted before this was audited; None while a lane never was."""
        lanes = range(len(self.folding.watermarks(organization)))
        reached = [self._reached_ms(organization, lane) or 0 for lane in lanes]
        return min(reached) or None

    def _reached_ms(self, organization: str, lane: int) -> int | None:
        stored = self.folding.usage.get(keys.audit(organization), keys.of_lane(_ENTRY, lane))
        return int(stored["upto"]) if stored else None

    def _step(self, organization: str, lane: int, end_ms: int, now_ms: int) -> Piece:
        start_ms = self._reached_ms(organization, lane) or now_ms - FIRST_MS
        if start_ms >= end_ms:
            return Piece(0, is_last=True)
        entries = self.folding.entries(organization, start_ms, lane=lane)
        some, upto_ms = self._piece(entries, end_ms)
        missed = self.folding.fold_again(organization, some, now_ms)
        name = keys.of_lane(_ENTRY, lane)
        checkpoint = {"pk": keys.audit(organization), "sk": name, "upto": upto_ms}
        self.folding.usage.put_newer(checkpoint, "upto")
        return Piece(missed, is_last=upto_ms == end_ms)

    def _piece(self, entries: Iterable[Item], end_ms: int) -> tuple[list[Item], int]:
        """So many entries, all of the last millisecond, and the millisecond that follows them."""
        some: list[Item] = []
        events = 0
        for entry in entries:
            at = accepted_ms(entry)
            if at >= end_ms:
                break
            full = events >= self.most_events or len(some) >= self.most_entries
            if full and at > accepted_ms(some[-1]):
                return some, at
            some.append(entry)
            events += log_entries.events_in(entry)
        return some, end_ms
