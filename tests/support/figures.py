"""Every figure that any report publishes, and what explains it: the table that readers are shown.

A figure is a number at a place of an answer. It is the value of an explanation, the sum or the
quotient of several, or the change of the figures beside it. What is in braces is taken from the
place itself, the row around it or the request.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from odometer.reports.factors import share
from odometer.reports.figures import rounded


@dataclass(frozen=True)
class Figure:
    """A figure by its place, and the explanations that it is made of."""

    place: str
    of: tuple[str, ...]
    """Explanations that are added up."""
    over: tuple[str, ...] = ()
    """What the sum is divided by, added up as well."""
    factor: bool = False
    """The quotient is a factor, not a whole number."""

    def match(self, place: str) -> Mapping[str, str] | None:
        """What the place says of itself, if it is one of this figure."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^.]+)", re.escape(self.place))
        found = re.fullmatch(pattern, place)
        return found.groupdict() if found else None

    def value(self, top: int, under: int) -> float:
        """The figure, from what its explanations add up to."""
        if not self.over:
            return top
        if self.factor:
            return share(top, under)
        return rounded(top, under) if under else 0


@dataclass(frozen=True)
class Published:
    """A report, and where its figures are."""

    name: str
    figures: tuple[Figure, ...]
    range: str = "its `X-Query-Range`"
    """From when to when a figure is."""
    rows: str = ""
    """The place of the number of rows, where that counts nobody."""


def kind(name: str, measure: str, who: str) -> str:
    return f"product={{{name}}}&measure={measure}{who}"


def block(who: str = "") -> tuple[Figure, ...]:
    """The figures of a block of usage over time."""
    written = tuple(kind(each, "chars_completed", who) for each in ("completion", "chat"))
    typed = kind("completion", "keystrokes", who)
    sums = {
        "completion": {
            "activeUsers": "users",
            "completions": "completions",
            "charsCompleted": "chars_completed",
            "keystrokes": "keystrokes",
            "lines": "lines",
        },
        "chat": {
            "activeUsers": "users",
            "interactions": "interactions",
            "usefulChatInteractions": "useful_interactions",
            "lines": "lines",
            "charsCompleted": "chars_completed",
        },
    }
    at = {"completion": "usage.data[].codeCompletions", "chat": "usage.data[].chat"}
    return (
        Figure(
            "usage.data[].activeUsers", (f"product={{completion}},{{chat}}&measure=users{who}",)
        ),
        Figure("usage.data[].productivityFactor", written, (*written, typed), factor=True),
        Figure(
            f"{at['completion']}.automationFactor", written[:1], (written[0], typed), factor=True
        ),
        Figure(
            f"{at['chat']}.chatConsumptionRate",
            (kind("chat", "useful_interactions", who),),
            (kind("chat", "interactions", who),),
            factor=True,
        ),
        *(
            Figure(f"{at[of]}.{name}", (kind(of, measure, who),))
            for of, names in sums.items()
            for name, measure in names.items()
        ),
    )


def totals(app: str, at: str, who: str = "") -> tuple[Figure, ...]:
    """The figures of an app, those of the comparison period beside them."""
    measured = {"unique_users": "users", "active_time_ms": "active_ms", "session_count": "sessions"}
    time, days = (f"product={app}&measure={name}{who}" for name in ("active_ms", "days_active"))
    return tuple(
        figure
        for value in ("value", "compare_value")
        for figure in (
            *(
                Figure(f"{at}{name}.{value}", (f"product={app}&measure={measure}{who}",))
                for name, measure in measured.items()
            ),
            Figure(f"{at}avg_time_ms_per_day.{value}", (time,), (days,)),
        )
    )


def months(who: str, *, active: bool) -> tuple[Figure, ...]:
    """How many accounts were in which state."""
    states = {"registered": "registered", "deactivated": "deactivated"}
    pending = {"pending" if active else "invited": "invited"}
    at = "[]." if active else ""
    return (
        *(
            Figure(f"{at}{name}", (f"measure=accounts&state={state}{who}",))
            for name, state in {**states, **pending}.items()
        ),
        *([Figure("[].active", ("measure=users&state=registered",))] if active else []),
    )


SIX = "automation,app-automation,hyperexecute,realtime,realdevice,smartui"
MINE = "product={product}&type={type}&measure="
ROW = "product={product}&user={id}&measure="
PERSON = "product={product.id}&user={user_id}&measure="
APP_USER = "product={app_id}&user={user.id}&measure="

