"""Which users have a name, found without the names: a process keeps 8 bytes for each of them."""

import secrets
from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Final, TypeVar

from odometer.directory.columns import NAMES, Block, Columns
from odometer.domain.stored import stored

MEGABYTE: Final = 1024 * 1024
KEPT_BYTES: Final = 64 * MEGABYTE
"""Those of 2,700,000 users with three names each."""
DIGEST_BYTES: Final = 8
AT_ONCE: Final = 16
"""So many blocks are read at once, so that few names are in memory."""

Member = TypeVar("Member")
Read = Callable[[Sequence[Block]], Mapping[Block, Columns]]


class NameDigests:
    """The digests of the names in blocks that a process has read; a block never changes.

    The digests' key is a process's own, so nobody can send two names with one digest; two of a
    million users' names have one by chance once in four million processes.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._key = secrets.token_bytes(16)
        self._most_bytes = most_bytes
        self.kept_bytes = 0
        self._kept: OrderedDict[tuple[str, Block], tuple[str, array[int]]] = OrderedDict()

    def find(
        self, organization: str, commits: Mapping[Block, str], names: Collection[str], read: Read
    ) -> Iterator[tuple[str, int]]:
        """Every name that is in some blocks, with the numbers of the rows that have it."""
        wanted = {self._digest(name): name for name in names if name}
        looked_for = frozenset(wanted)
        for block, digests in self._digests(organization, commits, read):
            if hits := looked_for.intersection(digests):
                rows = len(digests) // len(NAMES)
                for place, digest in enumerate(digests):
                    if digest in hits:
                        yield wanted[digest], block.rows.start + place % rows

    def unread(self, organization: str, commits: Mapping[Block, str]) -> list[Block]:
        """The blocks that a search would read."""
        kept = {block: self._kept.get((organization, block), ("",))[0] for block in commits}
        return [block for block, commit in commits.items() if kept[block] != commit]

    def _digests(
        self, organization: str, commits: Mapping[Block, str], read: Read
    ) -> Iterator[tuple[Block, "array[int]"]]:
        for some in groups(commits):
            known = {
                block: kept[1]
                for block in some
                if (kept := self._kept.get((organization, block))) and kept[0] == commits[block]
            }
            if missing := [block for block in some if block not in known]:
                known |= {block: self._of(columns) for block, columns in read(missing).items()}
            for block in some:
                self._keep((organization, block), commits[block], known[block])
                yield block, known[block]

    @stored
    def _of(self, columns: Columns) -> "array[int]":
        return array("Q", [self._digest(name) for column in NAMES for name in columns[column]])

    def _digest(self, name: str) -> int:
        content = name.encode(errors="surrogatepass")
        digest = blake2b(content, digest_size=DIGEST_BYTES, key=self._key).digest()
        return int.from_bytes(digest, "big")

    def _keep(self, place: tuple[str, Block], commit: str, digests: "array[int]") -> None:
        """Keep the digests of a block, dropping those that were not used for longest."""
        if before := self._kept.pop(place, None):
            self.kept_bytes -= len(before[1]) * DIGEST_BYTES
        self._kept[place] = commit, digests
        self.kept_bytes += len(digests) * DIGEST_BYTES
        while self.kept_bytes > self._most_bytes:
            _, (_, dropped) = self._kept.popitem(last=False)
            self.kept_bytes -= len(dropped) * DIGEST_BYTES


def groups(members: Iterable[Member]) -> Iterator[list[Member]]:
    left = iter(members)
    while some := list(islice(left, AT_ONCE)):
        yield some
