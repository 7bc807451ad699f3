"""Making, listing, revoking and rotating the keys of an organization."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from odometer.access.keys import NO_DIGEST, AccessKey, Credential
from odometer.access.policy import MANAGE_KEYS, Caller, Scope, Target
from odometer.domain.errors import Conflict, Forbidden, NotFound


class Credentials(Protocol):
    """Where credentials are stored."""

    def credential(self, organization: str, key_id: str) -> Credential | None: ...

    def credentials(self, organization: str) -> Iterable[Credential]: ...

    def add_credential(self, credential: Credential) -> None: ...

    def change_credential(self, credential: Credential, *names: str, **expected: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that a caller may manage: an Admin all of them, anyone else their own."""

    store: Credentials
    pepper: bytes
    caller: Caller
    now: datetime

    def make(
        self, name: str, user: int, scopes: frozenset[Scope], expires_at: datetime | None
    ) -> tuple[AccessKey, Credential]:
        """Make a key for a user; its scopes may not be more than the caller's own."""
        self.check(user)
        if not scopes <= self.caller.scopes:
            raise Forbidden
        key, credential = issue(
            self.caller.organization, name, user, scopes, self.pepper, self.now, expires_at
        )
        self.store.add_credential(credential)
        return key, credential

    def check(self, user: int | None) -> None:
        """Refuse a caller who may not manage this user's keys; None stands for no user."""
        MANAGE_KEYS.admit_to(self.caller, None if user is None else Target(user=user))

    def all(self) -> list[Credential]:
        credentials = self.store.credentials(self.caller.organization)
        managed = [each for each in credentials if self._may_manage(each)]
        return sorted(managed, key=lambda each: (each.created_at, each.key_id))

    def revoke(self, key_id: str) -> None:
        """End a key for good; ending it again changes nothing."""
        credential = self._one(key_id)
        if credential.revoked_at is None:
            self.store.change_credential(replace(credential, revoked_at=self.now), "revoked_at")

    def rotate(self, key_id: str, grace: timedelta) -> tuple[AccessKey, Credential]:
        """Give a key a new secret; the former one works until the grace is over.

        The caller gets to know the new secret, so the key may not have more scopes than theirs. Of
        two rotations at once one is refused, because only one secret can be stored.
        """
        former = self._one(key_id)
        if not former.is_live(self.now):
            raise NotFound
        if not former.scopes <= self.caller.scopes:
            raise Forbidden
        key = AccessKey.make(former.organization, key_id)
        credential = replace(
            former,
            digest=key.digest(self.pepper),
            former_digest=former.digest if grace else NO_DIGEST,
            former_until=(self.now + grace).replace(microsecond=0) if grace else None,
        )
        names = ("digest", "former_digest", "former_until")
        if not self.store.change_credential(credential, *names, digest=former.digest):
            raise Conflict(key_id)
        return key, credential

    def _one(self, key_id: str) -> Credential:
        organization, known = self.caller.organization, AccessKey.is_id(key_id)
        credential = self.store.credential(organization, key_id) if known else None
        self.check(credential.user if credential else None)
        if credential is None:
            raise NotFound
        return credential

    def _may_manage(self, credential: Credential) -> bool:
        try:
            self.check(credential.user)
        except Forbidden:
            return False
        return True


def issue(
    organization: str,
    name: str,
    user: int,
    scopes: frozenset[Scope],
    pepper: bytes,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[AccessKey, Credential]:
    """A new key for its owner, and the credential to store; times are whole seconds."""
    key = AccessKey.make(organization)
    credential = Credential(
        organization=organization,
        key_id=key.key_id,
        name=name,
        user=user,
        scopes=scopes,
        digest=key.digest(pepper),
        created_at=now.replace(microsecond=0),
        expires_at=None if expires_at is None else expires_at.replace(microsecond=0),
    )
    return key, credential
