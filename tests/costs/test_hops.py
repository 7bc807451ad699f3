"""The hops of a request: how many round trips it waits for one after the other, by route."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from pytest_socket import enable_socket

from bench.deployment import (
    EVERYTHING,
    NOW,
    OF_APP,
    TEAM,
    CountingDeployment,
    counting_deployment,
    days,
    query,
)
from odometer.api.routes import routes
from odometer.api.usage_report.family import BASE
from odometer.bootstrap import process
from odometer.domain.time import DAY
from tests.costs.costs import write_section
from tests.support.apps import APP, CLIENT
from tests.support.hops import Hops, counted_hops
from tests.support.memory_directory import ACME
from tests.support.usage_sender import usage_event
from tools.counts import DOCUMENT, ROUTES, SIZES, Cost, published_routes, table

pytestmark = pytest.mark.engine
AGO = (3, 40)
"""A warm process has answered the same route about days that end later."""
LENIENCY = 0.1
"""Compressed sizes differ a little from machine to machine; hops and calls do not."""
EVENTS, ROWS = 100, 10
LIMITS = '{"requests":100,"read_units":10000,"events":10000,"key_percent":50}'
"""Those of the template."""


class Call(NamedTuple):
    """One request of a route."""

    path: str
    body: Any = None


Request = Callable[[CountingDeployment, int], Call]
"""Makes the first request of a route, or a second one that differs."""


def of_app(path: str, words: str = "") -> Request:
    return lambda _, turn: Call(f"{OF_APP}{path}?{words}{query(366, ago=AGO[turn])}")


def of_seconds(path: str, words: str) -> Request:
    def request(_: CountingDeployment, turn: int) -> Call:
        first, last = days(90, AGO[turn])
        return Call(f"{path}?{words}&from={first}%2000:00:00&to={last}%2023:59:59")

    return request


def of_a_year(path: str, words: str = "") -> Request:
    def request(deployment: CountingDeployment, turn: int) -> Call:
        first, last = days(365, AGO[turn])
        about = words.format(someone=deployment.someone)
        asked = f"organizationId={ACME}&from={first}&to={last + DAY}&granularity=monthly"
        return Call(f"/api/v1{path}?{asked}{about}")

    return request


def always(path: str) -> Request:
    return lambda deployment, _: Call(path.format(someone=deployment.someone))


def explained(deployment: CountingDeployment, turn: int) -> Call:
    first, last = days(366, AGO[turn])
    ends = f"from={first}T00:00:00Z&to={last + DAY}T00:00:00Z"
    return Call(f"/v1/explain?product={APP}&measure=active_ms&{ends}")


def events(deployment: CountingDeployment, turn: int) -> Call:
    time, source = f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "ci/eu-1"
    return Call(
        "/v1/events",
        [
            usage_event(f"{turn}-{number}", time=time, source=source, subject=f"user{number:06}")
            for number in range(EVENTS)
        ],
    )


def rows(deployment: CountingDeployment, turn: int) -> Call:
    users = [{"id": id_, "display_name": f"New {turn}"} for id_ in deployment.ids[:ROWS]]
    return Call("/v1/directory", {"users": users})


def new_key(deployment: CountingDeployment, turn: int = 0) -> Call:
    scopes = ["usage:read"]
    return Call("/v1/keys", {"name": "new", "user": deployment.someone, "scopes": scopes})


def key_of(deployment: CountingDeployment) -> str:
    made = deployment.call("POST", *new_key(deployment)).json
    return str(made["key_id"])


def new_token(deployment: CountingDeployment, turn: int) -> Call:
    about = {"user": deployment.someone}
    wish = {"for": about, "expires_in": 60 + turn, "origins": ["https://app.example.com"]}
    return Call("/v1/embed-tokens", wish)


REQUESTS: Mapping[str, Request] = {
    "GET /insights/api/v3/public/usage-report/drilldown": of_seconds(
        f"{BASE}/drilldown", "type=account-user&product=automation"
    ),
    "GET /insights/api/v3/public/usage-report/summary": of_seconds(
        f"{BASE}/summary", "type=account-user"
    ),
    "GET /api/v1/instance/permissions": always("/api/v1/instance/permissions?role=Admin"),
    "GET /api/v1/license": always("/api/v1/license"),
    "GET /api/v1/organization": always("/api/v1/organization"),
    "GET /api/v1/organization/account-utilizations": always(
        f"/api/v1/organization/account-utilizations?organizationId={ACME}&startDate=2025-12"
    ),
    "GET /api/v1/organization/teams": always("/api/v1/organization/teams"),
    "GET /api/v1/organization/usage": of_a_year("/organization/usage"),
    "GET /api/v1/organization/users": always("/api/v1/organization/users?offset=0&limit=50"),
    "GET /api/v1/team/account-utilizations": always(
        f"/api/v1/team/account-utilizations?teamId={TEAM}"
    ),
    "GET /api/v1/team/usage": of_a_year("/team/usage", f"&teamId={TEAM}"),
    "GET /api/v1/team/{teamId}": always(f"/api/v1/team/{TEAM}"),
    "GET /api/v1/team/{teamId}/users": always(f"/api/v1/team/{TEAM}/users?offset=0&limit=50"),
    "GET /api/v1/user/usage": of_a_year("/user/usage", "&userId={someone}"),
    "GET /api/v1/user/{user_id}": always("/api/v1/user/{someone}"),
    "GET /v2/clients/{client_id}/analytics/apps/utilization": lambda _, turn: Call(
        f"{CLIENT}/analytics/apps/utilization?{query(366, ago=AGO[turn])}"
    ),
    "GET /v2/clients/{client_id}/analytics/apps/{app_id}/activity": of_app(
        "/activity", "metric=active-time&granularity=daily&"
    ),
    "GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization": of_app(
        "/utilization", "granularity=daily&"
    ),
    "GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users": of_app(
        "/utilization/users", "granularity=daily&"
    ),
    "GET /v2/clients/{client_id}/users": always(f"{CLIENT}/users?sort_by=last_activity"),
    "GET /v2/clients/{client_id}/users/{user_id}": always(f"{CLIENT}/users/{{someone}}"),
    "GET /v2/clients/{client_id}/users/{user_id}/usage": lambda deployment, turn: Call(
        f"{CLIENT}/users/{deployment.someone}/usage?{query(366, ago=AGO[turn])}"
    ),
    "GET /v1/coverage": always("/v1/coverage"),
    "GET /v1/directory/export": always("/v1/directory/export"),
    "PUT /v1/directory": rows,
    "POST /v1/events": events,
    "GET /v1/explain": explained,
    "GET /v1/audit": always("/v1/audit"),
    "GET /v1/keys": always("/v1/keys"),
    "GET /v1/me": always("/v1/me"),
    "GET /v1/seats": always("/v1/seats?order=desc"),
    "GET /v1/usage": lambda _, turn: Call(
        "/v1/usage?kind=app&from={}&to={}".format(*days(365, AGO[turn]))
    ),
    "POST /v1/keys": new_key,
    "POST /v1/embed-tokens": new_token,
    "DELETE /v1/keys/{key_id}": lambda deployment, _: Call(f"/v1/keys/{key_of(deployment)}"),
    "POST /v1/keys/{key_id}/rotate": lambda deployment, _: Call(
        f"/v1/keys/{key_of(deployment)}/rotate", {"grace_seconds": 0}
    ),
    "DELETE /v1/users/{user_id}": lambda deployment, turn: Call(
        f"/v1/users/{deployment.ids[-1 - turn]}"
    ),
}
"""By route, in the order of asking: who is erased last is of nobody else's concern."""


