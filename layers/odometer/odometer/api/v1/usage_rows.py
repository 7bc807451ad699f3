"""What one request of `GET /v1/usage` reads, as rows of its answer: groups, and blocks of time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from odometer.api.v1.usage_answer import Row, compared_figure, number
from odometer.api.v1.usage_groups import Places, places_of
from odometer.api.v1.usage_query import LARGEST_PAGE, UsageQuery
from odometer.api.v1.usage_question import What, When
from odometer.domain.errors import Invalid
from odometer.domain.values import OTHER_TEXT
from odometer.reports.groups import Compared, ranked
from odometer.reports.periods import Granularity, text_in
from odometer.reports.ranking import Ranking
from odometer.services.figures import Columns, Figures, Group, GroupBy, Report, Totals
from odometer.services.figures_by_value import ReportByValue
from odometer.services.usage import Usage

PAGE_BYTES: Final = 3 * 1024 * 1024
"""About as much as the blocks of a page may take; Lambda answers no more than 6 MB."""
BLOCK_BYTES: Final = 100
FIGURE_BYTES: Final = 30
"""At most about so many for the ends of a block, and for a figure beside its name."""
UNITS: Final = 30
"""About so many read units may be spent on the blocks of one page of users."""
Read = Report | ReportByValue
ENDS: Final = ("from", "to", "partial")
OTHER: Final = "other"
NOT_IN_LINES: Final = ("totals", "series", OTHER)


@dataclass(frozen=True)
class Rows:
    """The rows of one answer, each made when it is needed."""

    query: UsageQuery
    what: What
    when: When
    usage: Usage
    read: Read

    @property
    def through_ms(self) -> int:
        """Asked for once figures are read, so that nobody waits for the log before."""
        return self.usage.through_ms

    @property
    def has_series(self) -> bool:
        return self.query.granularity is not Granularity.ALL

    # the whole period

    @property
    def total(self) -> Compared:
        compared = self.read.compared
        return Compared(self.read.totals.all, compared.all if compared else None)

    @cached_property
    def groups(self) -> Mapping[Group, Compared]:
        """Every group that used anything in the period, or in the one that it is compared with."""
        now, compared = by_group(self.read.totals), self.read.compared
        if compared is None:
            return {group: Compared(counted) for group, counted in now.items()}
        before, nothing = by_group(compared), self._nothing
        every = dict.fromkeys([*now, *before])
        return {it: Compared(now.get(it, nothing), before.get(it, nothing)) for it in every}

    @property
    def _nothing(self) -> Figures:
        sums = dict.fromkeys(self.read.totals.all.sums, 0)
        if isinstance(self.what.group_by, int):
            return Figures(sums, None)
        return Figures(sums, 0, 0 if self.what.counts_days else None)

    @cached_property
    def places(self) -> Places:
        return places_of(self.what.group_by, self.usage, list(self.groups))

    @cached_property
    def ranked(self) -> Ranking:
        numbered = {place: self.groups[key] for place, key in self.places.keys.items()}
        return ranked(numbered, self.places.names, self.what.order, self.query.q)

    def figures(self, group: Compared) -> Row:
        return {column.name: compared_figure(column, group) for column in self.what.columns}

    # pages

    @property
    def most_groups(self) -> int:
        """As many groups as were asked for, unless their series are too long for one answer."""
        if not self.has_series:
            return self.query.limit
        names = sum(len(column.name) + FIGURE_BYTES for column in self.what.columns)
        group_bytes = len(self.ends) * (BLOCK_BYTES + names)
        return max(1, min(self.query.limit, PAGE_BYTES // group_bytes))

    def affordable(self, places: Sequence[int]) -> int:
        """How many of some groups one request may read; the blocks of users are read one by one."""
        if places and self.has_series and isinstance(self.read, Report) and self._is_by_user:
            return self.read.affordable(places, UNITS)
        return len(places)

    @property
    def _is_by_user(self) -> bool:
        return self.what.group_by is GroupBy.USER

    def page(self, places: Sequence[int]) -> tuple[Row, list[Row]]:
        """The totals, and some groups, with their series if there are such."""
        keys = [self.places.keys[place] for place in places]
        blocks = self.read.blocks(keys) if self.has_series else None
        pairs = zip(keys, self.places.shown(places), strict=True)
        groups = [
            {
                self.query.group_by: shown,
                **({OTHER: True} if self._is_other(key) else {}),
                "totals": self.figures(self.groups[key]),
                **self._series(blocks and blocks.groups[key]),
            }
            for key, shown in pairs
        ]
        series = self._series(blocks and blocks.all)
        return {"totals": self.figures(self.total), **series}, groups

    def _is_other(self, key: Group) -> bool:
        """Whether a group has all values of a breakdown that came after the last one it keeps."""
        return isinstance(self.what.group_by, int) and key == OTHER_TEXT

    def _series(self, columns: Columns | None) -> Row:
        if columns is None:
            return {}
        blocks = ((ends, columns.at(place)) for place, ends in enumerate(self.ends))
        return {"series": [{**ends, **self._figures_of(counted)} for ends, counted in blocks]}

    def _figures_of(self, counted: Figures) -> Row:
        columns = self.what.columns
        return {each.name: number(each.value.of(counted), each.decimals) for each in columns}

    @cached_property
    def ends(self) -> list[Row]:
        """When each block begins and ends; `partial` where not all of it has been counted."""
        edges = self.when.edges
        texts = [text_in(edge, self.when.zone) for edge in edges]
        partial = [{} if self.has_counted(edge) else {"partial": True} for edge in edges[1:]]
        pairs = zip(pairwise(texts), partial, strict=True)
        return [{"from": start, "to": end, **more} for (start, end), more in pairs]

    def has_counted(self, second: int) -> bool:
        """Whether every batch that was accepted before a second has been counted."""
        return second * 1000 <= self.through_ms

    # lines

    def lines(self) -> Iterator[Row]:
        """A row for each block of each group; without groups for each block of the totals."""
        places = list(self.ranked)
        if self.has_series and len(places) > LARGEST_PAGE:
            raise self._too_many(len(places))
        total, groups = self.page(places)
        for group in groups if self.what.group_by != GroupBy.NONE else [total]:
            yield from self._lines_of(group)

    def _too_many(self, groups: int) -> Invalid:
        words = (
            f"a series of each of {groups:,} groups is too much for lines, which have those of "
            f"{LARGEST_PAGE:,} at most: expected all, a filter, or pages of JSON"
        )
        return Invalid.parameter("granularity", words, self.query.granularity)

    def _lines_of(self, group: Row) -> Iterator[Row]:
        name = {key: shown for key, shown in group.items() if key not in NOT_IN_LINES}
        series = group["series"] if self.has_series else [{**self.ends[0], **group["totals"]}]
        for block in series:
            yield {**name, **dict.fromkeys(ENDS, False), **block}

    @property
    def columns(self) -> list[str]:
        """The columns of a table, also of one without rows."""
        by, parts_of = self.query.group_by, self.places.parts
        names = [f"{by}.{part}" for part in parts_of] or [by]
        figures_of = [column.name for column in self.what.columns]
        if not self.has_series:
            parts = ("value", "compare_value", "change_pct")
            figures_of = [f"{name}.{part}" for name in figures_of for part in parts]
        return [*(names if self.what.group_by != GroupBy.NONE else ()), *ENDS, *figures_of]


def by_group(totals: Totals) -> dict[Group, Figures]:
    return {group: totals.of_groups.at(place) for place, group in enumerate(totals.groups)}
