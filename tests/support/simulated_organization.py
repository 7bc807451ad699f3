"""An organization in a deployment: the steps between two requests, and all that counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import UUID
from zoneinfo import ZoneInfo

from odometer.bootstrap import Process, process
from odometer.domain.events import Event
from odometer.domain.time import day_start, epoch_second, format_seconds, instant_at
from odometer.engine.format import keys
from odometer.engine.format.decisions import ALL, UsageHead
from odometer.engine.format.products import TOTALS
from odometer.services.engine import Engine
from odometer.storage.dynamo import Found, Key, Table
from odometer.web.endpoint import wall_clock
from tests.support.apps import APP, OFFICE, OTHER_APP, PLATFORMS, SALES, Client, use
from tests.support.memory_directory import new_head
from tests.support.memory_store import MemoryStore
from tests.support.stack import Stack
from tests.support.usage_oracle import MEASURES, Moment
from tests.support.usage_sender import BATCH, EVENTS, usage_event

APPS = [APP, OTHER_APP, *(f"f{n}a2b3c4-d5e6-7890-abcd-ef1234567890" for n in range(3, 6))]
PLATFORM_NAMES = {number: name for name, number in PLATFORMS.items()}
STRANGER = "Anyone{}@else.example"
TAKEN = {"created", "updated", "unchanged"}
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Pacific/Kiritimati",
    "UTC",
]


@contextmanager
def usage_in_memory(stack: Stack) -> Iterator[MemoryStore]:
    """Keep the usage table of a deployment in memory."""
    store = MemoryStore(lambda: epoch_second(stack.now or wall_clock()))

    def get_with(
        directory: Table, keys: Sequence[Key], _: MemoryStore, others: Sequence[Key]
    ) -> tuple[Found, Found]:
        """There is no call about both tables, since only one of them is a table."""
        found = {key: dict(item) for key in others if (item := store.get(*key))}
        return directory.get_many(keys, consistent=True), found

    with (
        patch.object(Process, "usage_store", lambda *_: store),
        patch.object(Table, "get_with", get_with),
    ):
        yield store


@contextmanager
def new_organization(
    stack: Stack, number: int, zone: str, start: datetime
) -> Iterator[SimulatedOrganization]:
    organization = str(UUID(int=number, version=4))
    stack.now = start
    stack.directories.create(new_head(organization, "Acme Corp"))
    with usage_in_memory(stack) as store:
        yield SimulatedOrganization(Client(stack, organization, start), store, zone)


@dataclass
class SimulatedOrganization:
    """One organization, its tables, and the events accepted and counted so far."""

    client: Client
    usage: MemoryStore
    zone: str
    accepted: list[Event[str]] = field(default_factory=list)
    """Events that are not folded yet, with users by the names in the events."""
    counted: list[Event[str]] = field(default_factory=list)
    sent: int = 0

    @property
    def organization(self) -> str:
        return self.client.organization

    @property
    def engine(self) -> Engine:
        return self.client.usage_sender.engine

    @property
    def now(self) -> datetime:
        return self.client.now

    @property
    def moment(self) -> Moment:
        directory = self.client.stack.directories.open(self.organization)
        return Moment.of(self.counted, self.zone_shown, directory)

    @property
    def zone_shown(self) -> str:
        """The zone of the days in reports: the directory's, once a rebuild has switched to it."""
        item = self.usage.get(keys.head(self.organization), "H")
        return UsageHead.from_item(item).zone if item else self.zone

    def begin(self, luck: Random) -> None:
        """Fill weeks with use: some sealed, some settled, some only folded, after rebuilds."""
        self.put(
            organization={"time_zone": self.zone},
            products=[
                {"id": app, "name": f"App {luck.randrange(9)}", "kind": "app"} for app in APPS
            ],
            departments=[{"id": SALES, "name": "Sales"}, {"id": OFFICE, "name": "Office"}],
            teams=[{"id": "core", "name": "Core"}],
        )
        for first, remade in ((0, APP), (3, TOTALS.id), (6, None)):
            self.put(users=[self.person(f"u{n}", luck) for n in range(first, first + 3)])
            self.client.later(timedelta(days=6, hours=5))
            self.arrive(luck, 16)
            self.fold(luck)
            if remade:
                self.settle(luck)
                self.remake(remade)

    def take(self, what: str, luck: Random) -> None:
        getattr(self, what)(luck)
        self.client.later(timedelta(seconds=luck.choice([1, 40, 700])))

    # events

    def arrive(self, luck: Random, count: int = 3) -> None:
        """Send some use: of now, of earlier days, and by unknown users."""
        batch = [self.some_use(luck) for _ in range(count)]
        body = [self.as_sent(event) for event in batch]
        reply = self.client.stack.call("POST", EVENTS, self.client.admin, headers=BATCH, body=body)
        too_old = {e["index"] for e in reply.json["errors"] if e["code"] == "time_too_old"}
        assert reply.json["accepted"] == count - len(too_old)
        self.accepted += [event for at, event in enumerate(batch) if at not in too_old]

    def some_use(self, luck: Random) -> Event[str]:
        """Small numbers, so that many tie; often right at the edge of a local day."""
        day = self.now.date() - timedelta(luck.choice([0, 0, 0, 1, 1, 2, 6, 8, 20, 45, 366]))
        seconds = luck.choice([-1, 0, 43_200, luck.randrange(86_400)])
        at = day_start(day, ZoneInfo(self.zone)) + timedelta(seconds=seconds)
        active_ms = luck.choice([0, 1, 1, 2, 3, 10, 2**40])
        return use(
            luck.choice([*self.names, STRANGER.format(luck.randrange(30))]),
            min(at, self.now),
            active_ms,
            luck.choice([0, 1, 5]) + (active_ms == 0),
            app=luck.choice([APP, APP, *APPS]),
            platform=luck.choice(["desktop", "web", None]),
        )

    def as_sent(self, event: Event[str]) -> dict[str, Any]:
        self.sent += 1
        measures = dict(zip(MEASURES, event.measures, strict=False))
        platform = {"platform": PLATFORM_NAMES[event.platform]} if event.platform else {}
        return usage_event(
            str(self.sent),
            source="test",
            subject=event.who,
            time=format_seconds(instant_at(event.second)),
            data={"product": event.product, **platform, **measures},
        )

    # the engine

    def fold(self, _: Random) -> None:
        """Fold all that was accepted; unknown users have an id from then on."""
        self.engine.fold_outstanding(self.organization, self.now)
        ids = self.names
        self.counted += [event._replace(who=ids[event.who]) for event in self.accepted]
        self.accepted.clear()

    def settle(self, _: Random) -> None:
        while self.engine.settle(self.organization, self.now):
            pass

    def rebuild(self, luck: Random) -> None:
        self.remake(luck.choice([ALL, APP, TOTALS.id]))

    def remake(self, what: str) -> None:
        """Rebuild the frames of a product, or all of them."""
        scope = what if what == ALL else f"{what}#{self.now.year}"
        self.engine.rebuilding.request(self.organization, scope, self.zone)
        while self.engine.rebuild(self.organization, self.now):
            pass

    def step(self, luck: Random) -> None:
        for _ in range(luck.randrange(1, 20)):
            self.engine.rebuild(self.organization, self.now)

    def retire(self, _: Random) -> None:
        while self.engine.retire(self.organization, self.now):
            pass

    def wait(self, luck: Random) -> None:
        self.client.later(timedelta(hours=luck.choice([1, 5, 5, 11, 11, 23])))
        self.expire(luck)

    def work(self, luck: Random) -> None:
        """Run every schedule once, after some hours."""
        self.wait(luck)
        for each in (self.fold, self.settle, self.rebuild, self.retire):
            each(luck)

    @property
    def frames(self) -> set[str]:
        """The partitions of frames."""
        return {item["pk"] for item in self.usage.everything() if "#R#" in item["pk"]}

    def expire(self, _: Random) -> None:
        """Remove expired items, and forget what was read before."""
        second, directory = epoch_second(self.now), process().table("directory")
        for item in list(self.usage.everything()):
            if item.get("ttl", second + 1) <= second:
                self.usage.delete(item["pk"], item["sk"])
        for stored in list(directory.query(self.organization, keys.BOTTOM, keys.TOP)):
            if int(str(stored.get("ttl", second + 1))) <= second:
                directory.delete(str(stored["pk"]), str(stored["sk"]))
        process.cache_clear()

    # the directory

    @property
    def names(self) -> Mapping[str, str]:
        """The ids of all users by each of their names."""
        directory = self.client.stack.directories.open(self.organization)
        columns = directory.columns("users", "names")
        return {
            name: id_
            for each in columns.values()
            for name, id_ in zip(each, columns["id"], strict=True)
        }

    def put(self, **document: Any) -> None:
        reply = self.client.stack.put(self.client.admin, document)
        assert reply.status == 200, reply
        assert {row["status"] for row in reply.json["results"]} <= TAKEN

    def person(self, user: str, luck: Random) -> dict[str, Any]:
        """A user with a random name, departments and team."""
        name = f"{luck.choice('aAbBcC')}{luck.randrange(10**6)}"
        departments = luck.sample([SALES, OFFICE], luck.randrange(3))
        team = luck.choice([None, "core"])
        return {"id": user, "username": name, "departments": departments, "team": team}

    def people(self, luck: Random) -> None:
        """Change the names, departments and teams of some users, and add one."""
        ids = sorted(set(self.names.values()))
        some = luck.sample(ids, 3)
        self.put(users=[self.person(user, luck) for user in (*some, f"v{luck.randrange(9)}")])

    def names_change(self, luck: Random) -> None:
        """Rename a department and an app."""
        word = f"{luck.choice('aAbB')}{luck.randrange(10**6)}"
        self.put(
            departments=[{"id": luck.choice([SALES, OFFICE]), "name": f"Of {word}"}],
            products=[{"id": luck.choice(APPS), "name": f"App {word}"}],
        )

    def move(self, luck: Random) -> None:
        """Change the time zone; the next settle notices."""
        self.zone = luck.choice(ZONES)
        self.put(organization={"time_zone": self.zone})
