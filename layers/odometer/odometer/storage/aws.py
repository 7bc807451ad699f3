"""Clients of AWS: botocore's, and in Lambda one whose first try imports nothing of botocore.

A new process spends most of its time on what botocore loads, and a call of it costs three times as
much. So the first try is made here: signed, sent on a connection that is kept, read as JSON. What
is not answered is left to botocore, which makes the other tries by its own rules for credentials,
time-outs, throttling and errors. Where the environment says more than that of Lambda does (a
profile, a proxy, another partition, IPv6, FIPS, keys that rotate), botocore makes every try.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import sys
import time
from binascii import a2b_base64, b2a_base64
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, partial
from hashlib import sha256
from threading import Lock
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit
from zlib import crc32

from odometer.domain.errors import OdometerError
from odometer.storage.connections import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Connection,
    Reply,
    connected,
)

TRIES = 3
"""3 tries of 5 s and the waits between them: a call ends within 18 s."""
CONNECTIONS = 32
ANSWERED = 200
ONE_AT_A_TIME = Lock()
"""Threads share a session, and it makes one client at a time."""
DICE = secrets.SystemRandom()
"""It has no state, so that copies of one process do not all wait equally long."""
THROTTLED_SECONDS, FAILED_SECONDS = 1.0, 0.025
"""At most so long botocore waits before its second try."""

VERBS = re.compile(
    r"(batch_)?get_item|(batch|transact)_write_items?|(delete|put|update)_item|query"
    r"|get_secret_value|send_message_batch"
)
PROTOCOLS = {
    "dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "secretsmanager": ("secretsmanager", "application/x-amz-json-1.1"),
    "sqs": ("AmazonSQS", "application/x-amz-json-1.0"),
}
NAMES = {"secretsmanager": "SECRETS_MANAGER"}
"""What the environment calls a service, unless that is the name of its address."""
PLAIN_REGION = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+")
"""Where a service is found at `service.region.amazonaws.com`."""
IN_LAMBDA = ("AWS_ACCESS_KEY_ID", "AWS_LAMBDA_FUNCTION_NAME", "AWS_SECRET_ACCESS_KEY")
LEFT_TO_BOTOCORE = re.compile(
    r"AWS_(ACCOUNT_ID|CREDENTIAL_EXPIRATION|DATA_PATH|IGNORE_CONFIGURED_ENDPOINT_URLS|PROFILE"
    r"|USE_(DUALSTACK|FIPS)_ENDPOINT)|HTTPS?_PROXY"
)


Made = TypeVar("Made")
Call: TypeAlias = Generator[None, None, Made]
"""A call: its first step sends it, the next one reads the answer, a third makes other tries.

Where it is closed before the answer is read its connection is, so that no other call reads it.
"""


class ConditionFailed(OdometerError):
    """The condition of a write does not hold; always handled inside storage."""


class Cancelled(OdometerError):
    """None of several writes was made; for each the code that says whether it was the reason."""

    def __init__(self, reasons: Iterable[Mapping[str, Any]]) -> None:
        self.codes = [each.get("Code", "None") for each in reasons]
        super().__init__(", ".join(self.codes))


def client_of(service: str) -> Any:
    """A client that threads can share; its tries and time-outs are bounded."""
    return LeanClient(service) if is_plain(os.environ) else botocore_client(service, TRIES)


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether the environment says what that of Lambda says, and nothing that changes a call."""
    region = PLAIN_REGION.fullmatch(environment.get("AWS_DEFAULT_REGION", ""))
    other = any(LEFT_TO_BOTOCORE.fullmatch(name.upper()) for name in environment)
    return bool(region) and all(map(environment.get, IN_LAMBDA)) and not other


def botocore_client(service: str, tries: int) -> Any:
    from botocore.config import Config

    patience = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=CONNECTIONS,
        user_agent_extra="odometer",
    )
    with ONE_AT_A_TIME:
        return botocore_session().create_client(service, config=patience)


