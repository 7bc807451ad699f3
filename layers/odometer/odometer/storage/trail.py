"""The trail: who did what and when, one entry for each act, in the order in which it happened.

pk = organization#TRAIL   sk = 000000000041   an entry by its number; nobody changes or removes it
                          sk = LAST           the number of the last entry
                          sk = ONCE#name      an act that has its entry, where one is enough
                          sk = BACK#number    the last entry before a restored directory, and how
                                              many users that one knows
pk = TRAIL                the same, of the whole deployment

It is in the activity table, which no restore changes. An entry and the write that it tells of are
made together or not at all. Entries are numbered without gaps, each after the one before is there,
so whoever reads from a number on misses none, whatever clocks say.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final

from odometer.domain.acts import Act, Actor
from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored
from odometer.domain.time import epoch_ms, epoch_second, instant_of_ms
from odometer.engine.store import KeyRange
from odometer.storage.dynamo import Contested, Item, Table, Write, backoff, make_together

DEPLOYMENT: Final = ""
"""In place of an organization: what is done to all of them at once."""
LAST: Final = "LAST"
BACK: Final = "BACK#"
DIGITS: Final = 12
MOST_NOTED: Final = 10_000
TOP: Final = 10**DIGITS
ACTORS: Final = ("key_id", "user", "operator")
OBJECTS: Final = ("key_id", "user", "users", "details")


def partition_of(organization: str) -> str:
    return f"{organization}#TRAIL" if organization else "TRAIL"


def key_of_entry(number: int) -> str:
    return f"{number:0{DIGITS}d}"


@frozen
class Entry:
    """One act, as it was written down."""

    number: int
    at: datetime
    action: str
    """A later release may know more of them than this one."""
    by: Mapping[str, Any]
    """Who did it, in the words of `Actor`."""
    about: Mapping[str, Any]
    """To what, in the words of `Act`."""
    until: int
    """The second from which it is not kept any more."""

    def known_by(self, directory: Iterable[tuple[int, int]]) -> "Entry":
        """The entry without numbers of users that a restored directory has given to others."""
        least = min((users for number, users in directory if number >= self.number), default=None)
        if least is None:
            return self
        return replace(self, by=known(self.by, least), about=known(self.about, least))

    @classmethod
    @stored
    def from_item(cls, item: Mapping[str, Any]) -> "Entry":
        told = item["told"]
        by = {name: told.get(f"by_{name}") for name in ACTORS}
        about = {name: told[name] for name in OBJECTS if name in told}
        numbers = [by["user"], about.get("user"), *about.get("users", ())]
        require(all(number is None or type(number) is int for number in numbers))
        number, at = int(item["sk"]), instant_of_ms(told["at"])
        return cls(number, at, str(told["action"]), by, about, int(item["ttl"]))


def known(said: Mapping[str, Any], users: int) -> Mapping[str, Any]:
    """What an entry says, with the numbers of the first users only."""
    one, several = said.get("user"), said.get("users", ())
    user = one if one is not None and one < users else None
    return {**said, "user": user, "users": [each for each in several if each < users]}


def told_of(act: Act, actor: Actor) -> Item:
    """What an entry says, without what has nothing to say; policies know its one attribute."""
    by = {f"by_{name}": getattr(actor, name) for name in ACTORS}
    about = {name: getattr(act, name) for name in OBJECTS}
    about |= {"users": list(act.users), "details": dict(act.details)}
    said = {name: value for name, value in {**by, **about}.items() if value not in (None, [], {})}
    mark = secrets.token_hex(8)
    return {"action": str(act.action), "at": epoch_ms(actor.at), "mark": mark, **said}


@frozen
class TrailStore:
    """The trails of all organizations."""

    table: Table
    noted: set[str] = field(default_factory=set)
    """What has its one entry, as far as this process knows."""

    def note(self, name: str) -> None:
        if len(self.noted) >= MOST_NOTED:
            self.noted.clear()
        self.noted.add(name)

    def last(self, organization: str) -> int:
        """The number of the last entry; 0 where there is none."""
        found: Any = self.table.get(partition_of(organization), LAST)
        return found["number"] if found else 0

    def went_back(self, organization: str) -> list[tuple[int, int]]:
        """Up to which entries a restored directory knows only so many users."""
        pk = partition_of(organization)
        items: Any = self.table.query(pk, BACK, f"{BACK}~", consistent=True)
        return [(int(each["sk"].removeprefix(BACK)), each["users"]) for each in items]

    def entries(
        self, organization: str, numbers: range, most: int, *, newest_first: bool
    ) -> Iterator[Entry]:
        """The entries with some numbers, those included that are to be removed."""
        first, last = map(key_of_entry, (numbers.start, numbers.stop - 1))
        pk, strong = partition_of(organization), True
        wanted = KeyRange(pk, first, last, strong, most, newest_first)
        return map(Entry.from_item, chain.from_iterable(self.table.pages(wanted)))


@dataclass
class Trail:
    """The trail of one organization, for one who acts now."""

    store: TrailStore
    organization: str
    actor: Actor
    end: Future[int] | None = None
    """The number of the last entry, where it is asked for already."""

    def commit(self, act: Act, *writes: Write) -> bool:
        """Make some writes and the entry that tells of them, all at once or not at all.

        False if the condition of a write does not hold; whoever was faster with an entry alone is
        followed.
        """
        until = epoch_second(self.actor.kept_until)
        entry: Item = {"pk": self._pk, "told": told_of(act, self.actor), "ttl": until}
        for pause in backoff():
            number = self._last() + 1
            entry["sk"] = key_of_entry(number)
            try:
                failed = make_together([*writes, *self._append(entry, number)])
            except Contested:
                failed = [len(writes)]
            if not failed or (len(writes) in failed and self._is_stored(entry)):
                return True
            if min(failed) < len(writes):
                return False
            pause()
        raise Unavailable(self._pk)

    def commit_once(self, act: Act, name: str, until: datetime, *writes: Write) -> None:
        """Make writes and an entry unless one of that name was made before."""
        note: Item = {"pk": self._pk, "sk": f"ONCE#{name}", "ttl": epoch_second(until)}
        known = f"{self._pk} {name}"
        if known not in self.store.noted:
            self.commit(act, self.store.table.write_new(note), *writes)
            self.store.note(known)

    def forgetting(self, users: int) -> list[Write]:
        """Say that numbers from one on may be given to others, whoever entries up to here mean."""
        last = self.store.last(self.organization)
        note: Item = {"pk": self._pk, "sk": f"{BACK}{key_of_entry(last)}", "users": users}
        return [self.store.table.write_new(note)]

    @property
    def _pk(self) -> str:
        return partition_of(self.organization)

    def _append(self, entry: Item, number: int) -> Iterator[Write]:
        last: Item = {"pk": self._pk, "sk": LAST, "number": number}
        table = self.store.table
        yield table.write_new(entry)
        yield table.write_new(last) if number == 1 else table.write_if(last, "number", number - 1)

    def _last(self) -> int:
        """The number of the last entry; what was asked for ahead is good for one try."""
        ahead, self.end = self.end, None
        return ahead.result() if ahead else self.store.last(self.organization)

    def _is_stored(self, entry: Item) -> bool:
        """Whether an entry is stored after all: its answer was lost, and it was sent again."""
        found: Any = self.store.table.get(self._pk, str(entry["sk"]))
        told: Any = entry["told"]
        return found is not None and found["told"]["mark"] == told["mark"]


class SeldomTrail(Trail):
    """The trail for one who seldom writes, so that nothing of it is asked for ahead."""
