"""Groups: write what the users of each team used together in the weeks that are sealed.

It follows from the deltas of a week and from who is in which team, so anybody may write it again at
any time. When somebody moves, all weeks are written again: until then readers take the deltas of
everybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, strips
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.frames import Frame, plus
from odometer.engine.format.groups import USER, Division, Week
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import first_dates
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write.settle import Catalog, by_name
from odometer.engine.write.steps import BUDGET, Reached, Step, groups, in_names, some_of, take

PAUSE_SECONDS: Final = 3600
"""All weeks are written again once an hour at most, however often somebody moves."""
_SHARDS_IN_STEP: Final = 64
_SHARDS_AT_ONCE: Final = 8
_DELTAS_OF_WEEK: Final = 8


class State(NamedTuple):
    """Up to where the sums of groups are written."""

    number: int = 0
    """Grows with every change of the state."""
    roster: str = ""
    """Names the version of the directory's blocks that say who is in which team."""
    divisions: str = ""
    """What the weeks are written for."""
    rebuilt: int = 0
    """The rebuild that they are written after."""
    sealed: str = ""
    """All weeks up to this day are written; empty while some are not."""
    done: str = ""
    """The last step done."""
    since: int = 0
    """When the first of these steps was done."""

    def to_item(self, organization: str) -> dict[str, Any]:
        return {"pk": keys.groups(organization), "sk": "0", **self._asdict()}

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        numbers = {name: int(item[name]) for name in ("number", "rebuilt", "since")}
        require(all(isinstance(item[n], str) for n in cls._fields if n not in numbers))
        return cls(**{name: item[name] for name in cls._fields} | numbers)


@frozen
class Grouping:
    """Writes the sums of groups of any organization."""

    usage: Store
    catalog: Catalog

    def due(self, organization: str, head: UsageHead, roster: str, now: int) -> int | None:
        """From which second on there is something to write; None while there is not."""
        state = self._state(organization)
        if state.roster != roster:
            return max(now, state.since + PAUSE_SECONDS)
        written = (state.rebuilt, state.sealed) == (head.rebuilt, str(sealed_weeks(head)))
        return None if written else now

    def write(
        self,
        organization: str,
        head: UsageHead,
        divisions: Sequence[Division],
        roster: str,
        version: int,
        now: int,
        budget: int = BUDGET,
    ) -> None:
        """Write some weeks further, from the first on if users were divided in another way.

        `version` orders the divisions: an older one never replaces a newer one.
        """
        state, named = (
            self._state(organization),
            " ".join(f"{d.name}:{d.digest}" for d in divisions),
        )
        if (state.divisions, state.rebuilt) != (named, head.rebuilt):
            state = State(state.number, divisions=named, rebuilt=head.rebuilt, since=now)
        until = sealed_weeks(head)
        weeks = Weeks(organization, self.usage, head, divisions, version, now)
        steps = self._steps(weeks, state.done[:10], until)
        taken = take(steps, Reached(state.done), budget, lambda _: None)
        sealed = str(until) if taken.finished else ""
        further = state._replace(
            number=state.number + 1, roster=roster, sealed=sealed, done=taken.reached.done
        )
        self.usage.put_newer(further.to_item(organization), "number")

    def _state(self, organization: str) -> State:
        item = self.usage.get(keys.groups(organization), "0")
        return State.from_item(item) if item else State()

    def _steps(self, weeks: "Weeks", done: str, until: date) -> Iterator[Step]:
        """By week, so that those that are sealed later come last."""
        catalog = [p for p in self.catalog(weeks.organization) if not p.is_derived]
        firsts = dict(first_dates(weeks.organization, self.usage, by_name(catalog)))
        first = min(firsts.values(), default=until) - DAY
        start = max(first, date.fromisoformat(done) - DAY) if done else first
        for _, edge in calendar.cut_at_keyframes(calendar.keyframe_before(start), until):
            for product, since in firsts.items():
                if since - DAY < edge:
                    for name, some in groups(weeks.head.shards(product), _SHARDS_IN_STEP):
                        put = partial(weeks.put, product, edge, some)
                        named = f"{edge}#{in_names(product.id)}#{name}"
                        yield Step(named, weeks.items_of_week(product, some), put)


