"""Events as columns: how folds and the log hold them.

The log has accepted batches as they came, until a fold decides about their events.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise, zip_longest
from struct import iter_unpack
from types import MappingProxyType
from typing import Any, Final

from odometer.domain.events import DIGEST_BYTES, Event, Who
from odometer.domain.kinds import BREAKDOWNS, LEAST_MEASURES, MEASURES
from odometer.domain.stored import inflated, require, stored
from odometer.domain.values import NONE, SentValue
from odometer.engine.format import keys
from odometer.engine.format.codec import measures_in, pack, pack_measures, unpack, unpack_measures
from odometer.engine.format.lanes import lane_of
from odometer.engine.store import Item

LOG_SECONDS: Final = 35 * 86_400
"""Log entries and folds expire after this; both are long settled by then."""
SETTLING_MS: Final = 120_000
"""An entry stamped longer ago than this is in the log or never will be: a put is tried for 20 s."""

LONGEST_NAMES: Final = 2**24
"""Bytes of all names in a list: those of 100,000 events have fewer, however long each is."""
FEW_NAMES: Final = 8
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999."""

_event: Final = Event[int]._make


def to_attributes(events: Sequence[Event[int]]) -> dict[str, bytes]:
    who, *others = columns(events)
    return {"who": pack(who), **_packed(*others)}


def columns(events: Sequence[Event[Who]]) -> list[Sequence[Any]]:
    """A column for each part of an event; they are there without events, too."""
    return list(zip(*events, strict=True)) or [()] * len(Event._fields)


def _packed(
    product: Sequence[str],
    source: Sequence[str],
    second: Sequence[int],
    platform: Sequence[int],
    measures: Sequence[Sequence[int]],
    digests: Sequence[bytes],
    values: Sequence[Sequence[str | int]],
) -> dict[str, bytes]:
    """All columns of events but that of their users."""
    products, sources = places(product), places(source)
    by_place = list(zip_longest(*measures, fillvalue=0)) or [()] * LEAST_MEASURES
    return {
        "product": pack(map(products.__getitem__, product)),
        "products": pack_names(products),
        "source": pack(map(sources.__getitem__, source)),
        "sources": pack_names(sources),
        "second": pack(second),
        "platform": pack(platform),
        **pack_measures(by_place),
        "digests": b"".join(digests),
        **(_packed_values(values) if any(values) else {}),
    }


def _packed_values(values: Sequence[Sequence[str | int]]) -> dict[str, bytes]:
    """A column for each breakdown: numbers, or the places of texts in a list beside them."""
    packed: dict[str, bytes] = {}
    for place, column in enumerate(zip_longest(*values, fillvalue=NONE)):
        texts = places(("", *(each for each in column if isinstance(each, str))))
        packed[f"v{place}"] = pack(texts[e] if isinstance(e, str) else e for e in column)
        if len(texts) > 1:
            packed[f"t{place}"] = pack_names(texts)
    return packed


@stored
def from_attributes(item: Item) -> list[Event[int]]:
    products, sources = unpack_names(item["products"]), unpack_names(item["sources"])
    who, seconds = unpack(item["who"]), unpack(item["second"])
    require(max(seconds, default=0) <= _LAST_SECOND)
    wide = max(measures_in(item, MEASURES), LEAST_MEASURES)
    columns = zip(
        who,
        map(products.__getitem__, unpack(item["product"])),
        map(sources.__getitem__, unpack(item["source"])),
        seconds,
        unpack(item["platform"]),
        zip(*unpack_measures(item, wide, len(who)), strict=True),
        (digest for (digest,) in iter_unpack(f"{DIGEST_BYTES}s", item["digests"])),
        _values(item, len(who)) if "v0" in item else [()] * len(who),
        strict=True,
    )
    return list(map(_event, columns))


def _values(item: Item, rows: int) -> Iterable[tuple[str | int, ...]]:
    """By event, a value of each breakdown that there may ever be, or nothing if it has none."""
    none = "" if any(f"t{place}" in item for place in range(BREAKDOWNS)) else NONE
    columns = [_column(item, place, [none] * rows) for place in range(BREAKDOWNS)]
    return (values if any(values) else () for values in zip(*columns, strict=True))


