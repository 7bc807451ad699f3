"""When each user last used each product: one row for both, in items that are overwritten.

An item has the rows of 2,048 users and 32 products. Whoever settles a plan also keeps the rows that
it changes as they were, because a cursor may ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Final

from odometer.domain.stored import require, stored
from odometer.engine.format.codec import pack, unpack
from odometer.engine.format.latest import BLOCK
from odometer.engine.store import Item

GROUP: Final = 32
"""Products whose rows share an item: even if every user uses all of them, it is below 400 kB."""
SINCE: Final = "since"
"""Says which plan was the first to write such items: only from the first plan on nothing lacks."""

Pair = tuple[int, int]
"""A user and the place of a product."""
Seconds = Mapping[Pair, int]
"""By pair, the last second with usage; 0 for never."""
Items = tuple[int, int]
"""A block of users and a group of products."""


def item_of(pair: Pair) -> Items:
    user, place = pair
    return user // BLOCK, place // GROUP


def to_attributes(seconds: Seconds) -> dict[str, bytes]:
    """Rows by user and product; of their users the gaps, so that a row of each weighs nothing."""
    rows = sorted(seconds)
    users = [0, *(user % BLOCK for user, _ in rows)]
    return {
        "who": pack(later - earlier for earlier, later in pairwise(users)),
        "product": pack(place % GROUP for _, place in rows),
        "second": pack(seconds[row] for row in rows),
    }


@stored
def from_item(item: Item, block: int, group: int) -> dict[Pair, int]:
    users, places = list(accumulate(unpack(item["who"]))), unpack(item["product"])
    require(max(users, default=0) < BLOCK and max(places, default=0) < GROUP)
    first_user, first_place = block * BLOCK, group * GROUP
    pairs = [
        (first_user + user, first_place + place) for user, place in zip(users, places, strict=True)
    ]
    seconds = dict(zip(pairs, unpack(item["second"]), strict=True))
    require(len(seconds) == len(pairs))
    return seconds
