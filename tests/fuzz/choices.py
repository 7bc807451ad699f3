"""A case is some bytes that decide, one after the other, what is done to something real.

So a case can be repeated, shrunk and steered, whoever draws the bytes: a seeded generator here, a
fuzzer that is guided by coverage elsewhere. Where no bytes are left, the first of everything is
chosen.
"""

from collections.abc import Sequence
from typing import TypeVar

Option = TypeVar("Option")
CASE_BYTES = 96


class Choices:
    """The bytes of a case, read from the first to the last."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def below(self, end: int) -> int:
        """A number from 0 up to, but not including, the end."""
        size = ((end - 1).bit_length() + 7) // 8
        taken = self.some(size)
        return int.from_bytes(taken, "little") % end if taken else 0

    def of(self, options: Sequence[Option]) -> Option:
        return options[self.below(len(options))]

    def one_in(self, number: int) -> bool:
        """Perhaps; never where no bytes are left."""
        return self.below(number) == number - 1

    def some(self, count: int) -> bytes:
        """So many of the bytes themselves, or those that are left."""
        taken = self._content[self._at : self._at + count]
        self._at += count
        return taken