@cache
def botocore_session() -> Any:
    from botocore.session import get_session

    return get_session()


def own_key_id() -> str:
    """The id of the AWS access key that calls are signed with; CloudTrail says whose it is."""
    found = botocore_session().get_credentials()
    return str(found.access_key) if found else ""


def load_botocore() -> None:
    """Load what clients are made of, and begin nothing that ages: no keys and no connection."""
    for service in PROTOCOLS:
        botocore_session().get_service_model(service)


@dataclass
class LeanClient:
    """A client like botocore's, of which the verbs that we use most cost little."""

    service: str
    idle: deque[Connection] = field(default_factory=deque, repr=False)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name) if VERBS.fullmatch(name) else getattr(self.botocore, name)

    @cached_property
    def botocore(self) -> Any:
        return botocore_client(self.service, TRIES - 1)

    def close(self) -> None:
        for each in (*self.idle, *filter(None, [vars(self).get("botocore")])):
            each.close()

    @cached_property
    def endpoint(self) -> str:
        name = NAMES.get(self.service, self.service.upper())
        given = (f"AWS_ENDPOINT_URL_{name}", "AWS_ENDPOINT_URL")
        usual = f"https://{self.service}.{os.environ['AWS_DEFAULT_REGION']}.amazonaws.com"
        return next(filter(None, map(os.environ.get, given)), usual)

    @cached_property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc

    def begin(self, operation: str, several: Sequence[Mapping[str, Any]]) -> list[Call[Any]] | None:
        """Send several calls at once; `answered` reads the answers, and meets what goes wrong.

        None where no connection is kept for each: threads open several faster than one does.
        """
        kept = [each for each in (self._kept_connection() for _ in several) if each]
        if len(kept) < len(several):
            self.idle.extend(reversed(kept))
            return None
        pairs = zip(several, kept, strict=True)
        return [sent(self._new_call(operation, *each)) for each in pairs]

    def _call(self, operation: str, **arguments: Any) -> Any:
        return answered(self._new_call(operation, arguments))

    def _new_call(
        self, operation: str, arguments: Mapping[str, Any], kept: Connection | None = None
    ) -> Call[Any]:
        trace = os.environ.get("_X_AMZN_TRACE_ID", "")
        if "Sampled=1" not in trace:
            return self._tried(operation, arguments, kept)
        return self._traced(trace, operation, arguments, kept)

    def _traced(
        self,
        trace: str,
        operation: str,
        arguments: Mapping[str, Any],
        kept: Connection | None,
    ) -> Call[Any]:
        from odometer.storage.traces import traced

        with traced(self.service, operation, arguments, trace):
            return (yield from self._tried(operation, arguments, kept))

    def _tried(
        self, operation: str, arguments: Mapping[str, Any], kept: Connection | None
    ) -> Call[Any]:
        try:
            status, answer = yield from self._answer(operation, arguments, kept)
        except (OSError, RecursionError, ValueError):
            status, answer = 0, {}
        if status == ANSWERED:
            return answer
        error = str(answer.get("__type")).rpartition("#")[2]
        if error == "ConditionalCheckFailedException":
            raise ConditionFailed(error)
        if error == "TransactionCanceledException":
            raise Cancelled(answer.get("CancellationReasons", ()))
        yield
        seconds = THROTTLED_SECONDS if "Thr" in error or "Exceeded" in error else FAILED_SECONDS
        time.sleep(seconds * DICE.random())
        return getattr(self.botocore, operation)(**arguments)

    def _answer(
        self, operation: str, arguments: Mapping[str, Any], kept: Connection | None
    ) -> Call[tuple[int, Any]]:
        target, content_type = PROTOCOLS[self.service]
        verb = operation.title().replace("_", "")
        said = {"content-type": content_type, "x-amz-target": f"{target}.{verb}"}
        reply = yield from self._sent(said, as_json(arguments).encode(), kept)
        if int(reply.headers.get("x-amz-crc32") or crc32(reply.content)) != crc32(reply.content):
            raise ValueError("x-amz-crc32")
        answer = of_json(reply.content.decode())
        if not isinstance(answer, dict):
            raise ValueError("not an object")  # noqa: TRY004  whoever answers so is not AWS
        return reply.status, answer

    def _sent(self, said: Mapping[str, str], body: bytes, kept: Connection | None) -> Call[Reply]:
        headers = signed({**said, "host": self.host}, body, self.service, os.environ)
        connection = kept or self._kept_connection() or connected(self.endpoint)
        try:
            try:
                connection.send(headers, body)
            except (OSError, ValueError):
                connection.close()  # nothing is read from it, whatever has come
            yield
            reply = connection.reply()
        except BaseException:
            connection.close()
            raise
        if reply.is_last:
            connection.close()
        else:
            self.idle.append(connection)
        return reply

    def _kept_connection(self) -> Connection | None:
        """The newest of those that are kept and open."""
        with suppress(IndexError):  # nothing is kept, or another thread was faster
            while True:
                kept = self.idle.pop()
                if kept.is_open():
                    return kept
                kept.close()
        return None


