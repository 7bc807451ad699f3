"""What becomes of events where server, disk, clock and application do their worst."""

import asyncio
import errno
import gzip
import json
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from clients.python.tests.conftest import URL, InProcess, Served
from clients.python.tests.intake import lines_of, wait_until
from odometer_client import Meter
from odometer_client.clock import Clock, clock_of_uptime
from odometer_client.store import Store
from tests.support.usage_sender import run

KEY = "odo_a-key-that-nobody-may-see_1234"
Answer = Callable[[list[Any]], httpx.Response | None]


@dataclass
class Api(httpx.BaseTransport):
    """Accepts all events, unless a test has another answer."""

    answer: Answer = field(default=lambda _: None)
    bodies: list[httpx.Request] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    events: list[Any] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request)
        body = request.read()
        packed = request.headers.get("content-encoding") == "gzip"
        events = json.loads(gzip.decompress(body) if packed else body)
        answer = self.answer(events)
        if answer is None:
            self.ids.update(event["id"] for event in events)
            self.events += events
            answer = receipt(len(events))
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def receipt(events: int, *faults: tuple[int, str], date: datetime | None = None) -> httpx.Response:
    content = {
        "accepted": events - len(faults),
        "duplicate": 0,
        "rejected": len(faults),
        "errors": [
            {"index": index, "id": None, "code": code, "message": "It is so."}
            for index, code in faults
        ],
    }
    headers = {"Date": f"{date:%a, %d %b %Y %H:%M:%S GMT}"} if date else {}
    return httpx.Response(202, json=content, headers=headers)


def fault(status: int, **headers: str) -> httpx.Response:
    content = {"error": {"code": "a_code", "message": "It is so.", "details": {}}}
    return httpx.Response(status, json=content, headers=headers)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def meter(api: Api, tmp_path: Path) -> Iterator[Meter]:
    found = new_meter(api, tmp_path)
    yield found
    found.close(0.2)


def new_meter(api: httpx.BaseTransport, spool: Path, **options: Any) -> Meter:
    words = {"url": URL, "key": KEY, "interval": 0.01, "transport": api, **options}
    return Meter("tests", spool=spool / "spool", **words)


def count(meter: Meter, events: int = 1, **data: Any) -> None:
    for _ in range(events):
        meter.count("chat", user="ada@example.com", **{"interactions": 1, **data})


def segments(spool: Path) -> list[Path]:
    return sorted((spool / "spool").glob("*.events"))


@pytest.mark.parametrize("decompresses", [True, False], ids=["aws", "elsewhere"])
def test_events_count_once_in_a_deployment(
    served: Served,
    tmp_path: Path,
    *,
    decompresses: bool,
) -> None:
    api = InProcess(served.stack, decompresses)
    with new_meter(api, tmp_path, key=served.key) as meter:
        count(meter, 30)
        meter.count("chat", user="bob@example.com", id="once", interactions=2)
        assert meter.flush(20)
        meter.count("chat", user="bob@example.com", id="once", interactions=2)
        assert meter.flush(20)
    run("fold")
    usage = served.client().usage(kind="chat", period="7d", measure="interactions")
    assert usage.totals["interactions"].value == 32
    assert (meter.stats().sent, meter.stats().rejected) == (32, 0)


def test_an_event_is_written_as_it_is_said(api: Api, meter: Meter) -> None:
    at = datetime(2026, 2, 28, 18, 42, tzinfo=UTC)
    meter.count("docs", user="ada", time=at, id="x", credits=Decimal("0.10"), format='p"df\n')
    assert meter.flush()
    (sent,) = api.bodies
    assert b'"credits":0.10' in sent.content
    assert api.events == [
        {
            "specversion": "1.0",
            "id": "x",
            "source": "tests",
            "type": "usage",
            "subject": "ada",
            "time": "2026-02-28T18:42:00.000000Z",
            "data": {"product": "docs", "credits": 0.1, "format": 'p"df\n'},
        }
    ]


def test_many_events_are_compressed_and_come_in_batches_that_are_taken(
    api: Api, tmp_path: Path
) -> None:
    meter = new_meter(api, tmp_path, interval=60)
    count(meter, 2_500)
    assert meter.flush(10)
    assert {request.headers.get("content-encoding") for request in api.bodies} == {"gzip"}
    assert (len(api.ids), set(api.ids.values())) == (2_500, {1})
    assert segments(tmp_path)[0].stat().st_size == 0
    assert meter.close()
    assert segments(tmp_path) == []


