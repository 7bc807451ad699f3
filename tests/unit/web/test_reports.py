"""Reports as sent: tables that no spreadsheet executes, lines, and answers a client has."""

import csv
import io

import pytest

from odometer.api.app_utilization.users import NothingAsked
from odometer.storage.dynamo import Meter
from odometer.web.messages import Request
from odometer.web.report import Report, as_csv, as_lines, client_has
from tests.support.stack import proxy_event


@pytest.mark.parametrize(
    "start", [*"=+-@\uff1d\uff0b\uff0d\uff20\t\r\n", " =", "  \n+", "\u00a0-", "\t \uff20"]
)
def test_no_cell_of_a_table_is_a_formula(start: str) -> None:
    text = as_csv([{"name": f"{start}1+1", "number": -1}])
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {"name": f"'{start}1+1", "number": "-1"}
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a; \t@b", "a;' \t@b"),
        ('a;"=1+1', "a;'\"=1+1"),
        (";;-1;+2", ";;'-1;'+2"),
        ("=1;=2", "'=1;'=2"),
        ("Smith; Jones", "Smith; Jones"),
        ("a=b;c-d", "a=b;c-d"),
    ],
)
def test_no_part_of_a_cell_is_a_formula_where_others_split_cells(name: str, shown: str) -> None:
    """Excel splits at `;` wherever a comma is in its numbers."""
    (row,) = csv.DictReader(io.StringIO(as_csv([{"name": name}]), newline=""))
    assert row == {"name": shown}


def test_no_element_of_a_list_is_a_formula() -> None:
    text = as_csv([{"list": ["a", "=1+1", {"id": "x", "name": "@b"}, -1, None]}])
    assert text == "list\r\na;'=1+1;'@b;-1;null\r\n"


@pytest.mark.parametrize("number", [-1, -0.5, 7])
def test_a_number_stays_one(number: float) -> None:
    assert as_csv([{"number": number}]) == f"number\r\n{number}\r\n"


def test_true_and_false_are_spelled_as_in_json() -> None:
    assert as_csv([{"a": True, "b": False, "c": [True]}]) == "a,b,c\r\ntrue,false,true\r\n"


def test_whatever_is_in_a_cell_stays_in_it() -> None:
    cells = {"quote": 'a "b"', "comma": "a,b", "break": "a\nb", "none": None, "list": ["a", "b"]}
    (row,) = csv.DictReader(io.StringIO(as_csv([cells]), newline=""))
    assert row == {**cells, "none": "", "list": "a;b"}


def test_a_table_has_the_columns_of_all_rows_and_those_that_are_asked_for() -> None:
    assert as_csv([{"a": 1}, {"b": {"c": 2}}], ["z"]) == "z,a,b.c\r\n,1,\r\n,,2\r\n"
    assert as_csv([], ["a", "b"]) == "a,b\r\n"


def test_a_line_is_an_object_in_utf_8() -> None:
    assert as_lines([{"a": "é\n"}, {"b": None}]) == '{"a": "é\\n"}\n{"b": null}\n'


@pytest.mark.parametrize(("units", "shown"), [(0.0, "0.0"), (0.25, "0.3"), (12.5, "12.5")])
def test_read_units_have_one_decimal_half_away_from_zero(units: float, shown: str) -> None:
    request = Request.of(proxy_event("GET", "/x", {}))
    response = Report(NothingAsked(), list).response(request, Meter(read_units=units))
    assert response.headers["X-Read-Units"] == shown


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("", False),
        ('"tag"', True),
        ('W/"tag"', True),
        ('"x", "tag"', True),
        ("*", True),
        ("tag", False),
        ('"ta', False),
        ('"other"', False),
    ],
)
def test_a_client_knows_an_answer_by_its_tag(sent: str, expected: bool) -> None:  # noqa: FBT001
    assert client_has('W/"tag"', sent) is expected
    assert not client_has(None, sent)
