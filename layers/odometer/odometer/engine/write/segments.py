"""Writes the events of a plan as segments, and their identities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from typing import Any, Final

from odometer.domain.events import DIGEST_BYTES, Event, utc_date
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import PART_BYTES
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import (
    Segment,
)
from odometer.engine.store import Store

_DIGESTS_IN_PART: Final = PART_BYTES // DIGEST_BYTES


def put_segments(
    organization: str, store: Store, plan: int, product: MeteredProduct, whole: Segment
) -> None:
    """Store the events of a product in a plan, by UTC date."""
    if not whole.who:
        return
    for day in calendar.days(utc_date(whole.seconds[0]), utc_date(whole.seconds[-1] + 86_400)):
        midnight = calendar.first_second(day, UTC)
        segment = whole.cut(midnight, midnight + 86_400)
        for part, attributes in enumerate(_parts(segment, midnight) if segment.who else ()):
            pk, sk = keys.segments(organization, product.id), keys.segment(day, plan, part)
            store.put({"pk": pk, "sk": sk, **attributes})


def put_identities(
    organization: str, store: Store, plan: int, events: Iterable[Event[int]]
) -> None:
    """Store which events of each UTC date have counted."""
    digests: defaultdict[date, list[bytes]] = defaultdict(list)
    for event in events:
        digests[utc_date(event.second)].append(event.digest)
    for day, counted in digests.items():
        _put_digests(organization, store, plan, day, sorted(counted))


def _put_digests(
    organization: str, store: Store, plan: int, day: date, digests: Sequence[bytes]
) -> None:
    for part, first in enumerate(range(0, len(digests), _DIGESTS_IN_PART)):
        item: dict[str, Any] = {
            "pk": keys.identities(organization, day),
            "sk": f"{keys.number(plan)}#{part}",
            "digests": b"".join(digests[first : first + _DIGESTS_IN_PART]),
        }
        store.put(item)


def _parts(segment: Segment, midnight: int) -> Iterator[dict[str, bytes]]:
    attributes = segment.to_attributes(midnight)
    if sum(map(len, attributes.values())) <= PART_BYTES:
        yield attributes
        return
    for half in segment.halves():
        yield from _parts(half, midnight)