def test_whoever_counts_waits_for_no_file_to_be_synced_or_emptied(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, seen = new_meter(api, tmp_path, interval=60), []

    def watched(name: str, do: Callable[..., None]) -> Callable[..., None]:
        def done(descriptor: int, *words: int) -> None:
            counting = Thread(target=count, args=(meter,), daemon=True)
            counting.start()
            counting.join(5)
            written: Any = meter._store._segment  # noqa: SLF001
            seen.append((name, counting.is_alive(), descriptor == written.descriptor))
            do(descriptor, *words)

        return done

    count(meter)  # which makes the file
    assert meter.flush(20)
    for name in ("fsync", "ftruncate"):
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    for _ in range(3):
        count(meter)
        assert meter.flush(20)
    monkeypatch.undo()
    assert set(seen) == {("fsync", False, False), ("ftruncate", False, False)}
    assert meter.close(20)
    assert (len(api.ids), segments(tmp_path)) == (4 + len(seen), [])


def test_threads_and_asyncio_count_side_by_side(api: Api, meter: Meter) -> None:
    async def several() -> None:
        count(meter, 100)
        assert await asyncio.to_thread(meter.flush)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: count(meter, 100), range(8)))
    asyncio.run(several())
    assert (len(api.ids), meter.stats().counted) == (900, 900)


NO_RECEIPTS = {
    "503": fault(503),
    "429": fault(429, **{"Retry-After": "0"}),
    "404": fault(404),
    "401": fault(401),
    "403": fault(403),
    "of a proxy": httpx.Response(200, content=b"<html>"),
    "unreadable": httpx.Response(202, content=b"<html>"),
    "400 of a proxy": httpx.Response(400, content=b"<html>"),
    "elsewhere": httpx.Response(302),
    "of others": receipt(7),
    "impossible": receipt(3, (9, "no_usage")),
    "none": None,
}


@pytest.mark.parametrize("answer", NO_RECEIPTS.values(), ids=NO_RECEIPTS.keys())
def test_whatever_is_no_receipt_leaves_events_to_the_next_process(
    answer: httpx.Response | None, api: Api, tmp_path: Path
) -> None:
    def fail(_: Any) -> httpx.Response:
        if answer is None:
            raise httpx.ReadTimeout("slow")
        return answer

    api.answer = fail
    meter = new_meter(api, tmp_path)
    count(meter, 3)
    assert not meter.close(0.1)
    assert meter.stats().failures >= 1
    api.answer = lambda _: None
    with new_meter(api, tmp_path) as following:
        assert following.flush()
    assert sorted(api.ids.values()) == [1, 1, 1]


def test_a_server_that_asks_for_time_gets_it(api: Api, meter: Meter) -> None:
    api.answer = lambda _: fault(429, **{"Retry-After": "120"})
    count(meter)
    assert not meter.flush(0.3)
    assert len(api.bodies) == 1


