"""What the app utilization API costs, directory and credentials included.

Every answer must claim the read units that the engine computes for it: `Site` refuses one that says
something else.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import NamedTuple

import pytest
from pytest_socket import enable_socket

from bench.deployment import OF_APP, CountingDeployment, counting_deployment, days, query
from odometer.domain.time import DAY
from tests.costs.costs import write_section
from tests.support.apps import APP, CLIENT, SALES
from tests.support.stack import ROOT

pytestmark = pytest.mark.engine
LENGTHS = (28, 90, 366)
AGO = 3
METRICS = ("active-time", "session-count", "user-count")
GRANULARITIES = ("daily", "weekly", "monthly")
LISTS = {
    "users by name": "sort_by=username",
    "users by name, of a department": f"sort_by=username&department_ids={SALES}",
    "users by name, with some words": "sort_by=username&q=user0001",
    "users by last activity": "sort_by=last_activity",
    "users by day of creation": "sort_by=created_at",
}


class Most(NamedTuple):
    """What a process that knows nothing may pay at most: requests, and units by users."""

    requests: int
    units: Mapping[int, float]


def most(requests: int, of_1_000: float, of_10_000: float) -> Most:
    return Most(requests, {1_000: of_1_000, 10_000: of_10_000})


MOST = {
    "users of an app": most(17, 22, 120),
    "totals of an app": most(19, 22, 72),
    "active-time": most(10, 18, 18),
    "session-count": most(10, 18, 18),
    "three apps, ranked": most(29, 38, 190),
    "one user in all products": most(14, 16, 48),
    "explain a sum": most(13, 16, 80),
    "users by": most(15, 17, 88),
    "totals of an app, of a department": most(17, 24, 110),
    "totals of an app, compared, of a department": most(21, 34, 175),
    "user-count": most(13, 18, 70),
    # the sums of some people on every day: that grows with the days
    **{
        f"{metric}, {granularity}, of a department": promised
        for metric in ("active-time", "session-count")
        for granularity, promised in {
            "daily": most(21, 140, 1_200),
            "weekly": most(68, 67, 360),
            "monthly": most(26, 37, 225),
        }.items()
    },
}
"""By the beginning of a request's name: the longest that fits."""


SIZES = [1_000, 10_000] if os.environ.get("UPDATE") else [1_000]
"""Of 10,000 users `test_hops.py` counts the units of every route, in a deployment of its own."""


@pytest.fixture(scope="module", params=SIZES, ids="{} users".format)
def deployed(request: pytest.FixtureRequest) -> Iterator[CountingDeployment]:
    enable_socket()
    with counting_deployment(request.param) as deployment:
        yield deployment


def requests(deployed: CountingDeployment, length: int) -> Iterator[tuple[str, str]]:
    """Every request about some days, and its path."""
    some = partial(query, length, ago=AGO)
    for name, path in {"users": "/utilization/users", "totals": "/utilization"}.items():
        for compared, departments in product((False, True), repeat=2):
            words = marked(f"{name} of an app", compared=compared, departments=departments)
            asked = some(compared=compared, departments=departments)
            yield words, f"{OF_APP}{path}?granularity=daily&{asked}"
    for metric, granularity, departments in product(METRICS, GRANULARITIES, (False, True)):
        words = marked(f"{metric}, {granularity}", departments=departments)
        asked = f"metric={metric}&granularity={granularity}&{some(departments=departments)}"
        yield words, f"{OF_APP}/activity?{asked}"
    for compared in (False, True):
        words, asked = marked("three apps, ranked", compared=compared), some(compared=compared)
        yield words, f"{CLIENT}/analytics/apps/utilization?{asked}"
    yield "one user in all products", f"{CLIENT}/users/{deployed.someone}/usage?{some()}"
    first, last = days(length, AGO)
    asked = f"product={APP}&measure=active_ms&from={first}T00:00:00Z&to={last + DAY}T00:00:00Z"
    yield "explain a sum", f"/v1/explain?{asked}"
    yield "explain a sum of one user", f"/v1/explain?{asked}&user={deployed.someone}"


def marked(request: str, *, compared: bool = False, departments: bool = False) -> str:
    return request + ", compared" * compared + ", of a department" * departments


def cost(deployed: CountingDeployment, name: str, path: str) -> list[str]:
    """Read units and requests of a process that knows no secret yet; read units of another."""
    cold, warm = deployed.cold(path), deployed.warm(path)
    promised = MOST[max(filter(name.startswith, MOST), key=len)]
    assert cold.calls <= promised.requests, name
    assert cold.read_units <= promised.units[deployed.users], name
    return [f"{cold.read_units:,g} / {cold.calls}", f"{warm.read_units:,g}"]


def test_a_request_costs_no_more_than_is_promised(deployed: CountingDeployment) -> None:
    rows: defaultdict[str, list[str]] = defaultdict(list)
    for length in LENGTHS:
        for name, path in requests(deployed, length):
            rows[name] += cost(deployed, name, path)
    head = ["request", *(f"{length} days | warm" for length in LENGTHS)]
    publish(f"App utilization: {deployed.users:,} users", head, rows)


def test_a_list_of_users_costs_no_more_than_is_promised(deployed: CountingDeployment) -> None:
    rows = {name: cost(deployed, name, f"{CLIENT}/users?{asked}") for name, asked in LISTS.items()}
    publish(f"Lists of users: {deployed.users:,} users", ["list", "cold | warm"], rows)


def publish(title: str, head: list[str], rows: Mapping[str, list[str]]) -> None:
    columns = len(next(iter(rows.values())))
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * columns])]
    lines += [" | ".join([name, *cells]) for name, cells in rows.items()]
    table = "\n".join(f"| {line} |" for line in lines)
    write_section(ROOT / "docs" / "performance.md", title, table)
