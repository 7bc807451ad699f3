"""Spans read together: what several ask for is read once."""

from __future__ import annotations

from collections.abc import Sequence

from odometer.readings.shelf import Item, Shelf, Span


def read_together(shelf: Shelf, spans: Sequence[Span]) -> list[list[Item]]:
    """The items of every span, in the order asked; spans that meet are one request."""
    joined = joined_spans(spans)
    answers = dict(zip(joined, shelf.read(joined) if joined else (), strict=True))
    return [
        [item for item in answers[whole] if span.first <= item["sk"] <= span.last]
        for span, whole in ((span, _holding(joined, span)) for span in spans)
    ]


def joined_spans(spans: Sequence[Span]) -> list[Span]:
    """The spans, those of a partition that overlap or touch as one; strong if one of them is."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.pk, each.first)):
        last = joined[-1] if joined else None
        if last and last.pk == span.pk and span.first <= last.last:
            strong = last.strong or span.strong
            joined[-1] = Span(span.pk, last.first, max(last.last, span.last), strong)
        else:
            joined.append(span)
    return joined


def _holding(joined: Sequence[Span], span: Span) -> Span:
    return next(
        each for each in joined if each.pk == span.pk and each.first <= span.first <= each.last
    )
