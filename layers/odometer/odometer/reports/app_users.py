"""The users of one app ranked by their published figures, and all users as they are listed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from odometer.directory.people import User
from odometer.engine.read.latest import LastActive
from odometer.engine.read.measuring import Used
from odometer.reports.figures import Metric, change_tenths, rounded_each
from odometer.reports.ranking import Direction, Key, in_order


class UserOrder(StrEnum):
    """The figures by which users can be ranked."""

    TIME = "avg_time"
    CHANGE = "avg_time_change"
    DAYS = "days_active"
    USERNAME = "username"


@dataclass(frozen=True, slots=True)
class AppUsers:
    """The published figures of every user of an app, by ordinal."""

    times: Mapping[int, int]
    """Average milliseconds per active day."""
    days: Sequence[int]
    compared: Mapping[int, int] | None
    """The same average in the comparison period, if there is one."""

    @classmethod
    def of(cls, used: Used, before: Used | None, among: Collection[int] | None) -> "AppUsers":
        compared = average_times(before, None) if before else None
        return cls(average_times(used, among), used.days_active, compared)

    def time(self, user: int) -> Metric:
        return Metric(self.times[user], self._compared(user))

    def change(self, user: int) -> int | None:
        return change_tenths(self.times[user], self._compared(user))

    def ranked(
        self, order: UserOrder, direction: Direction, ids: Sequence[str], names: Sequence[str]
    ) -> list[int]:
        keys: Mapping[UserOrder, Callable[[int], Key]] = {
            UserOrder.TIME: self.times.__getitem__,
            UserOrder.CHANGE: self.change,
            UserOrder.DAYS: self.days.__getitem__,
            UserOrder.USERNAME: lambda user: names[user].casefold(),
        }
        by_id = sorted(self.times, key=ids.__getitem__)
        return in_order(by_id, keys[order], direction)

    def _compared(self, user: int) -> int | None:
        return None if self.compared is None else self.compared.get(user, 0)


def average_times(used: Used, among: Collection[int] | None) -> dict[int, int]:
    """By user, the milliseconds per day on which they used the app."""
    users = used.among(among)
    columns = (used.measure("active_ms"), used.days_active)
    times, days = (map(column.__getitem__, users) for column in columns)
    return dict(zip(users, rounded_each(times, days), strict=True))


class PersonOrder(StrEnum):
    """By what users can be listed."""

    USERNAME = "username"
    LAST_ACTIVITY = "last_activity"
    CREATED = "created_at"


def list_users(
    users: Sequence[User],
    matches: Callable[[User], bool],
    last_active: Mapping[int, LastActive],
    order: PersonOrder,
    direction: Direction,
) -> list[User]:
    keys: Mapping[PersonOrder, Callable[[User], Key]] = {
        PersonOrder.USERNAME: lambda user: user.username.casefold(),
        PersonOrder.LAST_ACTIVITY: lambda user: last_active[user.ordinal].last or None,
        PersonOrder.CREATED: lambda user: user.created_at,
    }
    by_id = sorted(filter(matches, users), key=lambda user: user.id)
    return in_order(by_id, keys[order], direction)


def matcher(words: str, among: Collection[int] | None) -> Callable[[User], bool]:
    wanted = words.casefold()

    def matches(user: User) -> bool:
        named = wanted in user.username.casefold() or wanted in user.user_key.casefold()
        return named and (among is None or user.ordinal in among)

    return matches
