"""An organization that has used six products for two years: what a whole request costs, and takes.

The frames of all days on an engine that computes capacity units, a directory with everybody in it,
and the real handlers in front. What a call asks and costs is read off the wire.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import compress
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from unittest.mock import patch
from uuid import UUID

from bench.daily_usage import END, FIRST, DailyUsage, Day
from bench.frame_items import (
    Item,
    by_shard,
    decisions,
    frame_items,
    frame_of,
)
from bench.sums_of_groups import put_sums
from odometer.access.keys import issue
from odometer.access.policy import Scope
from odometer.bootstrap import process
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.kinds import DEFAULT_PRODUCTS, KINDS, LEAST_MEASURES, Kind
from odometer.domain.people import Role
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.codec import pack
from odometer.engine.format.decisions import read_head
from odometer.engine.format.frames import Frame
from odometer.engine.format.last_used import SINCE, item_of, to_attributes
from odometer.engine.format.latest import BLOCK
from odometer.engine.format.products import (
    PEOPLE,
    PEOPLE_SHARD,
    RESERVED,
    TOTALS,
    MeteredProduct,
    places,
)
from odometer.engine.format.segments import Segment
from odometer.services.groups import divisions_of
from odometer.storage.aws import LeanClient
from odometer.storage.dynamo import Meter, Table
from tests.support.apps import APP, CLIENT, OTHER_APP, SALES, THEIR_APP
from tests.support.counting_engine import counting_engine, secret_server
from tests.support.hops import Hops, counted_hops
from tests.support.memory_directory import ACME, new_head
from tests.support.stack import ENVIRONMENT, Reply, answer_to, proxy_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(END.year, END.month, END.day, 12, tzinfo=UTC)
SETTLED = epoch_second(NOW) - 900
"""What came since waits to be settled."""
TAIL = 5_000
"""As many events wait as ever do."""
AUTOMATION = "automation"
OF_APP = f"{CLIENT}/analytics/apps/{APP}"
ONE_IN_DEPARTMENT, ONE_IN_TEAM = 5, 20
TEAM = "core"
SOMEONE = 500
REFUSED = 400
A_DAY = 86_400
LICENSE = {"exp": 1_800_000_000, "iat": 1_700_000_000, "seats": 9, "seats_cap": 9, "audience": "a"}


class Use(NamedTuple):
    """One use of a product."""

    second: int
    user: int
    tests: int
    """Or sessions."""
    duration_ms: int


class UsedProduct(NamedTuple):
    """A product, and how much it is used beside one that everybody uses at work."""

    product: MeteredProduct
    share: float


def product(name: str, share: float) -> UsedProduct:
    return UsedProduct(MeteredProduct(name, kind_of(name)), share)


def kind_of(name: str) -> Kind:
    return DEFAULT_PRODUCTS.get(name, KINDS["app"])


DENSE, SPARSE = 1.0, 0.03
APPS = (product(APP, DENSE), product(OTHER_APP, 0.4), product(THEIR_APP, SPARSE))
OTHERS = (product(AUTOMATION, DENSE), product("code-completions", 0.4), product("chat", 0.1))
EVERYTHING = (*APPS, *OTHERS)


@dataclass
class CountingDeployment:
    """A deployment on the engine, with what was used of some products."""

    client: DynamoDBClient
    users: int
    products: Sequence[UsedProduct]
    usage: Mapping[str, DailyUsage] = field(init=False)
    key: str = ""
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usage = {
            each.id: DailyUsage(self.users, share, seed)
            for seed, (each, share) in enumerate(self.products)
        }
        self._create_organization()
        with closing(LeanClient("dynamodb")) as lean:  # it takes a third of botocore's time
            self._put_usage(Table("usage", Meter(), cast("DynamoDBClient", lean)))

    def _put_usage(self, table: Table) -> None:
        table.put_all(frames(self))
        table.put_all(last_seconds(self.users))
        table.put_all(last_used(self))
        self._put_sums_of_groups(table)

    def events(self, of: str, within: range) -> Iterator[Use]:
        """The uses of a product between two seconds: of past days, of today, and the last ones."""
        for day in calendar.days(*(date_of(each) for each in (within[0], within[-1] + A_DAY))):
            segment = self.usage[of].events(day)
            settled = min(within.stop, SETTLED) if day == END else within.stop
            yield from uses_in(segment.cut(within.start, settled))
        if of == APP:
            yield from (use for use in self.tail if use.second in within)

    @cached_property
    def tail(self) -> list[Use]:
        """The last uses of the first app."""
        random = Random(self.users)
        return sorted(
            Use(
                SETTLED + random.randrange(900),
                random.randrange(self.users * 4 // 5),
                random.randint(1, 5),
                random.randrange(1_000, 600_000),
            )
            for _ in range(TAIL)
        )

    @property
    def someone(self) -> str:
        """The user of whom this deployment knows all products."""
        return self.ids[SOMEONE]

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        headers = {"authorization": f"Bearer {self.key}"}
        headers |= {"content-type": "application/json"} if body else {}
        sent = json.dumps(body) if body else None
        reply = answer_to(proxy_event(method, path, headers, sent), NOW)
        if reply.status >= REFUSED:
            raise RuntimeError(reply.text)
        return reply

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def cold(self, path: str) -> Hops:
        """What a process pays that knows nothing."""
        process.cache_clear()
        return self.warm(path)

    def warm(self, path: str) -> Hops:
        """What a process pays that keeps what never changes; the answer says the same."""
        with counted_hops() as counted:
            claimed = self.get(path).headers["X-Read-Units"]
        if claimed != f"{counted.read_units:.1f}":
            raise RuntimeError(f"{path} claims {claimed} read units, not {counted.read_units}")
        return counted

    def _put_sums_of_groups(self, table: Table) -> None:
        head, directory = read_head(ACME, table), process().directories(Meter()).open(ACME)
        if head:
            divisions = divisions_of(directory, head.zone, head.users)
            put_sums(table, ACME, head, divisions, [each for each, _ in self.products], FIRST)

    def _create_organization(self) -> None:
        directory = process().directories(Meter())
        directory.create(new_head(ACME, "Acme Corp"))
        directory.change(ACME, NOW, self._fill_directory)
        secret = process().secret
        key, credential = issue(ACME, "bench", 0, frozenset(Scope), secret, NOW, None)
        directory.add_credential(credential)
        self.key = str(key)

    def _fill_directory(self, edit: DirectoryEdit) -> None:
        for number, (app, _) in enumerate(APPS):
            edit.apply("product", {"id": app.id, "name": f"Editor {number}", "kind": "app"})
        edit.apply("department", {"id": SALES, "name": "Sales"})
        edit.apply("team", {"id": TEAM, "name": "Core"})
        edit.apply("license", LICENSE)
        random = Random(len(APPS))
        for number in range(self.users):
            name = f"user{number:06}"
            row = {"id": str(UUID(int=random.getrandbits(128))), "username": name}
            row |= {"team": TEAM} if number % ONE_IN_TEAM == 0 else {}
            here = [SALES] if in_department(number) else []
            edit.apply("user", {**row, "role": Role.ADMIN, "departments": here})
            self.ids.append(row["id"])


def in_department(user: int) -> bool:
    return user % ONE_IN_DEPARTMENT == 0


def uses_in(segment: Segment) -> Iterator[Use]:
    return map(Use, segment.seconds, segment.who, *segment.measures)


def date_of(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


def columns_of(of: MeteredProduct, day: Day) -> list[Sequence[int]]:
    """A day in the measures of a product: its time, and as many of everything else as of tests."""
    is_time = (name in {"active_ms", "duration_ms"} for name in of.kind.measures)
    return [day.duration_ms if each else day.tests for each in is_time]


def frames(deployment: CountingDeployment) -> Iterator[Item]:
    """The frames of all products, and of both projections."""
    some = [each for each, _ in deployment.products]
    for each in some:
        used = deployment.usage[each.id].days.items()
        yield from frame_items(
            ACME, each, ((day, by_shard(columns_of(each, on_day))) for day, on_day in used)
        )
    days = list(deployment.usage[some[0].id].days)
    totals = ((day, [row_frame(deployment, day, slice(None), TOTALS)]) for day in days)
    yield from frame_items(ACME, TOTALS, totals)
    shard = SOMEONE // PEOPLE_SHARD
    block = slice(shard * PEOPLE_SHARD, (shard + 1) * PEOPLE_SHARD)
    people = ((day, [row_frame(deployment, day, block, PEOPLE)]) for day in days)
    yield from frame_items(ACME, PEOPLE, people, shard)
    yield from decisions(ACME, END, deployment.users)


def row_frame(deployment: CountingDeployment, day: date, users: slice, to: MeteredProduct) -> Frame:
    """What some users did on a day: a row for each product, or for each user and product."""
    rows_of_place = PEOPLE_SHARD if to == PEOPLE else 1
    at = places([app for app, _ in APPS], to)
    rows = [[0] * (RESERVED + len(APPS)) * rows_of_place for _ in range(LEAST_MEASURES)]
    for each, _ in deployment.products:
        columns = columns_of(each, deployment.usage[each.id].days[day])
        begin = at[each.id] * rows_of_place
        for row, column in zip(rows, columns, strict=False):
            some = column[users] if to == PEOPLE else [sum(column)]
            row[begin : begin + len(some)] = some
    return frame_of(rows)


def last_seconds(users: int) -> Iterator[Item]:
    """When everybody was last active, on either platform, within four weeks."""
    random, now = Random(users), epoch_second(NOW)
    for block in range(-(-users // BLOCK)):
        ago = [[random.randrange(28 * 86_400) for _ in range(BLOCK)] for _ in range(2)]
        seconds = {f"p{at}": pack(now - each for each in of) for at, of in enumerate(ago, 1)}
        yield {"pk": keys.activity(ACME), "sk": keys.number(block), "k": 1, **seconds}


def last_used(deployment: CountingDeployment) -> Iterator[Item]:
    """When everybody last used each product: on the last day that has a use, at some second."""
    at, random = places([app for app, _ in APPS], TOTALS), Random(deployment.users)
    seconds: defaultdict[tuple[int, int], dict[tuple[int, int], int]] = defaultdict(dict)
    for product_, _ in deployment.products:
        days: dict[int, int] = {}
        for day, used in sorted(deployment.usage[product_.id].days.items()):
            active = compress(range(deployment.users), used.tests)
            days |= dict.fromkeys(active, calendar.first_second(day, UTC))
        for user, begin in days.items():
            pair = user, at[product_.id]
            seconds[item_of(pair)][pair] = begin + random.randrange(A_DAY)
    pk = keys.last_used(ACME)
    yield {"pk": pk, "sk": SINCE, "k": 1}
    for of_item, rows in seconds.items():
        yield {"pk": pk, "sk": keys.last_used_of(*of_item), "k": 1, **to_attributes(rows)}


@contextmanager
def counting_deployment(
    users: int, products: Sequence[UsedProduct] = APPS
) -> Iterator[CountingDeployment]:
    with counting_engine() as client, secret_server() as secret:
        address = {"AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url}
        with patch.dict(os.environ, ENVIRONMENT | address | secret):
            process.cache_clear()  # a deployment before this one had another engine
            yield CountingDeployment(client, users, products)
        process.cache_clear()


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
