"""Requests as models: every fault at once, in the order of the contract; JSON by the letter."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from odometer.api.v1.directory import ROWS
from odometer.domain.errors import Invalid
from odometer.web.fields import Flag, Text, Whole
from odometer.web.models import Body, Query, fill, parameter_names, read_body, read_json, read_query
from tests.support.stack import endpoints


class Asked(Query):
    first: Annotated[int, Whole(0, 9)]
    second: Annotated[bool, Flag()] = False
    third: Annotated[str, Text(4)] = "x"


class Inner(Body):
    count: Annotated[int, Whole(0, 9)]


class Sent(Body):
    name: Annotated[str, Text(4)]
    inner: list[Inner] = Field(default_factory=list)


def query_faults(**query: list[str]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read_query(Asked, {}, query)
    return [(fault.name, fault.message) for fault in refused.value.faults]


def body_faults(body: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        read_body(Sent, body)
    return str(refused.value)


def test_all_faults_are_listed_in_the_order_of_the_model() -> None:
    assert query_faults(third=["\x00"], second=["yes"]) == [
        ("first", "required"),
        ("second", "expected true or false"),
        ("third", "expected text without control characters"),
    ]


def test_a_repeated_parameter_has_no_value() -> None:
    assert query_faults(second=["true", "true"], first=["1", "2"]) == [
        ("first", "sent more than once"),
        ("second", "sent more than once"),
    ]


def test_unknown_parameters_are_ignored_however_often_they_come() -> None:
    assert read_query(Asked, {}, {"first": ["1"], "nope": ["1", "2"]}) == Asked(first=1)


def test_a_parameter_of_the_path_wins_over_one_of_the_query() -> None:
    assert read_query(Asked, {"first": "2"}, {"first": ["1"]}).first == 2


def test_the_place_of_a_nested_fault_is_named() -> None:
    body = b'{"name": "x", "inner": [{"count": 1}, {"count": "2", "more": 1}, 3]}'
    assert body_faults(body) == (
        "inner.1.count: expected an integer from 0 to 9; inner.1.more: unknown parameter; "
        "inner.2: expected an object"
    )


def test_the_name_of_an_unknown_field_is_not_repeated_without_end() -> None:
    name = "n" * 10_000
    assert (
        body_faults(b'{"name": "x", "%s": 1}' % name.encode()) == f"{'n' * 256}: unknown parameter"
    )


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_a_body_is_an_object(body: bytes) -> None:
    assert body_faults(body) == "body: expected a JSON object"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 01}', "not valid JSON"),
        (b'{"a": "\x00"}', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b'{"\\uDC00": 1}', "not valid JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        ('{"a": 1}'.encode("utf-16"), "not valid JSON"),
        ('{"a": 1}'.encode("utf-32-le"), "not valid JSON"),
        (b'{"a": 1} {"b": 2}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is not JSON"),
        (b'{"a": 1, "a": 2}', "a name stands twice in one object"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "a name stands twice in one object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_readers_could_understand_differently_is_not_json(body: bytes, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_json(body)
    assert str(refused.value) == f"body: {reason}"


def test_a_whole_character_may_be_spelled_in_two_halves() -> None:
    assert read_json(b'["\\ud83d\\ude00", "\\\\ud800"]') == ["\N{GRINNING FACE}", "\\ud800"]


JUNK: list[Any] = [None, 5, "", "\x00", [], {}, [None], ["x"] * 1000, True, 0.5]


def said_of(model: type[BaseModel], content: Mapping[str, Any]) -> str:
    """What is said about a content, if anything is."""
    try:
        fill(model, content)
    except Invalid as refused:
        return str(refused)
    return ""


def test_whatever_is_wrong_is_said_in_our_own_words() -> None:
    needs = {need for each in endpoints().values() for need in each.needs.values()}
    models = {*ROWS.values(), *(need for need in needs if issubclass(need, Query | Body))}
    said = [
        said_of(model, dict.fromkeys(parameter_names(model), junk))
        for model in models
        for junk in JUNK
    ]
    assert not [words for words in said if re.search(r"Input|should|\{", words)]