@frozen
class Weeks:
    """Writes weeks of one organization."""

    organization: str
    usage: Store
    head: UsageHead
    divisions: Sequence[Division]
    version: int
    now: int

    def put(self, product: MeteredProduct, edge: date, shards: range) -> None:
        for some in some_of(shards, _SHARDS_AT_ONCE):
            lacking = {s: self._lacking(product, edge, s) for s in some}
            wanted = [shard for shard, divisions in lacking.items() if divisions]
            written = [
                list(self._items(product, edge, shard, division, frames))
                for shard, frames in self._days(product, edge, wanted)
                for division in lacking[shard]
            ]
            self.usage.put_all_newer(chain(*(items[:-1] for items in written)), "version")
            self.usage.put_all_newer(chain(*(items[-1:] for items in written)), "version")

    def items_of_week(self, product: MeteredProduct, shards: range) -> int:
        """About how many items are read and written for a week."""
        of_product = self._of_product(product)
        return sum(_DELTAS_OF_WEEK + sum(len(d.chunks(s)) for d in of_product) for s in shards)

    def _of_product(self, product: MeteredProduct) -> list[Division]:
        return [d for d in self.divisions if d.name != USER or not product.kind.local_days]

    def _lacking(self, product: MeteredProduct, edge: date, shard: int) -> list[Division]:
        """The divisions by which nobody has added a week up: the last item of each comes last."""
        pk, divisions = self._pk(product, edge, shard), self._of_product(product)
        last = [(d, d.chunks(shard)[-1]) for d in divisions if d.chunks(shard)]
        stored = self.usage.get_each(
            pk, [keys.week_of_groups(d.name, chunk, edge) for d, chunk in last]
        )
        pairs = zip(stored, (d for d, _ in last), strict=True)
        return [d for item, d in pairs if not item or item["of"] != d.digest]

    def _days(
        self, product: MeteredProduct, edge: date, shards: Sequence[int]
    ) -> Iterator[tuple[int, Mapping[date, Frame]]]:
        """By shard, what everybody used on the days of a week; shards without use are left out."""
        start = calendar.keyframe_before(edge - DAY)
        strong = self.head.is_fresh(product.id, edge, self.now)
        ends = (keys.deltas_from(start), keys.frames_from(edge))
        asked = [KeyRange(self._pk(product, edge, s), *ends, strong) for s in shards]
        for shard, items in zip(shards, self.usage.read(asked), strict=True):
            days: dict[date, Frame] = {}
            for day, frame in strips.deltas_in(items, self.head.plan, product):
                days[day] = plus(days[day], frame) if day in days else frame
            if days:
                yield shard, days

    def _items(
        self,
        product: MeteredProduct,
        edge: date,
        shard: int,
        division: Division,
        frames: Mapping[date, Frame],
    ) -> Iterator[Item]:
        week = Week.of(edge, division, shard, frames, product)
        for chunk in division.chunks(shard):
            key = keys.week_of_groups(division.name, chunk, edge)
            content = week.chunk(chunk).to_attributes(division)
            yield {
                "pk": self._pk(product, edge, shard),
                "sk": key,
                "version": self.version,
                **content,
            }

    def _pk(self, product: MeteredProduct, edge: date, shard: int) -> str:
        year = (edge - DAY).year
        generation = self.head.generation(product, year)
        return keys.frames(self.organization, product.id, year, generation, shard)


def sealed_weeks(head: UsageHead) -> date:
    """The end of the last week that is sealed in whatever zone days are counted."""
    zones = (UTC, ZoneInfo(head.zone))
    return min(calendar.keyframe_before(calendar.day_of(head.sealed, zone)) for zone in zones)
