"""The items that the engine stores of a product's daily usage: deltas and keyframes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, timedelta
from typing import Any

from odometer.engine import calendar
from odometer.engine.format import keys, strips
from odometer.engine.format.decisions import Plan, UsageHead
from odometer.engine.format.frames import SHARD, Frame, parts, plus, total, with_days
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.strips import Count

Column = Sequence[int]
Item = dict[str, Any]


def frame_of(columns: Sequence[Column]) -> Frame:
    """A frame of one shard, from a column for each measure."""
    return with_days(Frame.of(columns))


def by_shard(columns: Sequence[Column]) -> list[Frame]:
    """The frames of a day, from a column for each measure."""
    shards = range(0, len(columns[0]), SHARD)
    return [frame_of([column[at : at + SHARD] for column in columns]) for at in shards]


def frame_items(
    organization: str,
    product: MeteredProduct,
    days: Iterable[tuple[date, Sequence[Frame]]],
    first_shard: int = 0,
) -> Iterator[Item]:
    """The deltas, keyframes and strips of a product, from its frames by day and shard."""
    totals: list[Frame] = []
    week: defaultdict[int, dict[date, Count]] = defaultdict(dict)
    for day, frames in days:
        following = day + timedelta(1)
        totals = totals or [total((), len(frames[0].measures.columns))] * len(frames)
        totals = [plus(*pair) for pair in zip(totals, frames, strict=True)]
        for shard, (frame, so_far) in enumerate(zip(frames, totals, strict=True), first_shard):
            pk = keys.frames(organization, product.id, day.year, 0, shard)
            yield _item(pk, keys.delta(day, 1, 0), frame)
            week[shard][day] = Count.of(frame, product)
            if following == calendar.keyframe_after(day):
                yield _item(pk, keys.keyframe(following, 0), so_far)
                strip = strips.to_attributes(week.pop(shard, {}), following)
                yield {"pk": pk, "sk": keys.strip(following), **strip}
        if following.year > day.year:
            totals = []


def _item(pk: str, sk: str, frame: Frame) -> Item:
    (whole,) = parts(frame)
    return {"pk": pk, "sk": sk, **whole}


def decisions(organization: str, end: date, users: int) -> list[Item]:
    """The plan and the head of usage that is settled up to a day."""
    settled_until = calendar.first_second(end, UTC)
    plan = Plan(1, (0,), (0,), 0, settled_until)
    head = UsageHead("UTC", settled_until, plan=1, users=users)
    return [plan.to_item(organization), head.to_item(organization)]
