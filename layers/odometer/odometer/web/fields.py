"""How the text of a parameter becomes a value: one reader for each kind of parameter."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from odometer.domain.text import (
    CONTROL,
    CONTROLS,
    LONGEST_ORIGIN,
    ORIGIN,
    UUID,
    fault_of_name,
    is_origin,
)
from odometer.domain.time import DATE, RFC_3339, read_instant

DIGITS = re.compile(r"[0-9]{1,4000}")  # more than 4,300 of them Python does not read
FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Dates of other years are refused in all families."""
YEARS = f"of the years {FIRST_YEAR} to {LAST_YEAR}"
YEAR_PATTERN = "(?:19[7-9]|2[0-9]{2})[0-9]"
LONGEST_ECHOED_ID = 64
MOST_DEPARTMENTS = 50
LARGEST_INT32 = 2**31 - 1
FROM_QUERY_STRING = object()
"""The validation context in which numbers and booleans are text."""


def refuse(rule: str, message: str, expected: str = "") -> PydanticCustomError:
    """A fault in words, and what was expected, for families that word it themselves."""
    words = message.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError(rule, words, {"expected": expected})


def check_year(year: int, expected: str) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise refuse("years", f"expected {expected} {YEARS}", f"{expected} {YEARS}")


def instant_within_years(text: str, form: re.Pattern[str], expected: str) -> datetime | None:
    """The instant of a text, if there is one; that of another year is refused."""
    check_year(int(text[:4]), expected)
    instant = None
    with suppress(ValueError):  # a refusal is one too, so years are checked outside
        instant = read_instant(text, form)
    if instant:
        check_year(instant.year, expected)
    return instant


def echoed_id(content: object) -> str | None:
    """The id of a refused object, cut and cleaned so that it can be echoed."""
    sent = content.get("id") if isinstance(content, Mapping) else None
    if not isinstance(sent, str):
        return None
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", sent)[:LONGEST_ECHOED_ID]


class Reader:
    """A type that reads text itself."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        self.learn(source)
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema())

    def learn(self, source: type[StrEnum]) -> None:
        """Look at the annotated type."""

    def spelled(self, text: str) -> object:
        """What a text of a query string stands for."""
        return text

    def read(self, value: object) -> object:
        raise NotImplementedError

    def schema(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def _read(self, value: Any, info: ValidationInfo) -> object:
        return self.read(self.spelled(value) if info.context is FROM_QUERY_STRING else value)


@dataclass(frozen=True)
class Whole(Reader):
    """A whole number within bounds; as text, in ASCII digits and nothing else."""

    low: int
    high: int
    clamped: bool = False
    """Whether anything above the highest number means the highest."""

    def spelled(self, text: str) -> object:
        """The number of ASCII digits; other text stays text and is refused."""
        return int(text) if DIGITS.fullmatch(text) else text

    def read(self, value: object) -> int:
        """The number; `true` and `5.0` are refused."""
        if type(value) is not int or value < self.low or (value > self.high and not self.clamped):
            raise refuse("integer", f"expected an integer {self._bounds()}")
        return min(value, self.high)

    def schema(self) -> Mapping[str, Any]:
        if self.clamped:
            return {"type": "integer", "minimum": self.low}
        wide = {"format": "int64"} if self.high > LARGEST_INT32 else {}
        return {"type": "integer", **wide, "minimum": self.low, "maximum": self.high}

    def _bounds(self) -> str:
        return f"from {self.low}" + ("" if self.clamped else f" to {self.high}")


@dataclass(frozen=True)
class Flag(Reader):
    """`true` or `false`; as text, in any case of letters."""

    def spelled(self, text: str) -> object:
        return {"true": True, "false": False}.get(text.lower(), text)

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise refuse("boolean", "expected true or false")
        return value

    def schema(self) -> Mapping[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, eq=False)
class Choice(Reader):
    """One of the values of the annotated enumeration, or an alias of one."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    values: dict[str, StrEnum] = field(default_factory=dict)

    def learn(self, source: type[StrEnum]) -> None:
        self.values.update({member.value: member for member in source})

    def read(self, value: object) -> StrEnum:
        name = self.aliases.get(value, value) if isinstance(value, str) else None
        if name not in self.values:
            expected = ", ".join(self.values)
            raise refuse("choice", f"expected one of {expected}", expected)
        return self.values[name]

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "enum": [*self.values, *self.aliases]}


