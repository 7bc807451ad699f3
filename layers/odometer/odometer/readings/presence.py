"""When users were last active: what was settled, and what has arrived since."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from odometer.domain.kinds import KINDS
from odometer.readings import keys
from odometer.readings.reading import View
from odometer.readings.shelf import Item, Span
from odometer.readings.standing import BLOCK, last_seconds

DESKTOP, WEB = (KINDS["app"].platforms.index(name) + 1 for name in ("desktop", "web"))
NEVER: Final = 0


class Presence(NamedTuple):
    """The last second in which a user was active, by platform; 0 for never."""

    desktop: int = NEVER
    web: int = NEVER

    @property
    def last(self) -> int:
        """The later of the two."""
        return max(self)


def presence(view: View, users: Collection[int]) -> Mapping[int, Presence]:
    """When some users were last active on any app, as the latest view has it."""
    blocks = sorted({user // BLOCK for user in users})
    pk = keys.activity(view.organization)
    spans = [Span(pk, keys.number(block), keys.number(block)) for block in blocks]
    settled = dict(zip(blocks, view.shelf.read(spans) if spans else (), strict=True))
    seconds = {place: _settled(settled, users, place) for place in (DESKTOP, WEB)}
    for event in (event for fold in view.tail for event in fold.events):
        if event.platform and event.who in seconds[event.platform]:
            of_platform = seconds[event.platform]
            of_platform[event.who] = max(of_platform[event.who], event.second)
    return {user: Presence(seconds[DESKTOP][user], seconds[WEB][user]) for user in users}


def _settled(
    settled: Mapping[int, list[Item]], users: Collection[int], platform: int
) -> dict[int, int]:
    columns = {
        block: last_seconds(item).get(platform)
        for block, items in settled.items()
        for item in items
    }
    found = {user: columns.get(user // BLOCK) for user in users}
    return {user: column[user % BLOCK] if column else NEVER for user, column in found.items()}
