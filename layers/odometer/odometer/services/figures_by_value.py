"""Figures by the values of a breakdown: sums of what events said they were, and of the rest.

Values have no users. What had no value is the total less the sum of all values.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import sub

from odometer.engine.read.tallies import Measured
from odometer.services.figures import Asked, Blocks, Columns, Figures, Group, Report, Totals
from odometer.services.usage import Usage
from odometer.services.values import columns_by_value

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
        ends = (self.asked.edges[0], self.asked.edges[-1])
        return self._of_range(self.all.totals.all, ends)

    @cached_property
    def compared(self) -> Totals | None:
        compared = self.all.compared
        if compared is None or self.asked.compare is None:
            return None
        return self._of_range(compared.all, self.asked.compare)

    def blocks(self, groups: Sequence[Group]) -> Blocks:
        columns = self.all.blocks([]).all
        texts = {group for group in groups if isinstance(group, str)}
        found = self._by_group(columns.sums, self.asked.edges, texts)
        nothing = {name: [0] * len(column) for name, column in columns.sums.items()}
        each = {group: Columns(found.get(group, nothing), None) for group in groups}
        return Blocks(columns, each)

    def _of_range(self, all_: Figures, ends: tuple[int, int]) -> Totals:
        found = self._by_group({name: [value] for name, value in all_.sums.items()}, ends)
        used = {group: sums for group, sums in found.items() if any(map(any, sums.values()))}
        columns = {name: [sums[name][0] for sums in used.values()] for name in all_.sums}
        return Totals(all_, list(used), Columns(columns, None))

    def _by_group(
        self, all_: Sums, edges: Sequence[int], only: Collection[str] | None = None
    ) -> Mapping[Group, Sums]:
        if not self.asked.products:
            return {}
        found = columns_by_value(self.usage, self.asked.products, self.place, edges, only)
        kind = self.asked.products[0].kind.name
        rest = {
            (kind, name): list(map(sub, all_[kind, name], column))
            for name, column in found.together.items()
        }
        values: dict[Group, Sums] = {
            text: {(kind, name): column for name, column in sums.items()}
            for text, sums in found.of_values.items()
        }
        return {**values, None: rest}
