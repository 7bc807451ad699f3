"""A client whose one app ten in a hundred never open: what a whole request costs, and takes.

The frames of two years on an engine that computes capacity units, a directory with everybody in it,
and the real handler in front.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from bench.dense import END, Dense
from odometer.access.keyring import issue
from odometer.access.policy import Scope
from odometer.directory.upsert import Draft
from odometer.domain.kinds import KINDS
from odometer.domain.people import Role
from odometer.readings import calendar, keys
from odometer.readings.decisions import Head, Product
from odometer.readings.frames import SHARD, Frame, parts, plus, to_attributes, total
from odometer.storage import activity, secret, tenancy
from odometer.storage.dynamo import Meter, Table
from odometer.storage.shelf import TableShelf
from odometer.storage.tenancy import Tenancy
from tests.support.apps import APP, SALES, USERS
from tests.support.book import ACME, new_head
from tests.support.counting import counting_engine
from tests.support.stack import ENVIRONMENT, Reply, answer_to, proxy_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(END.year, END.month, END.day, 12, tzinfo=UTC)
ONE_IN_DEPARTMENT = 5
OK = 200
_SECRET = b"no secret at all"


@dataclass
class Site:
    """A deployment on the engine, and how often it was asked."""

    client: DynamoDBClient
    dense: Dense
    requests: int = 0
    key: str = ""
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client.meta.events.register("before-call.dynamodb", self._count)
        self._move_in()
        for shelf_item in frames(self.dense):
            TableShelf(Table("usage", Meter(), self.client)).put(shelf_item)

    def get(self, query: str) -> Reply:
        """Ask for the users of the app."""
        event = proxy_event("GET", f"{USERS}?{query}", {"authorization": f"Bearer {self.key}"})
        reply = answer_to(event, NOW)
        if reply.status != OK:
            raise RuntimeError(reply.text)
        return reply

    def cost(self, query: str) -> tuple[float, int]:
        """Read units and requests of a process that knows nothing."""
        tenancy.forget()
        activity.forget()
        before = self.requests
        units = float(self.get(query).headers["X-Read-Units"])
        return units, self.requests - before

    def _count(self, **_: object) -> None:
        self.requests += 1

    def _move_in(self) -> None:
        directory = Tenancy(Table("directory", Meter(), self.client))
        directory.create(new_head(ACME, "Acme Corp"))
        directory.change(ACME, NOW, self._everybody)
        pepper = secret.pepper(ENVIRONMENT["SECRET_ID"])
        key, credential = issue(ACME, "bench", 0, frozenset(Scope), pepper, NOW, None)
        directory.add_credential(credential)
        self.key = str(key)

    def _everybody(self, draft: Draft) -> None:
        draft.apply("product", {"id": APP, "name": "Editor", "kind": "app"})
        draft.apply("department", {"id": SALES, "name": "Sales"})
        for number in range(self.dense.users):
            name = f"user{number:06}"
            here = [SALES] if number % ONE_IN_DEPARTMENT == 0 else []
            row = {"id": f"{number * 7919 % 1_000_003:06}-{name}", "username": name}
            draft.apply("user", {**row, "role": Role.ADMIN, "departments": here})
            self.ids.append(str(row["id"]))


def frames(dense: Dense) -> Iterator[dict[str, str | int | bytes]]:
    """The frames of all days: milliseconds first, then sessions."""
    product, nothing = Product(APP, KINDS["app"]), [total((), 2)] * -(-dense.users // SHARD)
    readings = nothing
    for day, used in dense.days.items():
        following = day + timedelta(1)
        for shard, (sessions, active_ms, flags) in enumerate(used.frames()):
            frame = (active_ms, sessions, flags)
            pk = keys.frames(ACME, product.id, day.year, 0, shard)
            readings = [*readings]
            readings[shard] = plus(readings[shard], frame)
            yield stored(pk, keys.delta(day, 1, 0), frame)
            if following == calendar.next_edge(day):
                yield stored(pk, keys.keyframe(following, 0), readings[shard])
        if following.year > day.year:
            readings = nothing
    yield Head("UTC", calendar.start(END, UTC), plan=1, users=dense.users).to_item(ACME)


def stored(pk: str, sk: str, frame: Frame) -> dict[str, str | int | bytes]:
    """A frame as an item."""
    (whole,) = parts(frame)
    return {"pk": pk, "sk": sk, **to_attributes(whole)}


@contextmanager
def site(users: int) -> Iterator[Site]:
    """A deployment with so many users."""
    with (
        counting_engine() as client,
        patch.dict(os.environ, ENVIRONMENT),
        patch("odometer.storage.dynamo.dynamodb", lambda: client),
        patch("odometer.storage.secret.secret", lambda _: _SECRET),
    ):
        yield Site(client, Dense(users))


def days(count: int, ago: int = 0) -> tuple[date, date]:
    """So many days, the last of them some days before yesterday."""
    last = END - timedelta(1 + ago)
    return last - timedelta(count - 1), last


def query(count: int, *, compared: bool, departments: bool, ago: int = 0) -> str:
    """The parameters of a request."""
    first, last = days(count, ago)
    words = [f"granularity=daily&start_date={first}&end_date={last}"]
    words += ["compare=previous_period"] if compared else []
    words += [f"department_ids={SALES}"] if departments else []
    return "&".join(words)
