"""The same people in two organizations that know nothing of each other, and their keys."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from odometer.access.keys import AccessKey
from odometer.access.policy import Scope
from odometer.directory.upsert import DirectoryEdit
from odometer.domain.people import Role, State
from tests.support.memory_directory import ACME, NOON
from tests.support.stack import OTHER, Stack

ORIGIN = "https://app.example.com"
NAMES = {ACME: "acme", OTHER: "globex"}
LICENSE = {"exp": 1_800_000_000, "iat": 1_700_000_000, "seats": 50, "seats_cap": 60}
PEOPLE: dict[str, dict[str, Any]] = {
    "admin": {"role": Role.ADMIN},
    "manager": {"role": Role.MANAGER},
    "lead": {"role": Role.TEAM_LEAD, "team": "core"},
    "member": {"role": Role.MEMBER, "team": "core", "verified": True},
    "stranger": {"role": Role.MEMBER, "team": "edge"},
    "gone": {"role": Role.ADMIN, "state": State.DEACTIVATED},
    "invited": {"role": Role.MEMBER, "state": State.INVITED},
}


@dataclass(frozen=True)
class People:
    """An organization with a user of every role and state."""

    stack: Stack
    organization: str

    @property
    def name(self) -> str:
        return NAMES[self.organization]

    def id(self, who: str) -> str:
        return f"{self.name}-{who}"

    def username(self, who: str) -> str:
        return f"{who}@{self.name}.example"

    def team_of(self, who: str) -> str | None:
        return self.id(PEOPLE[who]["team"]) if "team" in PEOPLE[who] else None

    def key(self, who: str, *scopes: Scope, expires_at: datetime | None = None) -> str:
        return self.stack.key(self.organization, self.id(who), *scopes, expires_at=expires_at)

    def revoked(self, who: str) -> str:
        """A key that its owner has revoked."""
        text = self.key(who)
        key = AccessKey.parse(text)
        assert key
        answer = self.stack.call("DELETE", f"/v1/keys/{key.key_id}", text)
        assert answer.status == 204
        return text

    def token(self, **about: str) -> str:
        """An embed token of the organization, or of a team or user, for pages of one origin."""
        named = {kind: self.id(who) for kind, who in about.items()}
        subject: dict[str, Any] = {**named} or {"organization": True}
        wish = {"for": subject, "expires_in": 3600, "origins": [ORIGIN]}
        answer = self.stack.call("POST", "/v1/embed-tokens", self.key("admin"), body=wish)
        assert answer.status == 201, answer.text
        return str(answer.json["token"])


def people_of(stack: Stack, organization: str) -> People:
    people = People(stack, organization)

    def everybody(edit: DirectoryEdit) -> None:
        for team in ("core", "edge"):
            edit.apply("team", {"id": people.id(team), "name": team.title()})
        edit.apply("license", {**LICENSE, "audience": people.name})
        for who, row in PEOPLE.items():
            names = {"id": people.id(who), "username": people.username(who)}
            email = {"email": people.username(who), "team": people.team_of(who)}
            edit.apply("user", {**row, **names, **email})

    stack.directories.change(organization, NOON, everybody)
    return people


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def basic(username: str, key: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{username}:{key}'.encode()).decode()}"}


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