RANKINGS = (
    "GET /insights/api/v3/public/usage-report/drilldown",
    "GET /v2/clients/{client_id}/analytics/apps/{app_id}/utilization/users",
)
MOST_HOPS_WARM, MOST_HOPS_COLD = 2, 4


def cost_of(counted: Hops) -> Cost:
    return Cost(counted.hops, counted.calls, counted.read_units, counted.write_units)


def matches(found: Cost, other: Cost) -> bool:
    """Whether hops and calls are the same, and units are about as many."""
    return found[:2] == other[:2] and found[2:] == pytest.approx(other[2:], LENIENCY, 1)


@pytest.fixture(scope="module", params=SIZES, ids="{} users".format)
def deployed(request: pytest.FixtureRequest) -> Iterator[CountingDeployment]:
    enable_socket()
    with (
        counting_deployment(request.param, EVERYTHING) as deployment,
        patch.dict(os.environ, {"LIMITS": LIMITS}),
    ):
        yield deployment


def costs(deployed: CountingDeployment, route: str) -> tuple[Cost, Cost]:
    """What a route costs a process that knows nothing, and what it costs it next."""
    verb = route.partition(" ")[0]
    first, second = (REQUESTS[route](deployed, turn) for turn in range(2))
    process.cache_clear()
    with counted_hops() as cold:
        deployed.call(verb, *first)
    with counted_hops() as warm:
        deployed.call(verb, *second)
    return cost_of(cold), cost_of(warm)