def _column(item: Item, place: int, without: Sequence[str | int]) -> Iterable[str | int]:
    """The texts of a breakdown, or numbers; a column without any is like one of nothing."""
    if f"t{place}" in item:
        return map(unpack_names(item[f"t{place}"]).__getitem__, unpack(item[f"v{place}"]))
    is_numbered = f"v{place}" in item and NONE in without
    return unpack(item[f"v{place}"]) if is_numbered else without


def places(names: Iterable[str]) -> dict[str, int]:
    """Every different name with its place in order of first appearance."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def pack_names(names: Iterable[str]) -> bytes:
    """A list of names: how many, their lengths, then all of them as one text."""
    listed = tuple(names)
    return _packed_again(listed) if len(listed) <= FEW_NAMES else _packed_names(listed)


@lru_cache(maxsize=256)
def _packed_again(few: Sequence[str]) -> bytes:
    """Products and sources are the same in most batches of a process."""
    return _packed_names(few)


def _packed_names(listed: Sequence[str]) -> bytes:
    lengths = pack(map(len, listed))
    text = zlib.compress("".join(listed).encode(errors="surrogatepass"), 9)
    return len(lengths).to_bytes(4, "big") + lengths + text


@stored
def unpack_names(packed: bytes) -> list[str]:
    cut = 4 + int.from_bytes(packed[:4], "big")
    text = inflated(packed[cut:], LONGEST_NAMES).decode(errors="surrogatepass")
    lengths = unpack(packed[4:cut])
    require(sum(lengths) == len(text))
    return [text[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


def to_items(
    organization: str, events: Sequence[Event[str]], accepted_ms: int, random: str, lanes: int
) -> list[Item]:
    """The entries of a batch, one for each lane that has events of it."""
    if lanes == 1:
        return [to_item(organization, events, accepted_ms, random)] if events else []
    by_lane: dict[int, list[Event[str]]] = {}
    for event in events:
        by_lane.setdefault(lane_of(event.digest, lanes), []).append(event)
    return [to_item(organization, own, accepted_ms, random, lane) for lane, own in by_lane.items()]


def to_item(
    organization: str, events: Sequence[Event[str]], accepted_ms: int, random: str, lane: int = 0
) -> dict[str, str | int | bytes]:
    who, *others = columns(events)
    subjects = places(who)
    return {
        "pk": keys.log(organization, lane),
        "sk": keys.entry(accepted_ms, random),
        "ttl": accepted_ms // 1000 + LOG_SECONDS,
        "subjects": pack_names(subjects),
        "who": pack(map(subjects.__getitem__, who)),
        **_packed(*others),
    }


@stored
def events_of(item: Item) -> list[Event[str]]:
    """The events of a log entry."""
    events, subjects = from_attributes(item), unpack_names(item["subjects"])
    return [Event(subjects[event.who], *event[1:]) for event in events]


@stored
def accepted_ms(item: Item) -> int:
    """When the events of a log entry were accepted."""
    return int(item["sk"][:13])


def events_in(item: Item) -> int:
    """How many events an entry holds, as far as that can be seen."""
    digests = item.get("digests")
    return len(digests) // DIGEST_BYTES if isinstance(digests, bytes) else 0


def values_of(event: Event[str]) -> list[SentValue]:
    """The values of breakdowns that an event was sent with."""
    texts = ((place, text) for place, text in enumerate(event.values) if isinstance(text, str))
    return [SentValue(event.product, place, text) for place, text in texts if text]


def numbered(
    event: Event[str], who: int, values: Mapping[SentValue, int] = MappingProxyType({})
) -> Event[int]:
    """An event with numbers in place of its user and its values."""
    if not event.values:
        return Event(who, *event[1:])
    numbers = [NONE] * BREAKDOWNS
    for value in values_of(event):
        numbers[value.place] = values[value]
    return Event(who, *event[1:-1], tuple(numbers) if any(numbers) else ())
