"""The one mechanism behind every route: authenticate, authorize, validate, look up, answer.

    usage_metrics = partial(endpoint, UsageMetrics())

    @usage_metrics("/team/{teamId}", may=READ_OWN_TEAM, about=team("teamId"))
    def handler(team: Team) -> TeamAnswer: ...

The types of a handler's parameters say what it needs, and `RequestContext` provides each. A handler
returns a model or a report and raises domain errors; its family gives errors their published shape.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_type_hints

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from odometer.access.policy import Rule
from odometer.domain.errors import OdometerError, TimedOut, Unsupported
from odometer.web.context import PROVIDERS, RequestContext, SubjectParameter, target_of
from odometer.web.cursors import Chain
from odometer.web.family import STATUS, Family
from odometer.web.messages import JSON, Request, Response, as_json, wants_all_rows
from odometer.web.models import Body, Query, read_body, read_query, without_paging
from odometer.web.report import Report

logger = Logger(use_rfc3339=True)

SENT_BY_CLIENT = (Query, Body, Chain)
"""What a client sends, in the order of reading: a cursor is checked against its query."""
Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Endpoint:
    """One published operation: Lambda calls it, and its OpenAPI is made from it."""

    family: Family
    method: str
    path: str
    may: Rule | None
    about: SubjectParameter | None
    organization: str | None
    status: int
    raises: tuple[type[OdometerError], ...]
    handler: Callable[..., Any]
    clock: Clock = wall_clock

    def __call__(self, event: Mapping[str, Any], lambda_context: LambdaContext) -> dict[str, Any]:
        began = time.monotonic()
        request = Request.of(event)
        remaining_seconds = lambda_context.get_remaining_time_in_millis() / 1000
        context = RequestContext(request, self.about, self.clock(), remaining_seconds)
        answer = self._answer(context)
        logger.info(
            "answered",
            request_id=request.id,
            route=f"{self.method} {self.path}",
            **context.identity,
            status=answer["statusCode"],
            duration_ms=round((time.monotonic() - began) * 1000),
            read_units=context.meter.read_units,
            storage_requests=context.meter.requests,
        )
        return answer

    @cached_property
    def needs(self) -> dict[str, type]:
        """The types of the handler's parameters by name, in the order in which they are read."""
        hints = get_type_hints(self.handler)
        hints.pop("return", None)
        return dict(sorted(hints.items(), key=lambda hint: reading_order(hint[1])))

    def _answer(self, context: RequestContext) -> dict[str, Any]:
        try:
            return self._response(context).for_gateway(context.request)
        except OdometerError as error:
            return self._error_response(context, error).for_gateway(context.request)
        except Exception:
            logger.exception("failed", request_id=context.request.id)
            return self._error_response(context, OdometerError()).for_gateway(context.request)

    def _response(self, context: RequestContext) -> Response:
        if self.organization:
            sent = context.request.values(self.organization)
            self.family.check_organization(context.caller, sent)
        if self.may:
            self.may.admit(context.caller)
        if self.may and self.about and self.about.name_in(context.request) is not None:
            self.may.admit_to(context.caller, target_of(context.named_subject))
        arguments = {name: self._argument(context, kind) for name, kind in self.needs.items()}
        answer = self.handler(**arguments)
        if isinstance(answer, Report):
            return answer.response(context.request, context.meter, self.family.fallback_type)
        return as_response(answer, self.status)

    def _argument(self, context: RequestContext, kind: type) -> object:
        request = context.request
        if issubclass(kind, Query):
            every_row = wants_all_rows(request)
            sent = without_paging(kind, request.query) if every_row else request.query
            context.query = read_query(kind, request.parameters, sent)
            return context.query
        if issubclass(kind, Body):
            return read_body(kind, json_body(request))
        return PROVIDERS[kind](context)

    def _error_response(self, context: RequestContext, error: OdometerError) -> Response:
        if context.deadline.passed and error.code == "unavailable":
            error = TimedOut()
        status = self.family.status(error)
        if status >= STATUS["internal_error"]:
            name, request_id = type(error).__name__, context.request.id
            logger.error("refused", request_id=request_id, error=name, reason=str(error))
        body = self.family.problem(error, status, context.request)
        return Response(status, as_json(body), headers=self.family.headers(error))


def reading_order(need: type) -> int:
    """The rank of a parameter: what was sent is validated before anything is looked up."""
    return next(
        (turn for turn, kind in enumerate(SENT_BY_CLIENT) if issubclass(need, kind)),
        len(SENT_BY_CLIENT),
    )


def endpoint(
    family: Family,
    path: str,
    method: str = "GET",
    *,
    may: Rule | None = None,
    about: SubjectParameter | None = None,
    organization: str | None = None,
    status: int = 200,
    raises: tuple[type[OdometerError], ...] = (),
) -> Callable[[Callable[..., Any]], Endpoint]:
    """Make a handler answer a path of a family.

    `organization` is the parameter that names the caller's organization; `raises` are errors that
    only the handler's code shows, for the OpenAPI.
    """
    return lambda handler: Endpoint(
        family, method, family.base + path, may, about, organization, status, raises, handler
    )


def as_response(answer: object, status: int) -> Response:
    match answer:
        case Response():
            return answer
        case BaseModel():
            return Response(status, answer.model_dump_json().encode())
        case None:
            return Response(204)
    raise TypeError(f"a handler answered {type(answer).__name__}")


def json_body(request: Request) -> bytes:
    """The JSON body of a request; an empty body stands for `{}`."""
    if request.body and request.media_type != JSON:
        raise Unsupported
    return request.body or b"{}"
