"""The key grammar of the engine: every partition but `MARKS` begins with the organization.

A number that orders items (fold, plan, part) has ten digits; dates are ISO. `BOTTOM`
and `TOP` sort before and after everything else.
"""

from datetime import date
from typing import Final

from odometer.domain.stored import stored

BOTTOM: Final = " "
TOP: Final = "~"
MARKS: Final = "MARKS"
"""Marks, by organization. A schedule must find who has something to do without asking everybody."""
SWEEP: Final = "~sweep"
"""In the partition of the marks, behind all of them: how far the daily sweep has come."""


def number(value: int) -> str:
    return f"{value:010d}"


def log(organization: str, lane: int = 0) -> str:
    return of_lane(f"{organization}#LOG", lane)


def entry(accepted_ms: int, random: str = "") -> str:
    return f"{accepted_ms:013d}#{random}"


def repeats(organization: str) -> str:
    """Answers to requests with an idempotency key, by that key."""
    return f"{organization}#KEY"


def parked(organization: str) -> str:
    """Log entries of which something cannot be folded, by their key in the log."""
    return f"{organization}#X"


def audit(organization: str) -> str:
    """Up to where the log was audited."""
    return f"{organization}#V"


def folds(organization: str, lane: int = 0) -> str:
    return of_lane(f"{organization}#F", lane)


@stored
def lane_of(pk: str) -> int:
    """The lane of a log or of folds."""
    return int([*pk.split("#"), "0"][2])


def of_lane(key: str, lane: int) -> str:
    """The first lane has the keys that are there without lanes."""
    return f"{key}#{lane}" if lane else key


def plans(organization: str) -> str:
    return f"{organization}#P"


def head(organization: str) -> str:
    return f"{organization}#H"


def rebuilds(organization: str) -> str:
    return f"{organization}#B"


def groups(organization: str) -> str:
    """Up to where sums of groups are written."""
    return f"{organization}#G"


def identities(organization: str, day: date) -> str:
    """The digests of all events of a UTC date, by plan and part."""
    return f"{organization}#I#{day}"


def segments(organization: str, product: str) -> str:
    """The events of a product, by UTC date, plan and part."""
    return f"{organization}#E#{product}"


def segment(day: date, plan: int, part: int) -> str:
    return f"{day}#{number(plan)}#{part}"


def segments_through(day: date, plan: int) -> str:
    """Sorts after the segments that plans up to this one wrote of a UTC date."""
    return f"{day}#{number(plan)}{TOP}"


def frames(organization: str, product: str, year: int, generation: int, shard: int) -> str:
    return f"{organization}#R#{product}#{year}#{generation}#{shard}"


def keyframe(day: date, part: int) -> str:
    """The totals since 1 January, before the day begins."""
    return f"F#{day}#0#{part}"


def delta(day: date, plan: int, part: int) -> str:
    """What a plan adds to a day."""
    return f"F#{day}#1#{number(plan)}#{part}"


def late(plan: int, part: int) -> str:
    """What a plan adds to days of the year whose keyframes exist."""
    return f"L2#{number(plan)}#{part}"


def strip(edge: date) -> str:
    """Who was active on each day of the week before a keyframe."""
    return f"S#{edge}#0#0"


def week_of_groups(division: str, chunk: int, edge: date) -> str:
    """What some groups used together on each day of the week before a keyframe."""
    return f"G#{division}#{number(chunk)}#{edge}"


@stored
def edge_of_groups(sort_key: str) -> date:
    return date.fromisoformat(sort_key[-10:])


def frames_from(day: date) -> str:
    return f"F#{day}#"


def deltas_from(day: date) -> str:
    """Sorts between the keyframe and the deltas of a day."""
    return f"F#{day}#1"


def late_from(day: date) -> str:
    """Sorts before all that came late to a day or a later one.

    The first format has items of one day each, `L#date#plan#part`; those of a year follow them.
    """
    return f"L#{day}#"


LATE_END: Final = f"L2#{TOP}"


def running(day: date, last: int, plan: int, part: int) -> str:
    """All of an open day as of a plan, none of it after its last second."""
    return with_part(f"{running_through(day, last)}#{number(plan)}#", part)


