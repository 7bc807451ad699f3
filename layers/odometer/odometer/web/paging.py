"""Pages of a chain: each page sees what the first page saw."""

from collections.abc import Collection, Mapping, Sequence

from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound
from odometer.engine.state import Gap
from odometer.services.usage import Usage
from odometer.web.cursors import Chain

LONGEST_CURSOR = 8_192
CURSOR = "The `next_cursor` of the page before; everything but the size of a page stays the same."
AHEAD = 8
"""So many rows that follow are told by a cursor: erasure would have to take all of them."""


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
