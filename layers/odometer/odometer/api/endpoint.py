"""The one mechanism behind every route: authenticate, authorize, validate, look up, answer.

    @endpoint(FAMILY, "GET", "/api/v1/team/{teamId}", may=READ_OWN_TEAM, about=team("teamId"))
    def handler(team: Team) -> TeamAnswer: ...

A handler says by the types of its parameters what it needs; `Exchange` knows how to get each. It
returns a model, and raises domain errors: the family gives both their published shape.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_type_hints

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from odometer.access.authentication import caller_of
from odometer.access.credentials import Presented
from odometer.access.keyring import Keyring
from odometer.access.policy import Caller, Rule, Target
from odometer.api.cursors import Chain
from odometer.api.family import STATUS, Family
from odometer.api.models import Body, Query, read_body, read_query
from odometer.api.reports import Report
from odometer.api.wire import JSON, Request, Response
from odometer.directory.people import Product, Team, User
from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound, OdometerError, TimedOut, Unauthenticated, Unsupported
from odometer.settings import Settings
from odometer.storage.acceptance import Acceptance
from odometer.storage.activity import Activity
from odometer.storage.dynamo import Meter, Table
from odometer.storage.secret import cursor_key, pepper
from odometer.storage.tenancy import Tenancy
from odometer.storage.usage import Usage

logger = Logger(service="odometer", use_rfc3339=True)

Found = Product | Team | User | None
Clock = Callable[[], datetime]
MARGIN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """When this request must be answered by."""

    at: float

    @property
    def passed(self) -> bool:
        """Whether it is time to say what was not reached."""
        return time.monotonic() >= self.at


class Exchange:
    """One request and everything that serves it, each part made when it is first needed."""

    def __init__(
        self, request: Request, about: "Named | None", now: datetime, remaining_seconds: float
    ) -> None:
        self.request = request
        self.about = about
        self.query: Query | None = None
        self.meter = Meter()
        self.now = now
        self.deadline = Deadline(time.monotonic() + remaining_seconds - MARGIN_SECONDS)

    @cached_property
    def settings(self) -> Settings:
        """This deployment."""
        return Settings.from_env()

    @cached_property
    def tenancy(self) -> Tenancy:
        """Directories and credentials."""
        return Tenancy(Table(self.settings.directory_table, self.meter))

    @cached_property
    def activity(self) -> Activity:
        """The last uses of keys."""
        return Activity(Table(self.settings.activity_table, self.meter))

    @cached_property
    def acceptance(self) -> Acceptance:
        """The door of the log."""
        return Acceptance(
            Table(self.settings.log_table, self.meter),
            Table(self.settings.activity_table, self.meter),
        )

    @cached_property
    def usage(self) -> Usage:
        """What the caller's organization has used."""
        table, log = (
            Table(name, self.meter) for name in (self.settings.usage_table, self.settings.log_table)
        )
        return Usage(table, log, self.directory, self.tenancy, self.now, self.deadline.at)

    @cached_property
    def chain(self) -> Chain:
        """Which page of which chain is asked for; only a query that has been read tells."""
        if self.query is None:
            raise TypeError("a chain of pages needs a query before it")
        key = cursor_key(self.settings.secret_id)
        return Chain.of(key, self.now, self.caller.organization, self.request, self.query)

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of the caller's organization, as far as the caller reaches."""
        return Keyring(self.tenancy, pepper(self.settings.secret_id), self.caller, self.now)

    @cached_property
    def _entered(self) -> tuple[Caller, Directory]:
        presented = Presented.read(self.request.header("authorization"))
        if presented is None:
            raise Unauthenticated
        key = presented.key
        credential, directory = self.tenancy.enter(key.organization, key.key_id)
        if credential is None or directory is None:
            key.digest(
                pepper(self.settings.secret_id)
            )  # an unknown key takes as long as a wrong one
            raise Unauthenticated
        holder = directory.holder(credential.user)
        caller = caller_of(presented, credential, holder, pepper(self.settings.secret_id), self.now)
        self.activity.key_used(caller.organization, caller.key_id, self.now)
        return caller, directory

    @property
    def caller(self) -> Caller:
        """Who is calling."""
        return self._entered[0]

    @property
    def directory(self) -> Directory:
        """The directory of the caller's organization."""
        return self._entered[1]

    @cached_property
    def found(self) -> Found:
        """The product, team or user that the request is about, if there is one."""
        name = self.about.given(self.request) if self.about else None
        return self.about.find(self.directory, name) if self.about and name is not None else None

    @property
    def subject(self) -> Product | Team | User:
        """The product, team or user that the request is about."""
        if self.found is None:
            raise NotFound
        return self.found


PROVIDERS: Mapping[type, Callable[[Exchange], Any]] = {
    Caller: lambda exchange: exchange.caller,
    Directory: lambda exchange: exchange.directory,
    Tenancy: lambda exchange: exchange.tenancy,
    Keyring: lambda exchange: exchange.keyring,
    Activity: lambda exchange: exchange.activity,
    Usage: lambda exchange: exchange.usage,
    Acceptance: lambda exchange: exchange.acceptance,
    Chain: lambda exchange: exchange.chain,
    Product: lambda exchange: exchange.subject,
    Team: lambda exchange: exchange.subject,
    User: lambda exchange: exchange.subject,
    Request: lambda exchange: exchange.request,
    Deadline: lambda exchange: exchange.deadline,
    datetime: lambda exchange: exchange.now,
}


