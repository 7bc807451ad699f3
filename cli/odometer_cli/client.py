"""The public HTTP API as a client meets it.

By urllib: a command sends few and large requests, which no further dependency would make faster.
"""

import gzip
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from odometer_cli.failure import Refused, Unreachable, refusal

JSON = "application/json"
NDJSON = "application/x-ndjson"
PATIENCE_SECONDS = 35  # the gateway gives up before
LONGEST_PAUSE_SECONDS = 10.0
TRIES = 5
PASSING = frozenset({429, 503})
FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            message = f"What answers there is not Odometer: its {self.status} is not JSON."
            raise Refused(message, "Check the base URL.") from error

    @property
    def message(self) -> str:
        """What an error body says, in whichever of the published shapes."""
        try:
            content = self.json
            return str(content["message"] if "message" in content else content["error"]["message"])
        except (Refused, TypeError, KeyError):
            return "no explanation was given"

    def checked(self) -> "Reply":
        """This answer, unless it is a refusal: then what that means to whoever typed."""
        if self.status >= FIRST_ERROR:
            raise refusal(self.status, self.message, self.headers.get("x-request-id", ""))
        return self

    @property
    def pause_seconds(self) -> float:
        """How long the server asks to be left alone."""
        asked = self.headers.get("retry-after", "1")
        return min(float(asked) if asked.isdigit() else 1.0, LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class Client:
    """A caller with a key. What is refused only for the moment is sent again."""

    base_url: str
    token: str

    def get(self, path: str) -> Reply:
        """Read."""
        return self.call("GET", path)

    def post(self, path: str, content: Any) -> Reply:
        """Send JSON."""
        return self.call("POST", path, json.dumps(content).encode())

    def call(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> Reply:
        """Send a request; an answer that is an error is raised as a failure."""
        return self.ask(method, path, body, media_type).checked()

    def ask(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> Reply:
        """Send a request, again when the server says to wait; any answer is returned."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "gzip"}
        if body is not None:
            headers["Content-Type"] = media_type
        request = Request(self.base_url + path, body, headers, method=method)  # noqa: S310  checked
        for _ in range(TRIES - 1):
            reply = self._reply(request)
            if reply.status not in PASSING:
                return reply
            time.sleep(reply.pause_seconds)
        return self._reply(request)

    def _reply(self, request: Request) -> Reply:
        try:
            with urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  checked
                return reply_of(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            with error:
                return reply_of(error.code, error.headers, error.read())
        except (URLError, HTTPException, OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "reason", error)
            message = f"{self.base_url} does not answer: {reason}"
            raise Unreachable(message, "Is it running, and is the base URL right?") from error


def reply_of(status: int, headers: Message, body: bytes) -> Reply:
    """An answer with its headers in lower case and its body unpacked."""
    lowered = {name.lower(): value for name, value in headers.items()}
    packed = lowered.get("content-encoding") == "gzip"
    return Reply(status, lowered, gzip.decompress(body) if packed else body)


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
