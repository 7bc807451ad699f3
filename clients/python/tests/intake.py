"""An intake on loopback: it reads events as the real one does, counts each once, and fails."""

import gzip
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from odometer.api.v1.events import parsed, read_batch
from odometer.domain.events import Event, Rules
from odometer.domain.kinds import KINDS

RULES = {"chat": KINDS["chat"], "code-completions": KINDS["completion"]}


class Intake:
    """What was counted, and what becomes of the next request."""

    def __init__(self, trouble: float = 0.0, seed: int = 0) -> None:
        self.trouble, self._chance = trouble, random.Random(seed)
        self._first = ["429", "503"] if trouble else []
        self._loses_first = trouble > 0
        self.events: list[Event[str]] = []
        self.happened: Counter[str] = Counter()
        """How often each kind of answer was given."""
        self._seen: set[Any] = set()
        self._lock = Lock()

    @property
    def counted(self) -> Counter[str]:
        """How often the use of each subject counts."""
        return Counter(event.who for event in self.events)

    def next_answer(self) -> str:
        with self._lock:
            kinds = ["429", "503", "500", "lost", "lost", "dropped", "html"]
            fails = self._chance.random() < self.trouble
            chosen = self._chance.choice(kinds) if fails else "accepted"
            chosen = self._first.pop() if self._first else chosen
            self.happened[chosen] += 1
            return chosen

    def accept(self, body: bytes) -> bytes:
        """A receipt; nothing if it is lost, as the first one of events that count is."""
        rules = Rules(RULES, datetime.now(UTC), 3)
        good, receipt = read_batch(parsed(body), rules)
        with self._lock:
            new = [event for event in good if event.identity not in self._seen]
            self._seen.update(event.identity for event in good)
            self.events += new
            self.happened["sent twice"] += len(good) - len(new)
            self.happened["refused"] += len(receipt.errors)
            if new and self._loses_first:
                self._loses_first = False
                return b""
        return receipt.model_dump_json().encode()


class Handler(BaseHTTPRequestHandler):
    """Answers for an intake, or does not."""

    protocol_version = "HTTP/1.1"
    intake: Intake

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = self.intake.next_answer()
        content = self.intake.accept(body) if answer in ("accepted", "lost") else b"{}"
        if answer in ("lost", "dropped") or not content:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status = {"accepted": 202, "html": 200}.get(answer) or int(answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


class Server(ThreadingHTTPServer):
    """A server whose open connections end with it."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def served(intake: Intake, port: int = 0) -> Iterator[int]:
    """Serve an intake on a port of loopback, and refuse connections afterwards."""
    handler = type("Answers", (Handler,), {"intake": intake})
    with Server(("127.0.0.1", port), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    gives_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < gives_up_at, "it has not happened"
        time.sleep(0.02)


def lines_of(path: Any) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
