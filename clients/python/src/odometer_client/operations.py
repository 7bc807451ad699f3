"""Every operation of the API, described once: `Client` and `AsyncClient` both carry them out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from odometer_client import answers
from odometer_client.errors import UnexpectedAnswer
from odometer_client.reading import parsed, read

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
JSON = "application/json"
NDJSON = "application/x-ndjson"
EVENTS = "application/cloudevents-batch+json"
Names = str | Sequence[str]
"""One name, or several."""
When = str | date | datetime
Row = dict[str, Any]


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    media_type: str = JSON
    accept: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether it does no harm to send it twice."""

    def following(self, cursor: str) -> Call[T]:
        """The same call for another page."""
        return replace(self, query={**self.query, "cursor": cursor})


class UsageQuestion(TypedDict, total=False):
    """The parameters of `usage`; `start` and `end` are `from` and `to` of the API."""

    product: Names
    kind: Names
    measure: Names
    start: When
    end: When
    period: str
    timezone: str
    granularity: str
    group_by: str
    team: str
    department: str
    user: str
    user_type: str
    compare: str
    compare_from: When
    compare_to: When
    sort: str
    order: str
    q: str
    limit: int
    cursor: str


class SeatsQuestion(TypedDict, total=False):
    """The parameters of `seats`."""

    inactive_days: int
    product: Names
    kind: Names
    team: str
    department: str
    user: str
    q: str
    state: str
    status: str
    sort: str
    order: str
    limit: int
    cursor: str


class CoverageQuestion(TypedDict, total=False):
    """The parameters of `coverage`: UTC dates, both included."""

    product: str
    start: str | date
    end: str | date


class ExplainQuestion(TypedDict, total=False):
    """The parameters of `explain`; `measure`, `start` and `end` are needed."""

    measure: str
    start: When
    end: When
    product: Names
    breakdown: str
    value: str
    user: str
    team: str
    department_ids: Names
    type: str
    state: str
    page_size: int
    cursor: str


def usage(**question: Unpack[UsageQuestion]) -> Call[answers.Usage]:
    """Any figure of any products: totals, and groups in order, each in blocks of time."""
    return get("/v1/usage", answers.Usage, question)


def seats(**question: Unpack[SeatsQuestion]) -> Call[answers.Seats]:
    """Who has a seat, and who does not use it."""
    return get("/v1/seats", answers.Seats, question)


def me() -> Call[answers.Me]:
    """Who is calling, and what there is to ask about."""
    return get("/v1/me", answers.Me, {})


def coverage(**question: Unpack[CoverageQuestion]) -> Call[answers.Coverage]:
    """What has arrived from where, and up to when reports are complete."""
    return get("/v1/coverage", answers.Coverage, question)


def explain(**question: Unpack[ExplainQuestion]) -> Call[answers.Explanation]:
    """The terms that a figure is the sum of."""
    return get("/v1/explain", answers.Explanation, question)


