"""The public API as a WSGI application, for tools that speak HTTP in this process."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.http import HTTP_STATUS_CODES

from tests.support.stack import answer_to, proxy_event

Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: Mapping[str, Any], start: Start) -> Iterable[bytes]:
    """Pass a request on as the gateway would."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name == "CONTENT_TYPE" and value)
    }
    body = environ["wsgi.input"].read()
    url = f"{environ['REQUEST_URI'].partition('?')[0]}?{environ['QUERY_STRING']}"
    reply = answer_to(proxy_event(environ["REQUEST_METHOD"], url, headers, body))
    start(f"{reply.status} {HTTP_STATUS_CODES[reply.status]}", list(reply.headers.items()))
    return [reply.text.encode()]
