"""Keys on the wire; the key itself is in two answers only: when it is made and when rotated."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from odometer.access.keys import (
    KEY_ID,
    MOST_READ,
    AccessKey,
    Credential,
    Keyring,
    number_of,
)
from odometer.access.policy import Caller, Scope
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Invalid
from odometer.domain.time import format_seconds
from odometer.services.tasks import Tasks
from odometer.storage.key_activity import KeyActivity
from odometer.web.cursors import next_link
from odometer.web.fields import Choice, Instant, Text, VisibleName, Whole, refuse
from odometer.web.messages import Request
from odometer.web.models import Answer, Body, Query, Strict, Timestamp
from odometer.web.report import Report, columns_of

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


class FromId(Text):
    """Where a page of keys begins: an id, or how one begins."""

    def read(self, value: object) -> str:
        text = super().read(value)
        if number_of(text) is None:
            raise refuse("text", "expected the next_cursor of a page")
        return text

    def schema(self) -> Mapping[str, Any]:
        return {**super().schema(), "pattern": "^[0-9A-Za-z]*$"}


class KeysQuery(Strict):
    """Which keys."""

    in_pages: ClassVar[bool] = True

    limit: Annotated[int, Whole(1, MOST_READ)] = Field(
        MOST_READ,
        description="Keys on a page at most. Whoever manages only their own keys may get fewer of "
        "them, or none, on a page that others follow.",
    )
    cursor: Annotated[str, FromId(KEY_ID)] | None = Field(
        None, description="The `next_cursor` of the page before; it never expires."
    )

    @property
    def first(self) -> str:
        return self.cursor or ""


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
    """A page of the keys that the caller may manage: by their ids, and on a page oldest first."""

    keys: list[ListedKey]
    next_cursor: str | None


def keys_of(
    query: KeysQuery,
    caller: Caller,
    directory: Directory,
    keyring: Keyring,
    activity: KeyActivity,
    tasks: Tasks,
    request: Request,
) -> Report[KeyList]:
    of, most = caller.organization, keyring.most_read(query.limit)
    uses = tasks.begin(lambda: activity.used_from(of, query.first, most))
    found, following = keyring.page(query.first, query.limit)
    ids = ids_of(found, directory)
    used = activity.used(of, [each.key_id for each in found], uses.result())
    found.sort(key=lambda each: (each.created_at, each.key_id))
    rows = [
        ListedKey.of(each, ids[each.user], used.get(each.key_id))
        for each in found
        if ids[each.user]
    ]
    return Report(
        KeyList(keys=rows, next_cursor=following),
        lambda: rows,
        columns=columns_of(ListedKey),
        narrowed_by=("limit",),
        headers=next_link(request.query, following),
        cursor_expires=False,
    )


def ids_of(credentials: Iterable[Credential], directory: Directory) -> Mapping[int, str]:
    """The ids of the owners of some keys; that of somebody who was erased is empty."""
    users = sorted({each.user for each in credentials})
    names = directory.names_at(users)
    return {user: name["id"] for user, name in zip(users, names, strict=True)}


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