def test_a_refused_event_is_set_aside_and_the_others_count(
    api: Api, meter: Meter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer = lambda events: receipt(len(events), *[(0, "no_usage")] * bool(events))
    meter.count("chat", user="ada", id="bad", interactions=0)
    assert meter.flush()
    (line,) = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert (line["code"], line["event"]["id"]) == ("no_usage", "bad")
    assert meter.stats().rejected == 1
    assert [record.message for record in caplog.records if "no_usage" in record.message]


def test_an_event_that_waits_does_not_set_its_neighbours_aside_again(
    api: Api, meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_client.sender.REST_SECONDS", 0.01)
    codes = {"early": "time_ahead", "bad": "no_usage"}

    def answer(events: list[Any]) -> httpx.Response:
        faults = [(index, codes[event["id"]]) for index, event in enumerate(events)]
        return receipt(len(events), *faults, date=datetime.now(UTC))

    api.answer = answer
    for name in codes:
        meter.count("chat", user="ada", id=name, time=datetime.now(UTC), interactions=1)
    assert not meter.flush(0.5)
    assert len(api.bodies) > 2
    (line,) = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert (line["event"]["id"], meter.stats().rejected) == ("bad", 1)


def test_an_id_that_was_refused_may_be_counted_again(api: Api, meter: Meter) -> None:
    api.answer = lambda events: receipt(len(events), (0, "unknown_product"))
    meter.count("chat", user="ada", id="job-7", interactions=1)
    assert meter.flush()
    api.answer = lambda _: None
    meter.count("chat", user="ada", id="job-7", interactions=1)
    assert meter.flush()
    assert api.ids == {"job-7": 1}


def test_an_id_that_was_refused_may_be_counted_again_while_its_file_waits(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_client.delivery.MOST_EVENTS", 1)
    answers = [fault(503), receipt(1, (0, "unknown_product")), fault(503), None, None]
    api.answer = lambda _: answers.pop(0)
    meter = new_meter(api, tmp_path, interval=60)
    for user in ("nobody", "ada", "ada"):
        time = datetime.now(UTC)
        meter.count("chat", user=user, id="job-7", time=time, interactions=1)
    time_to_send_again(meter)
    assert [event["subject"] for event in api.events] == ["ada", "ada"]
    meter.close()


def time_to_send_again(meter: Meter) -> None:
    """After a failure, flush until the pause is over."""
    gives_up_at = time.monotonic() + 10
    while not meter.flush(0.1):
        assert time.monotonic() < gives_up_at


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_not_sent_is_set_aside_once_where_a_later_batch_fails(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = left_by_a_killed_process(api, tmp_path, 3)
    segment.write_bytes(b"rubbish\n" + segment.read_bytes())
    monkeypatch.setattr("odometer_client.delivery.MOST_EVENTS", 2)
    answers = [receipt(1, (0, "no_usage")), fault(503), None]
    api.answer = lambda _: answers.pop(0)
    with new_meter(api, tmp_path) as meter:
        meter.flush()
        wait_until(lambda: not meter.stats().waiting_bytes)
    aside = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert sorted(line["code"] for line in aside) == ["no_usage", "torn"]
    assert (meter.stats().torn, meter.stats().rejected, len(api.ids)) == (1, 1, 2)


def test_while_an_event_waits_its_neighbours_are_not_sent_again(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_client.sender.REST_SECONDS", 0.01)
    sent: Counter[str] = Counter()

    def answer(events: list[Any]) -> httpx.Response:
        sent.update(event["id"] for event in events)
        early = [index for index, event in enumerate(events) if event["id"] == "early"]
        is_early = sent["early"] < 4
        faults = [(index, "time_ahead") for index in early if is_early]
        return receipt(len(events), *faults, date=datetime.now(UTC))

    api.answer = lambda _: fault(503)
    meter = new_meter(api, tmp_path, interval=0.05)
    for name in ("before", "early", "after"):
        meter.count("chat", user="ada", id=name, time=datetime.now(UTC), interactions=1)
    assert not meter.flush(0.2)
    api.answer = answer
    time_to_send_again(meter)
    assert sent == {"before": 1, "early": 4, "after": 1}
    assert meter.close()
    assert segments(tmp_path) == []


def test_an_event_that_waits_is_kept_where_a_later_chunk_fails(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odometer_client.sender.REST_SECONDS", 0.01)
    monkeypatch.setattr("odometer_client.spool.CHUNK_BYTES", 400)
    early = receipt(1, (0, "time_ahead"), date=datetime.now(UTC))
    answers = [fault(503), early, fault(503), None, None]
    api.answer = lambda _: answers.pop(0)
    meter = new_meter(api, tmp_path, interval=60)
    for name in ("early", "after"):
        meter.count("chat", user="ada", id=name, time=datetime.now(UTC), interactions=1)
    time_to_send_again(meter)
    assert api.ids == {"early": 1, "after": 1}
    meter.close()


@pytest.mark.parametrize("status", [413, 400])
def test_a_batch_that_is_refused_is_sent_in_parts(
    status: int, api: Api, meter: Meter, tmp_path: Path
) -> None:
    def answer(events: list[Any]) -> httpx.Response | None:
        bad = any(event["id"] == "bad" for event in events)
        return fault(status) if bad or len(events) > 4 else None

    api.answer = answer
    count(meter, 9)
    meter.count("chat", user="ada", id="bad", interactions=1)
    assert meter.flush(10)
    assert (len(api.ids), set(api.ids.values())) == (9, {1})
    (line,) = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert (line["code"], line["event"]["id"]) == ("a_code", "bad")


def test_without_a_disk_events_are_kept_in_memory(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    meter = new_meter(api, tmp_path)
    count(meter, 5)
    assert meter.flush()
    assert len(api.ids) == 5
    count(meter, 5)
    assert meter.close()
    assert len([each for each in caplog.records if "memory only" in each.message]) == 1


def test_events_in_memory_that_follow_ones_that_wait_are_sent_before_a_flush_ends(
    api: Api, tmp_path: Path
) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    api.answer = lambda _: fault(503)
    meter = new_meter(api, tmp_path, interval=60)
    count(meter)
    assert not meter.flush(0.2)
    count(meter)
    api.answer = lambda _: None
    time_to_send_again(meter)
    assert len(api.ids) == 2
    assert meter.close()
    assert meter.stats().waiting_bytes == 0


def test_a_disk_that_is_full_in_the_middle_of_an_event_loses_nothing(
    api: Api, tmp_path: Path
) -> None:
    write, room = os.write, [500]

    def write_some(descriptor: int, content: bytes) -> int:
        if not content.endswith(b"\n"):
            return write(descriptor, content)
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, content[: room[0]])
        room[0] -= written
        return written

    meter = new_meter(api, tmp_path, interval=60)
    with patch("os.write", write_some):
        count(meter, 5)
    assert meter.flush()
    count(meter, 5)
    assert meter.close()
    assert (len(api.ids), set(api.ids.values())) == (10, {1})


def test_a_full_spool_drops_new_events_and_says_so_once(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer = lambda _: fault(503)
    meter = new_meter(api, tmp_path, max_bytes=1_000)
    count(meter, 50)
    stats = meter.stats()
    assert stats.waiting_bytes <= 1_000
    assert stats.counted + stats.dropped == 50
    assert stats.dropped > 40
    meter.close(0.1)
    assert len([each for each in caplog.records if "full" in each.message]) == 1


def left_by_a_killed_process(api: Api, tmp_path: Path, events: int) -> Path:
    """The segment of a process that was killed before it could send."""
    child = os.fork()
    if not child:
        with patch.object(Store, "tidy", return_value=""):  # files take no turns meanwhile
            count(new_meter(api, tmp_path, interval=60), events)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (found,) = segments(tmp_path)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("damage", "whole"),
    [
        (lambda content: content[:-20], 4),
        (lambda content: content[:-1], 5),
        (lambda content: content + b"\0" * 4096, 5),
        (lambda content: content.replace(b'"interactions":1', b'"interactions":9', 1), 4),
        (lambda content: content + b"\n\n\xff\xfe\n" + b"x" * 2_000_000, 5),
        (lambda _: b"", 0),
    ],
    ids=["torn", "without its end", "zeros", "a bit", "rubbish", "nothing"],
)
def test_what_a_power_cut_leaves_is_read_as_far_as_it_is_whole(
    damage: Callable[[bytes], bytes], whole: int, api: Api, tmp_path: Path
) -> None:
    segment = left_by_a_killed_process(api, tmp_path, 5)
    segment.write_bytes(damage(segment.read_bytes()))
    with new_meter(api, tmp_path) as meter:
        assert meter.flush()
    wait_for_adoption(meter, tmp_path)
    assert (len(api.ids), meter.stats().sent) == (whole, whole)
    aside = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert {line["code"] for line in aside} <= {"torn"}
    assert len(aside) == meter.stats().torn


def wait_for_adoption(meter: Meter, tmp_path: Path) -> None:
    """Adopted segments come after the own one, for which `flush` waits."""
    gives_up_at = time.monotonic() + 10
    while meter.stats().waiting_bytes or segments(tmp_path):
        assert time.monotonic() < gives_up_at
        meter.flush(0.1)
        meter.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_counts_for_itself(api: Api, tmp_path: Path) -> None:
    meter = new_meter(api, tmp_path)
    count(meter, 5)
    child = os.fork()
    if not child:
        count(meter, 3)
        os._exit(meter.stats().counted)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    count(meter, 5)
    assert meter.flush()
    wait_for_adoption(meter, tmp_path)
    assert (len(api.ids), set(api.ids.values())) == (13, {1})


@dataclass
class World:
    """A machine whose clock is wrong, and a server whose clock is right."""

    api: Api
    ahead: timedelta = timedelta(0)
    running: float = 1_000.0

    def __post_init__(self) -> None:
        self.api.answer = self.answer

    @property
    def clock(self) -> Clock:
        return Clock(lambda: time.time() + self.ahead.total_seconds(), lambda: self.running, "boot")

    def answer(self, events: list[Any]) -> httpx.Response:
        now = datetime.now(UTC)
        faults = [
            (index, "time_ahead" if event["time"] > f"{now:%Y}" else "time_too_old")
            for index, event in enumerate(events)
            if not now - timedelta(days=366) < at(event) < now + timedelta(minutes=5)
        ]
        refused = {index for index, _ in faults}
        self.api.events += [each for index, each in enumerate(events) if index not in refused]
        return receipt(len(events), *faults, date=now)


def at(event: Any) -> datetime:
    return datetime.fromisoformat(event["time"])


@pytest.mark.parametrize("days", [400, -20_000, 1])
def test_an_event_counts_when_it_happened_whatever_the_clock_showed(
    days: int, api: Api, tmp_path: Path
) -> None:
    world = World(api, timedelta(days=days))
    with new_meter(api, tmp_path, interval=60, clock=world.clock) as meter:
        count(meter)
        world.running += 100
        assert meter.flush()
        count(meter)
        assert meter.flush()
    first, second = sorted(api.events, key=at)
    ago = [(datetime.now(UTC) - at(event)).total_seconds() for event in (first, second)]
    assert 99 <= ago[0] <= 110
    assert -1 <= ago[1] <= 10
    assert first["id"] != second["id"]


def test_the_next_process_sends_an_event_with_the_time_that_it_got(
    api: Api, tmp_path: Path
) -> None:
    world, times = World(api, timedelta(days=400)), []

    def answer(events: list[Any]) -> httpx.Response:
        times.append([event["time"] for event in events])
        return fault(503) if len(times) == 2 else world.answer(events)

    api.answer = answer
    meter = new_meter(api, tmp_path, clock=world.clock)
    count(meter)
    assert not meter.close(0.3)
    with new_meter(api, tmp_path, clock=world.clock) as following:
        following.flush()
        wait_until(lambda: not following.stats().waiting_bytes)
    wrong, right, again = times
    assert wrong != right == again


def test_where_the_machine_has_no_uptime_events_count(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("time.clock_gettime")
    with new_meter(api, tmp_path, clock=Clock(uptime=clock_of_uptime())) as meter:
        count(meter, 2)
        assert meter.flush()
    assert (len(api.ids), meter.stats().dropped) == (2, 0)


def test_a_time_that_was_given_is_never_changed(api: Api, tmp_path: Path) -> None:
    world = World(api)
    with new_meter(api, tmp_path, clock=world.clock) as meter:
        later = datetime.now(UTC) + timedelta(days=2)
        meter.count("chat", user="ada", time=later, id="later", interactions=1)
        assert meter.flush()
    (line,) = lines_of(tmp_path / "spool" / "rejected.ndjson")
    assert (line["code"], line["event"]["id"]) == ("time_ahead", "later")


def test_an_event_that_is_a_little_early_waits(api: Api, tmp_path: Path) -> None:
    world = World(api)
    meter = new_meter(api, tmp_path, clock=world.clock)
    soon = datetime.now(UTC) + timedelta(minutes=9)
    meter.count("chat", user="ada", time=soon, interactions=1)
    assert not meter.flush(0.3)
    count(meter)
    assert not meter.close(0.3)
    assert len(api.events) == 1
    assert [path.stat().st_size > 0 for path in segments(tmp_path)] == [True]
    assert meter.stats().rejected == 0


STRANGE = {
    "no user": {"user": None},
    "no number": {"interactions": float("nan")},
    "an object": {"interactions": object()},
    "a flag": {"interactions": True},
    "no zone": {"time": datetime(2026, 1, 1)},  # noqa: DTZ001  it has no time zone
    "long": {"note": "x" * 70_000},
    "half a character": {"user": "\ud800", "note": "\ud800"},
}


@pytest.mark.parametrize("said", STRANGE.values(), ids=STRANGE.keys())
def test_count_never_raises(said: Any, api: Api, meter: Meter) -> None:
    meter.count("chat", **{"user": "ada", "interactions": 1, **said})
    count(meter)
    assert meter.flush()
    assert len(api.ids) + meter.stats().dropped == 2


def test_a_signal_handler_may_count_while_the_application_does(api: Api, meter: Meter) -> None:
    def handle(*_: Any) -> None:
        count(meter)
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    former = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        count(meter, 3_000)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert meter.flush(10)
    assert len(api.ids) >= 3_000
    assert (meter.stats().waiting_bytes, set(api.ids.values())) == (0, {1})


def test_the_key_is_nowhere_to_be_seen(
    api: Api, meter: Meter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.answer = lambda _: fault(401)
    count(meter)
    meter.flush(0.1)
    assert api.bodies[0].headers["authorization"] == f"Bearer {KEY}"
    files = b"".join(path.read_bytes() for path in segments(tmp_path))
    told = [repr(meter), repr(vars(meter)), str(meter.stats()), caplog.text, files.decode()]
    assert [each for each in told if "nobody-may-see" in each] == []
    assert segments(tmp_path)[0].stat().st_mode & 0o077 == 0


def test_a_failure_is_logged_once_and_once_more_when_it_is_over(
    api: Api, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer = lambda _: fault(503)
    count(meter)
    assert not meter.flush(1.0)
    assert meter.stats().failures >= 2
    api.answer = lambda _: None
    assert meter.flush(10)
    words = [record.message for record in caplog.records if record.name == "odometer_client"]
    assert [word.split(":")[0] for word in words] == [
        "Usage is kept and sent later",
        "Usage is sent again.",
    ]
