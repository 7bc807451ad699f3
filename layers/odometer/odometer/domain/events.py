"""One reported use of a product, and what makes it the same event when it is sent again."""

from datetime import date
from hashlib import blake2b
from typing import Final, Generic, NamedTuple, TypeVar

from odometer.domain.kinds import KINDS

Who = TypeVar("Who", str, int)

DIGEST_BYTES: Final = 12
_DAY_SECONDS: Final = 86_400
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
MEASURES: Final = max(len(kind.measures) for kind in KINDS.values())


class Event(NamedTuple, Generic[Who]):
    """What one user did with one product in one second.

    `who` is a subject as it was sent, and an ordinal once the directory knows the user.
    """

    who: Who
    product: str
    source: str
    second: int
    """Whole seconds since 1970, cut from the time of the event."""
    platform: int
    """0, or the place of the platform among those of the kind, counted from 1."""
    measures: tuple[int, ...]
    """In the order of the kind, filled up with zeros to `MEASURES`."""
    digest: bytes

    @property
    def identity(self) -> tuple[date, bytes]:
        """What an organization counts once, whatever else is sent under it."""
        return utc_date(self.second), self.digest


def digest_of(source: str, event_id: str) -> bytes:
    """The part of an event's identity that its sender gives."""
    name = source.encode()
    return blake2b(b"%d:%s%s" % (len(name), name, event_id.encode()), digest_size=12).digest()


def utc_date(second: int) -> date:
    return date.fromordinal(_FIRST_DAY + second // _DAY_SECONDS)
