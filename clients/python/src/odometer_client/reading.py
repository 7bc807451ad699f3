"""Answers in JSON as dataclasses; fields that a newer server adds are left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Number = int | Decimal
"""A figure with the digits that it was sent with."""


class Secret(str):
    """A text that `repr` does not show, so that logs and tracebacks do not have it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def parsed(content: bytes | str) -> Any:
    """JSON in which decimals keep their digits; ValueError if it is none."""
    try:
        return json.loads(content, parse_float=Decimal)
    except ArithmeticError as error:  # an exponent of twenty digits
        raise ValueError(str(error)) from error


def read(kind: Any, content: Any) -> Any:
    """Content as the type that a field is declared with; ValueError if it is something else."""
    if kind is datetime:
        return datetime.fromisoformat(content.replace("Z", "+00:00"))
    if kind is Secret:
        return Secret(content)
    if is_dataclass(kind):
        make = getattr(kind, "from_json", None) or partial(from_fields, kind)
        return make(content)
    return read_generic(get_origin(kind), get_args(kind), content)


def read_generic(origin: Any, arguments: tuple[Any, ...], content: Any) -> Any:
    if origin is tuple:
        return tuple(read(arguments[0], each) for each in content)
    if origin is Mapping:
        return {name: read(arguments[1], each) for name, each in content.items()}
    if origin in (Union, UnionType):
        (first, *_) = [each for each in arguments if each is not NoneType]
        return None if content is None else read(first, content)
    return content


def from_fields(kind: Any, content: Mapping[str, Any]) -> Any:
    found = {}
    for name, called, declared, required in declared_fields(kind):
        if called in content:
            found[name] = read(declared, content[called])
        elif required:
            raise ValueError(f"{kind.__name__} without {called}")
    return kind(**found)


@cache
def declared_fields(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    """The fields of a dataclass: name, name in JSON, type, and whether it must be there."""
    types, called = get_type_hints(kind), getattr(kind, "json_names", {})
    return tuple(
        (
            each.name,
            called.get(each.name, each.name),
            types[each.name],
            each.default is MISSING and each.default_factory is MISSING,
        )
        for each in fields(kind)
    )
