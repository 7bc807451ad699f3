"""What `make fuzz` has found, each as the smallest case of it."""

import io
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import compress, decompress

import httpx
import pytest
from typer.testing import CliRunner

from odometer.access.keys import AccessKey
from odometer.access.tokens import Claims, encoded
from odometer.domain.errors import Corrupt, Invalid, Unauthenticated
from odometer.domain.kinds import KINDS
from odometer.engine.calendar import zone_of
from odometer.engine.format import log_entries
from odometer.engine.format.codec import pack
from odometer.storage.directory import (
    compressed,
    credential_item,
    credential_of,
    head_of,
    item_of,
)
from odometer.storage.key_activity import use_of
from odometer.web.cursors import Chain
from odometer_cli import app
from odometer_cli.client import content_of, message_of
from odometer_cli.directory_rows import rows_in
from odometer_cli.event_files import Format, lines_in
from odometer_cli.failure import Failure, Misused
from odometer_cli.local_stack import LocalStack
from odometer_client.clock import Clock
from odometer_client.errors import retry_after
from odometer_client.reading import parsed
from odometer_client.sender import second_of
from tests.fuzz import deliveries
from tests.fuzz.stored_items import CREDENTIAL, SECOND, SENT, directory_head
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER
from tests.support.usage_sender import message, stream

CHAIN = Chain([b"key"], b"route", {"cursor": ["x"]}, 1_770_000_000)
LATER = "Tue, 03 Feb 99999999999999999999 12:00:00 GMT"
DEEP = "[" * 100_000
MANY_DIGITS = "9" * 4_301
SENT_AT = datetime(2026, 2, 3, 12, tzinfo=UTC)


# what is stored


@pytest.mark.parametrize("second", [2**40, 2**63])
def test_an_entry_beyond_the_calendar_cannot_be_decoded(second: int) -> None:
    """Before, it was decoded, and every fold of its organization failed at its date."""
    entry = log_entries.to_item(ACME, SENT[:1], SECOND * 1000, "5f")
    with pytest.raises(Corrupt):
        log_entries.events_of({**entry, "second": pack([second])})


@pytest.mark.parametrize("second", [2**63, -(2**62)])
def test_an_instant_beyond_the_calendar_is_damaged(second: int) -> None:
    with pytest.raises(Corrupt):
        use_of({"sk": "KEY#5f", "used_at": second})
    with pytest.raises(Corrupt):
        credential_of({**credential_item(CREDENTIAL), "created_at": second})


@pytest.mark.parametrize("zone", ["Europe", "a" * 5_000, "../../etc/passwd", "\0", ""])
def test_a_zone_that_is_none_is_damaged(zone: str) -> None:
    with pytest.raises(Corrupt):
        zone_of(KINDS["app"], zone)


def test_who_was_erased_is_told_by_numbers() -> None:
    head = item_of(directory_head())
    document = json.loads(decompress(bytes(head["columns"])))  # type: ignore[arg-type]
    assert head_of(head).erased == {1, 9}
    with pytest.raises(Corrupt):
        head_of({**head, "columns": compressed({**document, "erased": [1, "9"]})})


# what starts the engine


def test_a_message_without_an_organization_fails_alone() -> None:
    """The function answers that it failed, and the neighbour's message is worked on."""
    bad, good = message("damaged"), message(OTHER)
    event = {"Records": [{**bad, "messageId": "bad", "body": "{"}, {**good, "messageId": "good"}]}
    assert deliveries.handled("engine/work", event) == ["bad"]


def test_an_entry_of_the_stream_that_is_no_item_fails_alone() -> None:
    event = stream([deliveries.ENTRY, deliveries.OTHERS])
    event["Records"][0]["dynamodb"]["NewImage"]["ttl"] = {"N": "1.5"}
    assert deliveries.handled("engine/fold", event) == ["100"]


# cursors and tokens of another release


@pytest.mark.parametrize("said", ['{"row": 1}', "[]", '{"row": 1, "later": 2}', DEEP])
def test_a_cursor_of_another_release_is_an_invalid_one(said: str) -> None:
    body = compress(said.encode())
    signed = CHAIN._tag(body, CHAIN.keys[0]) + body  # noqa: SLF001
    with pytest.raises(Invalid, match="Invalid cursor"):
        CHAIN.read(urlsafe_b64encode(signed).rstrip(b"=").decode())


@pytest.mark.parametrize("said", ["{}", "[]", '{"version": 2}', '{"version": 1, "expires": "x"}'])
def test_a_token_of_another_release_opens_nothing(said: str) -> None:
    with pytest.raises(Unauthenticated):
        Claims.of(encoded(said.encode()))


# the command line


@pytest.mark.parametrize("heading", ['"id"x,source', "id\rsource", '"'])
def test_a_heading_that_is_no_csv_is_told(heading: str) -> None:
    with pytest.raises(Misused, match="line 1 is not CSV"):
        list(lines_in(io.BytesIO(heading.encode()), Format.CSV))


@pytest.mark.parametrize("text", [MANY_DIGITS, f'{{"users": {MANY_DIGITS}}}', DEEP])
def test_a_directory_that_python_cannot_read_is_told(text: str) -> None:
    with pytest.raises(Misused, match=r"rows\.json"):
        list(rows_in(text, "rows.json"))


def test_an_answer_that_is_nested_too_deeply_is_not_odometers() -> None:
    with pytest.raises(Failure, match="not JSON"):
        content_of(httpx.Response(200, content=DEEP))
    assert message_of(httpx.Response(400, content=DEEP)) == "no explanation was given"


@pytest.mark.parametrize("record", [{"base_url": []}, {"endpoint": 5}, {"aws": 5}, {"outputs": 1}])
def test_a_record_of_another_shape_is_no_local_stack(
    record: dict[str, Any], tmp_path: Path
) -> None:
    here = "http://127.0.0.1:1"
    whole = {"base_url": here, "endpoint": here, "outputs": {"a": "b"}, "aws": {}}
    (tmp_path / "stack.json").write_text(json.dumps({**whole, **record}))
    with pytest.raises(Misused):
        LocalStack.running(tmp_path)


def test_an_answer_of_another_shape_ends_in_two_sentences() -> None:
    environment = {
        "ODOMETER_URL": "https://usage.example.com",
        "ODOMETER_KEY": str(AccessKey.make(ACME)),
    }
    answer = httpx.Response(200, json=[])
    with patch.object(httpx.HTTPTransport, "handle_request", lambda *_: answer):
        done = CliRunner(env=environment).invoke(app, ["seats"])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "This was answered otherwise than expected: AttributeError at" in done.stderr


# the Python client


def test_a_number_beyond_all_decimals_is_no_answer() -> None:
    """Before, it ended the thread that sends."""
    with pytest.raises(ValueError, match="InvalidOperation"):
        parsed(b'{"accepted": 1e99999999999999999999}')
    with pytest.raises(Failure, match="not JSON"):
        content_of(httpx.Response(200, content=b"1e99999999999999999999"), Decimal)


def test_a_date_beyond_the_calendar_is_passed_over() -> None:
    """Before, it ended the thread that sends."""
    clock = Clock()
    clock.hear(LATER)
    assert clock.told is None
    assert retry_after(httpx.Response(503, headers={"retry-after": LATER})) is None


def test_a_stamp_that_is_no_number_tells_no_time() -> None:
    clock = Clock()
    clock.hear(format_datetime(SENT_AT, usegmt=True))
    assert clock.happened(f"{clock.boot}:x") is None


@pytest.mark.parametrize("time", ["", "yesterday", "2026-02-30T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_none(time: str) -> None:
    assert second_of(time) is None