def sent(call: Call[Made]) -> Call[Made]:
    """The call, once it is sent."""
    next(call)
    return call


def answered(call: Call[Made]) -> Made:
    """The answer to a call, be it sent or not, after as many tries as it takes."""
    try:
        while True:
            next(call)
    except StopIteration as done:
        made: Made = done.value
        return made


def first_answers(calls: Iterable[Call[Made]]) -> list[Made]:
    """The answers to calls that were sent, up to the first of which other tries have to be made."""
    found: list[Made] = []
    for call in calls:
        try:
            next(call)
        except StopIteration as done:
            found.append(done.value)
        else:
            break
    return found


def drop(call: Call[Any]) -> None:
    """Close a call, unless another thread is reading its answer."""
    with suppress(ValueError):
        call.close()


def signed(
    said: Mapping[str, str], body: bytes, service: str, keys: Mapping[str, str], at: str = ""
) -> dict[str, str]:
    """Headers with the signature that botocore gives to a POST to `/`."""
    at = at or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    token = keys.get("AWS_SESSION_TOKEN")
    headers = {**said, "x-amz-date": at, **({"x-amz-security-token": token} if token else {})}
    in_order = sorted(headers)
    names, lines = ";".join(in_order), "".join([f"{name}:{headers[name]}\n" for name in in_order])
    request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{at[:8]}/{keys['AWS_DEFAULT_REGION']}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = signer_of_day(keys["AWS_SECRET_ACCESS_KEY"], scope).copy()
    signature.update(text.encode())
    proof = f"Credential={keys['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {proof}, Signature={signature.hexdigest()}"
    traced = keys.get("_X_AMZN_TRACE_ID")
    return {**headers, "user-agent": "odometer", **({"x-amzn-trace-id": traced} if traced else {})}


@lru_cache(maxsize=8)
def signer_of_day(secret: str, scope: str) -> hmac.HMAC:
    """Signs copies of itself: whatever is sent on one day to a service of a region.

    Copying it takes less than a signature by its key, for which the interpreter is let go, too.
    """
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def as_base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode()


@cache
def base64_reader() -> Callable[[str], bytes]:
    """What reads base64: pydantic's core takes a quarter of the time, where it is loaded anyway."""
    core = sys.modules.get("pydantic_core")
    if core is None:
        return a2b_base64
    reader = core.SchemaValidator({"type": "bytes"}, {"val_json_bytes": "base64"})
    return cast("Callable[[str], bytes]", reader.validate_strings)


def with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    """The bytes of a typed attribute, as botocore shows them."""
    return {"B": base64_reader()(found["B"])} if isinstance(found.get("B"), str) else found


as_json = json.JSONEncoder(default=as_base64, separators=(",", ":")).encode
of_json = json.JSONDecoder(object_hook=with_bytes).decode