def running_through(day: date, second: int) -> str:
    """Sorts after the running frames of a day that end before a second."""
    return f"O#{day}#{number(second)}"


def chunk(day: date, first: int, plan: int, part: int) -> str:
    """All of a day before a second, as sealed by a plan, and its events from then on."""
    return with_part(f"T#{day}#{number(first)}#{number(plan)}#", part)


def chunk_through(day: date, second: int) -> str:
    """Sorts after the chunks of a day that begin by a second."""
    return f"T#{day}#{number(second)}{TOP}"


def pile(day: date, plan: int, number_of_pile: int) -> str:
    """What some megabytes of the segments of a day hold, as sealed by a plan."""
    return f"{piles_from(day, plan)}{number(number_of_pile)}"


def piles_from(day: date, plan: int) -> str:
    return f"P#{day}#{number(plan)}#"


def sheet(day: date, plan: int, first: int, number_of_pile: int, place: int) -> str:
    """Events of a pile from a second on; the place among all of its sheets of the shard."""
    return f"{sheets_from(day, plan, first)}#{number(number_of_pile)}#{place}"


def sheets_from(day: date, plan: int, second: int) -> str:
    """Sorts before the sheets of a day that begin at a second or later."""
    return f"W#{day}#{number(plan)}#{number(second)}"


def running_from(day: date) -> str:
    return f"O#{day}#"


def chunks_from(day: date) -> str:
    return f"T#{day}#"


def with_part(start: str, part: int) -> str:
    """Parts in their order, so that the last one says how many there are."""
    return f"{start}{part:02d}"


def without_part(sort_key: str) -> str:
    return sort_key[: sort_key.rindex("#") + 1]


def activity(organization: str) -> str:
    return f"{organization}#A"


def former_activity(block: int, plan: int) -> str:
    """When some of a block were last active before a plan."""
    return f"{number(block)}#{number(plan)}"


def last_used(organization: str) -> str:
    """When users last used each product."""
    return f"{organization}#U"


def last_used_of(block: int, group: int) -> str:
    """Of a block of users and a group of products."""
    return f"{number(block)}#{group:04d}"


def former_last_used(block: int, group: int, plan: int) -> str:
    """Of those of them that a plan has changed, as it was before."""
    return f"{last_used_of(block, group)}#{number(plan)}"


def months(organization: str) -> str:
    return f"{organization}#M"


def sources(organization: str, product: str) -> str:
    """What has arrived of a product, by bucket of sources."""
    return f"{organization}#S#{product}"


def coverage(organization: str, product: str) -> str:
    """The same by source, as the first format had it."""
    return f"{organization}#C#{product}"


@stored
def day_of(sort_key: str) -> date:
    return date.fromisoformat(sort_key[2:12])


def is_keyframe(sort_key: str) -> bool:
    """Whether a frame holds totals; otherwise it holds the usage of one day."""
    return sort_key.startswith("F") and sort_key[13:14] == "0"


def is_delta(sort_key: str) -> bool:
    return sort_key.startswith("F") and sort_key[13:14] == "1"


def is_late_of_day(sort_key: str) -> bool:
    return sort_key.startswith("L#")


def is_late_of_year(sort_key: str) -> bool:
    return sort_key.startswith("L2")


def is_of_groups(sort_key: str) -> bool:
    return sort_key.startswith("G")


def is_strip(sort_key: str) -> bool:
    return sort_key.startswith("S")


@stored
def year_of(frames_key: str) -> int:
    """The year of a partition of frames; the name of a product may hold anything."""
    return int(frames_key.rsplit("#", 3)[1])


@stored
def second_of(sort_key: str) -> int:
    """The last second of a running frame, or the first one of a chunk."""
    return int(sort_key.rsplit("#", 3)[1])


@stored
def first_of_sheet(sort_key: str) -> int:
    return int(sort_key.rsplit("#", 3)[1])


@stored
def part_of(sort_key: str) -> int:
    return int(sort_key.rsplit("#", 1)[1])


@stored
def plan_of(sort_key: str) -> int:
    return int(sort_key.rsplit("#", 2)[1])
