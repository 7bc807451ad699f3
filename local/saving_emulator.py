"""The emulator, saving its state every few seconds: by itself it saves only when it ends.

It also runs few processes of a function at once: by itself it starts one for each request that
comes while others are answered, and a page that asks for ten things would start ten. What never
changes it answers from memory, as any cache in front of a deployment may: the page has 19 files.
A body in gzip it unpacks, as API Gateway does before a function sees it.

.local/tools/stack/bin/python -P local/saving_emulator.py
"""

import asyncio
import os
import re
import resource
import signal
import threading
import time
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core import lambda_runtime
from ministack.core.persistence import save_all
from ministack.services import dynamodb, lambda_svc

SHORTEST_PAUSE_SECONDS = 5.0
PAUSE_PER_SAVE = 20  # nothing is answered during a save, so saving takes at most a twentieth
KEEP_ALIVE_SECONDS = 75
PROCESSES_OF_A_FUNCTION = 2
SECOND_PROCESS_AFTER_SECONDS = 0.15  # it takes half a second to start, and most answers a tenth
LONGEST_WAIT_SECONDS = 20.0
ASKED_EVERY_SECONDS = 0.003
MOST_KEPT = 200
LARGEST_BODY = 10 * 2**20  # what API Gateway takes
GZIP = 31  # zlib's number of a stream with the header of gzip
UNREADABLE = (415, b'{"message":"Unsupported Media Type"}')
FROM_ELSEWHERE = (403, b'{"message":"No page of elsewhere may ask for this"}')
TOO_LONG = (413, b'{"message":"Request Too Long"}')
OK = 200
API = re.compile(rb"(?:/restapis/[^/]+/[^/]+/_user_request_|/_aws/execute-api/[^/]+)(?:/.*)?")
"""Paths that lead through the gateway."""
API_HOST = re.compile(rb"(?i:[0-9a-f]{8}\.execute-api\.localhost)(?::\d+)?")
"""Hosts of which every path does, but those of the emulator itself, which begin with `_`."""
HERE = re.compile(
    rb"(?i:(?:[\w.-]*\.)?(?:localhost|docker\.internal)|[\d.]+|\[[\da-f:]+\])(?::\d+)?"
)
"""Hosts that only a machine itself can be: names of its own, and addresses, which need no name."""
FOREVER = b"public, max-age=31536000, immutable"
KEY_RANGE = re.compile(r"pk = (:\w+) AND sk BETWEEN (:\w+) AND (:\w+)")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Answer = list[Mapping[str, Any]]


class Cache:
    """Answers that are public and immutable by their own headers."""

    def __init__(self) -> None:
        self.answers: dict[tuple[bytes, ...], Answer] = {}

    def known(self, scope: Mapping[str, Any]) -> Answer | None:
        return self.answers.get(question_of(scope))

    def noting(self, scope: Mapping[str, Any], send: Send) -> Send:
        """Send an answer, and keep it if it never changes."""
        answer: Answer = []

        async def send_and_note(message: Mapping[str, Any]) -> None:
            await send(message)
            answer.append(message)
            if is_complete(message) and is_immutable(answer[0]) and len(self.answers) < MOST_KEPT:
                self.answers[question_of(scope)] = answer

        return send_and_note


def question_of(scope: Mapping[str, Any]) -> tuple[bytes, ...]:
    """What decides about an answer, as far as an immutable one may depend on it."""
    headers = dict(scope.get("headers", ()))
    asked = (scope.get("raw_path", b""), scope.get("query_string", b""))
    named = (headers.get(name, b"") for name in (b"host", b"if-none-match", b"range"))
    return (scope.get("method", "").encode(), *asked, *named)


def is_complete(message: Mapping[str, Any]) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")


def is_immutable(start: Mapping[str, Any]) -> bool:
    headers = {name.lower(): value for name, value in start.get("headers", ())}
    return start.get("status") == OK and headers.get(b"cache-control", b"") == FOREVER


def is_packed(scope: Mapping[str, Any]) -> bool:
    """Whether a request to the API has a body in gzip; other services of AWS keep it as it is."""
    is_of_api = b"/_user_request_/" in scope.get("raw_path", b"")
    headers = dict(scope.get("headers", ()))
    return is_of_api and headers.get(b"content-encoding", b"").lower() == b"gzip"


async def body_of(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def unpacked(body: bytes) -> bytes | tuple[int, bytes]:
    """What was packed; or the status and the words by which it is refused."""
    stream = zlib.decompressobj(GZIP)
    try:
        content = stream.decompress(body, LARGEST_BODY)
    except zlib.error:
        return UNREADABLE
    if stream.unconsumed_tail:
        return TOO_LONG
    return content if stream.eof else UNREADABLE


def with_body(
    scope: Mapping[str, Any], body: bytes, receive: Receive
) -> tuple[Mapping[str, Any], Receive]:
    """The same request with another body, which is not packed."""
    left = [{"type": "http.request", "body": body, "more_body": False}]
    replaced = (b"content-encoding", b"content-length")
    headers = [pair for pair in scope["headers"] if pair[0] not in replaced]
    length = (b"content-length", str(len(body)).encode())

    async def receive_again() -> Mapping[str, Any]:
        return left.pop() if left else await receive()

    return {**scope, "headers": [*headers, length]}, receive_again


async def refuse(send: Send, status: int, words: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})


