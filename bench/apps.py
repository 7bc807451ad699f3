"""A client with three apps, used for two years: what a whole request costs, and takes.

The frames of all days on an engine that computes capacity units, a directory with everybody in it,
and the real handlers in front.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

from bench.dense import END, Dense
from bench.frame_items import Item, by_shard, frame_items, frame_of, usage_head
from odometer.access.keys import issue
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.events import MEASURES
from odometer.domain.kinds import KINDS
from odometer.domain.people import Role
from odometer.domain.time import epoch_second
from odometer.engine.format import keys
from odometer.engine.format.codec import pack
from odometer.engine.format.frames import Frame
from odometer.engine.format.latest import BLOCK
from odometer.engine.format.products import (
    PEOPLE,
    PEOPLE_SHARD,
    RESERVED,
    TOTALS,
    MeteredProduct,
)
from odometer.storage.dynamo import Meter, Table
from tests.support.apps import APP, CLIENT, OTHER_APP, SALES, THEIR_APP
from tests.support.counting_engine import counting_engine
from tests.support.memory_directory import ACME, new_head
from tests.support.stack import ENVIRONMENT, Reply, answer_to, proxy_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(END.year, END.month, END.day, 12, tzinfo=UTC)
APPS = (APP, OTHER_APP, THEIR_APP)
OF_APP = f"{CLIENT}/analytics/apps/{APP}"
ONE_IN_DEPARTMENT = 5
SOMEONE = 500
OK = 200
READS = frozenset({"BatchGetItem", "GetItem", "Query"})
_SECRET = b"no secret at all"


@dataclass
class Cost:
    """Read units and requests of one answer, as the engine computed them."""

    units: float = 0.0
    requests: int = 0


@dataclass
class CountingDeployment:
    """A deployment on the engine, and what asking it has cost."""

    client: DynamoDBClient
    dense: Dense
    spent: Cost = field(default_factory=Cost)
    key: str = ""
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._create_organization()
        table = Table("usage", Meter(), self.client)
        table.put_all([*frames(self.dense), *last_seconds(self.dense)])
        self.client.meta.events.register("before-call.dynamodb", self._count)
        self.client.meta.events.register("after-call.dynamodb", self._add_up)

    @property
    def someone(self) -> str:
        """The user of whom this deployment knows all products."""
        return self.ids[SOMEONE]

    def get(self, path: str) -> Reply:
        event = proxy_event("GET", path, {"authorization": f"Bearer {self.key}"})
        reply = answer_to(event, NOW)
        if reply.status != OK:
            raise RuntimeError(reply.text)
        return reply

    def cold(self, path: str) -> Cost:
        """What a process pays that knows nothing."""
        process.cache_clear()
        return self.warm(path)

    def warm(self, path: str) -> Cost:
        """What a process pays that keeps what never changes; the answer says the same."""
        self.spent = Cost()
        claimed = self.get(path).headers["X-Read-Units"]
        if claimed != f"{self.spent.units:.1f}":
            raise RuntimeError(f"{path} claims {claimed} read units, not {self.spent.units}")
        return self.spent

    def _count(self, **_: object) -> None:
        self.spent.requests += 1

    def _add_up(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        if model.name in READS:
            each = consumed if isinstance(consumed, list) else [consumed]
            self.spent.units += sum(one["CapacityUnits"] for one in each)

    def _create_organization(self) -> None:
        directory = process().directories(Meter())
        directory.create(new_head(ACME, "Acme Corp"))
        directory.change(ACME, NOW, self._fill_directory)
        pepper = process().pepper
        key, credential = issue(ACME, "bench", 0, frozenset(Scope), pepper, NOW, None)
        directory.add_credential(credential)
        self.key = str(key)

    def _fill_directory(self, edit: DirectoryEdit) -> None:
        for number, app in enumerate(APPS):
            edit.apply("product", {"id": app, "name": f"Editor {number}", "kind": "app"})
        edit.apply("department", {"id": SALES, "name": "Sales"})
        random = Random(len(APPS))
        for number in range(self.dense.users):
            name = f"user{number:06}"
            here = [SALES] if in_department(number) else []
            row = {"id": str(UUID(int=random.getrandbits(128))), "username": name}
            edit.apply("user", {**row, "role": Role.ADMIN, "departments": here})
            self.ids.append(row["id"])


def in_department(user: int) -> bool:
    return user % ONE_IN_DEPARTMENT == 0


def frames(dense: Dense) -> Iterator[Item]:
    """The frames of all apps, which are used alike, and of both projections."""
    columns = {day: (used.duration_ms, used.tests) for day, used in dense.days.items()}
    days = ((day, by_shard(each)) for day, each in columns.items())
    for item in frame_items(ACME, MeteredProduct(APPS[0], KINDS["app"]), days):
        yield from ({**item, "pk": item["pk"].replace(APPS[0], app)} for app in APPS)
    everyone = ((day, [totals_frame(each)]) for day, each in columns.items())
    yield from frame_items(ACME, TOTALS, everyone)
    block = ((day, [people_frame(each)]) for day, each in columns.items())
    yield from frame_items(ACME, PEOPLE, block, SOMEONE // PEOPLE_SHARD)
    yield usage_head(ACME, END, dense.users)


def totals_frame(columns: Sequence[Sequence[int]]) -> Frame:
    """What everybody together did on a day: every app in its row."""
    rows = [[0] * RESERVED + [sum(column)] * len(APPS) for column in columns]
    return frame_of([*rows, *[[]] * (MEASURES - len(rows))])


def people_frame(columns: Sequence[Sequence[int]]) -> Frame:
    """What someone and their neighbours did on a day: a row for each of them in every app."""
    block = slice(SOMEONE // PEOPLE_SHARD * PEOPLE_SHARD, None)
    rows = [
        [0] * RESERVED * PEOPLE_SHARD + list(column[block][:PEOPLE_SHARD]) * len(APPS)
        for column in columns
    ]
    return frame_of([*rows, *[[]] * (MEASURES - len(rows))])


def last_seconds(dense: Dense) -> Iterator[Item]:
    """When everybody was last active, on either platform, within four weeks."""
    random, now = Random(dense.users), epoch_second(NOW)
    for block in range(-(-dense.users // BLOCK)):
        ago = [[random.randrange(28 * 86_400) for _ in range(BLOCK)] for _ in range(2)]
        seconds = {f"p{at}": pack(now - each for each in of) for at, of in enumerate(ago, 1)}
        yield {"pk": keys.activity(ACME), "sk": keys.number(block), "k": 1, **seconds}


@contextmanager
def counting_deployment(users: int) -> Iterator[CountingDeployment]:
    with (
        counting_engine() as client,
        patch.dict(os.environ, ENVIRONMENT),
        patch("odometer.bootstrap.connect", lambda: client),
        patch("odometer.bootstrap.read_secret", lambda _: _SECRET),
    ):
        process.cache_clear()  # a deployment before this one had another engine
        yield CountingDeployment(client, Dense(users))


def days(count: int, ago: int = 0) -> tuple[date, date]:
    """So many days, the last of them some days before yesterday."""
    last = END - timedelta(1 + ago)
    return last - timedelta(count - 1), last


def query(count: int, *, compared: bool = False, departments: bool = False, ago: int = 0) -> str:
    first, last = days(count, ago)
    words = [f"start_date={first}&end_date={last}"]
    words += ["compare=previous_period"] if compared else []
    words += [f"department_ids={SALES}"] if departments else []
    return "&".join(words)
