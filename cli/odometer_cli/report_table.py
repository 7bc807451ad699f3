"""A report as tables of a terminal: a line for each figure, or for each group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from odometer_cli.asking import tell_more
from odometer_cli.figures import change, shown, sparkline
from odometer_cli.output import err, out, printable, show_columns

NOBODY: Final = {"team": "(no team)", "department": "(no department)"}
REST: Final = "(none)"
GAP: Final = 2
ON_ITS_WAY: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Column:
    """A column of a table; those of one figure come and go together."""

    heading: str
    cells: Sequence[str]
    figure: str = ""
    is_number: bool = True

    @property
    def width(self) -> int:
        return max(map(len, (self.heading, *self.cells))) + GAP


def show_report(content: Mapping[str, Any], units: Mapping[str, str]) -> None:
    """Print the period, and the figures of all groups or of everything."""
    out.print(heading(content), style="dim")
    if content["group_by"] == "none":
        columns = of_figures(content, units)
    else:
        columns = of_groups(content, units)
    if not content["total_groups"] and content["group_by"] != "none":
        out.print("Nothing was used. What has arrived: odometer doctor")
    else:
        show_fitting(columns)
    tell_more(len(content["groups"]), content["total_groups"])
    if is_behind(content, datetime.now(UTC)):
        err.print(f"Counted up to {content['data_through']}: what is later is missing.")


def is_behind(content: Mapping[str, Any], now: datetime) -> bool:
    """Whether more is missing than what is on its way as always."""
    through, end = (datetime.fromisoformat(content[name]) for name in ("data_through", "to"))
    return not content["complete"] and min(end, now) - through > ON_ITS_WAY


def heading(content: Mapping[str, Any]) -> str:
    before = content.get("compare_from")
    compared = f", beside {before[:10]} to {content['compare_to'][:10]}" if before else ""
    start, end = (content[name][:16].replace("T00:00", "") for name in ("from", "to"))
    return f"{start} to {end} ({content['timezone']}){compared}"


def of_figures(content: Mapping[str, Any], units: Mapping[str, str]) -> list[Column]:
    """A line for each figure of everything."""
    totals = content["totals"]
    values = [shown(it["value"], units.get(name)) for name, it in totals.items()]
    columns = [Column("", [*totals], is_number=False), Column("total", values)]
    if content.get("compare_from"):
        columns.append(Column("change", [change(it["change_pct"]) for it in totals.values()]))
    if "series" in content:
        lines = [line(content["series"], name) for name in totals]
        columns.append(Column(f"by {content['granularity']}", lines, is_number=False))
    return columns


def of_groups(content: Mapping[str, Any], units: Mapping[str, str]) -> list[Column]:
    """A line for each group, and one for everything."""
    by, rows = content["group_by"], [*content["groups"], content]
    columns = [Column(by, [*names_of(content["groups"], by), "total"], is_number=False)]
    for place, name in enumerate(content["totals"]):
        found = [row["totals"][name] for row in rows]
        columns.append(Column(name, [shown(it["value"], units.get(name)) for it in found], name))
        if content.get("compare_from"):
            columns.append(Column("change", [change(it["change_pct"]) for it in found], name))
        if place == 0 and "series" in content:
            lines = [line(row["series"], name) for row in rows]
            columns.append(Column(f"by {content['granularity']}", lines, name, is_number=False))
    return columns


def line(series: Sequence[Mapping[str, Any]], name: str) -> str:
    return sparkline([block.get(name) for block in series])


def names_of(groups: Sequence[Mapping[str, Any]], by: str) -> list[str]:
    """What groups are called; those of one name are told apart by their ids."""
    names = [name_of(group[by], by) for group in groups]
    several = {name for name, count in Counter(names).items() if count > 1}
    ids = [group[by]["id"] if isinstance(group[by], dict) else "" for group in groups]
    told = zip(names, ids, strict=True)
    return [printable(f"{name} {id_}" if name in several else name) for name, id_ in told]


def name_of(group: Any, by: str) -> str:
    if group is None:
        return NOBODY.get(by, REST)
    return str(group.get("name", group.get("username"))) if isinstance(group, dict) else str(group)


def show_fitting(columns: Sequence[Column]) -> None:
    """Print as many figures as there is room for, at least one, and say which are left out."""
    left = list(columns)
    figures = [*dict.fromkeys(column.figure for column in columns if column.figure)]
    while len(figures) > 1 and sum(column.width for column in left) > out.width:
        out_of_room = figures.pop()
        left = [column for column in left if column.figure != out_of_room]
    show_columns([(it.heading, it.cells, it.is_number) for it in left])
    missing = dict.fromkeys(column.figure for column in columns if column not in left)
    if missing:
        err.print(f"No room for {', '.join(missing)}: widen the window, or give --measure.")
