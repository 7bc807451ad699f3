"""The parameters that several routes of the app utilization API share."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from odometer.directory.snapshot import Directory
from odometer.reports.app_totals import Days, Granularity
from odometer.reports.ranking import Direction
from odometer.web.cursors import CursorParameter
from odometer.web.fields import Choice, Day, Ids, Text, Whole, refuse
from odometer.web.models import Query

LONGEST_DAYS = 366
LONGEST_NAME = 256

DEPRECATED = datetime(2026, 11, 20, tzinfo=UTC)
SUNSET = datetime(2027, 11, 20, tzinfo=UTC)
DEPRECATION = "urn:odometer:deprecation:department_id"


class Comparison(StrEnum):
    """A comparison period that need not be spelled out."""

    PREVIOUS_PERIOD = "previous_period"


class Strict(Query):
    """A query that takes no parameter it does not know."""

    refuses_unknown: ClassVar[bool] = True


class Granular(Strict):
    """How finely; whatever is per day does not depend on it."""

    granularity: Annotated[Granularity, Choice()] = Field(
        description="How long each block of a series is; averages are per day in any case."
    )


class Dated(Strict):
    """Which days."""

    start_date: Annotated[date, Day()] = Field(
        description="The first day, in the time zone of the organization."
    )
    end_date: Annotated[date, Day()] = Field(
        description=f"The last day, included; at most {LONGEST_DAYS} days are answered at once."
    )

    @field_validator("end_date")
    @classmethod
    def _not_before_start(cls, end: date, earlier: ValidationInfo) -> date:
        check_days(earlier.data.get("start_date"), end, "end_date is before start_date")
        return end

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class Compared(Dated):
    """Which days, and which others to compare with."""

    compare_start_date: Annotated[date, Day()] | None = Field(
        default=None, description="The first day to compare with; needs `compare_end_date`."
    )
    compare_end_date: Annotated[date, Day()] | None = Field(
        default=None,
        validate_default=True,
        description="The last day to compare with, included; needs `compare_start_date`.",
    )
    compare: Annotated[Comparison, Choice()] | None = Field(
        default=None,
        description="Compare with as many days just before `start_date`, instead of giving dates.",
    )

    @field_validator("compare_end_date", mode="wrap")
    @classmethod
    def _with_its_start(
        cls, sent: object, read: Callable[[object], date], earlier: ValidationInfo
    ) -> date | None:
        end = None if sent is None else read(sent)
        if "compare_start_date" in earlier.data:
            start = earlier.data["compare_start_date"]
            if (start is None) != (end is None):
                raise refuse("pair", "compare_start_date and compare_end_date must come together")
            check_days(start, end, "compare_end_date is before compare_start_date")
        return end

    @field_validator("compare")
    @classmethod
    def _instead_of_dates(cls, compare: Comparison, earlier: ValidationInfo) -> Comparison:
        if earlier.data.get("compare_start_date") or earlier.data.get("compare_end_date"):
            raise refuse("either", "compare and the comparison dates exclude each other")
        return compare

    @property
    def comparison(self) -> Days | None:
        if self.compare:
            return self.days.before
        if self.compare_start_date and self.compare_end_date:
            return Days(self.compare_start_date, self.compare_end_date)
        return None


def check_days(first: date | None, last: date | None, reversed_words: str) -> None:
    if first is None or last is None:
        return
    if last < first:
        raise refuse("order", reversed_words)
    if Days(first, last).count > LONGEST_DAYS:
        raise refuse("span", f"Date range exceeds {LONGEST_DAYS} days")


class OfDepartments(Strict):
    """Users of which departments; `department_id` is the former name."""

    department_ids: Annotated[tuple[str, ...], Ids()] | None = Field(
        None,
        description="Only users of any of these departments: their ids with commas between them.",
    )
    department_id: Annotated[tuple[str, ...], Ids()] | None = Field(
        None,
        description="The former name of `department_ids`, which wins where both are sent.",
        json_schema_extra={"deprecated": True},
    )

    def members(self, directory: Directory) -> Collection[int] | None:
        """The users who are asked about; None is everybody."""
        wanted = self.department_id if self.department_ids is None else self.department_ids
        return None if wanted is None else directory.members_of(wanted)

    @property
    def deprecation(self) -> dict[str, str]:
        if self.department_id is None:
            return {}
        return {
            "Deprecation": f"@{int(DEPRECATED.timestamp())}",
            "Sunset": f"{SUNSET:%a, %d %b %Y %H:%M:%S} GMT",
            "Link": f'<{DEPRECATION}>; rel="deprecation"',
        }


class Searched(Strict):
    """Only what has these words in its name."""

    q: Annotated[str, Text(LONGEST_NAME, shortest=0)] = Field(
        "", description="Only what has this text in a name, in either case."
    )


class Ordered(Strict):
    """Which end comes first."""

    sort_order: Annotated[Direction, Choice()] = Field(
        Direction.DESCENDING, description="Smallest first, or largest first."
    )


class Paged(Strict):
    """Which page of a chain."""

    page_size: Annotated[int, Whole(1, 200)] = Field(50, description="Rows on a page.")
    cursor: CursorParameter = None
