"""Seats: who has one, and when they last used anything."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from odometer.directory.columns import Columns
from odometer.domain.people import State
from odometer.engine.read.last_used import ByUser
from odometer.reports.ranking import Direction, Ranking


class SeatStatus(StrEnum):
    """What becomes of a seat."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    NEVER_USED = "never_used"
    INVITED = "invited"
    DEACTIVATED = "deactivated"


class SeatOrder(StrEnum):
    """By what seats can be listed."""

    LAST_ACTIVE = "last_active"
    CREATED_AT = "created_at"
    USERNAME = "username"


NEVER: Final = 0
WITH_A_SEAT: Final = (State.REGISTERED, State.INVITED)


class SeatCounts(NamedTuple):
    """How many users have which status; those who are registered have a seat."""

    active: int
    inactive: int
    never_used: int
    invited: int

    @property
    def assigned(self) -> int:
        return self.active + self.inactive + self.never_used

    @classmethod
    def of(cls, statuses: Iterable[SeatStatus]) -> "SeatCounts":
        found = Counter(statuses)
        shown = (SeatStatus.ACTIVE, SeatStatus.INACTIVE, SeatStatus.NEVER_USED, SeatStatus.INVITED)
        return cls(*(found[each] for each in shown))


@dataclass(frozen=True, slots=True)
class Seats:
    """The users of a directory by ordinal, with what they used last."""

    columns: Columns
    last: ByUser
    since: int
    """The first second of the days in which who uses anything is active."""

    def status(self, user: int) -> SeatStatus:
        state = self.columns["state"][user]
        if state != State.REGISTERED:
            return SeatStatus.INVITED if state == State.INVITED else SeatStatus.DEACTIVATED
        last = self.second(user)
        if last == NEVER:
            return SeatStatus.NEVER_USED
        return SeatStatus.ACTIVE if last >= self.since else SeatStatus.INACTIVE

    def second(self, user: int) -> int:
        return self.last[user].second if user in self.last else NEVER

    def is_called(self, user: int, words: str) -> bool:
        """Whether the words are in a name of the user, in either case."""
        names = (self.columns[name][user] for name in ("username", "user_key"))
        return any(words in name.casefold() for name in names)

    def ranked(self, users: Sequence[int], order: SeatOrder, direction: Direction) -> Ranking:
        """Seats in order; those that were never used stand where the longest unused do."""
        ids = self.columns["id"]
        keys = self._keys(order, users)
        return Ranking(users, keys, direction, lambda some: [ids[user] for user in some])

    def _keys(self, order: SeatOrder, users: Sequence[int]) -> Sequence[Any]:
        if order is SeatOrder.LAST_ACTIVE:
            return list(map(self.second, users))
        if order is SeatOrder.CREATED_AT:
            return [self.columns["created_at"][user] for user in users]
        return [self.columns["username"][user].casefold() for user in users]


def chosen(
    statuses: Mapping[int, SeatStatus], state: State | None, status: SeatStatus | None
) -> list[int]:
    """Users in a state and with a status; without either, all who have a seat or are invited."""
    states = {SeatStatus.INVITED: State.INVITED, SeatStatus.DEACTIVATED: State.DEACTIVATED}
    wanted = WITH_A_SEAT if state is None and status is None else (state,) if state else State
    return [
        user
        for user, found in statuses.items()
        if states.get(found, State.REGISTERED) in wanted and status in (None, found)
    ]
