"""Months: who had any usage in a month of UTC, settled or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

from odometer.domain.events import utc_date
from odometer.engine.format import keys
from odometer.engine.format.latest import users_bits
from odometer.engine.read.readings import View
from odometer.engine.store import KeyRange


def users_by_month(view: View, first: date, last: date) -> Mapping[date, int]:
    """A bit for every user with usage, by the first day of the month; months without are left out.

    These items are overwritten, so they are read strongly: an old one would lack what is settled.
    """
    key_range = KeyRange(keys.months(view.organization), f"{first:%Y-%m}", f"{last:%Y-%m}")
    found: defaultdict[date, int] = defaultdict(int)
    for item in view.store.read([key_range])[0]:
        month = date.fromisoformat(f"{item['sk']}-01")
        found[month] = int.from_bytes(users_bits(item), "little")
    for fold in view.tail:
        for event in fold.events:
            found[utc_date(event.second).replace(day=1)] |= 1 << event.who
    return found
