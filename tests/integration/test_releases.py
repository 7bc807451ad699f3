"""The release before and this one read and write the same tables, as while a release takes over.

Each runs in a process of its own, with what it remembers. Figures are compared with a count of the
events, and no function may log an error, as an audit does that finds something.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.property.test_chains import History
from tests.support.releases import (
    OrganizationInTurns,
    Releases,
    both_releases,
    organization_in_turns,
)

pytestmark = pytest.mark.engine
DAY = timedelta(days=1)
START = datetime(2026, 3, 28, 20, tzinfo=UTC) - 19 * DAY
STEPS = (
    ("arrive", "fold", "settle", "people", "arrive", "work", "group"),
    ("move", "rebuild", "arrive", "fold", "retire", "audit"),
)
"""While both answer, and afterwards."""
LOOKED_AT = ("fold", "settle", "work", "rebuild")
OLD_TO_NEW = ("before", "both", "present")


@pytest.fixture(scope="module")
def releases() -> Iterator[Releases]:
    with both_releases() as releases:
        yield releases


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(OLD_TO_NEW, id="a release that takes over"),
        pytest.param(OLD_TO_NEW[::-1], id="a release that is rolled back"),
    ],
)
def test_figures_are_exact_whichever_release_takes_which_step(
    releases: Releases, order: tuple[str, ...]
) -> None:
    luck = Random(repr(order))
    releases.let(order[0])
    simulated = organization_in_turns(releases, "Europe/Berlin", START)
    simulated.begin(luck)
    history = History(simulated, luck)
    for who, steps in zip(order[1:], STEPS, strict=True):
        releases.let(who)
        for what in steps:
            simulated.take(what, luck)
            if what in LOOKED_AT:
                history.begin(1)
                history.go_on()
    history.finish()
    assert told_by("before", simulated) == told_by("present", simulated)


def told_by(who: str, simulated: OrganizationInTurns) -> str:
    """The directory, as a release exports it."""
    releases = simulated.steps.releases
    releases.let(who)
    exported = releases.get("/v1/directory/export", simulated.client.admin)
    assert exported.status == 200
    return exported.text


@pytest.fixture
def simulated(releases: Releases) -> OrganizationInTurns:
    releases.let("both")
    simulated = organization_in_turns(releases, "UTC", START)
    simulated.put(users=[{"id": "ada", "username": "ada@example.com", "role": "Admin"}])
    return simulated


@pytest.mark.parametrize(("maker", "other"), [("before", "present"), ("present", "before")])
def test_a_key_of_one_release_opens_the_other_until_either_ends_it(
    simulated: OrganizationInTurns, releases: Releases, maker: str, other: str
) -> None:
    admin = simulated.client.admin
    releases.let(maker)
    wanted = {"name": "of a release", "user": "ada", "scopes": ["usage:read", "embed:write"]}
    made = releases.call("POST", "/v1/keys", admin, body=wanted)
    assert made.status == 201, made
    key = made.json["access_key"]
    asked = {"for": {"user": "ada"}, "expires_in": 60, "origins": ["https://app.example.com"]}
    made_token = releases.call("POST", "/v1/embed-tokens", key, body=asked)
    assert made_token.status == 201, made_token
    token = made_token.json["token"]
    releases.let("both")
    assert statuses(releases, key, token) == {200}
    releases.let(other)
    ended = releases.call("DELETE", f"/v1/keys/{made.json['key_id']}", admin)
    assert ended.status == 204, ended
    releases.let("both")
    assert statuses(releases, key, token) == {401}


def statuses(releases: Releases, *credentials: str) -> set[int]:
    """What each credential is answered, by both releases."""
    asked = [each for each in credentials for _ in ("before", "present")]
    return {releases.get("/v1/seats", each).status for each in asked}


@pytest.mark.parametrize(("eraser", "other"), [("before", "present"), ("present", "before")])
def test_whom_one_release_erases_the_other_tells_nothing_of(
    simulated: OrganizationInTurns, releases: Releases, eraser: str, other: str
) -> None:
    simulated.put(users=[{"id": "eve", "username": "eve@example.com"}])
    assert "eve@example.com" in told_by(other, simulated)
    releases.let(eraser)
    assert releases.call("DELETE", "/v1/users/eve", simulated.client.admin).status == 204
    assert "eve@example.com" not in told_by(other, simulated)
