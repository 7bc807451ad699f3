"""What a process keeps from one request to the next; everything else is made anew for each."""

import os
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from functools import cache, cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from odometer.access.keys import Proof
from odometer.access.limits import Asked, Limits, Loads
from odometer.access.secret import Secret
from odometer.directory.snapshot import Directory
from odometer.domain.frozen import frozen
from odometer.engine.memory import Memory
from odometer.services.ahead import ViewAhead
from odometer.services.limiter import Limiter
from odometer.services.tasks import Tasks
from odometer.services.usage import Usage
from odometer.storage.aws import load_botocore
from odometer.storage.directory import BlockCache, DirectoryStore
from odometer.storage.dynamo import Meter, Table, connect
from odometer.storage.key_activity import KeyActivity
from odometer.storage.log import EventLog
from odometer.storage.marks import Marks
from odometer.storage.secret import read_secret
from odometer.storage.shared_loads import SharedLoads
from odometer.storage.trail import TrailStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from odometer.services.engine import Engine
    from odometer.services.work import Work

READERS = 24
"""So many reads of a process go on at once: all of a report about every product."""
ACCEPTED_BYTES = 500
"""About what it takes to remember that a key was accepted."""
REFUSED_KEYS = 256
REFUSED_FOR = timedelta(seconds=10)
"""So many keys that open nothing, and so long, are refused without a look-up.

No text that was refused becomes a key by itself, for secrets are drawn at random; a restored table
or secret may bring one back, which works after this time at the latest.
"""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1, 60
"""A version of the secret that is missing is asked for again after twice as long each time."""
OF_KEYS = ""
"""Keys are not remembered with their organization: a view that is opened meanwhile forgets that."""


