"""What a plan adds to sealed days: one more delta, or a row of a late item behind the keyframe."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.counted import CountedDays
from odometer.engine.format.frames import parts
from odometer.engine.format.late import DayRows
from odometer.engine.format.products import MeteredProduct
from odometer.engine.rounds import in_rounds
from odometer.engine.store import Store


def additions(
    store: Store, product: MeteredProduct, added: Mapping[str, DayRows], plan: int, sealed: date
) -> Iterator[dict[str, Any]]:
    """The items of what a plan adds to some partitions, whose days before a day are sealed."""
    counted = CountedDays(product, plan - 1, sealed)
    for pk, rows in in_rounds(store, counted.without_counted(added)).items():
        last_keyframe = calendar.keyframe_before(sealed)
        behind, within = rows.cut(date.min, last_keyframe), rows.cut(last_keyframe, date.max)
        for part, attributes in enumerate(behind.parts() if behind.days else ()):
            yield {"pk": pk, "sk": keys.late(plan, part), **attributes}
        for day, of_day in within.by_day():
            for part, piece in enumerate(parts(of_day.frame())):
                yield {"pk": pk, "sk": keys.delta(day, plan, part), **piece}


def late_bytes(item: Mapping[str, Any]) -> int:
    """How many bytes came late with an item."""
    late = keys.is_late_of_year(item["sk"])
    return sum(len(value) for value in item.values() if isinstance(value, bytes)) if late else 0
