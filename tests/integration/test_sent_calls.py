"""In Lambda all calls of a round are sent, then answers are read: each by whoever asked for it."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from socket import AF_INET, SHUT_RDWR, SOCK_DGRAM, socket
from threading import Event, Thread
from time import monotonic
from typing import Any, cast
from unittest.mock import patch

import pytest

from bench.deployment import APPS, OF_APP, counting_deployment, query
from odometer.bootstrap import process
from odometer.domain.errors import Unavailable
from odometer.engine.store import KeyRange
from odometer.services.tasks import Reading, Tasks
from odometer.storage import aws, connections
from odometer.storage.aws import Call, LeanClient, answered, botocore_session, client_of, drop
from odometer.storage.connections import Connection
from odometer.storage.dynamo import SENT_AT_ONCE, Meter, Table
from tests.support.counting_engine import counting_engine
from tests.support.hops import counted_hops
from tests.support.stack import ENVIRONMENT

pytestmark = pytest.mark.engine
BUSY = {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}
NAMES = ["a", "b", "c"]


@dataclass
class Storage:
    """Answers each question with what it asked for, when and how it is told to."""

    may_answer: defaultdict[str, Event] = field(default_factory=lambda: defaultdict(set_event))
    failures: dict[str, list[Any]] = field(default_factory=dict)
    """By name, what the first tries get: an answer that is no success, or None for nothing."""
    asked: list[tuple[str, bool]] = field(default_factory=list)
    """The names, and whether botocore asked."""


def set_event() -> Event:
    event = Event()
    event.set()
    return event


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: Storage

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = asked["ExpressionAttributeValues"][":pk"]["S"]
        self.storage.asked.append((name, "Boto" in self.headers["user-agent"]))
        failure = self.storage.failures.get(name) or [answer_about(name)]
        answer = failure.pop(0)
        self.storage.may_answer[name].wait(10)
        if answer is None:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(400 if "__type" in answer else 200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 64


def answer_about(name: str) -> dict[str, Any]:
    item = {"pk": {"S": name}, "sk": {"S": "1"}}
    return {"Items": [item], "ConsumedCapacity": {"CapacityUnits": 0.5}}


@contextmanager
def in_lambda(endpoint: str) -> Iterator[LeanClient]:
    """A client as a function in Lambda has it."""
    named = {"AWS_LAMBDA_FUNCTION_NAME": "usage", "AWS_ENDPOINT_URL": endpoint}
    with patch.dict(os.environ, {**ENVIRONMENT, **named}):
        botocore_session.cache_clear()
        with closing(client_of("dynamodb")) as client:
            yield client
    botocore_session.cache_clear()


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def client(storage: Storage) -> Iterator[LeanClient]:
    """A client with a connection for each name."""
    handler = type("OfStorage", (Handler,), {"storage": storage})
    with Server(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with in_lambda(f"http://127.0.0.1:{server.server_port}") as client:
            connect_times(client, len(NAMES))
            yield client
        server.shutdown()


@pytest.fixture
def readers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as readers:
        yield readers


@pytest.fixture
def table(client: LeanClient, readers: ThreadPoolExecutor) -> Table:
    return Table("usage", Meter(), cast("Any", client), readers)


def connect_times(client: LeanClient, times: int) -> None:
    client.idle.extend(connections.connected(client.endpoint) for _ in range(times))


def ranges(*names: str) -> list[KeyRange]:
    return [KeyRange(name, "", "~") for name in names]


def found(*names: str) -> list[list[dict[str, str]]]:
    return [[{"pk": name, "sk": "1"}] for name in names]


def is_closed(connection: Connection) -> bool:
    return connection.sock.fileno() < 0


def test_who_asks_for_several_sends_all_of_them_before_an_answer_is_read(
    storage: Storage, table: Table, client: LeanClient
) -> None:
    kept = {*client.idle}
    for name in NAMES:
        storage.may_answer[name].clear()
    call = table.begin_read(ranges(*NAMES))
    assert call
    for name in reversed(NAMES):  # answers come in the other order
        storage.may_answer[name].set()
    assert answered(call) == found(*NAMES)
    assert sorted(storage.asked) == [(name, False) for name in NAMES]
    assert (table.meter.requests, table.meter.read_units) == (3, 1.5)
    assert {*client.idle} == kept


def test_several_key_ranges_wake_no_reader(table: Table, readers: ThreadPoolExecutor) -> None:
    with patch.object(readers, "submit") as woken:
        assert table.read(ranges(*NAMES)) == found(*NAMES)
    woken.assert_not_called()


@pytest.mark.parametrize("is_dropped", [True, False])
def test_an_answer_that_nobody_reads_is_read_by_no_other_call(
    storage: Storage, table: Table, client: LeanClient, *, is_dropped: bool
) -> None:
    kept = {*client.idle}
    call = table.begin_read(ranges("a", "b"))
    assert call
    if is_dropped:
        drop(call)
    del call
    assert [is_closed(each) for each in kept - {*client.idle}] == [True, True]
    assert table.read(ranges("c")) == found("c")
    assert table.read(ranges("c", "b")) == found("c", "b")


def test_storage_goes_on_answering_where_one_of_several_calls_has_failed(
    storage: Storage, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    storage.failures["a"] = [BUSY] * aws.TRIES
    with pytest.raises(Unavailable):
        table.read(ranges("a", "b", "c"))
    for name in NAMES:
        assert table.read(ranges(name)) == found(name)


@pytest.mark.parametrize("failure", [BUSY, None], ids=["throttled", "closed after it was sent"])
def test_botocore_makes_other_tries_of_a_call_that_was_sent(
    storage: Storage, table: Table, monkeypatch: pytest.MonkeyPatch, failure: Any
) -> None:
    pauses = list[float]()
    monkeypatch.setattr("time.sleep", pauses.append)
    storage.failures["b"] = [failure, answer_about("b")]
    assert table.read(ranges(*NAMES)) == found(*NAMES)
    assert sorted(storage.asked) == [("a", False), ("b", False), ("b", True), ("c", False)]
    most = aws.THROTTLED_SECONDS if failure else aws.FAILED_SECONDS
    assert [0 <= pause <= most for pause in pauses] == [True]
    assert table.meter.requests == 3


def test_other_tries_of_several_calls_are_made_at_once(storage: Storage, table: Table) -> None:
    for name in NAMES:
        storage.failures[name] = [BUSY, answer_about(name)]
    at_once = Event()

    def sleep(_: float) -> None:
        """Two wait for the third."""
        waiting.append(None)
        if len(waiting) == len(NAMES):
            at_once.set()
        assert at_once.wait(10)

    waiting = list[None]()
    with patch("time.sleep", sleep):
        assert table.read(ranges(*NAMES)) == found(*NAMES)


def test_an_answer_that_comes_too_late_is_left_and_asked_for_again(
    storage: Storage, table: Table, client: LeanClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "FAILED_SECONDS", 0.0)
    storage.may_answer["b"].clear()
    for each in client.idle:
        each.sock.settimeout(0.05)
    call = table.begin_read(ranges("a", "b"))
    assert call
    with patch.object(LeanClient, "botocore", LateClient(storage)):
        assert answered(call) == found("a", "b")
    assert len(client.idle) == len(NAMES) - 1
    assert table.read(ranges("c", "a")) == found("c", "a")


def test_time_outs_of_calls_that_were_sent_do_not_add_up(
    storage: Storage, table: Table, client: LeanClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has not come so long after it was sent is not waited for again when it is read."""
    monkeypatch.setattr(aws, "FAILED_SECONDS", 0.0)
    for name in ("a", "b"):
        storage.may_answer[name].clear()
    call = table.begin_read(ranges("a", "b"))
    assert call
    pass_time(monkeypatch)
    with (
        patch.object(LeanClient, "botocore", LateClient(storage)),
        patch.object(Connection, "_some", side_effect=TimeoutError) as waiting,
    ):
        assert answered(call) == found("a", "b")
    waiting.assert_not_called()


