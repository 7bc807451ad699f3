"""The one mechanism behind every route: authenticate, authorize, validate, look up, answer.

    usage_metrics = partial(endpoint, UsageMetrics())

    @usage_metrics("/team/{teamId}", may=READ_OWN_TEAM, about=team("teamId"))
    def handler(team: Team) -> TeamAnswer: ...

The types of a handler's parameters say what it needs, and `RequestContext` provides each. A handler
returns a model or a report and raises domain errors; its family gives errors their published shape.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol, get_type_hints

from pydantic import BaseModel

from odometer.access.keys import AccessKey, Credential, Keyring, PresentedKey, Proof, authenticate
from odometer.access.limits import Asked
from odometer.access.policy import Access, Caller, Rule, Target
from odometer.access.secret import Secret
from odometer.access.tokens import Claims, EmbedToken, TokenMaker, holder_of
from odometer.bootstrap import Process, process, will_be_copied
from odometer.directory.people import Product, Team, User
from odometer.directory.snapshot import Directory
from odometer.domain.acts import Actor
from odometer.domain.errors import (
    Forbidden,
    NotFound,
    OdometerError,
    Throttled,
    TimedOut,
    Unauthenticated,
    Unsupported,
)
from odometer.domain.frozen import frozen
from odometer.domain.time import epoch_second
from odometer.logs import LogLine, log, raised
from odometer.services.ahead import ViewAhead
from odometer.services.limiter import Limiter
from odometer.services.tasks import Tasks, done
from odometer.services.usage import Usage
from odometer.storage.directory import DirectoryStore, Entrance
from odometer.storage.dynamo import Meter
from odometer.storage.key_activity import KeyActivity
from odometer.storage.log import EventLog
from odometer.storage.trail import SeldomTrail, Trail, TrailStore
from odometer.web.cors import readable_by
from odometer.web.cursors import Chain
from odometer.web.family import STATUS, Family
from odometer.web.messages import JSON, Request, Response, as_json, wants_all_rows
from odometer.web.models import Body, Query, build_models, read_body, read_query, without_paging
from odometer.web.report import Report

SENT_BY_CLIENT = (Query, Body, Chain)
"""What a client sends, in the order of reading: a cursor is checked against its query."""
Clock = Callable[[], datetime]
MARGIN_SECONDS = 3.0
REGISTERS = ("products",)
"""What every answer about usage needs of the directory, which comes with the owner of the key."""
Subject = Product | Team | User | None


class LambdaContext(Protocol):
    """What Lambda tells a function about its invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


@frozen
class SubjectParameter:
    """A parameter of the path or the query that names what the request is about."""

    parameter: str
    find: Callable[[Directory, str], Subject]
    registers: tuple[str, ...]
    """What is read of the directory to find it, together with the owner of the key."""

    def name_in(self, request: Request) -> str | None:
        """The name that was sent; None for a parameter that was sent twice."""
        values = request.values(self.parameter)
        return values[0] if len(values) == 1 else None


team = partial(SubjectParameter, find=Directory.team_by_id, registers=("teams",))
user = partial(SubjectParameter, find=Directory.user_by_id, registers=("users",))
app = partial(SubjectParameter, find=Directory.app_by_id, registers=("products",))
SUBJECTS = {Access.TEAM: team("team"), Access.SELF: user("user", find=Directory.user_called)}
"""How a query may say whom a report is about, and how an embed token says it."""


class Subjects(NamedTuple):
    """Whom a report is about: those who are of a team and are a user, as far as either is given."""

    team: Team | None = None
    user: User | None = None


def target_of(found: Subject) -> Target | None:
    match found:
        case Team():
            return Target(team=found.ordinal)
        case User():
            return Target(team=found.team, user=found.ordinal)
    return None


@frozen
class Deadline:
    """When this request must be answered."""

    at: float

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at


class Entered(NamedTuple):
    """Who has proved to be calling, with what, and what came with the proof."""

    caller: Caller
    directory: Directory
    ahead: ViewAhead | None
    proof: Proof
    credential: Credential


