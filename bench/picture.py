"""A picture of what a range costs by its length: both axes grow by tens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 430, 300
LEFT, TOP, APART, LEGEND = 62, 66, 86, 34
COLORS = (
    "#c2410c",
    "#f59e0b",
    "#1d4ed8",
    "#0f766e",
    "#7c3aed",
    "#64748b",
    "#be185d",
    "#111827",
)
TICKS = (1, 28, 90, 366)


class Line(NamedTuple):
    """What one engine takes of something, by days."""

    of: str
    name: str
    points: Mapping[int, float]


class Panel(NamedTuple):
    """A field of the picture, with its lowest and highest power of ten."""

    left: float
    low: int
    high: int

    def at(self, days: float, value: float) -> tuple[float, float]:
        across = log10(days) / log10(TICKS[-1])
        up = (log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return round(self.left + across * WIDTH, 1), round(TOP + HEIGHT - up * HEIGHT, 1)


def picture(lines: Sequence[Line], title: str) -> str:
    """An SVG with a field for each thing that is counted."""
    names = list(dict.fromkeys(line.name for line in lines))
    colors = dict(zip(names, COLORS, strict=False))
    fields = sorted({line.of for line in lines}, reverse=True)
    wide = LEFT + len(fields) * (WIDTH + APART)
    high = TOP + HEIGHT + 60 + LEGEND
    body = [
        text(LEFT, 24, f"The users of an app, ranked: cost by length of the range, {title}", 15)
    ]
    for number, of in enumerate(fields):
        mine = [line for line in lines if line.of == of]
        body += field(mine, LEFT + number * (WIDTH + APART), colors)
    across = LEFT
    for name in names:
        body.append(f'<circle cx="{across}" cy="{high - 20}" r="5" fill="{colors[name]}"/>')
        body.append(text(across + 10, high - 16, name))
        across += 36 + 7 * len(name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'font-family="system-ui, sans-serif" fill="#111827">\n'
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def field(lines: Sequence[Line], left: float, colors: Mapping[str, str]) -> Iterator[str]:
    values = [value for line in lines for value in line.points.values()]
    panel = Panel(left, floor(log10(min(values))), ceil(log10(max(values))))
    yield text(left, TOP - 10, lines[0].of, 13)
    for power in range(panel.low, panel.high + 1):
        (x, y), end = panel.at(1, 10**power), panel.at(TICKS[-1], 10**power)
        yield f'<path d="M{x} {y}H{end[0]}" stroke="#e5e7eb"/>'
        yield text(x - 8, y + 4, f"{10**power:,}" if power >= 0 else f"{10**power:g}", anchor="end")
    for days in TICKS:
        x, _ = panel.at(days, 1)
        yield text(x, TOP + HEIGHT + 18, f"{days}", anchor="middle")
    yield text(left + WIDTH / 2, TOP + HEIGHT + 38, "days", anchor="middle")
    for line in lines:
        color, places = colors[line.name], [panel.at(*each) for each in line.points.items()]
        path = "L".join(f"{x} {y}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>' for x, y in places)


def text(x: float, y: float, words: str, size: int = 12, anchor: str = "start") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(words)}</text>"