def send(
    events: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Call[answers.Receipt]:
    """Send 1 to 1,000 events as they stand in docs/events.md; sent again, they count once."""
    body = as_json(list(events))
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    reads = answer(answers.Receipt)
    return Call("POST", "/v1/events", reads, body=body, media_type=EVENTS, headers=headers)


def export_directory() -> Call[list[Row]]:
    """Rows of the directory, each with its `kind`; `put_directory` takes them as they are."""
    return Call("GET", "/v1/directory/export", rows_in, accept=NDJSON)


def put_directory(rows: Mapping[str, Any] | Iterable[Row]) -> Call[answers.RowResults]:
    """Create or update rows: a document as it stands in the reference, or lines of an export."""
    if isinstance(rows, Mapping):
        return post("/v1/directory", answers.RowResults, rows, method="PUT", repeatable=True)
    lines = b"".join(as_json(row) + b"\n" for row in rows)
    path, reads = "/v1/directory", answer(answers.RowResults)
    return Call("PUT", path, reads, body=lines, media_type=NDJSON)


def erase_user(user: str) -> Call[None]:
    """Erase a person, by id, from every row at once; totals stay."""
    return Call("DELETE", f"/v1/users/{segment(user)}", nothing)


def list_keys() -> Call[list[answers.Key]]:
    """All keys that the caller may manage; of a thousand of them, the oldest first."""
    return Call("GET", "/v1/keys", keys_in)


def create_key(
    *, name: str, user: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> Call[answers.NewKey]:
    """Make a key; its secret is in this answer only."""
    wanted = {"name": name, "user": user, "scopes": list(scopes), "expires_at": expires_at}
    return post("/v1/keys", answers.NewKey, wanted)


def rotate_key(key_id: str, *, grace_seconds: int = 86_400) -> Call[answers.NewKey]:
    """Give a key a new secret; the former one works for the seconds of grace."""
    path = f"/v1/keys/{segment(key_id)}/rotate"
    return post(path, answers.NewKey, {"grace_seconds": grace_seconds})


def revoke_key(key_id: str) -> Call[None]:
    """End a key."""
    return Call("DELETE", f"/v1/keys/{segment(key_id)}", nothing)


def create_embed_token(
    *,
    subject: Mapping[str, Any],
    expires_in: int,
    origins: Sequence[str],
    products: Sequence[str] | None = None,
) -> Call[answers.EmbedToken]:
    """Make a token for a page: of `{"organization": True}`, `{"team": id}` or `{"user": id}`."""
    wanted = {"for": subject, "expires_in": expires_in, "origins": list(origins)}
    named = {} if products is None else {"products": list(products)}
    return post("/v1/embed-tokens", answers.EmbedToken, {**wanted, **named})


def get(path: str, kind: type[T], question: Mapping[str, Any]) -> Call[T]:
    called = {"start": "from", "end": "to"}
    query = {
        called.get(name, name): text_of(value)
        for name, value in question.items()
        if value is not None
    }
    return Call("GET", path, answer(kind), query)


def post(
    path: str,
    kind: type[T],
    content: Mapping[str, Any],
    *,
    method: str = "POST",
    repeatable: bool = False,
) -> Call[T]:
    return Call(method, path, answer(kind), body=as_json(content), repeatable=repeatable)


def text_of(value: Any) -> str:
    """A value as it stands in a query."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable):
        return ",".join(value)
    return str(value)


def as_json(content: Any) -> bytes:
    """JSON in which decimals keep their digits."""
    if isinstance(content, Mapping):
        pairs = (
            json.dumps(str(name)).encode() + b":" + as_json(it) for name, it in content.items()
        )
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(content, list | tuple):
        return b"[" + b",".join(map(as_json, content)) + b"]"
    if isinstance(content, Decimal):
        return format(content, "f").encode()
    if isinstance(content, datetime):
        return json.dumps(content.isoformat()).encode()
    return json.dumps(content, allow_nan=False).encode()


def segment(text: str) -> str:
    """A text as a segment of a path; `..` would lead elsewhere."""
    return quote(text, safe="").replace("..", "%2E%2E")


def answer(kind: Any) -> Callable[[httpx.Response], Any]:
    def read_answer(response: httpx.Response) -> Any:
        return read(kind, parsed(response.content))

    return read_answer


def rows_in(response: httpx.Response) -> list[Row]:
    return [parsed(line) for line in response.content.split(b"\n") if line.strip()]


def keys_in(response: httpx.Response) -> list[answers.Key]:
    found: list[answers.Key] = read(tuple[answers.Key, ...], parsed(response.content)["keys"])
    return list(found)


def nothing(response: httpx.Response) -> None:
    """There is no content."""


def result_of(call: Call[T], response: httpx.Response) -> T:
    """What was answered, as the call's result."""
    try:
        return call.read(response)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        request_id = response.headers.get("x-request-id", "")
        message = f"{call.method} {call.path} was answered with something else."
        raise UnexpectedAnswer(message, request_id=request_id) from error


def page_after(call: Call[T], result: T, response: httpx.Response) -> Call[T] | None:
    """The call for the next page, if there is one: by the answer, or by its `Link`."""
    cursor = getattr(result, "next_cursor", None) or linked_cursor(response)
    if cursor and cursor == call.query.get("cursor"):
        raise UnexpectedAnswer(f"{call.path} has led to the same page again.")
    return call.following(cursor) if cursor else None


def linked_cursor(response: httpx.Response) -> str | None:
    url = response.links.get("next", {}).get("url", "")
    return parse_qs(urlsplit(url).query).get("cursor", [None])[0]