class RequestContext:
    """One request and everything that serves it, each part made when it is first needed."""

    def __init__(
        self,
        request: Request,
        about: Sequence[SubjectParameter],
        now: datetime,
        remaining_seconds: float,
        *,
        may: Rule | None = None,
        reads_usage: bool = False,
        acts: bool = False,
        asked: Asked = Asked.REPORTS,
    ) -> None:
        self.request = request
        self.about = about
        self.may = may
        self.query: Query | None = None
        self.line = LogLine()
        """What the log says of this request: who has proved to be calling, and what came of it."""
        self.meter = Meter()
        self.now = now
        self.deadline = Deadline(time.monotonic() + remaining_seconds - MARGIN_SECONDS)
        self.reads_usage = reads_usage
        self.acts = acts
        self.end_of_trail: Future[int] | None = None
        """The number of the last entry, which is asked for beside the look-up of the key."""
        self.asked = asked
        self.limiter: Limiter | None = None
        self.page_origin: str | None = None
        """The origin of the page that asks, if its token is for it."""
        self.noted: Future[None] | None = None
        """The note that the caller's key was used, which is written beside everything else."""

    @cached_property
    def process(self) -> Process:
        return process()

    @cached_property
    def directories(self) -> DirectoryStore:
        return self.process.directories(self.meter)

    @cached_property
    def trails(self) -> TrailStore:
        return self.process.trails(self.meter)

    @cached_property
    def tasks(self) -> Tasks:
        return Tasks(self.process.workers)

    @cached_property
    def entered(self) -> Entered:
        presented = self._presented
        proof, directories = presented.key, self.directories
        limiter = self.limiter = self.process.limiter(proof, self.asked, self.tasks, self.meter)
        self._refuse_at_once(proof, limiter)
        limiter.begin_sharing(self.now)
        if self.acts:
            last = partial(self.trails.last, proof.organization)
            self.end_of_trail = self.tasks.begin(last)
        begin = done if self.process.knows_secret else self.tasks.begin
        reading = begin(lambda: self.process.secret)
        ahead = self.process.view_ahead(proof, self.tasks, self.meter) if self.reads_usage else None
        entrance, found = directories.enter(proof.organization, proof.key_id, ahead)
        reading.result()
        secret = self.process.secret_with(entrance.version)
        credential, directory, claims = self._proved(entrance, proof, secret)
        if ahead:
            ahead.go_on(found, directory.organization.time_zone, epoch_second(self.now))
        owner = directory.key_owner(credential.user, self._registers(claims))
        caller = authenticate(presented, credential, owner, secret, self.now)
        if claims:
            caller = holder_of(claims, caller, target_of(subject_of(claims, directory)))
        self.line |= identity_of(caller)
        self._answer_page_of(claims)
        self.process.accepted(proof)
        limiter.admit(directory.limits, caller.key_id, self.now)
        self._note(caller)
        return Entered(caller, directory, ahead, proof, credential)

    @property
    def _presented(self) -> PresentedKey:
        """The key in the header, or a token where the route is open to tokens."""
        header = self.request.header("authorization")
        found = PresentedKey.from_header(header)
        if found is None and self.may and self.may.embeds:
            found = EmbedToken.from_header(header)
        if found is None:
            raise Unauthenticated
        return found

    def _proved(
        self, entrance: Entrance, proof: Proof, secret: Secret
    ) -> tuple[Credential, Directory, Claims | None]:
        """What a proof opens, and what it says if it is a token; one that is no good is noted."""
        try:
            credential, directory = entrance.proved_by(proof, secret, self.now)
            return credential, directory, self._claims(proof)
        except Unauthenticated:
            self.process.refused(proof, self.now)
            raise

    def _claims(self, proof: Proof) -> Claims | None:
        return proof.claims(self.now) if isinstance(proof, EmbedToken) else None

    def _refuse_at_once(self, proof: Proof, limiter: Limiter) -> None:
        """Refuse without a look-up a key that opened nothing a moment ago, or asks for too much."""
        if self.process.has_refused(proof, self.now):
            raise Unauthenticated
        if self.process.has_accepted(proof):
            self.line |= {"organization": proof.organization, "key_id": proof.key_id}
            try:
                limiter.refuse_known(proof.key_id, self.now)
            except Throttled:
                self._answer_page_of(self._claims(proof))  # so that the page knows how long to wait
                raise

    def count_work(self, now: datetime) -> None:
        """Count what the answer took, for the requests that follow."""
        if self.limiter and "entered" in vars(self):
            takes_events = self.asked is Asked.EVENTS
            work = self.line.get("accepted", 0) if takes_events else self.meter.read_units
            self.limiter.count_work(work, self.caller.key_id, now)

    def _registers(self, claims: Claims | None) -> set[str]:
        named = [each.registers for each in self.about if each.name_in(self.request) is not None]
        told = SUBJECTS[claims.access].registers if claims and claims.access in SUBJECTS else ()
        return set().union(REGISTERS if self.reads_usage else (), told, *named)

    def _answer_page_of(self, claims: Claims | None) -> None:
        """Refuse a page that the caller's token is not for, if it is a page that asks."""
        if claims and "origin" in self.request.headers:
            origin = self.request.header("origin")
            if origin not in claims.origins:
                raise Forbidden
            self.page_origin = origin

    def _note(self, caller: Caller) -> None:
        activity = key_activity(self)
        if not activity.is_noted(caller.key_id, self.now):
            used = partial(activity.key_used, caller.organization, caller.key_id, self.now)
            self.noted = self.tasks.begin(used)

    def finish(self) -> None:
        """Let everything end that goes on beside the answer; only the note can make it fail."""
        if self.noted:
            self.noted.result()
        self.leave()

    def leave(self) -> None:
        if "tasks" in vars(self):
            self.tasks.finish(self.deadline.at)

    @property
    def caller(self) -> Caller:
        return self.entered.caller

    @property
    def directory(self) -> Directory:
        return self.entered.directory

    @property
    def ahead(self) -> ViewAhead | None:
        """The view of usage, if the handler needs one."""
        return self.entered.ahead

    @cached_property
    def named(self) -> dict[str, Subject]:
        """What the parameters name that say what the request is about; None is not there."""
        sent = [(each, each.name_in(self.request)) for each in self.about]
        return {
            each.parameter: each.find(self.directory, name)
            for each, name in sent
            if name is not None
        }

    def admit(self) -> None:
        """Refuse a caller who may not call the route, or not ask about what is named."""
        if self.may:
            self.may.admit(self.caller)
            for found in self.named.values():
                self.may.admit_to(self.caller, target_of(found))


