"""Credentials: what is stored of a key, and what a caller presents."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from odometer.access.keys import AccessKey, same
from odometer.access.policy import Scope

NOBODYS_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key as it is stored: whose it is, what it is for, and the hash that proves it."""

    organization: str
    key_id: str
    name: str
    user: int
    scopes: frozenset[Scope]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    former_digest: str = NOBODYS_DIGEST
    former_until: datetime | None = None

    def proved_by(self, key: AccessKey, pepper: bytes, now: datetime) -> bool:
        """Whether the key is this credential's, today."""
        digest = key.digest(pepper)
        current = same(digest, self.digest)
        former = same(digest, self.former_digest) and is_before(now, self.former_until)
        return (current or former) and self.is_live(now)

    def is_live(self, now: datetime) -> bool:
        """Whether the key still opens anything."""
        return self.revoked_at is None and (
            self.expires_at is None or is_before(now, self.expires_at)
        )


def is_before(now: datetime, end: datetime | None) -> bool:
    """Whether there is an end and it has not come."""
    return end is not None and now < end


@dataclass(frozen=True, slots=True)
class Presented:
    """What an Authorization header says: a key, and with Basic the owner's username."""

    key: AccessKey
    username: str | None = None

    @classmethod
    def read(cls, header: str) -> "Presented | None":
        """Read `Bearer <key>` or `Basic base64(username:key)`; None for anything else."""
        scheme, _, value = header.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                return cls.of(value.strip(), None)
            case "basic":
                username, _, key = decoded(value.strip()).rpartition(":")
                return cls.of(key, username)
        return None

    @classmethod
    def of(cls, text: str, username: str | None) -> "Presented | None":
        """The presented key, or None when the text is no key of ours."""
        key = AccessKey.read(text)
        return cls(key, username) if key else None


def decoded(text: str) -> str:
    """Base64 as text; empty when it is neither."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