@dataclass(frozen=True)
class Text(Reader):
    """Text without control characters, within a number of bytes."""

    longest: int
    forbidden: str = ""
    shortest: int = 1

    def read(self, value: object) -> str:
        """Text as sent; bytes are counted because that is what is stored."""
        if not isinstance(value, str):
            raise refuse("text", "expected a string")
        if CONTROL.search(value) or any(letter in value for letter in self.forbidden):
            raise refuse("text", self._allowed())
        if not self.shortest <= len(value.encode()) <= self.longest:
            raise refuse("text", f"expected {self.shortest} to {self.longest} bytes")
        return value

    def schema(self) -> Mapping[str, Any]:
        """A string; that its length is in bytes, JSON schema cannot say."""
        return {
            "type": "string",
            "minLength": self.shortest,
            "maxLength": self.longest,
            "pattern": f"^[^{CONTROLS}{re.escape(self.forbidden)}]*$",
        }

    def _allowed(self) -> str:
        also = f" and without any of {self.forbidden}" if self.forbidden else ""
        return f"expected text without control characters{also}"


class VisibleName(Text):
    """A name without invisible characters, so that no two names look the same."""

    def read(self, value: object) -> str:
        text = super().read(value)
        if fault := fault_of_name(text):
            raise refuse("text", fault)
        return text

    def schema(self) -> Mapping[str, Any]:
        none = f"{CONTROLS}{re.escape(self.forbidden)}"
        return {
            **super().schema(),
            "pattern": rf"^[^{none}\s]([^{none}]*[^{none}\s])?$",
            "description": "Without blanks around it and without invisible characters.",
        }


class Lines(Text):
    """Text of several lines, which end as they did when it was sent: in LF or in CRLF."""

    def read(self, value: object) -> str:
        """Text as sent; its line breaks count, and nothing else that controls is in it."""
        if not isinstance(value, str):
            return super().read(value)
        super().read(value.replace("\r\n", "  ").replace("\n", " "))
        return value

    def schema(self) -> Mapping[str, Any]:
        return {**super().schema(), "pattern": rf"^([^{CONTROLS}]|\r?\n)*$"}

    def _allowed(self) -> str:
        return f"{super()._allowed()} but line breaks"


class Origin(Reader):
    """Where pages come from, as browsers write it in the header `Origin`."""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not is_origin(value):
            raise refuse(
                "origin",
                "expected an origin like https://app.example.com: in lower case, without a path, "
                "https unless it is localhost, and a port only if it is not the default",
            )
        return value

    def schema(self) -> Mapping[str, Any]:
        pattern = f"^{ORIGIN.pattern}$"
        return {"type": "string", "maxLength": LONGEST_ORIGIN, "pattern": pattern}


class Instant(Reader):
    """An ISO 8601 instant with an offset or `Z`."""

    def read(self, value: object) -> datetime:
        if not isinstance(value, str) or not RFC_3339.fullmatch(value) or value != value.upper():
            raise refuse("instant", "expected an instant like 2026-02-28T17:42:00Z")
        instant = instant_within_years(value, RFC_3339, "an instant")
        if instant is None:
            raise refuse("instant", "expected an instant that exists")
        return instant

    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "format": "date-time"}


class Day(Reader):
    """A calendar date."""

    def read(self, value: object) -> date:
        if isinstance(value, str) and re.fullmatch(DATE, value):
            check_year(int(value[:4]), "a date as YYYY-MM-DD")
            with suppress(ValueError):
                return date.fromisoformat(value)
        raise refuse("date", "expected a date as YYYY-MM-DD")

    def schema(self) -> Mapping[str, Any]:
        return {
            "type": "string",
            "format": "date",
            "pattern": rf"^{YEAR_PATTERN}-\d{{2}}-\d{{2}}$",
            "examples": ["2026-02-01"],
        }


@dataclass(frozen=True)
class Ids(Reader):
    """UUIDs separated by commas, repeats allowed."""

    or_none: bool = False
    """Whether there may be none of them."""

    def read(self, value: object) -> tuple[str, ...]:
        """Each UUID once, in lower case and sorted, so that equal filters are equal values."""
        if value == "" and self.or_none:
            return ()
        ids = value.split(",") if isinstance(value, str) else []
        if not all(map(UUID.fullmatch, ids)):
            raise refuse("ids", "expected UUIDs separated by commas")
        if not 1 <= len(ids) <= MOST_DEPARTMENTS:
            raise refuse("ids", f"expected 1 to {MOST_DEPARTMENTS} UUIDs")
        return tuple(sorted(set(map(str.lower, ids))))

    def schema(self) -> Mapping[str, Any]:
        one = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
        several = f"{one}(,{one}){{0,{MOST_DEPARTMENTS - 1}}}"
        return {
            "type": "string",
            "pattern": f"^({several})?$" if self.or_none else f"^{several}$",
            "examples": ["d1a2b3c4-e5f6-7890-abcd-ef1234567890"],
        }