REPORTS = (
    Published(
        "usage report: summary",
        (
            Figure("data.metadata.totalUsers", (f"product={SIX}&type={{type}}&measure=users",)),
            Figure("data.products.{product}.totalTests", (f"{MINE}tests",)),
            Figure("data.products.{product}.totalDuration", (f"{MINE}duration_ms",)),
            Figure("data.products.{product}.totalScreenshots", (f"{MINE}screenshots",)),
        ),
    ),
    Published(
        "usage report: drilldown",
        (
            Figure("data.metadata.totalUsers", (f"{MINE}users",)),
            Figure("data.metadata.pagination.total", (f"{MINE}users",)),
            Figure("data.metadata.totalTests", ("product={product}&measure=tests",)),
            Figure("data.metadata.totalDuration", ("product={product}&measure=duration_ms",)),
            Figure("data.metadata.totalScreenshots", ("product={product}&measure=screenshots",)),
            Figure("data.users[].totalTestsRun", (f"{ROW}tests",)),
            Figure("data.users[].totalDuration", (f"{ROW}duration_ms",)),
            Figure("data.users[].totalScreenshots", (f"{ROW}screenshots",)),
        ),
    ),
    Published("usage metrics: organization/usage", block(), "`from` and `to` of its block"),
    Published("usage metrics: team/usage", block("&team={teamId}"), "`from` and `to` of its block"),
    Published("usage metrics: user/usage", block("&user={userId}"), "`from` and `to` of its block"),
    Published(
        "usage metrics: organization/account-utilizations", months("", active=True), "its month"
    ),
    Published(
        "usage metrics: team/account-utilizations",
        months("&team={teamId}", active=False),
        "up to now",
    ),
    Published(
        "app utilization: users of an app",
        (
            Figure("total_count", ("product={app_id}&measure=users{departments}",)),
            Figure("data[].days_active", (f"{APP_USER}days_active",)),
            *(
                Figure(
                    f"data[].avg_time_ms_per_day.{value}",
                    (f"{APP_USER}active_ms",),
                    (f"{APP_USER}days_active",),
                )
                for value in ("value", "compare_value")
            ),
        ),
    ),
    Published("app utilization: app", totals("{app_id}", "", "{departments}")),
    Published(
        "app utilization: activity, active-time",
        (Figure("data[].value", ("product={app_id}&measure=active_ms{departments}",)),),
        "its stretch",
    ),
    Published(
        "app utilization: activity, session-count",
        (Figure("data[].value", ("product={app_id}&measure=sessions{departments}",)),),
        "its stretch",
    ),
    Published(
        "app utilization: activity, user-count",
        (Figure("data[].value", ("product={app_id}&measure=users{departments}",)),),
        "its stretch",
    ),
    Published("app utilization: ranked apps", totals("{app.id}", "data[]."), rows="total_count"),
    Published(
        "app utilization: users",
        (Figure("total_count", ("measure=accounts{departments}",)),),
        "up to now",
    ),
    Published(
        "app utilization: one user's usage",
        (
            Figure("products[].measures.{measure}", (f"{PERSON}{{measure}}",)),
            Figure("products[].days_active", (f"{PERSON}days_active",)),
        ),
    ),
)

NOT_OF_USAGE = {"limit", "page", "totalPages", "year", "month"}
"""Numbers that say where a page or a row stands."""


class Leaf(NamedTuple):
    """A number of an answer: where it is, and what the rows around it say."""

    place: str
    value: float | None
    around: Mapping[str, Any]


def leaves(
    content: Any, place: str = "", around: Mapping[str, Any] | None = None
) -> Iterator[Leaf]:
    """Every number of an answer, and every null that stands for one."""
    seen = around or {}
    if isinstance(content, list):
        for each in content:
            yield from leaves(each, f"{place}[]", seen)
    elif isinstance(content, dict):
        seen = {**seen, **dict(flat(content))}
        for name, each in content.items():
            yield from leaves(each, f"{place}.{name}".lstrip("."), seen)
    elif is_number(content) and place.rpartition(".")[2] not in NOT_OF_USAGE:
        yield Leaf(place, content, seen)


def is_number(content: object) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an object and of those in it, by their names with dots between."""
    for name, each in content.items():
        if isinstance(each, dict):
            yield from flat(each, f"{prefix}{name}.")
        yield f"{prefix}{name}", each


def filled(query: str, known: Mapping[str, Any]) -> str:
    """A query with what is in braces."""
    return re.sub(r"\{([\w.]+)\}", lambda found: str(known[found[1]]), query)


HEADING = r"""# How to check a figure by hand

Any figure of any report is the value of `GET /v1/explain`, or the sum or quotient of several. An
explanation lists terms that add up to its value: readings, deltas, late items and days of segments
with the keys under which they are stored, days on which somebody used an app, or users who count
for one each (on as many pages as it takes: `next_cursor`). Beside them stand the events that are
told apart from their day.

```console
$ curl -H "Authorization: Bearer $ADMIN_TOKEN" \
    "$BASE_URL/v1/explain?product=automation&measure=tests&from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z"
```

What is in braces is taken from the request, the place or the row. `{completion}` and `{chat}` are
the products of that kind, with commas between them. `{departments}` is `&department_ids=…` where
the report was asked so. A `change_pct` is what its `value` and `compare_value` make of it, and a
`compare_value` is explained by the second range. When somebody was last active is no sum: it is the
instant of an event. Somebody who was erased is in every sum and every number of users, without a
name; where rows are counted (`pagination.total`, `total_count`), they are not.

Written by `UPDATE=1 pytest tests/integration/test_explained_figures.py`, which holds every number
of every report against this table.
"""


def document() -> str:
    """The table as it is published."""
    return HEADING + "".join(map(section, REPORTS))


def section(report: Published) -> str:
    """A report with its figures."""
    rows = "".join(f"| `{each.place}` | {formula(each)} |\n" for each in report.figures)
    counted = f"| `{report.rows}` | the number of rows |\n" if report.rows else ""
    heading = f"\n## {report.name}\n\nFrom when to when: {report.range}."
    return f"{heading}\n\n| figure | explained by |\n| --- | --- |\n{rows}{counted}"


def formula(figure: Figure) -> str:
    """The explanations of a figure, added up or divided."""
    top, under = (" + ".join(f"`{query}`" for query in each) for each in (figure.of, figure.over))
    return f"({top}) / ({under})" if under else top
