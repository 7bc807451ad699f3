"""The trail on the wire: entries by their numbers, with the names that users have now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator

from odometer.access.policy import Caller
from odometer.directory.snapshot import Directory
from odometer.domain.acts import Action
from odometer.domain.errors import NotFound
from odometer.domain.time import epoch_second, format_millis
from odometer.reports.ranking import Direction
from odometer.services.tasks import Tasks
from odometer.storage.trail import DEPLOYMENT, TOP, Entry, TrailStore
from odometer.web.cursors import next_link
from odometer.web.fields import Choice, Instant, Text, Whole, refuse
from odometer.web.messages import Request
from odometer.web.models import Answer, Strict, Timestamp
from odometer.web.report import Report, columns_of

LARGEST_PAGE: Final = 1000
MOST_READ: Final = 2000
"""So many entries a request reads at most, however few of them are asked for."""


class Whose(StrEnum):
    """Whose trail."""

    ORGANIZATION = "organization"
    DEPLOYMENT = "deployment"


class TrailQuery(Strict):
    """Which entries, and in which order."""

    in_pages: ClassVar[bool] = True

    of: Annotated[Whose, Choice()] = Field(
        Whose.ORGANIZATION,
        description="What was done in the organization, or by operators to all organizations of "
        "the deployment.",
    )
    start: Annotated[datetime, Instant()] | None = Field(
        None, alias="from", description="Only what was done at this instant or later."
    )
    end: Annotated[datetime, Instant()] | None = Field(
        None, alias="to", description="Only what was done before this instant."
    )
    action: Annotated[Action, Choice()] | None = Field(None, description="Only what was done so.")
    key: Annotated[str, Text(64)] | None = Field(
        None, description="Only what was done with this key, or to it, by its id."
    )
    actor: Annotated[str, Text(128)] | None = Field(
        None, description="Only what was done with keys of this user, by id."
    )
    order: Annotated[Direction, Choice()] = Field(
        Direction.DESCENDING, description="Newest first, or oldest first."
    )
    limit: Annotated[int, Whole(1, LARGEST_PAGE)] = Field(100, description="Entries on a page.")
    cursor: Annotated[int, Whole(1, TOP - 1)] | None = Field(
        None,
        description="The number of an entry: go on after it, in the order that is asked for. It "
        "never expires, so whoever asks for the oldest first after the last number that they have "
        "follows the trail and misses nothing.",
    )

    @field_validator("end")
    @classmethod
    def _in_order(cls, end: datetime | None, earlier: ValidationInfo) -> datetime | None:
        start = earlier.data.get("start")
        if start and end and end <= start:
            raise refuse("order", "to must be after from")
        return end

    @property
    def newest_first(self) -> bool:
        return self.order is Direction.DESCENDING

    @property
    def numbers(self) -> range:
        if self.newest_first:
            return range(1, self.cursor or TOP)
        return range((self.cursor or 0) + 1, TOP)

    @property
    def most(self) -> int:
        """How many entries are read: more than are shown where others are passed over."""
        chosen = (self.start, self.end, self.action, self.key, self.actor)
        return self.limit if not any(chosen) else MOST_READ

    def wants(self, entry: Entry, actor: int | None, now: datetime) -> bool:
        """Whether an entry is kept, and asked for."""
        return (
            entry.until > epoch_second(now)
            and (self.start is None or entry.at >= self.start)
            and (self.end is None or entry.at < self.end)
            and self.action in (None, entry.action)
            and self.key in (None, entry.by["key_id"], entry.about.get("key_id"))
            and actor in (None, entry.by["user"])
        )


class ActorKind(StrEnum):
    """By whom something was done."""

    KEY = "key"
    OPERATOR = "operator"


class TrailActor(Answer):
    """Who did it: a user with a key, or an operator of the deployment."""

    kind: ActorKind
    key_id: str | None
    user: str | None


class TrailEntry(Answer):
    """Something that was done; a user who was erased since is null."""

    number: int
    at: Timestamp
    action: str
    actor: TrailActor
    key_id: str | None
    user: str | None
    users: list[str]
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry, ids: Mapping[int | None, str]) -> "TrailEntry":
        by, about = entry.by, entry.about
        kind = ActorKind.KEY if by["key_id"] else ActorKind.OPERATOR
        return cls(
            number=entry.number,
            at=format_millis(entry.at),
            action=entry.action,
            actor=TrailActor(kind=kind, key_id=by["key_id"], user=ids.get(by["user"])),
            key_id=about.get("key_id"),
            user=ids.get(about.get("user")),
            users=[ids[each] for each in about.get("users", ()) if each in ids],
            details=about.get("details", {}),
        )


class TrailPage(Answer):
    """A page of the trail; the next one goes on after the number that is its cursor."""

    data: list[TrailEntry]
    next_cursor: int | None


COLUMNS: Final = [name for name in columns_of(TrailEntry) if name != "details"]


def trail(
    query: TrailQuery,
    trails: TrailStore,
    directory: Directory,
    caller: Caller,
    request: Request,
    tasks: Tasks,
    now: datetime,
) -> Report[TrailPage]:
    whose = caller.organization if query.of is Whose.ORGANIZATION else DEPLOYMENT
    before = tasks.begin(lambda: trails.went_back(whose))
    actor = None if query.actor is None else number_of(query.actor, directory)
    read = trails.entries(whose, query.numbers, query.most + 1, newest_first=query.newest_first)
    known = (entry.known_by(before.result()) for entry in read)
    found, following = page_of(known, query, actor, now)
    ids = ids_of(found, directory)
    page = TrailPage(data=[TrailEntry.of(each, ids) for each in found], next_cursor=following)
    return Report(
        page,
        lambda: page.data,
        columns=COLUMNS,
        narrowed_by=("limit",),
        headers=next_link(request.query, following),
        cursor_expires=False,
    )


def number_of(user_id: str, directory: Directory) -> int:
    user = directory.user_by_id(user_id)
    if user is None:
        raise NotFound(user_id, "actor")
    return user.ordinal


def page_of(
    read: Iterator[Entry], query: TrailQuery, actor: int | None, now: datetime
) -> tuple[list[Entry], int | None]:
    """The entries of a page, and the number that it ends with if there are more."""
    found: list[Entry] = []
    for passed, entry in enumerate(read, 1):
        found += [entry] if query.wants(entry, actor, now) else []
        if query.limit == len(found) or passed == query.most:
            return found, entry.number if next(read, None) else None
    return found, None


def ids_of(entries: Sequence[Entry], directory: Directory) -> Mapping[int | None, str]:
    """The ids of the users whom entries name, as far as they are there and not erased."""
    known = directory.head.sizes["users"]
    numbers = sorted({number for number in chain(*map(named, entries)) if number < known})
    users = zip(numbers, directory.names_at(numbers), strict=True)
    return {number: names["id"] for number, names in users if names["id"]}


def named(entry: Entry) -> Iterable[int]:
    each = (entry.by["user"], entry.about.get("user"), *entry.about.get("users", ()))
    return (number for number in each if number is not None)
