"""Parameter types read what the contract says and nothing that merely looks like it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest

from odometer.domain.errors import Invalid
from odometer.domain.people import Role
from odometer.web.fields import Choice, Flag, Instant, Text, Whole
from odometer.web.models import Body, Query, fill, read_query


class Spelled(Query):
    whole: Annotated[int, Whole(0, 1000)] = 0
    clamped: Annotated[int, Whole(0, 1000, clamped=True)] = 0
    flag: Annotated[bool, Flag()] = False
    role: Annotated[Role, Choice({"boss": "Admin"})] = Role.MEMBER
    text: Annotated[str, Text(8, forbidden=":")] = ""
    instant: Annotated[datetime | None, Instant()] = None


class Json(Body):
    whole: Annotated[int, Whole(0, 2**53 - 1)] = 0
    flag: Annotated[bool, Flag()] = False
    role: Annotated[Role, Choice()] = Role.MEMBER
    text: Annotated[str, Text(8)] = ""
    instant: Annotated[datetime | None, Instant()] = None


def spelled(name: str, value: str) -> Any:
    return getattr(read_query(Spelled, {}, {name: [value]}), name)


def faults(name: str, value: object, *, json: bool = False) -> list[str]:
    """The names of the faults of one value."""
    with pytest.raises(Invalid) as refused:
        fill(Json, {name: value}) if json else read_query(Spelled, {}, {name: [str(value)]})
    return [fault.name for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("whole", "0", 0),
        ("whole", "007", 7),
        ("whole", "1000", 1000),
        ("flag", "true", True),
        ("flag", "false", False),
        ("flag", "True", True),
        ("flag", "FALSE", False),
        ("clamped", "1000", 1000),
        ("clamped", "1001", 1000),
        ("clamped", "9" * 4000, 1000),
        ("role", "TeamLead", Role.TEAM_LEAD),
        ("role", "boss", Role.ADMIN),
        ("text", "né ☃", "né ☃"),
        ("instant", "2026-02-28T17:42:00Z", datetime(2026, 2, 28, 17, 42, tzinfo=UTC)),
        ("instant", "2026-02-28T17:42:00+05:30", datetime(2026, 2, 28, 12, 12, tzinfo=UTC)),
        ("instant", "2026-02-28T17:42:00.1Z", datetime(2026, 2, 28, 17, 42, 0, 100000, UTC)),
        ("instant", "2026-02-28T17:42:00.123456789-00:00", None),
    ],
)
def test_what_the_contract_allows_is_read(name: str, value: str, read: object) -> None:
    expected = datetime(2026, 2, 28, 17, 42, 0, 123456, UTC) if read is None else read
    assert spelled(name, value) == expected


@pytest.mark.parametrize("digits", range(1, 10))
def test_a_second_may_have_up_to_nine_decimals(digits: int) -> None:
    read = spelled("instant", f"2026-02-28T17:42:00.{'123456789'[:digits]}Z")
    assert read - datetime(2026, 2, 28, 17, 42, tzinfo=UTC) == timedelta(
        microseconds=int("123456"[:digits].ljust(6, "0"))
    )


NO_NUMBERS = [
    "",
    " ",
    " 1",
    "1 ",
    "+1",
    "-1",
    "-0",
    "1_000",
    "5.0",
    "5.",
    "1e2",
    "0x10",
    "1,000",
    "\u0661\u0662",
    "²",
    "1\n",
    "1\x00",
    "1\r\nX: y",
    "NaN",
    "true",
    "None",
    "9" * 8192,
]
TOO_LARGE = ["1001", "9" * 19, "9" * 20]
NO_FLAGS = ["", "yes", "no", "1", "0", "on", " true", "true ", "t", "true\x00", "fal\u017fe"]
NO_ROLES = [
    "",
    "admin",
    "ADMIN",
    " Admin",
    "Admin ",
    "Owner",
    "Admin\x00",
    "Admin,Member",
    "x" * 8192,
]
NO_TEXTS = ["", "a:b", "x" * 9, "☃☃☃", "a\x00", "a\n", "a\r\n", "\x7f", "\x85", "\u2028", "\ud800"]
NO_INSTANTS = [
    "",
    "0",
    "1767225600",
    "20260201",
    "2026-02-28",
    "2026-02-28T17:42Z",
    "2026-02-28 17:42:00Z",
    "2026-02-28T17:42:00",
    "2026-02-28t17:42:00z",
    "2026-02-28T17:42:00.Z",
    "2026-02-28T17:42:00.1234567890Z",
    "2026-02-28T17:42:00,5Z",
    "2026-02-30T17:42:00Z",
    "2026-13-01T17:42:00Z",
    "2026-02-28T24:00:00Z",
    "2026-02-28T17:60:00Z",
    "2026-02-28T17:42:60Z",
    "2026-02-28T17:42:00+24:00",
    "2026-02-28T17:42:00+05:99",
    "2026-02-28T17:42:00+0530",
    "2026-W09-6T17:42:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1970-01-01T00:00:00+00:01",
    "2999-12-31T23:59:59-00:01",
    "3000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "\u0662\u0660\u0662\u0666-02-28T17:42:00Z",
    "2026-02-28T17:42:00Z\n",
    "2026-02-28T17:42:00Z" * 400,
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("whole", value) for value in [*NO_NUMBERS, *TOO_LARGE]),
        *(("clamped", value) for value in NO_NUMBERS),
        *(("flag", value) for value in NO_FLAGS),
        *(("role", value) for value in NO_ROLES),
        *(("text", value) for value in NO_TEXTS),
        *(("instant", value) for value in NO_INSTANTS),
    ],
)
def test_what_merely_looks_like_it_is_refused(name: str, value: str) -> None:
    assert faults(name, value) == [name]


NOT_IN_JSON: dict[str, list[Any]] = {
    "whole": ["5", 5.0, 5.5, True, None, [], {}, -1, 2**53, 10**4000],
    "flag": ["true", 1, 0, None, [], {}],
    "role": ["boss", 1, None, ["Admin"], {}],
    "text": [1, None, True, ["a"], {}],
    "instant": [1767225600, True, [], {}],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in NOT_IN_JSON.items() for value in values],
)
def test_a_body_spells_its_values_as_json_does(name: str, value: object) -> None:
    assert faults(name, value, json=True) == [name]


def test_every_type_describes_itself() -> None:
    properties = Spelled.model_json_schema()["properties"]
    for described in properties.values():
        described.pop("default", None)
    assert properties == {
        "whole": {"title": "Whole", "type": "integer", "minimum": 0, "maximum": 1000},
        "clamped": {"title": "Clamped", "type": "integer", "minimum": 0},
        "flag": {"title": "Flag", "type": "boolean"},
        "role": {
            "title": "Role",
            "type": "string",
            "enum": ["Admin", "Manager", "TeamLead", "Member", "boss"],
        },
        "text": {
            "title": "Text",
            "type": "string",
            "minLength": 1,
            "maxLength": 8,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029:]*$",
        },
        "instant": {"title": "Instant", "type": "string", "format": "date-time"},
    }
