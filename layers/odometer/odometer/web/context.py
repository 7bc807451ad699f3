"""One request and everything that serves it, by the types that a handler asks for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
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


def team(parameter: str) -> SubjectParameter:
    return SubjectParameter(parameter, Directory.team_by_id)


def user(parameter: str) -> SubjectParameter:
    return SubjectParameter(parameter, Directory.user_by_id)


def app(parameter: str) -> SubjectParameter:
    return SubjectParameter(parameter, Directory.app_by_id)


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
        """What this process keeps; taken only where it is needed."""
        return process()

    @cached_property
    def directories(self) -> DirectoryStore:
        return self.process.directories(self.meter)

    @cached_property
    def activity(self) -> KeyActivity:
        return self.process.key_activity(self.meter)

    @cached_property
    def event_log(self) -> EventLog:
        return self.process.event_log(self.meter)

    @cached_property
    def usage(self) -> Usage:
        return self.process.usage(self.directory, self.now, self.deadline.at, self.meter)

    @cached_property
    def chain(self) -> Chain:
        """The page that the query asks for; the query must have been read before."""
        if self.query is None:
            raise TypeError("a chain of pages needs a query before it")
        key = self.process.cursor_key
        return Chain.of(key, self.now, self.caller.organization, self.request, self.query)

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring(self.directories, self.process.pepper, self.caller, self.now)

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
        self.activity.key_used(caller.organization, caller.key_id, self.now)
        return caller, directory

    @property
    def caller(self) -> Caller:
        return self._entered[0]

    @property
    def directory(self) -> Directory:
        return self._entered[1]

    @cached_property
    def named_subject(self) -> Subject:
        """The product, team or user that the request is about, if there is one."""
        name = self.about.name_in(self.request) if self.about else None
        return self.about.find(self.directory, name) if self.about and name is not None else None

    @property
    def subject(self) -> Product | Team | User:
        if self.named_subject is None:
            raise NotFound
        return self.named_subject


PROVIDERS: Mapping[type, Callable[[RequestContext], Any]] = {
    Caller: lambda context: context.caller,
    Directory: lambda context: context.directory,
    DirectoryStore: lambda context: context.directories,
    Keyring: lambda context: context.keyring,
    KeyActivity: lambda context: context.activity,
    Usage: lambda context: context.usage,
    EventLog: lambda context: context.event_log,
    Chain: lambda context: context.chain,
    Product: lambda context: context.subject,
    Team: lambda context: context.subject,
    User: lambda context: context.subject,
    Request: lambda context: context.request,
    Deadline: lambda context: context.deadline,
    datetime: lambda context: context.now,
}
