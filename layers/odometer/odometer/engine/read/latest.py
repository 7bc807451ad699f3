"""Items that are overwritten, settled or not: last activity, users of a month, coverage.

The items of coverage may contain plans that a view does not see. Events of those plans are not
added again.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final, NamedTuple

from odometer.domain.events import utc_date
from odometer.domain.kinds import KINDS
from odometer.domain.stored import stored
from odometer.engine.format import keys
from odometer.engine.format.codec import Numbers, unpack
from odometer.engine.format.decisions import Fold, Plan
from odometer.engine.format.lanes import ByLane
from odometer.engine.format.latest import (
    BLOCK,
    LAST_SOURCE,
    OTHERS,
    Coverage,
    bucket_of,
    last_seconds,
    sources_of,
    together,
    users_bits,
)
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange

DESKTOP, WEB = (KINDS["app"].platforms.index(name) + 1 for name in ("desktop", "web"))
NEVER: Final = 0
MOST_BLOCKS: Final = 16
_ITEM_BYTES: Final = 500


class LastActive(NamedTuple):
    """The last second in which a user was active, by platform; 0 for never."""

    desktop: int = NEVER
    web: int = NEVER

    @property
    def last(self) -> int:
        return max(self)


SecondsByBlock = Mapping[int, Mapping[int, Numbers]]
"""By block and platform, the last active second of each user, as far as it is settled."""


def last_active(
    view: View, users: Collection[int], known: SecondsByBlock | None = None
) -> Mapping[int, LastActive]:
    return _with_unsettled(view, _settled(view, users, known))


def seconds_of(view: View, users: Collection[int] | None) -> SecondsByBlock:
    """Those of some, or of everybody where that is not much more than those of a page."""
    return read_seconds(view, _blocks_of_some(view, users))


def seconds_are_known(view: View, users: Collection[int] | None) -> bool:
    """Whether `seconds_of` reads nothing."""
    blocks = _blocks_of_some(view, users)
    return len(remembered_seconds(view, blocks)) == len(blocks)


def read_seconds(view: View, blocks: Sequence[int]) -> SecondsByBlock:
    """Those of some blocks. They are remembered for as long as the view's head is the last.

    What is settled under a later head is in unsettled folds as of this one, so it is not missed.
    """
    known = remembered_seconds(view, blocks)
    missing = [block for block in blocks if block not in known]
    pk, sks = keys.activity(view.organization), list(map(keys.number, missing))
    items = view.store.get_each(pk, sks) if missing else []
    for block, item in zip(missing, items, strict=True):
        known[block] = last_seconds(item) if item else {}
        weight = _ITEM_BYTES + sum(8 * len(column) for column in known[block].values())
        view.memory.keep((LastActive, block), (view.head.version, known[block]), weight)
    return known


def remembered_seconds(view: View, blocks: Iterable[int]) -> dict[int, Mapping[int, Numbers]]:
    kept = {block: view.memory.get((LastActive, block)) for block in blocks}
    return {block: k[1] for block, k in kept.items() if k and k[0] == view.head.version}


def former_last_active(
    view: View, users: Collection[int], known: SecondsByBlock | None = None
) -> Mapping[int, LastActive]:
    """The same as of a view, whatever was settled since.

    Former seconds are read after the present ones, so that none is overwritten between.
    """
    last = dict(_settled(view, users, known))
    for items in view.store.read([_since(view, block) for block in _blocks(users)]):
        for item in reversed(items):
            last |= {user: was for user, was in _former(item) if user in last}
    return _with_unsettled(view, last)


def _since(view: View, block: int) -> KeyRange:
    first = keys.former_activity(block, view.head.plan + 1)
    return KeyRange(keys.activity(view.organization), first, f"{keys.number(block)}#{keys.TOP}")


def _blocks_of_some(view: View, users: Collection[int] | None) -> Sequence[int]:
    blocks = range(-(-view.head.users // BLOCK)) if users is None else _blocks(users)
    return blocks if len(blocks) <= MOST_BLOCKS else []


def _blocks(users: Collection[int]) -> list[int]:
    return sorted({user // BLOCK for user in users})


def _settled(
    view: View, users: Collection[int], known: SecondsByBlock | None = None
) -> Mapping[int, LastActive]:
    blocks = _blocks(users)
    read = known or {}
    read = {**read, **read_seconds(view, [block for block in blocks if block not in read])}
    by_block = {block: _by_place(read[block]) for block in blocks}
    return {user: by_block[user // BLOCK](user % BLOCK) for user in users}


def _by_place(columns: Mapping[int, Numbers]) -> Callable[[int], LastActive]:
    both = [columns.get(platform) for platform in (DESKTOP, WEB)]
    return lambda place: LastActive(*(column[place] if column else NEVER for column in both))


@stored
def _former(item: Item) -> list[tuple[int, LastActive]]:
    first = int(item["sk"][: len(keys.number(0))]) * BLOCK
    at = {place: number for number, place in enumerate(unpack(item["who"]))}
    was = _by_place(last_seconds(item))
    return [(first + place, was(number)) for place, number in at.items()]


def _with_unsettled(view: View, settled: Mapping[int, LastActive]) -> Mapping[int, LastActive]:
    last = dict(settled)
    for event in view.unsettled_events:
        if event.platform and event.who in last:
            on_desktop = event.platform == DESKTOP
            new = (event.second, NEVER) if on_desktop else (NEVER, event.second)
            last[event.who] = LastActive(*map(max, last[event.who], new))
    return last


def users_by_month(view: View, first: date, last: date) -> Mapping[date, int]:
    """A bit for every user with usage, by the first day of the month; months without are left out.

    These items are overwritten, so they are read strongly: an old one would lack what is settled.
    """
    key_range = KeyRange(keys.months(view.organization), f"{first:%Y-%m}", f"{last:%Y-%m}")
    months: defaultdict[date, int] = defaultdict(int)
    for item in view.store.read([key_range])[0]:
        month = date.fromisoformat(f"{item['sk']}-01")
        months[month] = int.from_bytes(users_bits(item), "little")
    for event in view.unsettled_events:
        months[utc_date(event.second).replace(day=1)] |= 1 << event.who
    return months


@dataclass(frozen=True)
class Received:
    """All that has come of one product."""

    product: str
    by_source: Mapping[str, Coverage]
    others: Coverage | None = None
    """What has come from sources that are not kept apart any more."""

    @cached_property
    def whole(self) -> Coverage | None:
        parts = [*self.by_source.values(), *filter(None, [self.others])]
        return together(parts) if parts else None

    def days_without(self, first: date | None, last: date) -> int:
        """The number of UTC dates without usage, from the first use if no date is given."""
        if self.whole is None and first is None:
            return 0
        dates = self.whole.by_date if self.whole else {}
        begin = first or min(dates)
        with_events = sum(begin <= day <= last for day in dates)
        return max(0, (last - begin).days + 1 - with_events)


def events_between(coverage: Coverage, first: date | None, last: date | None) -> int:
    begin, end = first or date.min, last or date.max
    return sum(count for day, count in coverage.by_date.items() if begin <= day <= end)


def received(view: View, products: Sequence[str]) -> list[Received]:
    key_ranges = [
        KeyRange(pk(view.organization, product), keys.BOTTOM, LAST_SOURCE)
        for pk in (keys.coverage, keys.sources)
        for product in products
    ]
    unsettled, items = _unsettled(view), view.store.read(key_ranges)
    return [
        _received(product, Settled(view, *found), unsettled.get(product, {}))
        for product, *found in zip(
            products, items[: len(products)], items[len(products) :], strict=True
        )
    ]


UnsettledSeconds = Mapping[str, Sequence[tuple[Fold, int]]]
"""By source, the fold and the second of every event that is not settled."""


def _unsettled(view: View) -> Mapping[str, UnsettledSeconds]:
    by_product: defaultdict[str, defaultdict[str, list[tuple[Fold, int]]]]
    by_product = defaultdict(lambda: defaultdict(list))
    for fold in view.unsettled:
        for event in fold.events:
            by_product[event.product][event.source].append((fold, event.second))
    return by_product


@dataclass(frozen=True)
class Settled:
    """What is settled of a product: items of one source in the first format, and buckets."""

    view: View
    of_one: Sequence[Item]
    buckets: Sequence[Item]

    def parts(self) -> Iterator[tuple[str, Coverage]]:
        yield from ((str(item["sk"]), Coverage.from_item(item)) for item in self.of_one)
        for item in self.buckets:
            yield from sources_of(item).items()

    @cached_property
    def _upto(self) -> Mapping[str | int, ByLane]:
        upto: dict[str | int, ByLane]
        upto = {str(item["sk"]): _settled_upto(self.view, item) for item in self.of_one}
        return upto | {int(item["sk"]): _settled_upto(self.view, item) for item in self.buckets}

    def has(self, source: str, fold: Fold) -> bool:
        """Whether the events of a source that a fold has are in the parts."""
        found = (self._upto.get(name, ()) for name in (source, bucket_of(source)))
        return any(fold.number <= upto[fold.lane] for upto in found if fold.lane < len(upto))


def _received(product: str, settled: Settled, unsettled: UnsettledSeconds) -> Received:
    by_source: dict[str, Coverage] = {}
    new = {
        source: [second for fold, second in seconds if not settled.has(source, fold)]
        for source, seconds in unsettled.items()
    }
    arrived = ((source, Coverage.of(seconds)) for source, seconds in new.items() if seconds)
    for source, part in (*settled.parts(), *arrived):
        by_source[source] = by_source[source] + part if source in by_source else part
    others = by_source.pop(OTHERS, None)
    return Received(product, dict(sorted(by_source.items())), others)


def _settled_upto(view: View, item: Item) -> ByLane:
    if item["k"] <= view.head.plan:
        return view.head.upto
    (plan,) = view.store.get_each(keys.plans(view.organization), [keys.number(item["k"])])
    return Plan.from_item(plan).upto if plan else view.head.upto
