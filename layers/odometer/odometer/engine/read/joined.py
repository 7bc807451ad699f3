"""Joins key ranges that meet, so that no item is read twice."""

from collections.abc import Sequence

from odometer.engine.store import Item, KeyRange, Store


def read_joined(store: Store, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
    joined = joined_key_ranges(key_ranges)
    answers = list(zip(joined, store.read(joined), strict=True))
    return [
        [item for item in items if key_range.first <= item["sk"] <= key_range.last]
        for key_range in key_ranges
        for whole, items in answers
        if whole.pk == key_range.pk and whole.first <= key_range.first <= whole.last
    ]


def joined_key_ranges(key_ranges: Sequence[KeyRange]) -> list[KeyRange]:
    joined: list[KeyRange] = []
    for key_range in sorted(key_ranges, key=lambda each: (each.pk, each.first)):
        last = joined[-1] if joined else None
        if last and last.pk == key_range.pk and key_range.first <= last.last:
            strong = last.strong or key_range.strong
            joined[-1] = KeyRange(key_range.pk, last.first, max(last.last, key_range.last), strong)
        else:
            joined.append(key_range)
    return joined
