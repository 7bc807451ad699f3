"""A proxy on loopback between functions and services, at which calls meet faults.

It passes on everything as it is. What it is told of a call is its header `x-amz-target`.
"""

import asyncio
import json
import signal
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, NamedTuple

from tests.storm.faults import Fault, Faults, kind_of

HELD_SECONDS: Final = 4.3
"""Just longer than a client waits for an answer."""
LARGEST_HEAD: Final = 2**17
NOTED_EVERY_SECONDS: Final = 5
BUCKET_SECONDS: Final = 10
THROTTLED: Final = {
    "DynamoDB": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "AmazonSQS": "com.amazonaws.sqs#RequestThrottled",
    "secretsmanager": "ThrottlingException",
}
FAILED: Final = "InternalServerError"
GONE: Final = (OSError, EOFError, asyncio.LimitOverrunError, ValueError)


class Message(NamedTuple):
    """A request or an answer as it came."""

    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip() for name, _, value in pairs if name}

    @property
    def target(self) -> str:
        return self.headers.get("x-amz-target", "")


@dataclass
class Proxy:
    """Serves functions, and counts calls and faults in spans of ten seconds."""

    service: int
    """The port of the services."""
    faults: Faults
    blows: Event
    record: Path
    numbers: Counter[str] = field(default_factory=Counter)
    counts: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    at_work: set[object] = field(default_factory=set)
    """Tasks of connections, which the loop alone would forget while a call is held."""

    async def run(self, port: int) -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        server = await asyncio.start_server(self.serve, "127.0.0.1", port, limit=LARGEST_HEAD)
        noting = asyncio.create_task(self.keep_noting())
        await stopped.wait()
        noting.cancel()
        server.close()
        self.note()

    async def keep_noting(self) -> None:
        while True:
            await asyncio.sleep(NOTED_EVERY_SECONDS)
            self.note()

    def note(self) -> None:
        rows = [[*key, number] for key, number in self.counts.items()]
        draft = self.record.with_suffix(".draft")
        draft.write_text(json.dumps(rows))
        draft.replace(self.record)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on the requests of one connection, one after the other."""
        behind, task = Upstream(self.service), asyncio.current_task()
        self.at_work.add(task)
        try:
            while await self.pass_on(await message(reader), behind, writer):
                pass
        except (*GONE, asyncio.CancelledError):
            pass
        finally:
            self.at_work.discard(task)
            behind.close()
            writer.close()

    async def pass_on(self, request: Message, behind: "Upstream", writer: StreamWriter) -> bool:
        """Answer a request or not; false if the connection ends with it."""
        fault = self.fault_of(request.target)
        if fault in (Fault.THROTTLE, Fault.ERROR):
            answer = refusal(request.target, fault)
        else:
            await asyncio.sleep(HELD_SECONDS if fault is Fault.HELD else 0)
            answer = await behind.answer(request)
            if fault:
                return False
        writer.write(answer.head + answer.body)
        await writer.drain()
        return answer.headers.get("connection", "").lower() != "close"

    def fault_of(self, target: str) -> Fault | None:
        if kind_of(target) is None or not self.blows.is_set():
            return None
        number, self.numbers[target] = self.numbers[target], self.numbers[target] + 1
        fault = self.faults.of(target, number)
        bucket = int(time.time()) // BUCKET_SECONDS * BUCKET_SECONDS
        self.counts[bucket, target.rpartition(".")[2], fault or "well"] += 1
        return fault


@dataclass
class Upstream:
    """The connection to the services that belongs to one of a function."""

    port: int
    streams: tuple[StreamReader, StreamWriter] | None = None

    async def answer(self, request: Message) -> Message:
        """The answer of a service; a connection that it closed while idle is made again."""
        if self.streams:
            with suppress(*GONE):
                return await self.exchange(*self.streams, request)
            self.close()
        self.streams = await asyncio.open_connection("127.0.0.1", self.port, limit=LARGEST_HEAD)
        return await self.exchange(*self.streams, request)

    async def exchange(
        self, reader: StreamReader, writer: StreamWriter, request: Message
    ) -> Message:
        writer.write(request.head + request.body)
        await writer.drain()
        return await message(reader)

    def close(self) -> None:
        if self.streams:
            self.streams[1].close()
        self.streams = None


async def message(reader: StreamReader) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    headers = Message(head, b"").headers
    if headers.get("transfer-encoding") == "chunked":
        return Message(head, await chunks(reader))
    return Message(head, await reader.readexactly(int(headers.get("content-length", "0"))))


async def chunks(reader: StreamReader) -> bytes:
    """All chunks as they came."""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        if not size:
            return body


def refusal(target: str, fault: Fault) -> Message:
    """What a service answers to a call that it does not do."""
    service = target.partition(".")[0].partition("_")[0]
    named = THROTTLED[service] if fault is Fault.THROTTLE else FAILED
    status = "400 Bad Request" if fault is Fault.THROTTLE else "500 Internal Server Error"
    return reply(status, {"__type": named, "message": "the storm"})


def reply(status: str, content: object) -> Message:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n"
    return Message(f"{head}content-length: {len(body)}\r\n\r\n".encode(), body)


def serve(proxy: Proxy, port: int) -> None:
    """Serve until SIGTERM, as a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(proxy.run(port))
