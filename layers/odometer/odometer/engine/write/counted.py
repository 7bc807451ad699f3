"""What counts already: the unsettled folds of an organization, and the settled ids of its dates.

A process remembers both in a bounded number of bytes. What is forgotten is read again: only time
depends on it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain, starmap
from typing import Any, Final, NamedTuple, Self

from odometer.domain.events import Event, utc_date
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.engine.format import keys
from odometer.engine.format.codec import unpack
from odometer.engine.format.decisions import Gap, UsageHead, is_settled_in, mark_of, read_head
from odometer.engine.format.lanes import MOST_LANES, lane_of, widened
from odometer.engine.memory import Memory
from odometer.engine.store import Item, KeyRange, PagesOf, Store
from odometer.engine.write.ids import DateIds, digests_of, weight_of

_DATES_AT_ONCE: Final = 16
_ITEMS_AT_ONCE: Final = 6
"""Of each date; what follows is read page by page, one date after the other."""
_PAGE_BYTES: Final = 2**20
_IDENTITY_BYTES: Final = 100
"""About what an identity takes in a set."""

Identity = tuple[date, bytes]


@dataclass(slots=True)
class Tail:
    """The identities of the folds that a head has not settled."""

    head: UsageHead | None
    lane: int
    last: int
    """The last fold that is known, settled or not."""
    through_ms: int
    mark: int = 0
    """Tells the last fold from another one with its number."""
    sizes: dict[int, int] = field(default_factory=dict)
    """The number of events of each fold."""
    runs: list[tuple[int, set[bytes]]] = field(default_factory=list)
    """Identities of several folds, and the last of these folds."""
    holds_back: bool = False
    """Whether entries wait in the log until some of these folds are settled."""

    @classmethod
    def after(cls, head: UsageHead | None, lane: int) -> Self:
        through_ms = widened(head.through_ms if head else (), lane + 1)[lane]
        return cls(head, lane, upto_of(head, lane), through_ms)

    @property
    def lanes(self) -> int:
        return self.head.lanes if self.head else 1

    def seen_from(self, head: UsageHead | None) -> Self:
        """The same without what a later head has settled."""
        upto = upto_of(head, self.lane)
        sizes = {number: size for number, size in self.sizes.items() if number > upto}
        runs = [run for run in self.runs if run[0] > upto]
        waits = self.holds_back and head == self.head
        return type(self)(
            head, self.lane, self.last, self.through_ms, self.mark, sizes, runs, waits
        )

    @property
    def events(self) -> int:
        return sum(self.sizes.values())

    @property
    def weight(self) -> int:
        return 200 * len(self.sizes) + sum(_IDENTITY_BYTES * len(run) for _, run in self.runs)

    def add(self, fold: Item) -> None:
        self.last, self.through_ms, self.mark = int(fold["sk"]), int(fold["w"]), mark_of(fold)
        run = identities_in(fold)
        self.sizes[self.last] = len(run)
        while self.runs and len(self.runs[-1][1]) <= len(run):
            run |= self.runs.pop()[1]
        self.runs.append((self.last, run))

    def __contains__(self, event: Event[Any]) -> bool:
        identity = _shortened(event.second, event.digest)
        return any(identity in run for _, run in self.runs)


@stored
def identities_in(fold: Item) -> set[bytes]:
    """The identities of the events of a fold, of which nothing else is decoded."""
    return set(starmap(_shortened, zip(unpack(fold["second"]), digests_of(fold), strict=True)))


def _shortened(second: int, digest: bytes) -> bytes:
    """An identity in 16 bytes."""
    return utc_date(second).toordinal().to_bytes(4, "big") + digest


def upto_of(head: UsageHead | None, lane: int) -> int:
    return widened(head.upto if head else (), lane + 1)[lane]


class IdsPart(NamedTuple):
    """The ids of a date that are of one lane: those of others are not remembered with them."""

    day: date
    lane: int
    lanes: int

    def own(self, page: Iterable[Item]) -> list[bytes]:
        digests = chain.from_iterable(map(digests_of, page))
        if self.lanes > 1:
            return sorted(each for each in digests if lane_of(each, self.lanes) == self.lane)
        return sorted(digests)


@frozen
class Counted:
    """Tells what counts already, of any organization.

    What it remembers of an organization is dropped when the tables turn out to be restored from an
    older copy.
    """

    usage: Store
    memory: Memory = field(default_factory=Memory)

    def tails(self, organization: str) -> list[Tail]:
        """The unsettled folds of all lanes."""
        first = self.tail(organization, 0)
        return [first, *(self.tail(organization, lane) for lane in range(1, first.lanes))]

    def tail(self, organization: str, lane: int) -> Tail:
        """The unsettled folds of a lane, as they are now."""
        head, known = read_head(organization, self.usage), self.remembered_tail(organization, lane)
        if known and known.head != head and not self._is_settled(organization, known.head):
            self.memory.forget(organization)
            known = None
        tail = self._continued(organization, known, head) if known else None
        tail = tail or self._read_on(organization, Tail.after(head, lane))
        self.memory.keep(organization, (Tail, lane), tail, tail.weight)
        return tail

    def remembered_tails(self, organization: str) -> list[Tail]:
        """What is remembered of all lanes, without what any of them knows to be settled."""
        each = (self.remembered_tail(organization, lane) for lane in range(MOST_LANES))
        tails = list(filter(None, each))
        head = max((t.head for t in tails if t.head), key=lambda h: h.version, default=None)
        return [tail.seen_from(head) for tail in tails]

    def remembered_tail(self, organization: str, lane: int) -> Tail | None:
        tail: Tail | None = self.memory.get(organization, (Tail, lane))
        return tail

    def remember(self, organization: str, tail: Tail, fold: Item) -> None:
        """Remember a fold that was just stored behind a tail."""
        tail.add(fold)
        self.memory.keep(organization, (Tail, tail.lane), tail, tail.weight)

    def among(
        self, organization: str, tail: Tail, events: Iterable[Event[Any]]
    ) -> Iterator[Identity]:
        """The identities of these events that count already, date by date."""
        wanted: defaultdict[IdsPart, set[bytes]] = defaultdict(set)
        sent = list(events)
        tails = [tail, *self._others(organization, tail, sent)]
        for event in sent:
            if any(event in each for each in tails):
                yield event.identity
            else:
                lane = lane_of(event.digest, tail.lanes)
                wanted[IdsPart(utc_date(event.second), lane, tail.lanes)].add(event.digest)
        plan = max(each.head.plan if each.head else 0 for each in tails)
        parts = sorted(wanted) if plan else []
        for at in range(0, len(parts), _DATES_AT_ONCE):
            some = {part: wanted[part] for part in parts[at : at + _DATES_AT_ONCE]}
            yield from self._settled(organization, plan, some)

    def _others(
        self, organization: str, tail: Tail, events: Iterable[Event[Any]]
    ) -> Iterator[Tail]:
        """The tails of lanes that have some of these events by now."""
        lanes = {lane_of(event.digest, tail.lanes) for event in events} - {tail.lane}
        return (self.tail(organization, lane) for lane in sorted(lanes))

    def _is_settled(self, organization: str, head: UsageHead | None) -> bool:
        return not head or is_settled_in(organization, self.usage, head)

    def _continued(self, organization: str, known: Tail, head: UsageHead | None) -> Tail | None:
        """A tail with the folds that came since; None where it does not go on from what is known.

        The last known fold is read again to see whether it is the same.
        """
        upto, before = (upto_of(each, known.lane) for each in (head, known.head))
        if not known.last > upto >= before:
            return None
        folds = self._folds_from(organization, known.lane, known.last)
        last = next(folds, None)
        if last and mark_of(last) == known.mark:
            return self._read_on(organization, known.seen_from(head), folds)
        self.memory.forget(organization)
        return None

    def _read_on(self, organization: str, tail: Tail, folds: Iterator[Item] | None = None) -> Tail:
        for fold in folds or self._folds_from(organization, tail.lane, tail.last + 1):
            if int(fold["sk"]) != tail.last + 1:
                raise Gap(organization)
            tail.add(fold)
        return tail

    def _folds_from(self, organization: str, lane: int, number: int) -> Iterator[Item]:
        key_range = KeyRange(keys.folds(organization, lane), keys.number(number), keys.TOP)
        return chain.from_iterable(self.usage.pages(key_range))

    def _settled(
        self, organization: str, plan: int, wanted: Mapping[IdsPart, set[bytes]]
    ) -> Iterator[Identity]:
        """What a plan and earlier ones have settled of the wanted digests of some dates."""
        behind: dict[IdsPart, KeyRange] = {}
        known = {part: self._known_ids(organization, part) for part in wanted}
        yield from self._remembered(organization, known, wanted)
        for part, ids in known.items():
            if unread := ids.unread(keys.identities(organization, part.day), plan):
                behind[part] = unread
        begun = [unread._replace(limit=_ITEMS_AT_ONCE) for unread in behind.values()]
        for part, first in zip(behind, self.usage.read(begun), strict=True):
            others = sum(ids.weight for each, ids in known.items() if each != part)
            learning = Learning(known[part], self.memory.most - others)
            for page in self._pages(behind[part], first):
                digests = part.own(page)
                yield from ((part.day, digest) for digest in wanted[part].intersection(digests))
                learning.learn(page, digests)
                self._keep(organization, part, known[part])
            learning.end(plan)
            self._keep(organization, part, known[part])

    def _keep(self, organization: str, part: IdsPart, ids: DateIds) -> None:
        self.memory.keep(organization, part, ids, ids.weight)

    def _remembered(
        self,
        organization: str,
        known: Mapping[IdsPart, DateIds],
        wanted: Mapping[IdsPart, set[bytes]],
    ) -> Iterator[Identity]:
        """What is remembered of the wanted digests; all that has to be confirmed is read at once.

        Pages of it are in memory, as many as are read at once.
        """
        of_day: dict[str, tuple[date, set[bytes]]] = {}
        unsure: list[KeyRange] = []
        for part, ids in known.items():
            yield from ((part.day, digest) for digest in ids.certain(wanted[part]))
            pk = keys.identities(organization, part.day)
            of_day[pk] = part.day, of_day.get(pk, (part.day, set()))[1] | wanted[part]
            unsure += ids.uncertain(pk, wanted[part])
        make = partial(_stored_among, of_day)
        found = self.usage.pages_of_each([PagesOf(each, make) for each in unsure])
        yield from chain.from_iterable(found)

    def _known_ids(self, organization: str, part: IdsPart) -> DateIds:
        """A copy, because whoever is at work on the same date goes on from where it began."""
        known: DateIds = self.memory.get(organization, part) or DateIds()
        return known.copy()

    def _pages(self, key_range: KeyRange, first: list[Item]) -> Iterator[list[Item]]:
        """The first items of a range, which are read already, and all others."""
        yield from in_pages(first)
        if len(first) == _ITEMS_AT_ONCE:
            rest = key_range._replace(first=first[-1]["sk"] + "\0")
            yield from filter(None, self.usage.pages(rest))


def _stored_among(
    wanted: Mapping[str, tuple[date, set[bytes]]], pages: Iterable[list[Item]]
) -> list[Identity]:
    """The identities in some pages that are wanted of their partition."""
    items = chain.from_iterable(pages)
    each = ((wanted[item["pk"]], digests_of(item)) for item in items)
    return [(day, digest) for (day, some), own in each for digest in some.intersection(own)]


def in_pages(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Ids of a date, about a megabyte at a time."""
    page: list[Item] = []
    for item in items:
        page.append(item)
        if sum(len(each["digests"]) for each in page) > _PAGE_BYTES:
            yield page
            page = []
    if page:
        yield page


@dataclass(slots=True)
class Learning:
    """Remembers pages of ids in their order, until there is no room for more."""

    ids: DateIds
    room: int
    whole: bool = True

    def learn(self, page: Sequence[Item], digests: Sequence[bytes]) -> None:
        self.whole = self.whole and self.ids.weight + weight_of(digests) <= self.room
        if self.whole:
            self.ids.learn(page, digests)

    def end(self, plan: int) -> None:
        if self.whole:
            self.ids.plan = plan
