"""Figures by the values of a breakdown: sums of what events said they were, and of the rest.

Values have no users. What had no value is the total less the sum of all values.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import sub
from typing import Any

from odometer.engine.read.tallies import Measured
from odometer.engine.read.values import ByValue, by_value_in_rounds
from odometer.engine.rounds import Steps, in_rounds, side_by_side
from odometer.services.figures import Asked, Blocks, Columns, Figures, Group, Report, Totals
from odometer.services.usage import Usage
from odometer.services.values import columns_of, values_of

Sums = Mapping[Measured, Sequence[int]]
"""By measure, a number for each block."""


@dataclass(eq=False)
class ReportByValue:
    """The answer to one question by a breakdown of one kind, as `Report` answers others."""

    usage: Usage
    asked: Asked
    place: int
    """Which of the breakdowns of the kind."""

    @cached_property
    def all(self) -> Report:
        """The same question, which is about everybody, without groups."""
        return Report(self.usage, self.asked)

    @cached_property
    def totals(self) -> Totals:
        blocks = self._blocks[0]
        return self._of_range(self.all.totals.all, blocks)

    @cached_property
    def compared(self) -> Totals | None:
        found, compared = self._blocks, self.all.compared
        return self._of_range(compared.all, found[1]) if compared else None

    def blocks(self, groups: Sequence[Group]) -> Blocks:
        texts = {group for group in groups if isinstance(group, str)}
        blocks, columns = self._blocks[0], self.all.blocks([]).all
        found = self._by_group(columns.sums, blocks, texts)
        nothing = {name: [0] * len(column) for name, column in columns.sums.items()}
        each = {group: Columns(found.get(group, nothing), None) for group in groups}
        return Blocks(columns, each)

    @cached_property
    def _blocks(self) -> Sequence[Sequence[ByValue]]:
        """By value, the blocks of the range, and the range to compare with, if there is one.

        All is read together with the same question about everybody.
        """
        view, products = self.usage.view, self.asked.products
        several = [product.by_value(self.place) for product in products]
        ranges = [self.asked.edges, *([self.asked.compare] if self.asked.compare else [])]
        steps: list[Steps[Any]] = [self.all.in_rounds()]
        steps += [by_value_in_rounds(view, several, edges) for edges in ranges if products]
        self.all.ranges, *found = in_rounds(view.store, side_by_side(steps))
        return found or [[] for _ in ranges]

    def _of_range(self, all_: Figures, blocks: Sequence[ByValue]) -> Totals:
        """A range is all of its blocks together."""
        frames, wide = [block.frame for block in blocks], len(all_.sums)
        whole = [ByValue.together(frames, wide)] if blocks else []
        found = self._by_group({name: [value] for name, value in all_.sums.items()}, whole)
        used = {group: sums for group, sums in found.items() if any(map(any, sums.values()))}
        columns = {name: [sums[name][0] for sums in used.values()] for name in all_.sums}
        return Totals(all_, list(used), Columns(columns, None))

    def _by_group(
        self, all_: Sums, blocks: Sequence[ByValue], only: Collection[str] | None = None
    ) -> Mapping[Group, Sums]:
        if not blocks:
            return {}
        product = self.asked.products[0]
        values = values_of(self.usage, product.id, self.place, blocks)
        found, kind = columns_of(blocks, product, values, only), product.kind.name
        rest = {
            (kind, name): list(map(sub, all_[kind, name], column))
            for name, column in found.together.items()
        }
        of_values: dict[Group, Sums] = {
            text: {(kind, name): column for name, column in sums.items()}
            for text, sums in found.of_values.items()
        }
        return {**of_values, None: rest}
