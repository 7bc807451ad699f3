"""One request and everything that serves it, by the types that a handler asks for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from odometer.access.keyring import Keyring
from odometer.access.keys import PresentedKey, authenticate
from odometer.access.policy import Caller, Target
from odometer.bootstrap import Process, process
from odometer.directory.people import Product, Team, User
from odometer.directory.snapshot import Directory
from odometer.domain.errors import NotFound, Unauthenticated
from odometer.services.usage import Usage
from odometer.storage.directory import DirectoryStore
from odometer.storage.dynamo import Meter
from odometer.storage.key_activity import KeyActivity
from odometer.storage.log import EventLog
from odometer.web.cursors import Chain
from odometer.web.messages import Request
from odometer.web.models import Query

MARGIN_SECONDS = 3.0
Subject = Product | Team | User | None


@dataclass(frozen=True, slots=True)
class SubjectParameter:
    """A parameter of the path or the query that names what the request is about."""

    parameter: str
    find: Callable[[Directory, str], Subject]

    def name_in(self, request: Request) -> str | None:
        """The name that was sent; None for a parameter that was sent twice."""
        values = request.values(self.parameter)
        return values[0] if len(values) == 1 else None


team = partial(SubjectParameter, find=Directory.team_by_id)
user = partial(SubjectParameter, find=Directory.user_by_id)
app = partial(SubjectParameter, find=Directory.app_by_id)


def target_of(found: Subject) -> Target | None:
    match found:
        case Team():
            return Target(team=found.ordinal)
        case User():
            return Target(team=found.team, user=found.ordinal)
    return None


@dataclass(frozen=True, slots=True)
class Deadline:
    """When this request must be answered."""

    at: float

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at


class RequestContext:
    """One request and everything that serves it, each part made when it is first needed."""

    def __init__(
        self,
        request: Request,
        about: SubjectParameter | None,
        now: datetime,
        remaining_seconds: float,
    ) -> None:
        self.request = request
        self.about = about
        self.query: Query | None = None
        self.identity: dict[str, Any] = {}
        """The organization and the key id of whoever has proved to be calling, for the log."""
        self.meter = Meter()
        self.now = now
        self.deadline = Deadline(time.monotonic() + remaining_seconds - MARGIN_SECONDS)

    @cached_property
    def process(self) -> Process:
        return process()

    @cached_property
    def directories(self) -> DirectoryStore:
        return self.process.directories(self.meter)

    @cached_property
    def _entered(self) -> tuple[Caller, Directory]:
        presented = PresentedKey.from_header(self.request.header("authorization"))
        if presented is None:
            raise Unauthenticated
        key = presented.key
        credential, directory = self.directories.enter(key.organization, key.key_id)
        if credential is None or directory is None:
            key.digest(self.process.pepper)  # an unknown key takes a wrong one's path
            raise Unauthenticated
        owner = directory.key_owner(credential.user)
        caller = authenticate(presented, credential, owner, self.process.pepper, self.now)
        self.identity = {"organization": caller.organization, "key_id": caller.key_id}
        key_activity(self).key_used(caller.organization, caller.key_id, self.now)
        return caller, directory

    @property
    def caller(self) -> Caller:
        return self._entered[0]

    @property
    def directory(self) -> Directory:
        return self._entered[1]

    @cached_property
    def named_subject(self) -> Subject:
        name = self.about.name_in(self.request) if self.about else None
        return self.about.find(self.directory, name) if self.about and name is not None else None


def chain(context: RequestContext) -> Chain:
    """The page that the query asks for; the query must have been read before."""
    if context.query is None:
        raise TypeError("a chain of pages needs a query before it")
    key, organization = context.process.cursor_key, context.caller.organization
    return Chain.of(key, context.now, organization, context.request, context.query)


def key_activity(context: RequestContext) -> KeyActivity:
    return context.process.key_activity(context.meter)


def keyring(context: RequestContext) -> Keyring:
    return Keyring(context.directories, context.process.pepper, context.caller, context.now)


def subject(context: RequestContext) -> Subject:
    if context.named_subject is None:
        raise NotFound
    return context.named_subject


def usage(context: RequestContext) -> Usage:
    directory, deadline = context.directory, context.deadline.at
    return context.process.usage(directory, context.now, deadline, context.meter)


PROVIDERS: Mapping[type, Callable[[RequestContext], Any]] = {
    Caller: lambda context: context.caller,
    Directory: lambda context: context.directory,
    DirectoryStore: lambda context: context.directories,
    Keyring: keyring,
    KeyActivity: key_activity,
    Usage: usage,
    EventLog: lambda context: context.process.event_log(context.meter),
    Chain: chain,
    Product: subject,
    Team: subject,
    User: subject,
    Request: lambda context: context.request,
    Deadline: lambda context: context.deadline,
    datetime: lambda context: context.now,
}
