"""What browsers are told, so that pages of other origins may read answers to embed tokens."""

from collections.abc import Mapping

from odometer.domain.errors import NotAllowed
from odometer.domain.text import is_origin
from odometer.web.messages import Request, Response

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
SENT = ("Authorization", "Accept", "If-None-Match", "X-Request-Id")
"""The headers of a request that a page may set."""
SHOWN = (
    *("ETag", "Link", "Retry-After"),
    *("X-Data-Through", "X-Query-Range", "X-Read-Units", "X-Request-Id"),
)
"""The headers of an answer that a page may read, beside those that it always may."""
PREFLIGHT_SECONDS = 7200
"""Longer than that Chromium remembers no preflight."""


def preflight(request: Request) -> Response:
    """Whether a page may ask at all: from any origin, with GET.

    The request has no token yet. Which origin may read the answer, the token says.
    """
    origin = request.header("origin")
    if not is_origin(origin):
        raise NotAllowed(("GET",))
    return Response(
        204,
        headers={
            ALLOW_ORIGIN: origin,
            "Access-Control-Allow-Methods": "GET",
            "Access-Control-Allow-Headers": ", ".join(SENT),
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            "Vary": "Origin",
        },
    )


def readable_by(origin: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that a page of this origin may read."""
    varies = [headers["Vary"]] if "Vary" in headers else []
    return {
        **headers,
        ALLOW_ORIGIN: origin,
        "Access-Control-Expose-Headers": ", ".join(SHOWN),
        "Vary": ", ".join([*varies, "Origin"]),
    }
