"""Requests from the gateway, answers to it, and which form of an answer a client accepts."""

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

from odometer.domain.errors import Fault, Invalid, OdometerError, TooLarge, Unacceptable
from odometer.domain.frozen import frozen

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)
ANSWER_LIMIT = 6 * 1024 * 1024 - 64 * 1024  # Lambda's 6 MB, less the frame around the body
LONGEST_LETTER = len(r"\ud83d\ude00")
"""So many bytes the gateway is sent for one letter at most."""
COMPRESSED_FROM = 1_400
WITHOUT_GZIP = "the answer is too large without gzip"
JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
COMPRESSED = frozenset({CSV, NDJSON})
"""What the template calls binary: bodies of these types, and only these, may be compressed here.

JSON is not among them: the gateway would pass every JSON body on in base64, and 5 MB of directory
would no longer fit (docs/decisions/0030).
"""
OFFERED = (JSON, CSV, NDJSON)
WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


@frozen
class Request:
    """One request as it was sent, decoded and not yet validated."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, list[str]]
    body: bytes
    id: str
    route: str = ""
    """The path as the template has it."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Request":
        """The request in a gateway's proxy event, in which empty maps are null."""
        headers: dict[str, list[str]] = {}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            headers.setdefault(name.lower(), []).extend(values)
        context = event.get("requestContext") or {}
        sent_id = ", ".join(headers.get("x-request-id", []))
        return cls(
            method=event.get("httpMethod", "GET"),
            path=event.get("path", "/"),
            parameters=event.get("pathParameters") or {},
            query=event.get("multiValueQueryStringParameters") or {},
            headers=headers,
            body=body_of(event),
            id=sent_id if REQUEST_ID.fullmatch(sent_id) else context.get("requestId", ""),
            route=event.get("resource") or "",
        )

    def values(self, name: str) -> Sequence[str]:
        in_path = self.parameters.get(name)
        return self.query.get(name, []) if in_path is None else [in_path]

    def header(self, name: str) -> str:
        """A header's value; the values of one sent twice, joined as HTTP joins them."""
        return ", ".join(self.headers.get(name, []))

    @property
    def media_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()


def body_of(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    encoded = event.get("isBase64Encoded")
    return base64.b64decode(body) if encoded else body.encode(errors="surrogatepass")


@frozen
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    narrowed_by: Sequence[str] = ()
    """The parameters that make the answer smaller."""

    def for_gateway(self, request: Request) -> dict[str, Any]:
        """The answer as the gateway takes it, compressed if needed and accepted, and never cut."""
        headers = {
            **({"Content-Type": self.media_type} if self.body else {}),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request.id,
            **self.headers,
        }
        encoded = len(self.body) > COMPRESSED_FROM and self._may_be_compressed(request)
        if encoded:
            headers = {"Vary": "Accept-Encoding", **headers, "Content-Encoding": "gzip"}
            body = base64.b64encode(gzip.compress(self.body, 6, mtime=0)).decode()
        else:
            body = self.body.decode()
        if len(body) * LONGEST_LETTER > ANSWER_LIMIT and len(json.dumps(body)) > ANSWER_LIMIT:
            raise self._too_large(request, encoded=encoded)
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": body,
            "isBase64Encoded": encoded,
        }

    def _may_be_compressed(self, request: Request) -> bool:
        return self.media_type in COMPRESSED and not any(self._compression_faults(request))

    def _compression_faults(self, request: Request) -> Iterator[Fault]:
        accept, encoding = request.header("accept"), request.header("accept-encoding")
        if accept.partition(",")[0].partition(";")[0].strip().lower() != self.media_type:
            words = f"{WITHOUT_GZIP}, which needs {self.media_type} to come first"
            yield Fault("Accept", "header", words, accept)
        if not ACCEPTS_GZIP.search(encoding):
            yield Fault("Accept-Encoding", "header", WITHOUT_GZIP, encoding)

    def _too_large(self, request: Request, *, encoded: bool) -> OdometerError:
        """The error of an answer that is too large, with each parameter that makes it smaller."""
        if self.media_type in COMPRESSED and not encoded:
            return Invalid(*self._compression_faults(request))
        words = f"the answer is too large: narrow {', '.join(self.narrowed_by)}"
        sent = {name: values[-1] for name, values in request.query.items()}
        faults = [Fault(name, "size", words, sent.get(name)) for name in self.narrowed_by]
        return Invalid(*faults) if faults else TooLarge()


def as_json(content: object) -> bytes:
    """JSON as it is sent: compact, in UTF-8; an echo of half a character is a `?`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def wants_all_rows(request: Request) -> bool:
    """Whether the client prefers CSV or NDJSON, which hold all rows and not one page."""
    return preferred_type(request.header("accept"), otherwise=JSON) != JSON


@lru_cache(maxsize=64)
def preferred_type(accept: str, otherwise: str | None = None) -> str:
    """The offered media type that the client prefers, by weight and then by how exact its range is.

    If the client accepts none, the answer is `otherwise`; without one, `Unacceptable` is raised.
    """
    accepted = list(accepted_ranges(accept)) or [("*/*", 1.0)]
    liked = {offer: preference_for(offer, accepted) for offer in OFFERED}
    best = max(OFFERED, key=lambda offer: liked[offer])
    if liked[best][0]:
        return best
    if otherwise is None:
        raise Unacceptable
    return otherwise


def accepted_ranges(accept: str) -> Iterator[tuple[str, float]]:
    for each in filter(None, (part.strip().lower() for part in accept.split(","))):
        media_range, *parameters = (part.strip() for part in each.split(";"))
        weights = [weight_of(p[2:]) for p in parameters if p.startswith("q=")]
        yield media_range, weights[0] if weights else 1.0


def weight_of(text: str) -> float:
    return float(text) if WEIGHT.fullmatch(text) else 0.0


def preference_for(offer: str, accepted: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """The weight of the most exact range that an offer fits, and how exact that range is."""
    ranges = ("*/*", f"{offer.partition('/')[0]}/*", offer)
    fitting = [
        (ranges.index(media_range), weight)
        for media_range, weight in accepted
        if media_range in ranges
    ]
    closeness, weight = max(fitting, default=(0, 0.0))
    return weight, closeness
