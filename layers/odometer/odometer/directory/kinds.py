"""The kinds that an organization has beside the built-in ones: as kept, and as rows change them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final, TypeVar

from odometer.domain.errors import Conflict, Fault, Invalid
from odometer.domain.kinds import (
    ACTIVE_DAYS,
    ACTIVE_USERS,
    Aggregate,
    Kind,
    Measure,
    Ratio,
    Unit,
)
from odometer.domain.stored import stored

Part = TypeVar("Part", Measure, Ratio)
Row = Mapping[str, Any]

LOCAL: Final = "local"
UTC: Final = "utc"
MOST_KINDS: Final = 64
NEW_KIND: Final = Kind("", ())
LABEL: Final = "label"
"""What may change of a measure or a ratio: it is for people only."""
OF_EVENTS: Final = {"specversion", "id", "source", "type", "subject", "time", "data"}
OF_DATA: Final = {"product", "platform"}
OF_QUERIES: Final = (
    {"kind", "measure", "from", "to", "period", "timezone", "granularity", "limit", "cursor"}
    | {"group_by", "none", "team", "department", "user", "user_type", "q"}
    | {"compare", "compare_from", "compare_to", "sort", "order", "name", "change"}
)
OF_ANSWERS: Final = {ACTIVE_USERS, ACTIVE_DAYS, "days_active", "users", "accounts"} | {
    *("totals", "series", "partial", "other")
}
RESERVED: Final = frozenset(OF_EVENTS | OF_DATA | OF_QUERIES | OF_ANSWERS)
"""What is called something else already."""
_REMEMBERED: Final = 1024


@lru_cache(maxsize=_REMEMBERED)
@stored
def own_kind(name: str, definition: str) -> Kind:
    """The kind of that name; what it is follows from its definition, whoever has it."""
    return changed(NEW_KIND, {"name": name, **json.loads(definition)})


def definition_of(kind: Kind) -> str:
    """All of a kind but its name."""
    said = {name: value for name, value in row_of(kind).items() if name != "name"}
    return json.dumps(said, separators=(",", ":"))


def row_of(kind: Kind) -> dict[str, Any]:
    """A kind as it is exported, and as a row says it."""
    return {
        "name": kind.name,
        "label": kind.label,
        "days": LOCAL if kind.local_days else UTC,
        **parts_of(kind),
        "breakdowns": [*kind.breakdowns],
    }


def changed(before: Kind, row: Row) -> Kind:
    """What a row makes of a kind: what it leaves out stays as it is, null clears."""
    said = {**row_of(before), **row}
    return replace(
        before,
        name=said["name"],
        described=merged(Measure, before.described, said["measures"]),
        local_days=(said["days"] or row_of(before)["days"]) == LOCAL,
        ratios=merged(Ratio, before.ratios, said["ratios"]),
        breakdowns=tuple(said["breakdowns"] or ()),
        label=said["label"] or "",
    )


def merged(
    make: type[Part], before: Sequence[Part], sent: Sequence[Row] | None
) -> tuple[Part, ...]:
    """Parts as they were sent; what a row leaves out of one stays as it is."""
    known = {part.name: part for part in before}
    return tuple(
        known[each["name"]]._replace(**each) if each["name"] in known else make(**each)
        for each in (without_nulls(make, part) for part in sent or ())
    )


def without_nulls(make: type[Part], sent: Row) -> dict[str, Any]:
    """What was sent of a part, with defaults for what is cleared."""
    defaults = make._field_defaults
    return {name: defaults[name] if value is None else value for name, value in sent.items()}


def faults_of_kind(before: Kind | None, row: Row) -> Iterator[Fault]:
    """What is wrong with a row about a kind that is there already, or about a new one."""
    first = before or NEW_KIND
    after = changed(first, row)
    if first.is_built_in:
        yield from unlike_built_in(first, after)
        return
    if before:
        yield from shrunk(before, after)
    yield from bad_names(first, after)
    yield from bad_counts(after)
    if after.described:
        yield from bad_ratios(after)


def unlike_built_in(before: Kind, after: Kind) -> Iterator[Fault]:
    others = row_of(after)
    for name, value in row_of(before).items():
        if value != others[name]:
            yield Fault(name, Conflict.code, "of a built-in kind stays as it is")


def shrunk(before: Kind, after: Kind) -> Iterator[Fault]:
    """What is not as it was: measures, ratios and breakdowns are only ever appended."""
    if before.local_days != after.local_days:
        days = row_of(before)["days"]
        yield Fault("days", Conflict.code, f"is {days} and stays so")
    for name, olds in parts_of(before).items():
        news = parts_of(after)[name]
        for place, (old, new) in enumerate(zip_longest(olds, news[: len(olds)])):
            yield from changes(name, place, old, new)


def changes(name: str, place: int, old: Row, new: Row | None) -> Iterator[Fault]:
    """How a part is not what it was, apart from its label."""
    if new is None:
        words = f"{old['name']} is left out, and {name} are only ever appended"
        yield Fault(name, Conflict.code, words)
        return
    for field in old:
        if field != LABEL and old[field] != new[field]:
            words = f"is {old[field]} and stays so"
            yield Fault(f"{name}.{place}.{field}", Conflict.code, words)
            return


def parts_of(kind: Kind) -> dict[str, list[Row]]:
    """All that a kind has several of, by the names of their fields."""
    return {
        "measures": [measure._asdict() for measure in kind.described],
        "ratios": [ratio._asdict() for ratio in kind.ratios],
        "breakdowns": [{"name": name} for name in kind.breakdowns],
    }


def bad_names(before: Kind, after: Kind) -> Iterator[Fault]:
    """Names that stand twice, or that something else has; old ones may stay."""
    old = {part["name"] for parts in parts_of(before).values() for part in parts}
    seen: set[str] = set()
    for field, parts in parts_of(after).items():
        for place, part in enumerate(parts):
            name = part["name"]
            if name in seen:
                yield Fault(f"{field}.{place}.name", Invalid.code, f"{name} stands twice")
            elif name in RESERVED - old:
                words = f"{name} means something else in events, queries or answers"
                yield Fault(f"{field}.{place}.name", Invalid.code, words)
            seen.add(name)


def bad_counts(kind: Kind) -> Iterator[Fault]:
    for place, measure in enumerate(kind.described):
        is_plain = (measure.unit, measure.decimals) == (Unit.COUNT, 0)
        if measure.aggregate == Aggregate.COUNT and not is_plain:
            words = "a count is of events: its unit is count, and it has no decimals"
            yield Fault(f"measures.{place}.aggregate", Invalid.code, words)


def bad_ratios(kind: Kind) -> Iterator[Fault]:
    """Ratios of what is no measure of the kind."""
    words = f"expected a measure of the kind: {', '.join(kind.measures)}"
    for place, ratio in enumerate(kind.ratios):
        if ratio.of not in kind.measures:
            yield Fault(f"ratios.{place}.of", Invalid.code, words)
        others = {ACTIVE_USERS, ACTIVE_DAYS} & {ratio.per}
        stands_twice = len({*ratio.divisors}) < len(ratio.divisors)
        if stands_twice or not others | {*kind.measures} >= {*ratio.divisors}:
            or_else = f"{words}, {ACTIVE_USERS} or {ACTIVE_DAYS}"
            yield Fault(f"ratios.{place}.per", Invalid.code, or_else)