def test_an_answer_that_has_come_in_time_is_read_however_late(
    storage: Storage, table: Table, client: LeanClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {*client.idle}
    call = table.begin_read(ranges(*NAMES))
    assert call
    for each in kept:
        assert select([each.sock], [], [], 10)[0]
    pass_time(monkeypatch)
    assert answered(call) == found(*NAMES)
    assert sorted(storage.asked) == [(name, False) for name in NAMES]
    assert {*client.idle} == kept


def pass_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "monotonic", lambda: monotonic() + connections.READ_SECONDS)


@dataclass
class LateClient:
    """Answers as botocore's client does, after storage has answered the first try."""

    storage: Storage

    def query(self, **asked: Any) -> dict[str, Any]:
        name = asked["ExpressionAttributeValues"][":pk"]["S"]
        self.storage.may_answer[name].set()
        return answer_about(name)

    def close(self) -> None: ...


def test_whoever_sends_meets_no_error_but_whoever_reads(
    storage: Storage, table: Table, client: LeanClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection breaks after it was looked at, and something unasked had come before."""
    monkeypatch.setattr(aws, "FAILED_SECONDS", 0.0)
    monkeypatch.setattr(Connection, "is_open", lambda _: True)
    mine, other = socket_pair()
    other.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"Items":[]}')
    mine.shutdown(SHUT_RDWR)
    client.idle.append(Connection(mine))
    with closing(other):
        call = table.begin_read(ranges("a"))
        assert call
        assert not storage.asked
        assert answered(call) == found("a")
    assert storage.asked == [("a", True)]


@pytest.mark.parametrize("throttled", [0, aws.TRIES])
def test_what_cannot_be_sent_is_met_by_whoever_reads_as_an_error_of_ours(
    storage: Storage, table: Table, monkeypatch: pytest.MonkeyPatch, throttled: int
) -> None:
    """A caller may name a trace in letters that are not sent on."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-0-0;Of=\x85")
    storage.failures["b"] = [*[BUSY] * throttled, answer_about("b")]
    call = table.begin_read(ranges("a", "b"))
    assert call
    assert not storage.asked
    if throttled:
        with pytest.raises(Unavailable):
            answered(call)
    else:
        assert answered(call) == found("a", "b")


