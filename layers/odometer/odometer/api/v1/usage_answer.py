"""The answer of `GET /v1/usage` as it is published; its decimals are exact."""

from collections.abc import Mapping
from typing import Any

from pydantic import MISSING, ConfigDict, Field

from odometer.domain.people import UserType
from odometer.reports.columns import Column
from odometer.reports.figures import change_tenths
from odometer.reports.groups import Compared
from odometer.reports.periods import Granularity
from odometer.web import exact
from odometer.web.exact import Decimal, as_exact_json
from odometer.web.models import Answer, Timestamp

Row = dict[str, Any]


class ComparedFigure(Answer):
    """A figure of the whole period, and how it has changed."""

    value: float | None = Field(
        description="Exact, with as many decimals as the measure has; a ratio has four, and is "
        "null where its divisor is 0.",
        examples=[8450],
    )
    compare_value: float | None = Field(
        description="The same of the period to compare with; null without one.", examples=[7011]
    )
    change_pct: float | None = Field(
        description="From `compare_value` to `value`, in percent with one decimal; null from 0.",
        examples=[20.5],
    )


class UsageBlock(Answer):
    """A block of a series, and every figure in it by its name."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-10-26T00:00:00+01:00",
                    "to": "2026-11-02T00:00:00+01:00",
                    "pages": 120,
                    "active_users": 31,
                }
            ]
        },
    )
    __pydantic_extra__: dict[str, float | None]

    start: Timestamp = Field(alias="from", description="When it begins, on the clock of the zone.")
    end: Timestamp = Field(
        alias="to", description="The instant just after it; the period may cut blocks short."
    )
    partial: bool | MISSING = Field(
        MISSING, description="`true` where not all of the block has been counted yet."
    )


class GroupName(Answer):
    """A product, a team or a department."""

    id: str
    name: str


class GroupUser(Answer):
    """A user."""

    id: str
    username: str


class UsageGroup(Answer):
    """A group under the name of `group_by`, and its figures.

    The value of a breakdown is a text; null is everything that is in no other group.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | None]

    product: GroupName | MISSING = MISSING
    team: GroupName | MISSING | None = Field(MISSING, description="null: users without a team.")
    department: GroupName | MISSING | None = Field(
        MISSING, description="null: users without a department. A user in two counts in both."
    )
    user: GroupUser | MISSING = MISSING
    user_type: UserType | MISSING = MISSING
    other: bool | MISSING = Field(
        MISSING,
        description="`true` for the group `other` of a breakdown: all values that came after the "
        "first 1,000.",
    )
    totals: dict[str, ComparedFigure] = Field(description="Every figure of the whole period.")
    series: list[UsageBlock] | MISSING = Field(
        MISSING, description="The blocks of the period; none with the granularity `all`."
    )


class UsageAnswer(Answer):
    """Totals of all that is asked about, and a page of its groups."""

    start: Timestamp = Field(alias="from", examples=["2026-10-26T00:00:00+01:00"])
    end: Timestamp = Field(alias="to", examples=["2026-11-16T00:00:00+01:00"])
    compare_from: Timestamp | None = Field(description="When the compared period begins.")
    compare_to: Timestamp | None = Field(description="The instant just after it.")
    timezone: str = Field(examples=["Europe/Berlin"])
    granularity: Granularity
    group_by: str = Field(examples=["team"])
    complete: bool = Field(description="Whether all of the period has been counted.")
    data_through: Timestamp = Field(
        description="Every batch accepted before this instant is in the answer."
    )
    totals: dict[str, ComparedFigure] = Field(
        description="Every figure of the whole period. Users are distinct here, and a user of two "
        "groups counts in both, so groups may add up to more."
    )
    series: list[UsageBlock] | MISSING = Field(
        MISSING, description="The blocks of the period; none with the granularity `all`."
    )
    groups: list[UsageGroup]
    total_groups: int = Field(description="How many groups there are on all pages.")
    next_cursor: str | None
    explain: str = Field(
        description="A URI template (RFC 6570): filled in, it leads to the terms of any figure "
        "here. A ratio is explained by the measures that it is made of. Users without a team or a "
        "department, and those of a department who are in the one asked about, too, have no terms "
        "of their own: the template leads to more users.",
        examples=["/v1/explain?product=docs{&measure,from,to,team}"],
    )

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "UsageAnswer":
        """An answer that is as it should be: nothing of it is checked again."""
        return cls.model_construct(**content)

    def model_dump_json(self, **_: Any) -> str:
        """The JSON with exact decimals; what was not given is left out."""
        fields = type(self).model_fields.items()
        shown = {each.alias or name: getattr(self, name) for name, each in fields}
        return as_exact_json({name: it for name, it in shown.items() if it is not MISSING})


def number(value: int | None, decimals: int) -> int | Decimal | None:
    return None if value is None else exact.number(value, decimals)


def compared_figure(column: Column, group: Compared) -> Row:
    value, before = group.value(column), group.compare_value(column)
    change = None if value is None else change_tenths(value, before)
    return {
        "value": number(value, column.decimals),
        "compare_value": number(before, column.decimals),
        "change_pct": number(change, 1),
    }
