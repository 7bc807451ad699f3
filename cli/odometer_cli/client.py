"""A client of the public HTTP API, which waits and sends again when the server asks for it."""

import json
import ssl
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx

from odometer.web.messages import JSON
from odometer_cli.failure import Refused, Unreachable, refusal

TIMEOUT_SECONDS = 35  # the gateway gives up before
LONGEST_PAUSE_SECONDS = 10.0
TRIES = 5
DELIVERIES = 6
RETRIED = frozenset({429, 503})


class Client:
    """The public API with the caller's key."""

    def __init__(
        self,
        base_url: str,
        token: str,
        transport: httpx.BaseTransport | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.base_url, self.token = base_url, token
        self.is_hurried = False
        """Whether somebody waits for it to end, so that it tries no more than once again."""
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_seconds,
            transport=transport,
            verify=ssl.create_default_context(),  # the certificates that this machine trusts
        )
        weakref.finalize(self, self._http.close)

    def get(self, path: str, decimal: Callable[[str], Any] = float) -> Any:
        """The JSON that is answered, with decimals as somebody wants them."""
        return content_of(self.call("GET", path), decimal)

    def post(self, path: str, content: Any) -> Any:
        """The JSON that is answered to JSON."""
        return content_of(self.call("POST", path, json.dumps(content).encode()))

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media_type: str = JSON,
        accept: str = "*/*",
    ) -> httpx.Response:
        """Send a request and return the response; an error is raised as a failure."""
        return checked(self.send(method, path, body, media_type, accept))

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media_type: str = JSON,
        accept: str = "*/*",
    ) -> httpx.Response:
        """Send a request, again when the server says to wait, and return any response."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = media_type
        for _ in range(TRIES - 1):
            response = self._send_once(method, path, body, headers)
            if response.status_code not in RETRIED:
                return response
            time.sleep(pause_after(response))
        return self._send_once(method, path, body, headers)

    def deliver(self, path: str, body: bytes, media_type: str) -> httpx.Response:
        """Post what counts once however often it arrives: again, too, where no answer came."""
        for turn in range(DELIVERIES - 1):
            try:
                response = self._send_once("POST", path, body, {"Content-Type": media_type})
            except Unreachable:
                pause = min(2.0**turn, LONGEST_PAUSE_SECONDS)
            else:
                if not is_passing(response):
                    return checked(response)
                pause = pause_after(response)
            if self.is_hurried:
                break
            time.sleep(pause)
        return checked(self._send_once("POST", path, body, {"Content-Type": media_type}))

    def _send_once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        try:
            return self._http.request(method, self.base_url + path, content=body, headers=headers)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            message = f"{self.base_url} does not answer: {str(error) or type(error).__name__}"
            raise Unreachable(message, "Is it running, and is the base URL right?") from error


def is_passing(response: httpx.Response) -> bool:
    """Whether the same request may be answered a little later."""
    return response.status_code in RETRIED or response.is_server_error


def checked(response: httpx.Response) -> httpx.Response:
    """The response, unless it is an error: that is raised as a failure."""
    if response.is_error:
        request_id = response.headers.get("x-request-id", "")
        raise refusal(response.status_code, message_of(response), request_id)
    return response


def content_of(response: httpx.Response, decimal: Callable[[str], Any] = float) -> Any:
    try:
        return json.loads(response.content, parse_float=decimal)
    except (ArithmeticError, RecursionError, ValueError) as error:
        message = f"What answers there is not Odometer: its {response.status_code} is not JSON."
        raise Refused(message, "Check the base URL.") from error


def message_of(response: httpx.Response) -> str:
    """The message of an error, in whichever of the published shapes."""
    try:
        content = response.json()
        return str(content["message"] if "message" in content else content["error"]["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "no explanation was given"


def pause_after(response: httpx.Response) -> float:
    """For how many seconds the server asks to be left alone."""
    asked = response.headers.get("retry-after", "1")
    return min(float(asked) if asked.isdecimal() else 1.0, LONGEST_PAUSE_SECONDS)


def pages(client: Client, path: str) -> Iterator[bytes]:
    """The content of a path and of the pages that follow it."""
    query: str | None = ""
    while query is not None:
        response = client.call("GET", path + query)
        yield response.content
        query = response.links.get("next", {}).get("url")


def segment(text: str) -> str:
    return quote(text, safe="")
