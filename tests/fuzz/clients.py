"""The Python client: what a server answers it, and the files that it keeps events in."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from odometer_client import operations
from odometer_client.clock import Clock, formatted
from odometer_client.conversation import Retry, conversation
from odometer_client.delivery import Delivered, verdict_on
from odometer_client.errors import OdometerError
from odometer_client.operations import page_after
from odometer_client.sender import second_of
from odometer_client.spool import Record, Spool, line_of, lines_in
from tests.fuzz.choices import Choices
from tests.fuzz.commands import true_answer
from tests.fuzz.damage import damaged_bytes, damaged_json, damaged_text
from tests.fuzz.target import Target, same
from tests.fuzz.texts import TIMES

FAULT = {"index": 1, "id": "a", "code": "x", "message": "no"}
RECEIPT = json.dumps({"accepted": 2, "duplicate": 0, "rejected": 1, "errors": [FAULT]})
DATE = "Tue, 03 Feb 2026 12:00:00 GMT"
CALLS: tuple[Callable[[], operations.Call[Any]], ...] = (
    operations.me,
    lambda: operations.usage(product="chat", period="28d", group_by="user"),
    operations.seats,
    operations.coverage,
)


def said(text: str) -> bytes:
    """Text as a header can hold it."""
    return text.translate(dict.fromkeys(b"\0\r\n")).encode("latin-1", "ignore")


def damaged_response(status: int, body: str, choices: Choices) -> httpx.Response:
    content = damaged_json(body, choices).encode(errors="surrogatepass")
    if choices.one_in(4):
        content = damaged_bytes(content, choices)
    headers = {
        b"retry-after": said(damaged_text(choices.of(["5", DATE]), choices)),
        b"link": said(damaged_text('<?limit=1&cursor=abc>; rel="next"', choices)),
        b"x-request-id": b"5f",
    }
    return httpx.Response(status, content=content, headers=headers)


def read_answer(choices: Choices) -> None:
    call = choices.of(CALLS)()
    url = str(httpx.URL("/" + call.path.lstrip("/"), params=dict(call.query)))
    _, _, body = true_answer("GET", url, b"")
    response = damaged_response(
        choices.of([200, 200, 200, 204, 302, 400, 404, 429, 500, 503]), body, choices
    )
    talk = conversation(call, "https://usage.example.com", Retry(tries=1))
    next(talk)
    try:
        talk.send(response)
    except StopIteration as end:
        page_after(call, end.value[0], response)


def read_receipt(choices: Choices) -> None:
    status = choices.of([202, 202, 202, 400, 401, 413, 415, 429, 500])
    verdict = verdict_on(
        damaged_response(status, RECEIPT, choices), 3, compressed=choices.one_in(2)
    )
    if isinstance(verdict, Delivered):
        assert all(0 <= fault.index < 3 for fault in verdict.faults)


def read_spool(choices: Choices) -> None:
    """A file of events that a process has left, which may have died while it wrote."""
    whole = b"".join(line_of("boot:1.5", json.dumps({"id": each})) for each in "abc")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "1.events").write_bytes(damaged_bytes(whole, choices))
        again = line_of("0", json.dumps({"id": "again"}))
        (folder / "1.again").write_bytes(damaged_bytes(again, choices))
        for segment in Spool(folder).left():
            lines, _ = segment.chunk()
            segment.remove()
            for line in lines:
                assert not isinstance(line, Record) or json.loads(line.content)


def read_line(choices: Choices) -> None:
    line = line_of("boot:1.5", '{"id": "a"}')
    for each in lines_in(damaged_bytes(line, choices), 0):
        if isinstance(each, Record):
            same(line_of(each.stamp, each.content.decode()), line)


def read_date(choices: Choices) -> None:
    clock = Clock()
    clock.hear(damaged_text(DATE, choices))
    clock.happened(damaged_text(clock.stamp(), choices))
    assert isinstance(clock.now(), float)
    second = second_of(damaged_text(choices.of(TIMES), choices))
    assert len(formatted(int(second or 0))) == len("2026-02-28T17:42:00Z")


TARGETS = [
    Target("answer to the Python client", read_answer, (OdometerError,)),
    Target("receipt of events", read_receipt),
    Target("spool of events", read_spool, share=8, quick=30),
    Target("line of a spool", read_line),
    Target("date of an answer", read_date),
]
