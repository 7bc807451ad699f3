"""Directory files: which rows they hold, in which order and in which parts they are sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from odometer.api.v1.directory import LARGEST_BODY, MOST_ROWS
from odometer.web.messages import NDJSON
from odometer_cli.client import Client
from odometer_cli.directory_rows import Row, RowResult, parts, put_rows, read_rows
from odometer_cli.failure import Misused, Unreachable


def file_of(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "directory.json"
    file.write_text(text, encoding="utf-8", newline="")
    return file


def places_and_contents(rows: Sequence[Row]) -> list[tuple[str, Any]]:
    return [(row.place, json.loads(row.line)) for row in rows]


def test_a_document_is_read_list_by_list_and_a_product_keeps_its_kind(tmp_path: Path) -> None:
    document = {
        "users": [{"username": "a"}],
        "products": [{"name": "d", "kind": "app"}],
        "organization": {"name": "Demo"},
    }
    assert places_and_contents(read_rows(file_of(tmp_path, json.dumps(document)))) == [
        ("organization", {"kind": "organization", "name": "Demo"}),
        ("products[0]", {"kind": "product", "name": "d", "product_kind": "app"}),
        ("users[0]", {"kind": "user", "username": "a"}),
    ]


def test_lines_are_sent_as_they_stand_those_first_that_others_refer_to(tmp_path: Path) -> None:
    lines = '{"kind":"user", "team":"t"}\n\n{"kind":"team","name":"t"}\n{"kind":"?"}\n'
    rows = read_rows(file_of(tmp_path, lines))
    assert [(row.place, row.line) for row in rows] == [
        ("line 3", b'{"kind":"team","name":"t"}\n'),
        ("line 1", b'{"kind":"user", "team":"t"}\n'),
        ("line 4", b'{"kind":"?"}\n'),
    ]


def test_one_line_alone_is_a_line_and_no_document(tmp_path: Path) -> None:
    rows = read_rows(file_of(tmp_path, '{"kind":"user","username":"a"}'))
    assert [row.place for row in rows] == ["line 1"]


def test_a_dash_is_standard_input() -> None:
    with patch("sys.stdin", TextIOWrapper(BytesIO(b'{"kind":"user"}\n'))):
        assert [row.kind for row in read_rows(Path("-"))] == ["user"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"kind":"user"}\n{"kind":', "line 2"),
        ("[1]", "line 1"),
        ('{"users":[1]}', "users[0]"),
        ('{"organization":[]}', "organization"),
        ("null\n", "line 1"),
    ],
)
def test_a_file_with_a_fault_is_refused_before_anything_is_sent(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(Misused) as raised:
        read_rows(file_of(tmp_path, text))
    assert raised.value.what.startswith(place)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '{\n "users": [\n  {"username": "a"}\n  {"username": "b"}\n ]\n}\n',
            "directory.json is not JSON: Expecting ',' delimiter: line 4 column 3",
        ),
        ('{"users":[', "directory.json is not JSON: Expecting value: line 1 column 11"),
        (
            '{\n"users": []\n}\n}',
            "directory.json is not JSON: Extra data: line 4 column 1",
        ),
        (
            '{"kind":"user"}\n\n{"kind" "user"}\n',
            "line 3 is not JSON: Expecting ':' delimiter: column 9",
        ),
        ("[" * 100_000, "directory.json is nested too deeply"),
        (" \n", "directory.json is empty"),
    ],
)
def test_a_file_that_does_not_parse_is_refused_in_the_words_of_the_parser(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(Misused) as raised:
        read_rows(file_of(tmp_path, text))
    assert raised.value.what.removeprefix(f"{tmp_path}/").startswith(fault)


def test_a_line_goes_on_after_what_only_unicode_calls_its_end(tmp_path: Path) -> None:
    line = '{"kind":"user","username":"a\u2028b"}'
    (row,) = read_rows(file_of(tmp_path, line + "\r\n"))
    assert row.line.decode() == line + "\n"


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (row,) = read_rows(file_of(tmp_path, '\ufeff{"kind":"user"}'))
    assert row.kind == "user"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"nowhere\.json cannot be read"):
        read_rows(tmp_path / "nowhere.json")


def test_parts_hold_no_more_rows_and_bytes_than_one_request_may() -> None:
    small = [Row(str(number), "user", b"{}\n") for number in range(2 * MOST_ROWS + 1)]
    assert [len(part) for part in parts(small)] == [MOST_ROWS, MOST_ROWS, 1]
    large = [Row(str(number), "user", b"x" * (LARGEST_BODY[NDJSON] // 2)) for number in range(5)]
    assert [len(part) for part in parts(large)] == [2, 2, 1]
    assert [row for part in parts(large) for row in part] == large


def test_no_rows_are_no_part() -> None:
    assert list(parts([])) == []


@dataclass
class Slow:
    """Takes so many rows of a request, then has no time left."""

    pace: int
    received: list[bytes] = field(default_factory=list)

    def call(self, method: str, path: str, body: bytes, media_type: str) -> httpx.Response:
        lines = body.splitlines()
        self.received += lines[: self.pace]
        results = [
            {"status": "created" if index < self.pace else "not_attempted"}
            for index in range(len(lines))
        ]
        return httpx.Response(200, json={"results": results})


def sent_to(server: Slow, count: int) -> tuple[list[RowResult], list[int]]:
    rows = [Row(str(number), "user", b"%d\n" % number) for number in range(count)]
    steps: list[int] = []
    client = Client("http://odometer.test", "key")
    with patch.object(Client, "call", lambda _, *words: server.call(*words)):
        return list(put_rows(client, rows, steps.append)), steps


def test_rows_that_there_was_no_time_for_are_sent_again() -> None:
    server = Slow(pace=2)
    taken, steps = sent_to(server, 5)
    assert server.received == [b"0", b"1", b"2", b"3", b"4"]
    assert [each.row.place for each in taken] == ["0", "1", "2", "3", "4"]
    assert steps == [2, 2, 1]


def test_a_deployment_that_reaches_no_row_at_all_is_not_asked_for_ever() -> None:
    with pytest.raises(Unreachable, match="0 was not reached"):
        sent_to(Slow(pace=0), 3)
