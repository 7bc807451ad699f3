"""Spans read together: what several ask for is read once."""

from __future__ import annotations

from collections.abc import Sequence

from odometer.engine.store import Item, KeyRange, Store


def read_each_once(store: Store, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
    """The items of every span, in the order asked; spans that meet are one request."""
    joined = joined_key_ranges(key_ranges)
    answers = dict(zip(joined, store.read(joined) if joined else (), strict=True))
    return [
        [item for item in answers[whole] if key_range.first <= item["sk"] <= key_range.last]
        for key_range, whole in (
            (key_range, _holding(joined, key_range)) for key_range in key_ranges
        )
    ]


def joined_key_ranges(key_ranges: Sequence[KeyRange]) -> list[KeyRange]:
    """The spans, those of a partition that overlap or touch as one; strong if one of them is."""
    joined: list[KeyRange] = []
    for key_range in sorted(key_ranges, key=lambda each: (each.pk, each.first)):
        last = joined[-1] if joined else None
        if last and last.pk == key_range.pk and key_range.first <= last.last:
            strong = last.strong or key_range.strong
            joined[-1] = KeyRange(key_range.pk, last.first, max(last.last, key_range.last), strong)
        else:
            joined.append(key_range)
    return joined


def _holding(joined: Sequence[KeyRange], key_range: KeyRange) -> KeyRange:
    return next(
        each
        for each in joined
        if each.pk == key_range.pk and each.first <= key_range.first <= each.last
    )
