"""Cursors: where a chain of pages stands. The client keeps it; nothing is stored for it here.

A cursor names what page one was made from (the view of usage, the version of the directory), the
row that comes next and when the chain ends. It is signed together with what it belongs to, so that
it is worth nothing to another organization, route, period, order or filter.
"""

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import urlencode

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Fault, Invalid, NotFound
from odometer.domain.time import CURSOR_LIFE, SECOND, epoch_second
from odometer.engine.format.decisions import Gap
from odometer.services.usage import Usage
from odometer.web.messages import Request, takes_every_row
from odometer.web.models import PAGING, Query

HALF_A_DAY: Final = 12 * 3_600
LONGEST_CURSOR: Final = 8_192
"""More than the gateway lets through; nothing longer is looked at."""
TAG_BYTES: Final = 16
EXPIRED: Final = "Cursor expired"
CURSOR = "The `next_cursor` of the page before; everything but the size of a page stays the same."
AHEAD = 8
"""So many rows that follow are told by a cursor: erasure would have to take all of them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a chain stands: its next row, what it was made from, and when it ends."""

    row: int
    expires: int
    directory: int
    pin: Mapping[str, Any]
    ahead: Sequence[int] = field(default_factory=list)
    """The users who come next, in a chain of users."""
    erased: int = 0
    """How many users had been erased by then."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain that a request's page belongs to; without a mark, the page begins it."""

    key: bytes
    belongs_to: bytes
    asked: Mapping[str, Sequence[str]]
    now: int
    whole: bool = False
    """Whether this page is every row, so that none follows."""
    mark: Mark | None = None

    @classmethod
    def of(
        cls, key: bytes, now: datetime, organization: str, request: Request, query: Query
    ) -> Self:
        """The chain that a query is a page of; a cursor that is not of this query is a fault."""
        filters = query.model_dump(mode="json", exclude=set(PAGING))
        places = {name: value.lower() for name, value in request.parameters.items()}
        belongs_to = json.dumps([organization, type(query).__name__, places, filters])
        whole = takes_every_row(request)
        chain = cls(key, belongs_to.encode(), request.query, epoch_second(now), whole)
        cursor = getattr(query, "cursor", None)
        return chain if cursor is None else replace(chain, mark=chain.read(cursor))

    @property
    def row(self) -> int:
        """The first row of the page."""
        return self.mark.row if self.mark else 0

    def among(self, users: Sequence[int], erased: int) -> Self:
        """The chain among the users who are there yet: it goes on with the next of them.

        Should none of those be there whom the cursor names, it rather repeats a row than skip one.
        """
        if self.mark is None or erased == self.mark.erased:
            return self
        places = {user: place for place, user in enumerate(users)}
        least = max(0, self.mark.row - (erased - self.mark.erased))
        row = next((places[user] for user in self.mark.ahead if user in places), least)
        return replace(self, mark=replace(self.mark, row=row))

    def cursor(
        self,
        row: int,
        directory: int,
        pin: Mapping[str, Any],
        ahead: Sequence[int] = (),
        erased: int = 0,
    ) -> str:
        """The cursor of a later page; all of a chain end together."""
        expires = self.mark.expires if self.mark else self.now + CURSOR_LIFE // SECOND
        mark = asdict(Mark(row, expires, directory, pin, ahead, erased))
        body = zlib.compress(json.dumps(mark, separators=(",", ":")).encode(), 9)
        return urlsafe_b64encode(self._tag(body) + body).rstrip(b"=").decode()

    def read(self, cursor: str) -> Mark:
        """The mark of a cursor that was made here for this very chain."""
        content = decoded(cursor)
        tag, body = content[:TAG_BYTES], content[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body)):
            raise refused("Invalid cursor", cursor)
        mark = Mark(**json.loads(zlib.decompress(body)))
        if mark.expires <= self.now:
            raise refused(EXPIRED, cursor)
        return mark

    @property
    def expired(self) -> Invalid:
        """The fault of a cursor that names what is not there any more."""
        return refused(EXPIRED, self.asked["cursor"][-1])

    def link(self, cursor: str) -> str:
        """The next page, relative to this one."""
        return f'<?{urlencode({**self.asked, "cursor": cursor}, doseq=True)}>; rel="next"'

    def _tag(self, body: bytes) -> bytes:
        message = len(self.belongs_to).to_bytes(8, "big") + self.belongs_to + body
        return hmac.digest(self.key, message, "sha256")[:TAG_BYTES]


def leads_to(cursor: str) -> bytes:
    """What a cursor says, but for the moment: those of one half day that say the same are alike.

    So a page that a client has kept is like one made now, as long as its cursor lives for hours.
    """
    mark = json.loads(zlib.decompress(decoded(cursor)[TAG_BYTES:]))
    return json.dumps({**mark, "expires": mark["expires"] // HALF_A_DAY}).encode()


def decoded(cursor: str) -> bytes:
    """The bytes of a cursor; what is none has none."""
    try:
        letters = cursor.encode("ascii") if len(cursor) <= LONGEST_CURSOR else b""
        content = urlsafe_b64decode(letters + b"=" * (-len(letters) % 4))
    except ValueError:
        return b""
    return content if urlsafe_b64encode(content).rstrip(b"=") == letters else b""


def refused(message: str, cursor: str) -> Invalid:
    """The fault of a cursor that leads nowhere."""
    return Invalid(Fault("cursor", "cursor", message, cursor))


def begin(chain: Chain, usage: Usage) -> None:
    """See what the first page of the chain saw."""
    if chain.mark:
        try:
            usage.go_back(chain.mark.directory, chain.mark.pin)
        except (Gap, NotFound):
            raise chain.expired from None


def next_page(
    chain: Chain,
    usage: Usage,
    directory: Directory,
    products: Collection[str],
    shown: int,
    total: int,
    users: Sequence[int] = (),
) -> str | None:
    """The cursor of the page that follows, if one does; in a chain of users, with who they are."""
    row = chain.row + shown
    if chain.whole or row >= total:
        return None
    ahead, erased = users[row:][:AHEAD], len(directory.erased)
    return chain.cursor(row, directory.head.version, usage.pin(products), ahead, erased)


def headers_of(
    deprecation: Mapping[str, str], chain: Chain | None = None, cursor: str | None = None
) -> dict[str, str]:
    """What is said beside the answer; both kinds of link share a header."""
    links = [deprecation["Link"]] if deprecation else []
    links += [chain.link(cursor)] if chain and cursor else []
    return {**deprecation, **({"Link": ", ".join(links)} if links else {})}
