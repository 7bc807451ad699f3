"""Cursors and pages: a cursor says where a chain of pages stands. The client keeps it.

A cursor names what page one was made from (the view of usage, the version of the directory), the
row that comes next and when the chain ends. It is signed together with what it belongs to, so that
it is worth nothing to another organization, embed token, route, period, order or filter.
"""

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, Self
from urllib.parse import urlencode

from pydantic import Field

from odometer.directory.snapshot import Directory
from odometer.domain.errors import Corrupt, Fault, Invalid, NotFound
from odometer.domain.frozen import frozen
from odometer.domain.stored import inflated, require, stored
from odometer.domain.time import CURSOR_LIFE, SECOND, epoch_second
from odometer.engine.format.decisions import Gap
from odometer.services.usage import Usage
from odometer.web.fields import Text
from odometer.web.messages import Request, wants_all_rows
from odometer.web.models import PAGING, Query

HALF_LIFE_SECONDS: Final = CURSOR_LIFE // 2 // SECOND
LONGEST_CURSOR: Final = 8_192
"""More than the gateway lets through; nothing longer is looked at."""
LARGEST_MARK: Final = 2**17
"""Bytes of what a cursor says; the largest head with all that a cursor keeps of it has a tenth."""
TAG_BYTES: Final = 16
EXPIRED: Final = "Cursor expired"
NEXT = "The `next_cursor` of the page before; everything but the size of a page stays the same."
CursorParameter = Annotated[Annotated[str, Text(LONGEST_CURSOR)] | None, Field(description=NEXT)]
USERS_NAMED = 8
"""A cursor names the next 8 users, so that it finds its place again after an erasure."""


class Mark(NamedTuple):
    """Where a chain stands: its next row, what it was made from, and when it ends."""

    row: int
    expires: int
    directory: int
    pin: Mapping[str, Any]
    ahead: Sequence[int] = ()
    """The users who come next, in a chain of users."""
    erased: int = 0
    """How many users had been erased by then."""


@frozen
class Chain:
    """The chain that a request's page belongs to; without a mark, the page begins it."""

    keys: Sequence[bytes]
    """The first one signs; each of them may have signed what is read."""
    belongs_to: bytes
    query: Mapping[str, Sequence[str]]
    now: int
    all_rows: bool = False
    """Whether this page is every row, so that none follows."""
    mark: Mark | None = None

    @classmethod
    def of(
        cls, keys: Sequence[bytes], now: datetime, reach: str, request: Request, query: Query
    ) -> Self:
        """The chain that a query is a page of; a cursor that is not of this query is a fault."""
        filters = query.model_dump(mode="json", exclude=set(PAGING))
        places = {name: value.lower() for name, value in request.parameters.items()}
        belongs_to = json.dumps([reach, type(query).__name__, places, filters])
        all_rows = wants_all_rows(request)
        chain = cls(keys, belongs_to.encode(), request.query, epoch_second(now), all_rows)
        cursor = getattr(query, "cursor", None)
        return chain if cursor is None else replace(chain, mark=chain.read(cursor))

    @property
    def row(self) -> int:
        return self.mark.row if self.mark else 0

    @property
    def began(self) -> int:
        """The second in which its first page was asked for."""
        return self.mark.expires - CURSOR_LIFE // SECOND if self.mark else self.now

    def after_erasures(self, users: Iterable[int], erased: int) -> Self:
        """The chain at the first of the users named by the cursor who has not been erased.

        If all of them were erased, the page may repeat rows but never skips one. A cursor that
        names few names all who were left, so that nobody is left then.
        """
        if self.mark is None or erased == self.mark.erased:
            return self
        places = {user: place for place, user in enumerate(users)}
        ahead, others = self.mark.ahead, erased - self.mark.erased - len(self.mark.ahead)
        least = len(places) if len(ahead) < USERS_NAMED else max(0, self.mark.row - others)
        row = next((places[user] for user in ahead if user in places), least)
        return replace(self, mark=self.mark._replace(row=row))

    def cursor(
        self,
        row: int,
        directory: int,
        pin: Mapping[str, Any],
        ahead: Sequence[int] = (),
        erased: int = 0,
    ) -> str:
        """The cursor of a later page; all cursors of a chain expire together."""
        expires = self.mark.expires if self.mark else self.now + CURSOR_LIFE // SECOND
        mark = Mark(row, expires, directory, pin, ahead, erased)._asdict()
        body = zlib.compress(json.dumps(mark, separators=(",", ":")).encode(), 9)
        return urlsafe_b64encode(self._tag(body, self.keys[0]) + body).rstrip(b"=").decode()

    def read(self, cursor: str) -> Mark:
        """The mark of a cursor; one that was made for another chain is refused."""
        content = bytes_of(cursor)
        tag, body = content[:TAG_BYTES], content[TAG_BYTES:]
        if not any(hmac.compare_digest(tag, self._tag(body, key)) for key in self.keys):
            raise cursor_fault("Invalid cursor", cursor)
        try:
            mark = mark_in(body)
        except Corrupt:  # it is ours, of another release
            raise cursor_fault("Invalid cursor", cursor) from None
        if mark.expires <= self.now:
            raise cursor_fault(EXPIRED, cursor)
        return mark

    @property
    def expired(self) -> Invalid:
        return cursor_fault(EXPIRED, self.query["cursor"][-1])

    def link(self, cursor: str) -> str:
        return link_to(self.query, cursor)

    def _tag(self, body: bytes, key: bytes) -> bytes:
        message = len(self.belongs_to).to_bytes(8) + self.belongs_to + body
        return hmac.digest(key, message, "sha256")[:TAG_BYTES]


