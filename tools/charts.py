"""Charts of a dashboard in one SVG: lines over time, laid out in rows of 24 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from math import floor, log10
from typing import NamedTuple

COLUMN, ROW, GAP = 50, 42, 10
COLUMNS = 24
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 34, 58
"""What is left free inside a chart, around its lines."""
COLORS = (
    "#1d4ed8",
    "#c2410c",
    "#0f766e",
    "#be185d",
    "#7c3aed",
    "#ca8a04",
    "#64748b",
    "#111827",
    "#16a34a",
    "#dc2626",
)
MOST_IN_LEGEND = 8
INK, PALE, LINE = "#111827", "#6b7280", "#e5e7eb"


class Series(NamedTuple):
    """Values by the second in which their period began."""

    label: str
    values: Mapping[int, float]


class Chart(NamedTuple):
    """A field of the dashboard."""

    width: int
    height: int
    title: str
    series: Sequence[Series] = ()
    only_on_aws: Sequence[str] = ()
    words: Sequence[str] = ()
    is_heading: bool = False


class Field(NamedTuple):
    """Where lines are drawn: a rectangle, the seconds across it, and the value at its top."""

    left: float
    top: float
    right: float
    bottom: float
    begin: int
    end: int
    most: float

    def at(self, second: int, value: float) -> str:
        across = (second - self.begin) / max(self.end - self.begin, 1)
        x = self.left + across * (self.right - self.left)
        y = self.bottom - value / self.most * (self.bottom - self.top)
        return f"{x:.1f} {y:.1f}"


def picture(charts: Sequence[Chart]) -> str:
    """An SVG of all charts, placed one beside the other until a row is full."""
    seconds = [at for chart in charts for one in chart.series for at in one.values]
    span = (min(seconds, default=0), max(seconds, default=1))
    body, x, y, high = list[str](), 0, 0, 0
    for chart in charts:
        if x + chart.width > COLUMNS:
            x, y, high = 0, y + high, 0
        body += drawn(chart, x * COLUMN + GAP, y * ROW + GAP, span)
        x, high = x + chart.width, max(high, chart.height)
    wide, tall = COLUMNS * COLUMN + GAP, (y + high) * ROW + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" '
        f'font-family="system-ui, sans-serif" fill="{INK}">\n'
        f'<rect width="{wide}" height="{tall}" fill="#f9fafb"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def drawn(chart: Chart, left: float, top: float, span: tuple[int, int]) -> Iterator[str]:
    wide, tall = chart.width * COLUMN - GAP, chart.height * ROW - GAP
    if chart.is_heading:
        yield text(left, top + 24, chart.title, 20)
        return
    place = f'x="{left}" y="{top}" width="{wide}" height="{tall}"'
    yield f'<rect {place} rx="4" fill="#fff" stroke="{LINE}"/>'
    yield text(left + 12, top + 20, chart.title, 13)
    if chart.words:
        yield from listed(chart.words, left, top, wide)
    most = rounded_up(max((v for one in chart.series for v in one.values.values()), default=0))
    field = Field(left + LEFT, top + TOP, left + wide - RIGHT, top + tall - BOTTOM, *span, most)
    if chart.series:
        yield from grid(field)
        yield from lines(chart.series, field)
    if chart.only_on_aws:
        names = ", ".join(dict.fromkeys(chart.only_on_aws))
        middle = top + (tall - 12 if chart.series else tall / 2)
        yield text(left + wide / 2, middle, f"only on AWS: {names}", 11, "middle", PALE)
    elif not chart.series and not chart.words:
        yield text(left + wide / 2, top + tall / 2, "no data", 11, "middle", PALE)


def listed(words: Sequence[str], left: float, top: float, wide: float) -> Iterator[str]:
    """Words one beside the other, in as many rows as they need."""
    x, y = left + 12.0, top + 46.0
    for word in words:
        width = 26 + 6.6 * len(word)
        if x + width > left + wide:
            x, y = left + 12, y + 28
        yield f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="none" stroke="{PALE}"/>'
        yield text(x + 16, y, word)
        x += width
    yield text(left + wide - 12, top + 20, "states are only on AWS", 11, "end", PALE)


def grid(field: Field) -> Iterator[str]:
    for part in (0, 0.5, 1):
        value = field.most * part
        y = field.at(field.begin, value).split()[1]
        yield f'<path d="M{field.left} {y}H{field.right}" stroke="{LINE}"/>'
        yield text(field.left - 6, float(y) + 4, short(value), 11, "end", PALE)
    for second, anchor, x in (
        (field.begin, "start", field.left),
        (field.end, "end", field.right),
    ):
        clock = f"{datetime.fromtimestamp(second, UTC):%H:%M}"
        yield text(x, field.bottom + 15, clock, 11, anchor, PALE)


def lines(series: Sequence[Series], field: Field) -> Iterator[str]:
    x, y = field.left - LEFT + 12, field.bottom + 32
    for place, one in enumerate(series):
        color = COLORS[place % len(COLORS)]
        points = [field.at(*each) for each in sorted(one.values.items())]
        yield f'<path d="M{"L".join(points)}" fill="none" stroke="{color}" stroke-width="1.6"/>'
        yield from (
            f'<circle cx="{p.split()[0]}" cy="{p.split()[1]}" r="1.8" fill="{color}"/>'
            for p in points
        )
        width = 26 + 6.2 * len(one.label)
        if x + width > field.right + RIGHT:
            x, y = field.left - LEFT + 12, y + 14
        if place < MOST_IN_LEGEND:
            yield f'<rect x="{x:.0f}" y="{y - 8:.0f}" width="9" height="9" fill="{color}"/>'
            yield text(x + 13, y, one.label, 11)
        x += width


def rounded_up(value: float) -> float:
    """The next of 1, 2, 5, 10 and so on."""
    if value <= 0:
        return 1
    power: float = 10.0 ** floor(log10(value))
    return next(power * step for step in (1, 2, 5, 10) if value <= power * step)


def short(value: float) -> str:
    for limit, sign in ((1_000_000, "M"), (1000, "k")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"


def text(
    x: float, y: float, words: str, size: int = 12, anchor: str = "start", color: str = INK
) -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" fill="{color}"'
    return f"<text {place}>{escape(words)}</text>"
