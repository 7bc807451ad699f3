"""Values of breakdowns and their numbers, by which the engine counts them.

0 is none, 1 is `other`, from 2 on they are values in the order in which they were registered. A
number is for good: what came after the last value that is registered counts as `other`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

NONE: Final = 0
OTHER: Final = 1
FIRST: Final = 2
MOST_VALUES: Final = 1_000
"""An organization has so many values of a breakdown; later ones count as `other`."""
ROWS: Final = FIRST + MOST_VALUES
OTHER_TEXT: Final = "other"


class SentValue(NamedTuple):
    """A text that an event of a product has at one place of the breakdowns of its kind."""

    product: str
    place: int
    text: str


@dataclass(frozen=True)
class Values:
    """The values of one breakdown, in the order in which they were registered."""

    texts: Sequence[str] = ()

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        named = {text: number for number, text in enumerate(self.texts, FIRST)}
        return {**named, "": NONE, OTHER_TEXT: OTHER}

    def number(self, text: str) -> int | None:
        """The number of a text; None while it is to be registered."""
        is_full = len(self.texts) >= MOST_VALUES
        return self._numbers.get(text, OTHER if is_full else None)

    @property
    def end(self) -> int:
        """All numbers before this one are known."""
        return FIRST + len(self.texts)

    def chosen(self, texts: Collection[str] | None = None) -> list[tuple[int, str]]:
        """The numbers of some texts, or of all, `other` among them."""
        known = enumerate((OTHER_TEXT, *self.texts), OTHER)
        return [(number, text) for number, text in known if texts is None or text in texts]

    def with_new(self, texts: Iterable[str]) -> "Values":
        """These and all of some texts that are new, as far as there is room for them."""
        new = dict.fromkeys(text for text in texts if self.number(text) is None)
        return Values([*self.texts, *islice(new, MOST_VALUES - len(self.texts))])
