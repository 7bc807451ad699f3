"""Groups of users as the engine adds them up: the teams and departments of a directory."""

import json
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from odometer.directory.snapshot import Directory
from odometer.engine.format.groups import DEPARTMENT, TEAM, Division, EachUser, Groups, Members


def divisions_of(directory: Directory, zone: str, users: int) -> list[Division]:
    """Everything that weeks are added up by.

    People are in it where days of the organization, which their own rows count, are none of UTC.
    """
    columns = directory.columns("users", "roster")
    teams, departments = columns["team"], columns["departments"]
    return [
        Groups.of(TEAM, digest_of(teams), _pairs([[] if t is None else [t] for t in teams])),
        Groups.of(DEPARTMENT, digest_of(departments), _pairs(departments)),
        *([EachUser(users)] if zone != "UTC" else []),
    ]


def team_members(directory: Directory, team: int) -> Members:
    return Members(TEAM, digest_of(directory.columns("users", "roster")["team"]), [team])


def department_members(directory: Directory, ids: Collection[str]) -> Members | None:
    """The members of some departments; None where somebody is in two of them."""
    departments = directory.departments_with(ids)
    of_users = directory.columns("users", "roster")["departments"]
    if any(len(departments & set(each)) > 1 for each in of_users if len(each) > 1):
        return None
    return Members(DEPARTMENT, digest_of(of_users), sorted(departments))


def digest_of(column: Sequence[Any]) -> str:
    """Tells who is in which group from any other way; users without a group change nothing."""
    last = max((place for place, each in enumerate(column) if each not in (None, [])), default=-1)
    return _digest(column[: last + 1])


def _digest(content: Sequence[Any]) -> str:
    return blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def _pairs(groups_of_users: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    return ((user, group) for user, those in enumerate(groups_of_users) for group in those)