def wall_clock() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Endpoint:
    """A route: what Lambda calls, what the tests call, what the OpenAPI is written from."""

    family: Family
    method: str
    path: str
    may: Rule | None
    about: "Named | None"
    status: int
    handler: Callable[..., Any]
    clock: Clock = wall_clock

    def __call__(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request."""
        began = time.monotonic()
        request = Request.of(event)
        remaining_seconds = context.get_remaining_time_in_millis() / 1000
        exchange = Exchange(request, self.about, self.clock(), remaining_seconds)
        answer = self._answered(exchange)
        logger.info(
            "answered",
            request_id=request.id,
            route=f"{self.method} {self.path}",
            status=answer["statusCode"],
            duration_ms=round((time.monotonic() - began) * 1000),
            read_units=exchange.meter.read_units,
            storage_requests=exchange.meter.requests,
        )
        return answer

    @cached_property
    def needs(self) -> dict[str, type]:
        """The types of the handler's parameters by name."""
        hints = get_type_hints(self.handler)
        hints.pop("return", None)
        return hints

    def _answered(self, exchange: Exchange) -> dict[str, Any]:
        try:
            return self._response(exchange).for_gateway(exchange.request)
        except OdometerError as error:
            return self._refusal(exchange, error).for_gateway(exchange.request)
        except Exception:
            logger.exception("failed", request_id=exchange.request.id)
            return self._refusal(exchange, OdometerError()).for_gateway(exchange.request)

    def _response(self, exchange: Exchange) -> Response:
        if self.may:
            self.family.admit(exchange.request, exchange.caller)
            self.may.admit(exchange.caller)
        if self.may and self.about and self.about.given(exchange.request) is not None:
            self.may.admit_to(exchange.caller, target_of(exchange.found))
        given = {name: self._provided(exchange, kind) for name, kind in self.needs.items()}
        answer = self.handler(**given)
        if isinstance(answer, Report):
            return answer.response(exchange.request, exchange.meter)
        return as_response(answer, self.status)

    def _provided(self, exchange: Exchange, kind: type) -> object:
        request = exchange.request
        if issubclass(kind, Query):
            exchange.query = read_query(kind, request.parameters, request.query)
            return exchange.query
        if issubclass(kind, Body):
            return read_body(kind, json_body(request))
        return PROVIDERS[kind](exchange)

    def _refusal(self, exchange: Exchange, error: OdometerError) -> Response:
        if exchange.deadline.passed and error.code == "unavailable":
            error = TimedOut()
        status = self.family.status(error)
        if status >= STATUS["internal_error"]:
            logger.error("refused", error=type(error).__name__, reason=str(error))
        body = self.family.problem(error, status, exchange.request)
        return Response(status, as_json(body), headers=self.family.headers(error))


def endpoint(
    family: Family,
    method: str,
    path: str,
    *,
    may: Rule | None = None,
    about: "Named | None" = None,
    status: int = 200,
) -> Callable[[Callable[..., Any]], Endpoint]:
    """Make a route of a handler."""
    return lambda handler: Endpoint(family, method, path, may, about, status, handler)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a request is about, named by a parameter of its path or of its query."""

    parameter: str
    find: Callable[[Directory, str], Found]

    def given(self, request: Request) -> str | None:
        """The name that was sent; a parameter sent twice names nobody."""
        values = request.query.get(self.parameter, [])
        return request.parameters.get(self.parameter, values[0] if len(values) == 1 else None)


def team(parameter: str) -> Named:
    """The request is about the team of that id."""
    return Named(parameter, Directory.team_by_id)


def user(parameter: str) -> Named:
    """The request is about the user of that id."""
    return Named(parameter, Directory.user_by_id)


def app(parameter: str) -> Named:
    """The request is about the app of that id."""
    return Named(parameter, Directory.app_by_id)


def target_of(found: Found) -> Target | None:
    """What the policy asks of a team or a user."""
    match found:
        case Team():
            return Target(team=found.ordinal)
        case User():
            return Target(team=found.team, user=found.ordinal)
    return None


def as_response(answer: object, status: int) -> Response:
    """A handler's answer on the wire."""
    match answer:
        case Response():
            return answer
        case BaseModel():
            return Response(status, answer.model_dump_json().encode())
        case None:
            return Response(204)
    message = f"a handler answered {type(answer).__name__}"
    raise TypeError(message)


def json_body(request: Request) -> bytes:
    """The body of a request that sends JSON; nothing at all is an empty object."""
    if request.body and request.media_type != JSON:
        raise Unsupported
    return request.body or b"{}"


def as_json(content: object) -> bytes:
    """JSON as it is sent: compact, in UTF-8; an echo of half a character is a `?`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")