def socket_pair() -> tuple[socket, socket]:
    with socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        mine = socket()
        mine.connect(server.getsockname())
        return mine, server.accept()[0]


def test_fewer_connections_than_calls_are_kept_for_others_and_readers_ask(
    storage: Storage, table: Table, client: LeanClient
) -> None:
    last = client.idle.pop()
    last.close()
    kept = [*client.idle]
    assert table.begin_read(ranges(*NAMES)) is None
    assert [*client.idle] == kept
    assert not storage.asked
    assert table.read(ranges(*NAMES)) == found(*NAMES)


def test_so_many_calls_are_sent_at_once_and_no_more(table: Table, client: LeanClient) -> None:
    connect_times(client, SENT_AT_ONCE)
    assert table.begin_read(ranges(*"a" * (SENT_AT_ONCE + 1))) is None
    call = table.begin_read(ranges(*"a" * SENT_AT_ONCE))
    assert call
    assert answered(call) == found(*"a" * SENT_AT_ONCE)


def test_what_was_sent_is_read_once_whoever_needs_it(
    storage: Storage, table: Table, readers: ThreadPoolExecutor
) -> None:
    storage.may_answer["a"].clear()
    tasks = Tasks(readers)
    result = tasks.read(table, ranges("a"))
    several = [readers.submit(result) for _ in range(3)]
    storage.may_answer["a"].set()
    assert [each.result(10) for each in several] == [found("a")] * 3
    assert storage.asked == [("a", False)]
    tasks.finish(monotonic())
    assert result() == found("a")


