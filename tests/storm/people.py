"""What one process knows of its own people: what they used, and where they are."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate

from tests.storm.plan import LEAVERS, USERS, Place, Use


@dataclass
class Tally:
    """What somebody used of a product: all that was sent, and what was answered, by when."""

    sent: int = 0
    answered_at: list[float] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def take(self, value: int, now: float) -> None:
        self.answered_at.append(now)
        self.values.append(value)

    def waits_since(self, shown: int) -> float | None:
        """When the first was answered of what is not in a figure yet; None if all is."""
        place = bisect_right([*accumulate(self.values)], shown)
        return self.answered_at[place] if place < len(self.values) else None

    def by(self, instant: float) -> int:
        """What had been answered by an instant."""
        return sum(self.values[: bisect_right(self.answered_at, instant)])


@dataclass
class People:
    """The users of an organization whose usage this process sends."""

    place: Place
    process: int
    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    """By user and product."""
    last_sent: dict[str, float] = field(default_factory=dict)
    teams: dict[str, str | None] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    team_count: int = 0
    erased: list[str] = field(default_factory=list)
    leaving: int = 0
    """The number of the next one to be erased."""
    rests: str | None = None
    """Who is sent no more usage of, so that it can all be counted before they are erased."""

    @property
    def users(self) -> list[str]:
        """Everybody who may be sent usage of now."""
        stay = [self.place.user(self.process, number) for number in range(USERS)]
        numbers = range(self.leaving, min(self.leaving + 2, LEAVERS))
        leave = [self.place.leaver(self.process, number) for number in numbers]
        return stay + [name for name in leave if name != self.rests]

    @property
    def leaver(self) -> str | None:
        """Who is to be erased next, if anything was sent of them."""
        name = self.place.leaver(self.process, self.leaving)
        return name if self.leaving < LEAVERS and name in self.last_sent else None

    def tally(self, user: str, product: str) -> Tally:
        return self.tallies[user, product]

    def send(self, use: Use, now: float) -> None:
        self.tally(use.user, use.product).sent += use.headline
        self.last_sent[use.user] = now

    def take(self, use: Use, now: float) -> None:
        self.tally(use.user, use.product).take(use.headline, now)

    def answered_of(self, product: str, instant: float) -> int:
        """What had been answered of a product by an instant."""
        mine = [tally for (_, name), tally in self.tallies.items() if name == product]
        return sum(tally.by(instant) for tally in mine)