def identity_of(caller: Caller) -> dict[str, Any]:
    """Who is calling, for the log: nothing of a token but that it is one."""
    known = {"organization": caller.organization, "key_id": caller.key_id}
    return {**known, "embed": True} if caller.grant else known


def subject_of(claims: Claims, directory: Directory) -> Team | User | None:
    """The team or the user that a token is about, if it is about one that is there.

    It is there by its id only: a name may be somebody else's by now.
    """
    about = SUBJECTS.get(claims.access)
    found = about.find(directory, claims.subject) if about and claims.subject else None
    if isinstance(found, Team | User) and found.id == claims.subject:
        return found
    return None


def chain(context: RequestContext) -> Chain:
    """The page that the query asks for; the query must have been read before."""
    if context.query is None:
        raise TypeError("a chain of pages needs a query before it")
    keys, reach = cursor_keys(context), context.caller.reach
    return Chain.of(keys, context.now, reach, context.request, context.query)


def cursor_keys(context: RequestContext) -> list[bytes]:
    """The key that signs cursors, which is as old as the caller's, and others that may have.

    These are newer ones, which others' keys have already, and for a day the one before.
    """
    credential, secret = context.entered.credential, context.process.secret
    before = [credential.version - 1] if credential.is_changing(context.now) else []
    versions = [*range(credential.version, secret.newest + 1), *before]
    return [secret.cursor_key(version) for version in versions]


def key_activity(context: RequestContext) -> KeyActivity:
    return context.process.key_activity(context.meter)


def keyring(context: RequestContext) -> Keyring:
    secret, now = context.process.secret, context.now
    until = context.entered.credential.signed_before_until(secret, now)
    return Keyring(context.directories, secret, context.caller, now, until)


def trail(context: RequestContext, kind: type[Trail] = Trail) -> Trail:
    caller, organization = context.caller, context.directory.organization
    actor = Actor(context.now, organization.trail_days, caller.key_id, caller.ordinal)
    return kind(context.trails, caller.organization, actor, context.end_of_trail)


def token_maker(context: RequestContext) -> TokenMaker:
    entered, process = context.entered, context.process
    if not isinstance(entered.proof, AccessKey):
        raise Forbidden
    credential, secret = entered.credential, process.secret
    digest = credential.proved_digest(entered.proof, secret, context.now)
    if digest is None:
        raise Unauthenticated
    return TokenMaker(entered.proof, credential.expires_at, digest, secret)


def subject(context: RequestContext) -> Subject:
    found = next(iter(context.named.values()), None)
    if found is None:
        raise NotFound
    return found


