"""Every decoder of what is stored, with an item that its writer has made.

What is damaged is refused as `Corrupt`, or by another error of the domain; what is not refused is
written again, and read as the same.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from random import Random
from typing import Any, NamedTuple

from odometer.access.keys import issue
from odometer.access.policy import Scope
from odometer.access.secret import Secret, parts_of
from odometer.api.v1.events import Receipt, kept_receipt
from odometer.directory.columns import Block, DirectoryHead
from odometer.domain.errors import OdometerError
from odometer.domain.events import Event
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, MEASURES, Kind, Measure
from odometer.domain.people import Role, State, UserType
from odometer.engine.calendar import day_of, zone_of
from odometer.engine.format import keys, last_used, latest, log_entries, strips
from odometer.engine.format.codec import pack
from odometer.engine.format.decisions import Fold, Plan, Rebuild, Touched, UsageHead, mark_of
from odometer.engine.format.frames import Frame, from_attributes, to_attributes, with_days
from odometer.engine.format.groups import EachUser, Week
from odometer.engine.format.inside import Chunk, Running
from odometer.engine.format.late import DayRows
from odometer.engine.format.latest import Coverage
from odometer.engine.format.marks import Mark
from odometer.engine.format.piles import Pile, Sheets
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.read.latest import _former
from odometer.engine.read.views import _pinned
from odometer.engine.write.counted import identities_in
from odometer.engine.write.groups import State as GroupState
from odometer.engine.write.ids import digests_of
from odometer.services.erasure import erased_in
from odometer.storage.directory import (
    columns_of,
    compressed,
    credential_item,
    credential_of,
    erasing_key,
    first_row,
    head_of,
    item_of,
    slice_keys,
    whole,
)
from odometer.storage.key_activity import use_of
from odometer.storage.log import KeptAnswer
from odometer.storage.marks import Sweep
from odometer.storage.queue import organization_of
from odometer.storage.shared_loads import counts_in
from odometer.storage.trail import Entry, key_of_entry, partition_of
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged_item
from tests.fuzz.target import Target, same
from tests.support.memory_directory import ACME, new_head

Item = Mapping[str, Any]
CHAT = MeteredProduct("chat", DEFAULT_PRODUCTS["chat"])
OWN = MeteredProduct("own", Kind("own", tuple(Measure(f"m{at}") for at in range(MEASURES))))
MONDAY = date(2026, 2, 2)
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
SECOND = int(NOON.timestamp())
LUCK = Random(1)
DIGEST_BYTES = 12
RECEIPT = Receipt(accepted=1, duplicate=0, rejected=0, errors=[]).model_dump_json()


class Format(NamedTuple):
    """How something is stored: an item of it, its reader, and what makes an item of it again."""

    name: str
    item: Item
    read: Callable[[Item], Any]
    write: Callable[[Any], Item] | None = None


def target_of(form: Format) -> Target:
    def read(choices: Choices) -> None:
        item = damaged_item(form.item, choices)
        found = form.read(item)
        if form.write:
            key = {name: item[name] for name in ("pk", "sk") if name in item}
            same(found, form.read(key | dict(form.write(found))))

    return Target(form.name, read, (OdometerError,))


# what is in the items


def some_events(count: int = 40) -> list[Event[int]]:
    measures = [(LUCK.randrange(9), LUCK.randrange(2**36), 0, 1) for _ in range(count)]
    return [
        Event(
            LUCK.randrange(300), "chat", "ci/eu", SECOND + LUCK.randrange(9_000), 1, m, digest, ()
        )
        for m, digest in zip(measures, map(LUCK.randbytes, [DIGEST_BYTES] * count), strict=True)
    ]


EVENTS = some_events()
VALUED = [event._replace(values=(2 + at % 3, 0)) for at, event in enumerate(EVENTS)]
SENT: list[Event[str]] = [
    Event(f"user-{event.who}@acme.example", *event[1:-1], ("gpt", "")) for event in EVENTS
]
SEGMENT = Segment.of(EVENTS, CHAT)
USED = Frame.of([[LUCK.randrange(2) * LUCK.randrange(2**20) for _ in range(90)] for _ in range(4)])
DAY = with_days(USED)
KEYFRAME = Frame.of([[LUCK.randrange(2**30) for _ in range(90)] for _ in range(5)])
WIDE = Frame.of([[LUCK.randrange(2**70) for _ in range(9)] for _ in range(9)])
DAYS = [(day, who, 1, 2, 0, day * who, day % 2) for day in range(30, 60, 3) for who in (1, 5, 9)]
FRAMES = keys.frames(ACME, "chat", 2026, 0, 0)
COVERAGE = Coverage(SECOND, SECOND + 9, {MONDAY: 3, date(2026, 2, 5): 4})
SOURCES = {"ci/eu": COVERAGE, "ide": COVERAGE, "": COVERAGE}
HEAD = UsageHead(
    zone="Europe/Berlin",
    sealed=SECOND,
    version=7,
    plan=5,
    upto=(3, 4),
    through_ms=(SECOND * 1000, 0),
    last=SECOND,
    users=300,
    generations={"*": 1, "chat#2026": 2},
    fresh={"chat": [Touched(SECOND, "2026-02-02")]},
    late_bytes={"chat#2026": 512},
    running={"chat": [Running("2026-02-03", SECOND, 5, 4_096)]},
)
USERS = {
    "id": ["7", "8"],
    "username": ["ada@acme.example", "bob"],
    "user_key": ["k", ""],
}
ROSTER = {
    "type": [UserType.ACCOUNT] * 2,
    "role": [Role.ADMIN, Role.MEMBER],
    "state": [State.REGISTERED] * 2,
    "team": [0, None],
    "departments": [[0, 1], []],
}
SECRET = Secret(("first " * 9, "second " * 9))
_, CREDENTIAL = issue(ACME, "ci", 3, frozenset({Scope.READ_USAGE}), SECRET, NOON)


def directory_head() -> DirectoryHead:
    head = new_head(ACME, "Acme")
    return DirectoryHead(head.version, head.organization, {"seats": 3}, erased=frozenset({1, 9}))


def keyed(pk: str, sk: str, attributes: Item) -> dict[str, Any]:
    return {"pk": pk, "sk": sk, **attributes}


# frames, segments and what is made of them


def frame_item(frame: Frame) -> Item:
    return keyed(FRAMES, keys.delta(MONDAY, 5, 0), to_attributes(frame))


def read_frame(item: Item, measures: int) -> Frame:
    keys.day_of(item["sk"]), keys.plan_of(item["sk"]), keys.year_of(item["pk"])
    return from_attributes(item, measures)


def read_segment(item: Item) -> Segment:
    found = Segment.from_item(item, CHAT)
    return Segment(list(found.seconds), list(found.who), [list(each) for each in found.measures])


def read_part(item: Item) -> Segment:
    """Events of a sheet or of a chunk, from a second on."""
    return Segment.from_attributes(item, CHAT, keys.first_of_sheet(item["sk"]))


def read_late(item: Item) -> tuple[Any, ...]:
    found = DayRows.from_item(item, CHAT)
    found.frame(), list(found.by_day()), found.different_days
    return found.year, sorted(found.rows)


def write_late(found: tuple[Any, ...]) -> Item:
    return DayRows.of(found[0], found[1]).to_attributes() if found[1] else {}


def read_week(item: Item) -> Week:
    found = Week.from_item(item, CHAT)
    list(found.of_groups(found.sums))
    return Week(found.edge, {group: list(days) for group, days in found.sums.items()})


def chunk_items() -> list[dict[str, Any]]:
    chunk = Chunk(SECOND, USED.measures, Segment.of(EVENTS, CHAT))
    return list(chunk.items(FRAMES, MONDAY, 5))


def read_chunk(item: Item) -> Frame:
    found = Chunk.from_items([item], CHAT)
    return found.until(SECOND + 4_500, CHAT)


def read_pile(item: Item) -> Pile:
    found = Pile.from_item(item)
    sheets = found.sheets(0)
    sheets.within(range(SECOND, SECOND + 9)), sheets.begun(SECOND)
    return found._replace(
        by_shard={
            shard: Sheets(list(each.firsts), list(each.lasts))
            for shard, each in found.by_shard.items()
        }
    )


def frames_and_segments() -> list[Format]:
    edge, strip_edge = date(2026, 2, 9), keys.strip(date(2026, 2, 9))
    week = Week.of(edge, EachUser(90), 0, {MONDAY: DAY}, CHAT)
    counts = {MONDAY: strips.Count.of(DAY, CHAT)}
    segment = keys.segment(NOON.date(), 5, 0)
    midnight = SECOND - SECOND % 86_400
    sheet = keys.sheet(MONDAY, 5, SECOND, 0, 0)
    pile = Pile(
        0, "2026-02-03#1", is_last=True, events=9, weight=9, by_shard={0: Sheets.of(SEGMENT)}
    )
    chunks = chunk_items()
    return [
        Format("frame of a day", frame_item(DAY), partial(read_frame, measures=4), to_attributes),
        Format(
            "frame of totals", frame_item(KEYFRAME), partial(read_frame, measures=4), to_attributes
        ),
        Format("wide frame", frame_item(WIDE), partial(read_frame, measures=8), to_attributes),
        Format(
            "segment",
            keyed(keys.segments(ACME, "chat"), segment, SEGMENT.to_attributes(midnight)),
            read_segment,
        ),
        Format("sheet", keyed(FRAMES, sheet, SEGMENT.to_attributes(SECOND)), read_part),
        Format(
            "late rows",
            keyed(FRAMES, keys.late(5, 0), DayRows.of(2026, DAYS).to_attributes()),
            read_late,
            write_late,
        ),
        Format(
            "strip",
            keyed(FRAMES, strip_edge, strips.to_attributes(counts, edge)),
            lambda item: (keys.day_of(item["sk"]), strips.from_item(item, CHAT)),
            lambda found: strips.to_attributes(found[1], found[0]),
        ),
        Format(
            "sums of groups",
            keyed(FRAMES, keys.week_of_groups("user", 0, edge), week.to_attributes(EachUser(90))),
            read_week,
            lambda found: found.to_attributes(EachUser(90)),
        ),
        Format("sums before a chunk", chunks[0], read_chunk),
        Format("events of a chunk", chunks[-1], read_chunk),
        Format(
            "pile",
            keyed(FRAMES, keys.pile(MONDAY, 5, 0), pile.to_attributes()),
            read_pile,
            Pile.to_attributes,
        ),
    ]


# decisions, the log, and what is overwritten


def read_fold(item: Item) -> Fold:
    mark_of(item), identities_in(item)
    found = Fold.from_item(item)
    same(len(list(digests_of(item))), len(found.events))
    assert isinstance(found.identities, frozenset)
    return found


def read_entry(item: Item) -> list[Event[str]]:
    log_entries.accepted_ms(item)
    events = log_entries.events_of(item)
    [event.identity for event in events], keys.lane_of(item["pk"])
    return events


def read_former(item: Item) -> Any:
    return _former(item)


def activity_item() -> Item:
    seconds = [SECOND + at if at % 3 else 0 for at in range(latest.BLOCK)]
    return keyed(keys.activity(ACME), keys.number(0), {"k": 3, "p1": pack(seconds)})


def last_used_item() -> Item:
    rows = {(user, place): SECOND + user for user in range(0, 90, 7) for place in (0, 3)}
    return keyed(keys.last_used(ACME), keys.last_used_of(0, 0), last_used.to_attributes(rows))


def users_item() -> Item:
    return keyed(keys.months(ACME), "2026-02", {"k": 3, "users": zlib.compress(b"\5\7", 9)})


def decisions() -> list[Format]:
    plan = Plan(5, (2, 0), (3, 4), SECOND - 9, SECOND, "0000000007#3#chat", {"chat#2026": 9})
    rebuild = Rebuild(2, "chat#2026", 4, SECOND, "UTC", "x", SECOND, {"chat#2026": 9})
    mark = Mark(ACME, SECOND, {"fold": SECOND, "settle": SECOND}, 3, 4, {"fold": 2})
    groups = GroupState(3, "5f", "team:1", 2, "2026-02-02", "2026-02-02#chat", SECOND)
    return [
        Format("head", HEAD.to_item(ACME), UsageHead.from_item, lambda it: it.to_item(ACME)),
        Format("plan", plan.to_item(ACME), Plan.from_item, lambda it: it.to_item(ACME)),
        Format("rebuild", rebuild.to_item(ACME), Rebuild.from_item, lambda it: it.to_item(ACME)),
        Format("mark", mark.to_item(), Mark.from_item, lambda it: it.to_item()),
        Format(
            "groups written",
            groups.to_item(ACME),
            GroupState.from_item,
            lambda it: it.to_item(ACME),
        ),
        Format(
            "fold",
            Fold(4, EVENTS, SECOND * 1000, 1).to_item(ACME, SECOND),
            read_fold,
            lambda it: it.to_item(ACME, SECOND),
        ),
        Format(
            "fold with values",
            Fold(4, VALUED, SECOND).to_item(ACME, SECOND),
            read_fold,
            lambda it: it.to_item(ACME, SECOND),
        ),
    ]


def log_and_latest() -> list[Format]:
    entry = log_entries.to_item(ACME, SENT, SECOND * 1000, "5f", 1)
    sources = latest.sources_to_attributes(SOURCES, latest.SOURCES_BYTES)
    former = {"who": pack([1, 5]), "p1": pack([SECOND, 0])}
    digests = b"".join(event.digest for event in EVENTS)
    return [
        Format(
            "entry of the log", entry, read_entry, lambda it: log_entries.to_item(ACME, it, 1, "")
        ),
        Format(
            "parked entry", {**entry, "pk": keys.parked(ACME), "reason": "x"}, log_entries.events_of
        ),
        Format(
            "identities",
            keyed(keys.identities(ACME, MONDAY), "1", {"digests": digests}),
            lambda it: list(digests_of(it)),
        ),
        Format("last activity", activity_item(), latest.last_seconds),
        Format(
            "former activity",
            keyed(keys.activity(ACME), keys.former_activity(0, 3), former),
            read_former,
        ),
        Format(
            "last use of products",
            last_used_item(),
            partial(last_used.from_item, block=0, group=0),
            last_used.to_attributes,
        ),
        Format("users of a month", users_item(), latest.users_bits),
        Format(
            "sources",
            keyed(keys.sources(ACME, "chat"), keys.number(3), sources),
            latest.sources_of,
            lambda it: latest.sources_to_attributes(it, 2**40),
        ),
        Format(
            "coverage of a source",
            keyed(keys.coverage(ACME, "chat"), "ci", COVERAGE.to_attributes()),
            Coverage.from_item,
            Coverage.to_attributes,
        ),
    ]


# the directory, keys and what storage keeps beside them


SAID = {"action": "key.made", "at": SECOND * 1000, "by_key_id": "5f", "by_user": 3, "users": [3]}
TOLD = {"told": SAID, "ttl": SECOND}
VIEW_PIN = {**HEAD.to_item(ACME), "fold": "[5, 6]", "mark": 7}
NAMES = Block("users", "names", 0)


def read_block_name(text: str) -> None:
    """The commit of a block, which ends with the number of its slices."""
    for key in slice_keys(NAMES, text)[:3]:
        first_row(NAMES, key)


def read_slices(item: Item) -> Any:
    return whole([columns_of(item), USERS])


def read_zone(text: str) -> None:
    day_of(SECOND, zone_of(KINDS["app"], text))


def small_items() -> list[Format]:
    answer = KeptAnswer("5f", json.dumps({"accepted": 1}), NOON)
    sweep = keyed(keys.MARKS, keys.SWEEP, asdict(Sweep(20_000, ACME, is_over=False)))
    load = keyed(ACME, "LOAD#events#1", {"requests": 5, "work": 9, "ttl": SECOND})
    return [
        Format(
            "kept answer",
            answer.to_item(ACME, "key"),
            KeptAnswer.from_item,
            lambda it: it.to_item(ACME, "key"),
        ),
        Format("sweep", sweep, Sweep.from_item, asdict),
        Format("shared load", load, counts_in, dict),
        Format(
            "entry of the trail",
            keyed(partition_of(ACME), key_of_entry(41), TOLD),
            lambda it: Entry.from_item(it).known_by([(9, 2)]),
        ),
        Format("use of a key", keyed(ACME, "KEY#5f", {"used_at": SECOND}), use_of),
        Format("note of an erasure", keyed(ACME, erasing_key(7), {}), erased_in),
        Format(
            "message of the queue",
            {"body": json.dumps({"organization": ACME})},
            lambda it: organization_of(it["body"]),
        ),
        Format("pin of a cursor", {**VIEW_PIN, "pk": ACME}, _pinned),
        Format("commit of a block", {"text": "5f/4"}, lambda it: read_block_name(it["text"])),
        Format(
            "slices of a block", {"pk": ACME, "sk": "x", "columns": compressed(USERS)}, read_slices
        ),
        Format("zone of a head", {"text": "Europe/Berlin"}, lambda it: read_zone(it["text"])),
        Format(
            "answer that was kept",
            {"text": RECEIPT},
            lambda it: kept_receipt(it["text"]),
            lambda it: {"text": it.model_dump_json()},
        ),
        Format(
            "secret",
            {"text": SECRET.text},
            lambda it: Secret.of(it["text"]),
            lambda it: {"text": it.text},
        ),
        Format("stored hash", {"hash": "1-3:77ab"}, lambda it: parts_of(it["hash"])),
        Format("credential", credential_item(CREDENTIAL), credential_of, credential_item),
        Format("head of a directory", item_of(directory_head()), head_of, item_of),
        Format(
            "block of a directory",
            {"pk": ACME, "sk": "x", "columns": compressed(USERS)},
            columns_of,
            lambda it: {"columns": compressed(it)},
        ),
    ]


FORMATS = (*frames_and_segments(), *decisions(), *log_and_latest(), *small_items())
TARGETS = [target_of(form) for form in FORMATS]