@frozen
class Settings:
    """The names of one deployment's tables, of its secret and of its queue."""

    directory_table: str
    usage_table: str
    log_table: str
    activity_table: str
    secret_id: str
    work_queue: str
    limits: str = ""
    """What every organization may ask for, in JSON; without it all are served."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read every setting, naming all that are missing in one message."""
        source = os.environ if env is None else env
        values = {field.name: source.get(field.name.upper(), "") for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if missing := [name.upper() for name in values if name in needed and not values[name]]:
            message = f"missing from the environment: {', '.join(missing)}"
            raise LookupError(message)
        return cls(**values)


class Process:
    """Settings, clients, the secret and caches, each made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.blocks = BlockCache()
        self.noted_hours: dict[str, int] = {}
        self.noted_minutes: dict[str, int] = {}
        self.noted_acts: set[str] = set()
        self.memory = Memory()
        self.refused_keys = Memory(most=REFUSED_KEYS)
        self.loads = Loads()
        self._own_key = secrets.token_bytes(16)
        self._asked: dict[int, tuple[float, float]] = {}
        """Of each version that was missing: when it may be asked for again, and the pause then."""

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return connect()

    @cached_property
    def readers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(READERS, thread_name_prefix="read")

    @cached_property
    def workers(self) -> ThreadPoolExecutor:
        """For what requests do at once; it may wait for readers, who wait for nothing."""
        return ThreadPoolExecutor(READERS, thread_name_prefix="task")

    @cached_property
    def secret(self) -> Secret:
        return read_secret(self.settings.secret_id)

    @property
    def knows_secret(self) -> bool:
        return "secret" in vars(self)

    def secret_with(self, version: int) -> Secret:
        """The secret, read again if what is stored needs a version that this process lacks.

        That is how a process learns of a new one.
        """
        if version > self.secret.newest and self._may_ask_for(version):
            self.secret = read_secret(self.settings.secret_id)
        return self.secret

    def _may_ask_for(self, version: int) -> bool:
        """Whether it is time to ask for a version, be it that asking failed or that it is nowhere.

        Whatever is answered meanwhile costs no call; seven are made in the first minute.
        """
        now = time.monotonic()
        next_at, pause = self._asked.get(version, (now, FIRST_PAUSE_SECONDS))
        if now >= next_at:
            self._asked[version] = (now + pause, min(2 * pause, LONGEST_PAUSE_SECONDS))
        return now >= next_at

    def has_accepted(self, key: Proof) -> bool:
        """Whether a key has been accepted in this process, whatever became of it since."""
        return bool(self.memory.get(OF_KEYS, self._digest(key)))

    def accepted(self, key: Proof) -> None:
        self.memory.keep(OF_KEYS, self._digest(key), True, ACCEPTED_BYTES)  # noqa: FBT003

    def has_refused(self, key: Proof, now: datetime) -> bool:
        """Whether a key has opened nothing in this process a moment ago."""
        at = self.refused_keys.get(OF_KEYS, self._digest(key))
        return at is not None and at <= now < at + REFUSED_FOR

    def refused(self, key: Proof, now: datetime) -> None:
        self.refused_keys.keep(OF_KEYS, self._digest(key), now, 1)

    def _digest(self, key: Proof) -> bytes:
        """The name of a key with its secret, of which nothing can be read."""
        return blake2b(key.message, key=self._own_key, digest_size=32).digest()

    @cached_property
    def engine(self) -> "Engine":
        """The engine for every organization; whoever only reads does without its writers."""
        from odometer.services.engine import Engine

        meter = self.engine_meter
        return Engine(self.directories(meter), self.usage_store(meter), self.log_store(meter))

    @cached_property
    def engine_meter(self) -> Meter:
        """What all steps of the engine have used in this process."""
        return Meter()

    @cached_property
    def work(self) -> "Work":
        from odometer.services.work import Work
        from odometer.storage.queue import WorkQueue

        marks, queue = self.marks(self.engine_meter), WorkQueue(self.settings.work_queue)
        return Work(self.engine, marks, queue)

    @property
    def engine_done(self) -> Mapping[str, float]:
        """What the engine has used and done in this process."""
        return {**self.engine_meter.figures, **self.engine.done}

    def directories(self, meter: Meter) -> DirectoryStore:
        return DirectoryStore(self.table(self.settings.directory_table, meter), self.blocks)

    def trails(self, meter: Meter) -> TrailStore:
        return TrailStore(self.table(self.settings.activity_table, meter), self.noted_acts)

    def key_activity(self, meter: Meter) -> KeyActivity:
        return KeyActivity(self.table(self.settings.activity_table, meter), self.noted_hours)

    @cached_property
    def limits(self) -> Limits:
        """What every organization may ask for that has no limits of its own."""
        return Limits.from_json(self.settings.limits)

    def limiter(self, key: Proof, asked: Asked, tasks: Tasks, meter: Meter) -> Limiter:
        shared = SharedLoads(self.table(self.settings.activity_table, meter))
        return Limiter(key.organization, asked, self.limits, self.loads, shared, tasks)

    def event_log(self, meter: Meter) -> EventLog:
        answers = self.table(self.settings.activity_table, meter)
        return EventLog(self.log_store(meter), answers, self.marks(meter))

    def marks(self, meter: Meter) -> Marks:
        return Marks(self.usage_store(meter), self.noted_minutes)

    def view_ahead(self, key: Proof, tasks: Tasks, meter: Meter) -> ViewAhead:
        store, accepted = self.usage_store(meter), self.has_accepted(key)
        return ViewAhead.of(key.organization, store, self.memory, tasks, accepted=accepted)

    def usage(
        self,
        directory: Directory,
        now: datetime,
        until: float,
        meter: Meter,
        ahead: ViewAhead | None = None,
        tasks: Tasks | None = None,
    ) -> Usage:
        usage, log = self.usage_store(meter), self.log_store(meter)
        directories = self.directories(meter)
        return Usage(usage, log, directory, directories, now, until, ahead, tasks or Tasks())

    def usage_store(self, meter: Meter) -> Table:
        return self.table(self.settings.usage_table, meter)

    def log_store(self, meter: Meter) -> Table:
        return self.table(self.settings.log_table, meter)

    def table(self, name: str, meter: Meter | None = None) -> Table:
        return Table(name, meter or Meter(), self.dynamodb, self.readers)


@cache
def process() -> Process:
    return Process(Settings.from_env())


def will_be_copied() -> bool:
    """Whether SnapStart copies this process once everything is imported, perhaps days later.

    Nothing may be begun before: a copy must draw its own random numbers, connect and ask for the
    secret itself. What is loaded before costs the copies nothing.
    """
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


if will_be_copied():
    load_botocore()  # it makes every try of a copy, whose keys are not those of the environment