def subjects(context: RequestContext) -> Subjects:
    """Whom the query names, or else whom the caller's token is about.

    Who may not ask about everybody has to name somebody.
    """
    if missing := [name for name, found in context.named.items() if found is None]:
        raise NotFound(context.request.values(missing[0])[0], missing[0])
    if context.named:
        named = context.named.values()
        team = next((each for each in named if isinstance(each, Team)), None)
        return Subjects(team, next((each for each in named if isinstance(each, User)), None))
    found = granted_subjects(context.caller, context.directory)
    if context.may and found == Subjects():
        context.may.admit_to(context.caller, None)
    return found


def granted_subjects(caller: Caller, directory: Directory) -> Subjects:
    """Whom the caller's token is about; nobody in particular, if it is not of a team or a user."""
    access = caller.grant.access if caller.grant else Access.NOTHING
    if access is Access.SELF:
        return Subjects(user=directory.user(caller.ordinal))
    if access is Access.TEAM and caller.team is not None:
        return Subjects(team=directory.teams[caller.team])
    return Subjects()


def usage(context: RequestContext) -> Usage:
    return context.process.usage(
        context.directory,
        context.now,
        context.deadline.at,
        context.meter,
        context.ahead,
        context.tasks,
    )


PROVIDERS: Mapping[type, Callable[[RequestContext], Any]] = {
    Caller: lambda context: context.caller,
    Directory: lambda context: context.directory,
    DirectoryStore: lambda context: context.directories,
    Keyring: keyring,
    KeyActivity: key_activity,
    TokenMaker: token_maker,
    Trail: trail,
    SeldomTrail: partial(trail, kind=SeldomTrail),
    TrailStore: lambda context: context.trails,
    Tasks: lambda context: context.tasks,
    Usage: usage,
    EventLog: lambda context: context.process.event_log(context.meter),
    Chain: chain,
    Product: subject,
    Team: subject,
    User: subject,
    Subjects: subjects,
    Request: lambda context: context.request,
    Deadline: lambda context: context.deadline,
    LogLine: lambda context: context.line,
    datetime: lambda context: context.now,
}


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
        context = RequestContext(
            request,
            self.named_by,
            self.clock(),
            remaining_seconds,
            may=self.may,
            reads_usage=Usage in self.needs.values(),
            acts=Trail in self.needs.values(),
            asked=Asked.EVENTS if EventLog in self.needs.values() else Asked.REPORTS,
        )
        answer = self._answer(context)
        context.count_work(self.clock())
        if context.page_origin:
            answer["headers"] = readable_by(context.page_origin, answer["headers"])
        status = answer["statusCode"]
        say = log.error if status >= STATUS["internal_error"] else log.info
        say(
            "answered",
            request_id=request.id,
            route=f"{self.method} {self.path}",
            family=self.family.name,
            status=status,
            status_class=f"{status // 100}xx",
            duration_ms=round((time.monotonic() - began) * 1000),
            **context.meter.figures,
            **context.line,
            **(context.limiter.told if context.limiter else {}),
        )
        return answer

    @cached_property
    def needs(self) -> dict[str, type]:
        """The types of the handler's parameters by name, in the order in which they are read."""
        hints = get_type_hints(self.handler)
        hints.pop("return", None)
        return dict(sorted(hints.items(), key=lambda hint: reading_order(hint[1])))

    @cached_property
    def named_by(self) -> Sequence[SubjectParameter]:
        """The parameters that name what a request is about."""
        if Subjects in self.needs.values():
            return tuple(SUBJECTS.values())
        return (self.about,) if self.about else ()

    def _answer(self, context: RequestContext) -> dict[str, Any]:
        try:
            return self._response(context).for_gateway(context.request)
        except OdometerError as error:
            return self._error_response(context, error).for_gateway(context.request)
        except Exception as failure:  # noqa: BLE001  the log says what it was
            context.line |= raised(failure)
            return self._error_response(context, OdometerError()).for_gateway(context.request)
        finally:
            context.leave()

    def _response(self, context: RequestContext) -> Response:
        if self.organization:
            sent = context.request.values(self.organization)
            self.family.check_organization(context.caller, sent)
        context.admit()
        arguments = {name: self._argument(context, kind) for name, kind in self.needs.items()}
        answer = self.handler(**arguments)
        context.finish()
        if isinstance(answer, Report):
            return answer.response(context.request, context.meter, self.family.fallback_type)
        return as_response(answer, self.status)

    def _argument(self, context: RequestContext, kind: type) -> object:
        request = context.request
        if issubclass(kind, Query):
            every_row = wants_all_rows(request) and not kind.in_pages
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
        context.line["code"] = error.code
        if status >= STATUS["internal_error"]:
            context.line |= {"error": type(error).__name__, "reason": str(error)}
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
    if will_be_copied():
        build_models()
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