@stored
def mark_in(body: bytes) -> Mark:
    mark = Mark(**json.loads(inflated(body, LARGEST_MARK)))
    numbers = [mark.row, mark.expires, mark.directory, mark.erased, *mark.ahead]
    require({type(number) for number in numbers} == {int} and isinstance(mark.pin, dict))
    return mark


@stored
def content_without_expiry(cursor: str) -> bytes:
    """The cursor's content without its exact expiry, so that a page's ETag stays the same.

    The half day in which it expires stays: a page that a client has kept has hours to live.
    """
    mark = json.loads(inflated(bytes_of(cursor)[TAG_BYTES:], LARGEST_MARK))
    return json.dumps({**mark, "expires": mark["expires"] // HALF_LIFE_SECONDS}).encode()


def bytes_of(cursor: str) -> bytes:
    try:
        letters = cursor.encode("ascii") if len(cursor) <= LONGEST_CURSOR else b""
        content = urlsafe_b64decode(letters + b"==")
    except ValueError:
        return b""
    return content if urlsafe_b64encode(content).rstrip(b"=") == letters else b""


def cursor_fault(message: str, cursor: str) -> Invalid:
    return Invalid(Fault("cursor", "cursor", message, cursor))


def restore_view(chain: Chain, usage: Usage) -> None:
    """Show the usage and the directory that the first page of the chain was made from."""
    if chain.mark:
        try:
            usage.go_back(chain.mark.directory, chain.mark.pin)
        except (Gap, NotFound):
            raise chain.expired from None


def next_cursor(
    chain: Chain,
    usage: Usage,
    directory: Directory,
    products: Collection[str],
    shown: int,
    total: int,
    ahead: Sequence[int] = (),
) -> str | None:
    """The cursor of the page after one, which begins with the users that are ahead."""
    row = chain.row + shown
    if chain.all_rows or row >= total:
        return None
    pin, erased = usage.pin(products), len(directory.erased)
    return chain.cursor(row, directory.head.version, pin, ahead[:USERS_NAMED], erased)


def link_to(query: Mapping[str, Sequence[str]], cursor: str) -> str:
    return f'<?{urlencode({**query, "cursor": cursor}, doseq=True)}>; rel="next"'


def next_link(query: Mapping[str, Sequence[str]], place: int | str | None) -> dict[str, str]:
    """The header with the next page of rows that have their places for good."""
    return {"Link": link_to(query, str(place))} if place else {}


def link_headers(
    deprecation: Mapping[str, str], chain: Chain | None = None, cursor: str | None = None
) -> dict[str, str]:
    """The headers of a deprecation and of the next page, whose links share one header."""
    links = [deprecation["Link"]] if deprecation else []
    links += [chain.link(cursor)] if chain and cursor else []
    return {**deprecation, **({"Link": ", ".join(links)} if links else {})}
