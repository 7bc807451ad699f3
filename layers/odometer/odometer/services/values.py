"""Usage by the values of breakdowns, as reports ask for it: by the texts that were sent."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from odometer.domain.errors import Corrupt
from odometer.domain.values import Values
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.values import ByValue, used_by_value
from odometer.services.usage import Usage

Sums = Mapping[str, int]
"""By measure."""


class BlockByValue(NamedTuple):
    """What was used in a block of time; what had no value is the total less `together`."""

    sums: Mapping[str, Sums]
    """By text; `other` has all that came after the 1,000th value."""
    together: Sums
    """Of all values, whichever were asked for."""


def usage_by_value(
    usage: Usage,
    products: Sequence[MeteredProduct],
    edges: Sequence[int],
    only: Collection[str] | None = None,
) -> list[BlockByValue]:
    """Of products by value (`MeteredProduct.by_value`), in each block between two edges.

    The sums of several products are added by the text of the value. Only some texts are answered if
    they are given; that changes nothing of what is read.
    """
    texts = Texts(usage, only)
    blocks = used_by_value(usage.view, products, edges)
    return [_block(texts, zip(products, block, strict=True)) for block in blocks]


def _block(texts: "Texts", used: Iterable[tuple[MeteredProduct, ByValue]]) -> BlockByValue:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    together = Counter[str]()
    for product, by_value in used:
        names = product.kind.measures
        together.update(dict(zip(names, by_value.together, strict=True)))
        for number, text in texts.asked(product, by_value.end):
            if any(measures := by_value.of(number)):
                sums[text].update(dict(zip(names, measures, strict=True)))
    return BlockByValue(sums, together)


@dataclass(frozen=True)
class Texts:
    """The texts of values. A number is of the same text for good, so they are those of now."""

    usage: Usage
    only: Collection[str] | None = None
    """The texts that are asked for; otherwise all."""
    _known: dict[str, Values] = field(default_factory=dict)

    def asked(self, product: MeteredProduct, end: int) -> list[tuple[int, str]]:
        """The numbers that are asked for, with their texts; all before an end are known."""
        known = self._known.get(product.id)
        if known is None or known.end < end:
            known = self._known[product.id] = self._values(product, end)
        return known.chosen(self.only)

    def _values(self, product: MeteredProduct, end: int) -> Values:
        """Some may have been registered after the directory was opened."""
        directory, breakdown = self.usage.directory, product.breakdown or ("", 0)
        values = directory.values(*breakdown)
        if values.end < end:
            directory = self.usage.directories.open(directory.organization.id)
            values = directory.values(*breakdown)
        if values.end < end:
            raise Corrupt(product.id)
        return values
