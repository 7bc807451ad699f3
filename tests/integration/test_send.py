"""`odometer send`: one event that is typed, and streams that end well, badly, or by Ctrl-C."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader, BytesIO, RawIOBase
from threading import Event
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from odometer.bootstrap import process
from odometer.engine.format.decisions import read_folds
from odometer_cli.client import Client
from odometer_cli.failure import Unreachable
from odometer_cli.send import Stream, form_of
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.stack import Stack as InProcess
from tests.support.stack import admin_of
from tests.support.typed import odometer
from tests.support.usage_sender import ago, log_of, run, usage_event


@pytest.fixture
def env(stack: InProcess) -> Iterator[Mapping[str, str]]:
    with open_to_clients(stack):
        yield {"ODOMETER_URL": ADDRESS, "ODOMETER_KEY": admin_of(stack, ACME)}


def durable(stack: InProcess) -> int:
    return sum(len(entry["digests"]) // 12 for entry in log_of(stack, ACME))


def lines(*names: str) -> str:
    return "".join(f"{json.dumps(usage_event(name))}\n" for name in names)


def test_an_event_is_typed_and_counts_once_under_its_id(
    stack: InProcess, env: Mapping[str, str]
) -> None:
    words = ("send", "--product", "automation", "--user", "ann", "tests=3", "duration_ms=5321")
    said = odometer(*words, "--id", "mine", env=env)
    assert (said.exit_code, said.err) == (
        0,
        "Accepted as mine: sent again with --id, it counts once.\n",
    )
    again = odometer(*words, "--id", "mine", "--json", env=env).json
    assert again == {"id": "mine", "accepted": 1, "errors": []}
    run("fold")
    (fold,) = read_folds(ACME, process().engine.usage, (0,))
    assert [list(event.measures) for event in fold.events] == [[3, 5321, 0, 0]]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--product", "automation"), "An event says who used what."),
        (("tests=1",), "An event says who used what."),
        (("--product", "automation", "--user", "a", "tests"), "tests: expected NAME=VALUE."),
        (("--product", "automation", "--user", "a" * 2**20), "The event is larger than"),
    ],
)
def test_an_event_that_cannot_be_meant_is_not_sent(
    env: Mapping[str, str], words: tuple[str, ...], fault: str
) -> None:
    said = odometer("send", *words, env=env)
    assert (said.exit_code, said.out, said.err[: len(fault)]) == (2, "", fault)


def test_an_event_that_is_rejected_says_why(env: Mapping[str, str]) -> None:
    said = odometer("send", "--product", "automation", "--user", "a", "pages=1", env=env)
    assert (said.exit_code, said.out) == (1, "")
    assert said.err.startswith("unknown_measure: pages: no measure of test")


def test_a_stream_is_sent_and_everything_in_it_is_accounted_for(
    stack: InProcess, env: Mapping[str, str]
) -> None:
    text = lines("a", "b", "a") + "{broken\n" + json.dumps(usage_event("c", subject=None)) + "\n"
    said = odometer("send", "--json", env=env, stdin=text)
    errors = [
        "line 4 is not JSON: Expecting property name enclosed in double quotes: column 2",
        "line 5: missing_subject: subject: required",
    ]
    assert (said.exit_code, said.json) == (
        1,
        {"accepted": 2, "duplicate": 1, "rejected": 2, "unsent": 0, "errors": errors},
    )
    assert durable(stack) == 2


def test_a_table_is_a_stream_too(stack: InProcess, env: Mapping[str, str]) -> None:
    heading = "id,source,subject,time,product,tests\n"
    rows = f'x,ci,ann,{ago(hours=1)},automation,1\n"y"y,ci\nz,ci,ann,{ago(hours=1)},automation,2\n'
    said = odometer("send", "-", "--json", "--format", "csv", env=env, stdin=heading + rows)
    assert (said.json["accepted"], said.json["rejected"]) == (2, 1)
    assert said.json["errors"][0].startswith("line 3 is not CSV: ")
    wrong = odometer("send", "--format", "csv", "--json", env=env, stdin="id,who\n")
    assert (wrong.exit_code, "A column is missing: source" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (b'{"id":1}', "ndjson"),
        (b"\xef\xbb\xbf\n {}", "ndjson"),
        (b"id,source", "csv"),
        (b'"id","source"', "csv"),
        (b"", "ndjson"),
    ],
)
def test_the_first_letter_tells_how_events_stand_in_a_stream(text: bytes, form: str) -> None:
    assert form_of(BufferedReader(BytesIO(text))) == form


class Typing(RawIOBase):
    """A pipe into which somebody writes lines, until something happens; then nothing comes."""

    def __init__(self, text: str, happens: Callable[[], object] = lambda: None) -> None:
        self.text, self.happens = text.encode(), happens

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.text:
            self.happens()
            Event().wait()
        count = min(len(buffer), len(self.text))
        buffer[:count], self.text = self.text[:count], self.text[count:]
        return count


def answering(answer: Callable[[list[Any]], httpx.Response]) -> tuple[Client, list[list[Any]]]:
    """A client whose batches are answered by a function, and all batches that arrived."""
    arrived: list[list[Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        arrived.append(json.loads(request.content))
        return answer(arrived[-1])

    return Client("http://odometer.test", "key", httpx.MockTransport(handle)), arrived


def receipt(events: list[Any]) -> httpx.Response:
    counts = {"accepted": len(events), "duplicate": 0, "rejected": 0, "errors": []}
    return httpx.Response(202, json=counts)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_sends_what_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    client, arrived = answering(receipt)
    stream = Stream(client, connections=2, wait_seconds=60)
    stream.send_all(BufferedReader(Typing(lines("a", "b"), interrupt)), None)
    assert [[event["id"] for event in batch] for batch in arrived] == [["a", "b"]]
    assert (stream.tally.accepted, stream.unsent, stream.exit_code) == (2, [], 130)


def test_a_second_ctrl_c_says_what_was_not_acknowledged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    impatient = [interrupt]

    def never(_: list[Any]) -> httpx.Response:
        if impatient:
            impatient.pop()()
        raise httpx.ConnectError("gone")

    client, _ = answering(never)
    stream = Stream(client, connections=1, wait_seconds=60)
    with patch("odometer_cli.client.time.sleep"):
        stream.send_all(BufferedReader(Typing(lines("a", "b"), interrupt)), None)
    stream.show(as_json=False)
    assert [line.place for line in stream.unsent] == [1, 2]
    assert (stream.exit_code, client.is_hurried) == (130, True)


def test_what_comes_slowly_does_not_wait_for_a_thousand() -> None:
    client, arrived = answering(receipt)
    stream = Stream(client, connections=1, wait_seconds=0)
    stream.send_all(BufferedReader(Typing(lines("a", "b", "c"), interrupt)), None)
    assert [event["id"] for batch in arrived for event in batch] == ["a", "b", "c"]
    assert len(arrived) == 3


def test_no_batch_is_larger_than_a_request_carries() -> None:
    client, arrived = answering(receipt)
    heavy = json.dumps(usage_event("heavy", comment="x" * 700_000)) + "\n"
    text = lines(*(f"{n}" for n in range(2_500))) + heavy + heavy
    stream = Stream(client, connections=1, wait_seconds=60)
    stream.send_all(BufferedReader(BytesIO(text.encode())), None)
    assert [len(batch) for batch in arrived] == [1000, 1000, 501, 1]


def test_a_batch_that_got_no_answer_is_sent_again_with_the_same_ids() -> None:
    failures = [httpx.Response(502), httpx.Response(503), None]

    def answer(events: list[Any]) -> httpx.Response:
        if not failures:
            return receipt(events)
        if failure := failures.pop():
            return failure
        raise httpx.ConnectError("gone")

    client, arrived = answering(answer)
    stream = Stream(client, connections=1, wait_seconds=0)
    pauses: list[float] = []
    with patch("odometer_cli.client.time.sleep", pauses.append):
        stream.send_all(BufferedReader(BytesIO(lines("a").encode())), None)
    assert (stream.tally.accepted, stream.exit_code) == (1, 0)
    assert [batch[0]["id"] for batch in arrived] == ["a"] * 4
    assert pauses == [1.0, 1.0, 1.0]


def test_a_server_that_stays_away_ends_the_reading_and_counts_what_is_left() -> None:
    def gone(_: list[Any]) -> httpx.Response:
        raise httpx.ConnectError("gone")

    client, arrived = answering(gone)
    stream = Stream(client, connections=1, wait_seconds=0)
    with patch("odometer_cli.client.time.sleep"):
        stream.send_all(BufferedReader(Typing(lines("a"))), None)
    assert isinstance(stream.failure, Unreachable)
    assert (len(arrived), [line.place for line in stream.unsent], stream.exit_code) == (6, [1], 3)


def test_what_is_refused_is_not_sent_again(env: Mapping[str, str]) -> None:
    revoked = odometer("keys", "list", "--json", env=env).json["keys"][0]["key_id"]
    odometer("keys", "revoke", revoked, env=env)
    said = odometer("send", "--json", env=env, stdin=lines("a", "b"))
    assert (said.exit_code, said.json["unsent"]) == (1, 2)
    assert "Not acknowledged: 2 events of lines 1 to 2." in said.err
    assert "unknown, expired or revoked" in said.err


def test_reasons_are_kept_up_to_a_bound_and_counted_beyond() -> None:
    client, _ = answering(receipt)
    stream = Stream(client, connections=1, wait_seconds=1)
    with patch("odometer_cli.event_sending.MOST_KEPT", 3):
        stream.send_all(BufferedReader(BytesIO(b"{\n" * 9)), None)
    assert (stream.tally.rejected, len(stream.tally.errors)) == (9, 3)


def test_nobody_is_asked_for_events_at_a_terminal(env: Mapping[str, str]) -> None:
    with patch("odometer_cli.send.is_interactive", lambda: True):
        said = odometer("send", env=env)
    assert (said.exit_code, said.err.splitlines()[0]) == (2, "There is no event.")
    assert sys.stdin is not None
