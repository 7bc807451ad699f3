"""What the task `group` writes, for frames that the engine has not written itself."""

from collections.abc import Iterable, Sequence
from datetime import date

from odometer.engine import calendar
from odometer.engine.format.decisions import UsageHead
from odometer.engine.format.groups import Division
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Store
from odometer.engine.write.groups import Weeks, sealed_weeks


def put_sums(
    store: Store,
    organization: str,
    head: UsageHead,
    divisions: Sequence[Division],
    products: Iterable[MeteredProduct],
    since: date,
) -> None:
    weeks = Weeks(organization, store, head, divisions, 1, head.sealed)
    cuts = calendar.cut_at_keyframes(calendar.keyframe_before(since), sealed_weeks(head))
    for product in products:
        for _, edge in cuts:
            weeks.put(product, edge, range(head.shards(product)))
