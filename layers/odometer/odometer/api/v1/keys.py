"""Keys on the wire; the key itself is in two answers only: when it is made and when rotated."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from odometer.access.keys import AccessKey, Credential, Keyring
from odometer.access.policy import Scope
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid
from odometer.domain.time import format_seconds
from odometer.web.fields import Choice, Instant, Text, VisibleName, Whole
from odometer.web.models import Answer, Body, Query, Timestamp

DAY_SECONDS = 24 * 3600
LONGEST_GRACE_SECONDS = 7 * DAY_SECONDS


class NamedKey(Body):
    """A key that people know by its name."""

    name: Annotated[str, VisibleName(256)]


class NewKey(NamedKey):
    """A key to be made: for whom, for what, and until when."""

    user: Annotated[str, Text(128)] = Field(description="Who owns it, by id, username or user_key.")
    scopes: Annotated[list[Annotated[Scope, Choice()]], Field(min_length=1, max_length=len(Scope))]
    expires_at: Annotated[datetime, Instant()] | None = None

    def check(self, now: datetime) -> None:
        """A key that has expired already would be a mistake."""
        if self.expires_at is not None and self.expires_at <= now:
            raise Invalid.parameter("expires_at", "expected an instant in the future")


class Rotation(Body):
    """How long the former secret works on."""

    grace_seconds: Annotated[int, Whole(0, LONGEST_GRACE_SECONDS)] = DAY_SECONDS

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)


class KeyPath(Query):
    """Which key."""

    key_id: str


class ListedKey(Answer):
    """A key without its secret."""

    key_id: str
    prefix: str
    name: str
    user: str
    scopes: list[Scope]
    created_at: Timestamp
    expires_at: Timestamp | None
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None

    @classmethod
    def of(cls, credential: Credential, user: str, used_at: datetime | None) -> "ListedKey":
        return cls.showing(
            credential,
            prefix=AccessKey.prefix(credential.organization, credential.key_id),
            user=user,
            scopes=sorted(credential.scopes),
            created_at=format_seconds(credential.created_at),
            expires_at=format_optional(credential.expires_at),
            revoked_at=format_optional(credential.revoked_at),
            last_used_at=format_optional(used_at and max(used_at, credential.created_at)),
        )


class KeyList(Answer):
    """The keys that the caller may manage, oldest first."""

    keys: list[ListedKey]

    @classmethod
    def of(
        cls, credentials: Iterable[Credential], directory: Directory, used: Mapping[str, datetime]
    ) -> "KeyList":
        ids = directory.shown_ids
        return cls(
            keys=[
                ListedKey.of(each, owner, used.get(each.key_id))
                for each in credentials
                if (owner := ids[each.user]) is not None
            ]
        )


class KeyMade(Answer):
    """A key with its secret, which is shown this once."""

    key_id: str
    access_key: str
    name: str
    user: str
    scopes: list[Scope]
    created_at: Timestamp
    expires_at: Timestamp | None

    @classmethod
    def of(cls, key: AccessKey, credential: Credential, directory: Directory) -> "KeyMade":
        return cls.showing(
            credential,
            access_key=str(key),
            user=directory.key_owner(credential.user).id,
            scopes=sorted(credential.scopes),
            created_at=format_seconds(credential.created_at),
            expires_at=format_optional(credential.expires_at),
        )


class KeyRotated(KeyMade):
    """The key with its new secret, and until when the former one works."""

    former_until: Timestamp | None

    @classmethod
    def of(cls, key: AccessKey, credential: Credential, directory: Directory) -> "KeyRotated":
        made = KeyMade.of(key, credential, directory)
        return cls(**dict(made), former_until=format_optional(credential.former_until))


def owner_of(directory: Directory, keyring: Keyring, name: str) -> int:
    """The user whom a new key is for; who manages only their own keys learns of no others."""
    owners = directory.users_called(name)
    keyring.check(owners[0] if len(owners) == 1 else None)
    if not owners:
        raise Invalid.parameter("user", "expected the id, username or user_key of a user", name)
    if len(owners) > 1:
        raise Invalid.parameter("user", "several users are called so; give the id of one", name)
    return owners[0]


def format_optional(instant: datetime | None) -> str | None:
    return None if instant is None else format_seconds(instant)