def test_every_route_is_counted() -> None:
    assert {f"{verb} {path}" for path, verbs in routes().items() for verb in verbs} == set(REQUESTS)


def test_a_request_waits_for_as_many_round_trips_as_is_published(
    deployed: CountingDeployment,
) -> None:
    counted = {route: costs(deployed, route) for route in REQUESTS}
    publish(ROUTES.format(deployed.users), counted)
    published = published_routes(deployed.users)
    assert counted.keys() == published.keys()
    different = {
        route: (counted[route], published[route])
        for route in counted
        if not all(map(matches, counted[route], published[route]))
    }
    assert not different, "UPDATE=1 publishes them, if they changed on purpose"


@pytest.mark.parametrize("users", SIZES)
def test_no_reading_route_waits_for_more_than_two_hops_and_four_in_a_new_process(
    users: int,
) -> None:
    """One hop more where a page shows users whose names the process has not read."""
    for route, (cold, warm) in published_routes(users).items():
        names = int(route in RANKINGS and users > min(SIZES))
        if route.startswith("GET "):
            assert cold.hops <= MOST_HOPS_COLD, route
            assert warm.hops <= MOST_HOPS_WARM + names, route


def test_a_cold_request_also_waits_for_the_secret(deployed: CountingDeployment) -> None:
    process.cache_clear()
    with counted_hops() as cold:
        deployed.get("/api/v1/organization")
    assert sum(verbs["GetSecretValue"] for verbs in cold.rounds.values()) == 1
    assert cold.rounds[0].keys() == {"GetSecretValue", "BatchGetItem"}
    assert cold.calls == sum(sum(verbs.values()) for verbs in cold.rounds.values())


def test_counts_of_a_busy_organization_are_shared_beside_the_look_up_of_its_key(
    deployed: CountingDeployment,
) -> None:
    path = "/api/v1/organization"
    process.cache_clear()
    with patch.dict(os.environ, {"LIMITS": '{"requests":1}'}):
        deployed.get(path)
        with counted_hops() as shared:
            deployed.get(path)
    deployed.get(path)
    assert shared.rounds == {0: {"BatchGetItem": 1, "UpdateItem": 1}}
    assert (shared.hops, shared.write_units) == (1, 1)


def publish(title: str, counted: Mapping[str, tuple[Cost, Cost]]) -> None:
    head = ["route", "cold: hops / calls", "units read / written"]
    head += ["warm: hops / calls", "units read / written"]
    rows = [[route, cold.cells, warm.cells] for route, (cold, warm) in counted.items()]
    write_section(DOCUMENT, title, TEXT + table(head, rows))


TEXT = """\
A *hop* is a round trip that a request waits for: calls that go out together are one. *Cold* is a
process that knows nothing, not even the secret; *warm* is the same process at its next request, for
other days. Ranges are of a year, or of 90 days where that is the longest. Counted by
`tests/costs/test_hops.py`, which fails when a hop or a call is added or a route is missing here.

"""