def test_an_error_is_met_by_everybody_who_needs_what_was_sent(
    storage: Storage, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    storage.failures["a"] = [BUSY] * aws.TRIES
    result = Tasks().read(table, ranges("a"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            result()


def test_what_nobody_needs_is_dropped_when_a_request_ends(
    storage: Storage, table: Table, client: LeanClient
) -> None:
    tasks, kept = Tasks(), {*client.idle}
    storage.may_answer["a"].clear()
    tasks.read(table, ranges("a"))
    assert not any(map(is_closed, kept))
    tasks.finish(monotonic())
    assert [is_closed(each) for each in kept - {*client.idle}] == [True]


def test_a_request_ends_while_another_thread_still_reads(
    storage: Storage, table: Table, readers: ThreadPoolExecutor
) -> None:
    storage.may_answer["a"].clear()
    tasks, reading = Tasks(), Event()
    result = tasks.read(table, ranges("a"))
    reply = Connection.reply

    def slow_reply(connection: Connection) -> Any:
        reading.set()
        return reply(connection)

    with patch.object(Connection, "reply", slow_reply):
        read = readers.submit(result)
        assert reading.wait(10)
        tasks.finish(monotonic())
        storage.may_answer["a"].set()
        assert read.result(10) == found("a")


def test_calls_that_are_sent_together_are_in_the_trace_of_their_request(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket(AF_INET, SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-0-0;Parent=0;Sampled=1")
        assert table.read(ranges("a", "b")) == found("a", "b")
        told = [json.loads(daemon.recv(65_536).split(b"\n")[1]) for _ in range(2)]
    assert [(each["aws"]["operation"], "error" in each) for each in told] == [("Query", False)] * 2


def test_whatever_is_read_is_what_boto3_reads_on_a_real_engine(
    readers: ThreadPoolExecutor,
) -> None:
    """Of one page or several, of some items at most, in either order, and of nothing."""
    with counting_engine() as engine, in_lambda(engine.meta.endpoint_url) as client:
        Table("usage", Meter(), engine).put_all(
            {"pk": pk, "sk": f"{number:03}", "value": bytes([number]) * 350_000}
            for pk in NAMES
            for number in range(8)
        )
        several = [
            *(KeyRange(pk, "001", "006") for pk in NAMES),
            KeyRange("a", "000", "007", limit=1),
            KeyRange("b", "000", "007", limit=5, newest_first=True),
            KeyRange("nothing", "", "~"),
        ]
        connect_times(client, len(several))
        for threads in (None, readers):
            own, lean = Meter(), Table("usage", Meter(), cast("Any", client), threads)
            call = lean.begin_read(several)
            assert call
            expected = Table("usage", own, engine).read(several)
            assert answered(call) == expected
            assert [len(items) for items in expected] == [6, 6, 6, 1, 5, 0]
            assert lean.meter.figures == own.figures
        pages = len([*lean.pages(several[0])])
        with counted_hops() as counted:
            lean.read(several)
        assert counted.hops == pages == 3


def test_a_warm_ranking_in_lambda_waits_for_two_hops_and_wakes_no_thread() -> None:
    path = f"{OF_APP}/utilization/users?granularity=daily&{query(28)}"
    with (
        counting_deployment(100, APPS[:1]) as deployed,
        patch.dict(os.environ, AWS_LAMBDA_FUNCTION_NAME="ranking"),
        closing(client_of("dynamodb")) as client,
    ):
        process().dynamodb = client
        for ago in (1, 2):
            deployed.get(path.replace(query(28), query(28, ago=ago)))
        connect_times(client, 4)
        with patch.object(ThreadPoolExecutor, "submit") as woken, counted_hops() as counted:
            deployed.get(path)
        woken.assert_not_called()
    assert (counted.hops, counted.calls) == (2, 5)
    assert counted.rounds[0] == {"BatchGetItem": 1, "Query": 1}


def test_an_answer_is_read_when_it_is_needed() -> None:
    steps = list[str]()

    def call() -> Call[int]:
        steps.append("sent")
        yield
        steps.append("read")
        return 7

    begun = aws.sent(call())
    assert steps == ["sent"]
    assert Reading(begun).result() == 7
    assert steps == ["sent", "read"]
