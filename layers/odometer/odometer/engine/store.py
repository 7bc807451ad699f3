"""The storage that the engine needs: items with two keys, and the numbers of users and values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from odometer.domain.values import SentValue

Item = Mapping[str, Any]
"""`pk` and `sk` are text; the rest is text, whole numbers or bytes."""


Made = TypeVar("Made")


class KeyRange(NamedTuple):
    """Items of one partition in the order of their sort keys, both ends included."""

    pk: str
    first: str
    last: str
    strong: bool = True
    limit: int | None = None
    newest_first: bool = False
    """From the last sort key to the first."""


class PagesOf(NamedTuple, Generic[Made]):
    """A key range, and what to make of its pages, which are never in memory together."""

    key_range: KeyRange
    make: Callable[[Iterator[list[Item]]], Made]


def items_of(pages: Iterator[list[Item]]) -> list[Item]:
    return list(chain.from_iterable(pages))


class Store(Protocol):
    """A table. Each put is one write of one item; there are no transactions."""

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, as it is now."""

    def get_each(self, pk: str, sks: Sequence[str]) -> list[Item | None]:
        """Several items of one partition, as they are now."""

    def read(self, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
        """The items of every key range, in order; a strong range sees all that was put."""

    def pages(self, key_range: KeyRange) -> Iterator[list[Item]]:
        """The items of a key range, in order, about a megabyte at a time."""

    def pages_of_each(self, several: Sequence[PagesOf[Made]]) -> list[Made]:
        """What is made of the pages of each key range; several are read at once."""

    def put(self, item: Item) -> None:
        """Store an item that is the same whoever writes it."""

    def put_all(self, items: Iterable[Item]) -> None:
        """Store items as `put` does, many at once and in any order."""

    def put_new(self, item: Item) -> bool:
        """Store an item unless its key is taken; whether it was stored."""

    def put_newer(self, item: Item, by: str) -> bool:
        """Store an item unless the stored one has an attribute, and as much or more of it."""

    def put_all_newer(self, items: Iterable[Item], by: str) -> None:
        """Store items as `put_newer` does, many at once and in any order."""

    def delete(self, pk: str, sk: str) -> None:
        """Remove an item, if it is there."""

    def delete_all(self, keys: Iterable[tuple[str, str]]) -> None:
        """Remove the items of these keys, as far as they are there, many at once."""


class SubjectDirectory(Protocol):
    """Knows which user a subject is."""

    def ordinals(self, organization: str, subjects: Sequence[str], at: int) -> Mapping[str, int]:
        """The ordinal of every subject; an unknown one is registered as of that second.

        Those that cannot be registered are left out.
        """

    def values(
        self, organization: str, sent: Sequence[SentValue], at: int
    ) -> Mapping[SentValue, int]:
        """The number of every value; an unknown one is registered as of that second.

        It is 0 where the kind of the product has no such breakdown.
        """