def is_from_elsewhere(scope: Mapping[str, Any]) -> bool:
    """Whether a page of some site asks for what is beside the API: the emulator itself.

    It answers everybody with `Access-Control-Allow-Origin: *`, and one POST empties it. Pages may
    ask the API, as on AWS. A name that is not of this machine leads here only to fool a browser.
    """
    headers = {name.lower(): value for name, value in scope.get("headers", ())}
    host, path = headers.get(b"host", b""), scope.get("raw_path", b"")
    if not HERE.fullmatch(host):
        return True
    if API.fullmatch(path) or (API_HOST.fullmatch(host) and not path.startswith(b"/_")):
        return False
    origin = headers.get(b"origin", b"http://localhost").partition(b"://")[2]
    return headers.get(b"sec-fetch-site") == b"cross-site" or not HERE.fullmatch(origin)


class Application:
    """The emulator's application, which notes whether there is anything new to save."""

    def __init__(self) -> None:
        self.is_changed = False
        self.cache = Cache()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_from_elsewhere(scope):
            await refuse(send, *FROM_ELSEWHERE)
            return
        if known := self.cache.known(scope):
            for message in known:
                await send(message)
            return
        if is_packed(scope):
            body = unpacked(await body_of(receive))
            if isinstance(body, tuple):
                await refuse(send, *body)
                return
            scope, receive = with_body(scope, body, receive)
        await emulator.app(scope, receive, self.cache.noting(scope, send))
        self.is_changed |= scope.get("method", "GET") != "GET"

    def save(self) -> None:
        """Save what is new, but nothing during a deployment: the state before can be deployed to.

        No request changes anything meanwhile, because requests run in this same thread.
        """
        if self.is_changed and not Path(os.environ["DEPLOYING"]).exists():
            self.is_changed = False
            save_all(emulator._build_persistence_save_dict())  # noqa: SLF001 - nothing public does it

    async def keep_saving(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            self.save()
            pause = max(SHORTEST_PAUSE_SECONDS, PAUSE_PER_SAVE * (time.monotonic() - began))


acquire_worker = lambda_svc.acquire_worker


def wait_for_worker(name: str, *words: Any, **named: Any) -> Any:
    """A process of a function: the first, a free one, or soon another while they are few."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < LONGEST_WAIT_SECONDS:
        most = PROCESSES_OF_A_FUNCTION if waited > SECOND_PROCESS_AFTER_SECONDS else 1
        worker, reason = acquire_worker(name, *words, **named, max_concurrency=most)
        if worker:
            return worker, reason
        time.sleep(ASKED_EVERY_SECONDS)
    return acquire_worker(name, *words, **named)


class Archive(zipfile.ZipFile):
    """What a process of a function unpacks; all processes share one copy of a layer."""

    unpacking = threading.Lock()

    def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:
        folder = Path(path)
        if not folder.name.startswith("layer_"):
            super().extractall(folder)
            return
        with Path(str(self.filename)).open("rb") as file:
            shared = folder.parents[1] / f"layer-{file_digest(file, 'sha256').hexdigest()[:16]}"
        with self.unpacking:
            if not shared.exists():
                super().extractall(shared.with_suffix(".draft"))
                shared.with_suffix(".draft").rename(shared)
        folder.rmdir()
        folder.symlink_to(shared)


evaluate_condition = dynamodb._evaluate_condition  # noqa: SLF001 - nothing public does it


@lru_cache
def key_range(condition: str) -> tuple[str, ...] | None:
    """The names of partition, least and greatest key, if a condition says just that."""
    found = KEY_RANGE.fullmatch(condition)
    return found.groups() if found else None


def is_met(
    condition: str,
    item: Mapping[str, Any],
    values: Mapping[str, Any],
    names: Mapping[str, str],
    slot: str = "ConditionExpression",
) -> bool:
    """Whether an item meets a condition; a range of keys, all of text, is compared at once."""
    named = key_range(condition)
    if named is None:
        return bool(evaluate_condition(condition, item, values, names, slot=slot))
    partition, least, greatest = (str(values[name]["S"]) for name in named)
    return partition == item["pk"]["S"] and least <= str(item["sk"]["S"]) <= greatest


def configuration() -> Config:
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    return config


async def main() -> None:
    """Serve until SIGTERM; then save and end at once, whatever functions are still at work."""
    application, stop_requested = Application(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop_requested.set)
    serving = asyncio.create_task(
        serve(application, configuration(), shutdown_trigger=asyncio.Event().wait)
    )
    saving = asyncio.create_task(application.keep_saving())
    stopping = asyncio.create_task(stop_requested.wait())
    await asyncio.wait({serving, saving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await asyncio.gather(serving, saving)  # one of them has failed, and says why
    application.save()
    os._exit(0)


if __name__ == "__main__":
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    lambda_svc.acquire_worker = wait_for_worker
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": Archive})
    dynamodb._evaluate_condition = is_met  # noqa: SLF001
    asyncio.run(main())
