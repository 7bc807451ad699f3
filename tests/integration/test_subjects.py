"""Whom a report is about: what its query names, within the reach of who asks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field

from odometer.access.policy import READ_SUBJECT
from odometer.api.v1.family import v1
from odometer.web.endpoint import Subjects
from odometer.web.models import Answer, Strict
from tests.support.memory_directory import ACME
from tests.support.people import People, bearer, people_of
from tests.support.stack import CONTEXT, proxy_event, stack_on_moto


class Asked(Strict):
    """A query that may name a team and a user."""

    team: str | None = Field(None)
    user: str | None = Field(None)


class About(Answer):
    """The ids of whom the answer is about."""

    team: str | None
    user: str | None


@v1("/about", may=READ_SUBJECT)
def about(query: Asked, subjects: Subjects) -> About:
    team, user = subjects
    return About(team=team and team.id, user=user and user.id)


@pytest.fixture(scope="module")
def us() -> Iterator[People]:
    with stack_on_moto() as stack:
        yield people_of(stack, ACME)


def ask(us: People, who: str, **named: str) -> tuple[int, dict[str, Any]]:
    """The status and the answer to somebody who asks about a team or a user."""
    words = "&".join(f"{name}={us.id(named[name])}" for name in named)
    answer = about(proxy_event("GET", f"/v1/about?{words}", bearer(us.key(who))), CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


REACHED = {  # whom Admin and Manager, a TeamLead and a Member get an answer about
    "": (200, 403, 403),
    "team=core": (200, 200, 403),
    "team=edge": (200, 403, 403),
    "team=nowhere": (404, 403, 403),
    "user=member": (200, 200, 200),
    "user=lead": (200, 200, 403),
    "user=stranger": (200, 403, 403),
    "user=nobody": (404, 403, 403),
    "team=core&user=member": (200, 200, 403),
    "team=edge&user=member": (200, 403, 403),
    "team=core&user=stranger": (200, 403, 403),
    "team=core&user=nobody": (404, 403, 403),
}


@pytest.mark.parametrize("words", REACHED)
def test_everybody_asks_about_whom_they_reach(us: People, words: str) -> None:
    named = dict(each.split("=") for each in words.split("&") if each)
    answers = {who: ask(us, who, **named) for who in ("admin", "manager", "lead", "member")}
    everybody, lead, member = REACHED[words]
    expected = {"admin": everybody, "manager": everybody, "lead": lead, "member": member}
    assert {who: status for who, (status, _) in answers.items()} == expected
    ids = {name: us.id(named[name]) if name in named else None for name in ("team", "user")}
    assert all(found == ids for status, found in answers.values() if status == 200)
