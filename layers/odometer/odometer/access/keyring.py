"""The keys of an organization, as far as the caller reaches: make, list, revoke, rotate."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from odometer.access.credentials import NOBODYS_DIGEST, Credential
from odometer.access.keys import AccessKey
from odometer.access.policy import MANAGE_KEYS, Caller, Scope, Target
from odometer.domain.errors import Conflict, Forbidden, NotFound


class Credentials(Protocol):
    """Where credentials are kept."""

    def credential(self, organization: str, key_id: str) -> Credential | None:
        """One credential."""
        ...

    def credentials(self, organization: str) -> Iterable[Credential]:
        """All credentials of an organization."""
        ...

    def add_credential(self, credential: Credential) -> None:
        """Keep a new credential."""
        ...

    def change_credential(self, credential: Credential, *names: str, **expected: str) -> bool:
        """Keep what has changed of a credential, unless it is not as expected any more."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that a caller may manage: an Admin everybody's, anyone else their own."""

    store: Credentials
    pepper: bytes
    caller: Caller
    now: datetime

    def make(
        self, name: str, user: int, scopes: frozenset[Scope], expires_at: datetime | None
    ) -> tuple[AccessKey, Credential]:
        """A new key for a user; its scopes are never more than the caller's own."""
        self.check(user)
        if not scopes <= self.caller.scopes:
            raise Forbidden
        key, credential = issue(
            self.caller.organization, name, user, scopes, self.pepper, self.now, expires_at
        )
        self.store.add_credential(credential)
        return key, credential

    def check(self, user: int | None) -> None:
        """Refuse a caller who may not manage the keys of this user; None is nobody."""
        MANAGE_KEYS.admit_to(self.caller, None if user is None else Target(user=user))

    def all(self) -> list[Credential]:
        """The keys that the caller reaches, oldest first."""
        credentials = self.store.credentials(self.caller.organization)
        mine = [each for each in credentials if self._reaches(each)]
        return sorted(mine, key=lambda each: (each.created_at, each.key_id))

    def revoke(self, key_id: str) -> None:
        """End a key now, for good; ending it again changes nothing."""
        credential = self._one(key_id)
        if credential.revoked_at is None:
            self.store.change_credential(replace(credential, revoked_at=self.now), "revoked_at")

    def rotate(self, key_id: str, grace: timedelta) -> tuple[AccessKey, Credential]:
        """Give a key a new secret; the former one works on until the grace is over.

        The answer holds the key, so it may open no more than the caller's own. Of two rotations at
        once one is refused: neither may hand out a secret that opens nothing.
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
            former_digest=former.digest if grace else NOBODYS_DIGEST,
            former_until=(self.now + grace).replace(microsecond=0) if grace else None,
        )
        names = ("digest", "former_digest", "former_until")
        if not self.store.change_credential(credential, *names, digest=former.digest):
            raise Conflict(key_id)
        return key, credential

    def _one(self, key_id: str) -> Credential:
        credential = self._found(key_id)
        self.check(credential.user if credential else None)
        if credential is None:
            raise NotFound
        return credential

    def _found(self, key_id: str) -> Credential | None:
        if not AccessKey.is_id(key_id):
            return None
        return self.store.credential(self.caller.organization, key_id)

    def _reaches(self, credential: Credential) -> bool:
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
    """A key in the clear, for its owner, and the credential to keep of it, to the second."""
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
