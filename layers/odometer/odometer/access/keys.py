"""Access keys: how they are made, read and managed, what is stored, and how one proves its caller.

    odo_ 7n42DGM5Tflk9n8mt7Fhc7 Zq3v9XbT0aLk _ pJ4…27 characters  1kQ9aB
    mark organization           key id          secret (160 bits)  checksum

The organization is part of the key, so that even the look-up of a credential begins with it. The
checksum tells a mistyped key from an unknown one without a look-up. Stored is a keyed hash.
"""

import base64
import binascii
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from odometer.access.policy import MANAGE_KEYS, Caller, Scope, Target
from odometer.access.secret import NO_DIGEST, Secret, version_of
from odometer.domain.acts import Act, Action, Commit, Recorder
from odometer.domain.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.people import KeyOwner, State
from odometer.domain.time import KEPT_FOR_CURSORS, format_seconds

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
MARK = "odo_"
ORGANIZATION, KEY_ID, SECRET, CHECKSUM = 22, 12, 27, 6
PATTERN = re.compile(
    rf"({MARK}([0-9A-Za-z]{{{ORGANIZATION}}})([0-9A-Za-z]{{{KEY_ID}}})_([0-9A-Za-z]{{{SECRET}}}))"
    rf"([0-9A-Za-z]{{{CHECKSUM}}})"
)
SECRET_BITS = 160
KEY_ID_BITS = 71
MOST_READ = 1000
"""So many keys are read for a page at most, however few of them are shown."""


@frozen
class AccessKey:
    """A key with its secret, as only its owner has it."""

    organization: str
    key_id: str
    secret: str

    @classmethod
    def make(cls, organization: str, key_id: str | None = None) -> "AccessKey":
        return cls(
            organization,
            key_id or base62(secrets.randbits(KEY_ID_BITS), KEY_ID),
            base62(secrets.randbits(SECRET_BITS), SECRET),
        )

    @classmethod
    def parse(cls, text: str) -> "AccessKey | None":
        """Read a key; None if the text is not one of ours."""
        found = PATTERN.fullmatch(text)
        if not found:
            return None
        body, of, key_id, secret, checksum = found.groups()
        organization = organization_of(of)
        if not equal(checksum, checksum_of(body)) or organization is None:
            return None
        return cls(organization, key_id, secret)

    @staticmethod
    def is_id(text: str) -> bool:
        return len(text) == KEY_ID and number_of(text) is not None

    @staticmethod
    def prefix(organization: str, key_id: str) -> str:
        """The part of a key that is not secret, by which its owner recognizes it."""
        return MARK + base62(UUID(organization).int, ORGANIZATION) + key_id

    def __str__(self) -> str:
        body = f"{self.prefix(self.organization, self.key_id)}_{self.secret}"
        return body + checksum_of(body)

    def __repr__(self) -> str:
        """The key without its secret, for logs."""
        return f"AccessKey({self.organization}, {self.key_id})"

    @property
    def message(self) -> bytes:
        """What is hashed."""
        return f"{self.organization}/{self.key_id}/{self.secret}".encode()

    def digest(self, secret: Secret) -> str:
        """The hash that is stored in place of its secret."""
        return secret.hash(self.message)

    def fits(self, secret: Secret, *digests: str) -> list[bool]:
        """Which of some stored hashes are of its secret."""
        return [equal(secret.hash_like(self.message, each), each) for each in digests]


class Proof(Protocol):
    """What a caller presents: a key, or what was made with one."""

    @property
    def organization(self) -> str: ...

    @property
    def key_id(self) -> str: ...

    @property
    def message(self) -> bytes:
        """What tells it from every other one."""

    def fits(self, secret: Secret, *digests: str) -> list[bool]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key as it is stored: its owner, its scopes and a hash in place of its secret."""

    organization: str
    key_id: str
    name: str
    user: int
    scopes: frozenset[Scope]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    former_digest: str = NO_DIGEST
    former_until: datetime | None = None
    earlier: tuple[str, ...] = ()
    """Both hashes before they were hashed again, for what was signed with them until then."""
    earlier_until: datetime | None = None

    def accepts(self, proof: Proof, secret: Secret, now: datetime) -> bool:
        return self.proved_digest(proof, secret, now) is not None

    def proved_digest(self, proof: Proof, secret: Secret, now: datetime) -> str | None:
        """The stored hash that a proof fits, if the key is live.

        It is the present one, or the former one in its grace, or what one of them was before. Where
        none is stored nothing fits: everybody knows what stands there.
        """
        pairs = [self.digest, self.former_digest, *(self.earlier if self.is_changing(now) else ())]
        fitting = proof.fits(secret, *pairs)
        good = self.is_live(now), self.is_live(now) and is_before(now, self.former_until)
        found = zip(pairs, fitting, good * 2, strict=False)
        proved = (digest for digest, fits, counts in found if fits and counts)
        return next((digest for digest in proved if digest != NO_DIGEST), None)

    def hashed_again(self, secret: Secret, until: datetime | None) -> "Credential":
        """The credential under the newest version; what was signed before is good until then."""
        return replace(
            self,
            digest=secret.hash_again(self.digest),
            former_digest=secret.hash_again(self.former_digest),
            earlier=(self.digest, self.former_digest) if until else (),
            earlier_until=until,
        )

    def is_behind(self, secret: Secret) -> bool:
        """Whether a newer version of the deployment's secret has not hashed it yet."""
        stored = self.digest, self.former_digest
        return stored != tuple(map(secret.hash_again, stored))

    @property
    def version(self) -> int:
        """The newest version of the deployment's secret that it needs."""
        return max(version_of(self.digest), version_of(self.former_digest))

    def is_changing(self, now: datetime) -> bool:
        """Whether what was signed before it was hashed again is still good."""
        return is_before(now, self.earlier_until)

    def signed_before_until(self, secret: Secret, now: datetime) -> datetime | None:
        """Until when cursors are good that were signed with the version before, if any are."""
        if self.is_behind(secret):
            return (now + KEPT_FOR_CURSORS).replace(microsecond=0)
        return self.earlier_until if self.is_changing(now) else None

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@frozen
class PresentedKey:
    """The key in an Authorization header, or what stands for one; with Basic also the username."""

    key: Proof
    username: str | None = None

    @classmethod
    def from_header(cls, header: str) -> "PresentedKey | None":
        """Read `Bearer <key>` or `Basic base64(username:key)`; None for anything else."""
        scheme, _, value = header.strip(" ").partition(" ")
        username, text = None, value.strip(" ")
        if scheme.lower() == "basic":
            username, _, text = decode_base64(text).rpartition(":")
        elif scheme.lower() != "bearer":
            return None
        key = AccessKey.parse(text)
        return cls(key, username) if key else None


def authenticate(
    presented: PresentedKey, credential: Credential, owner: KeyOwner, secret: Secret, now: datetime
) -> Caller:
    """The caller, if the key is live, its owner active and, with Basic, the username theirs."""
    accepted = credential.accepts(presented.key, secret, now)
    named = presented.username in (None, owner.username)
    if not (accepted and named) or owner.state == State.DEACTIVATED:
        raise Unauthenticated
    return Caller(
        organization=credential.organization,
        key_id=credential.key_id,
        scopes=credential.scopes,
        ordinal=credential.user,
        user_id=owner.id,
        username=owner.username,
        role=owner.role,
        team=owner.team,
    )


def start_after(last: str, following: str) -> str:
    """The shortest text between two ids, so that nobody learns the second one."""
    starts = (following[:end] for end in range(1, len(following)))
    return next((start for start in starts if start > last), following)


def is_before(now: datetime, end: datetime | None) -> bool:
    """Whether something that has an end has not ended."""
    return end is not None and now < end


def decode_base64(text: str) -> str:
    """Base64 as text; empty if it is not base64, or not of text."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def equal(one: str, other: str) -> bool:
    """Compare in a time that does not show how much of the two is equal."""
    return hmac.compare_digest(one.encode(), other.encode())


def checksum_of(body: str) -> str:
    return base62(zlib.crc32(body.encode()), CHECKSUM)


def base62(number: int, width: int) -> str:
    """A number in letters and digits, which a double click selects as one word."""
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text.rjust(width, DIGITS[0])


def organization_of(text: str) -> str | None:
    """The id of an organization as keys have it; None if no UUID is that large."""
    number = number_of(text)
    return None if number is None or number >> 128 else str(UUID(int=number))


def number_of(text: str) -> int | None:
    number = 0
    for letter in text:
        digit = DIGITS.find(letter)
        if digit < 0:
            return None
        number = number * len(DIGITS) + digit
    return number


class Credentials(Protocol):
    """Where credentials are stored."""

    def credential(self, organization: str, key_id: str) -> Credential | None: ...

    def credentials(
        self, organization: str, first: str = "", most: int | None = None
    ) -> Iterable[Credential]: ...

    def add_credential(self, credential: Credential, commit: Commit) -> None: ...

    def change_credential(
        self, credential: Credential, *names: str, commit: Commit, **expected: str | None
    ) -> bool: ...


@frozen
class Keyring:
    """The keys that a caller may manage: an Admin all of them, anyone else their own.

    Whatever is done with one is committed together with its entry in the trail.
    """

    store: Credentials
    secret: Secret
    caller: Caller
    now: datetime
    signed_before_until: datetime | None = None
    """Until when the caller's key reads cursors of the version before; so do keys it makes."""

    def make(
        self,
        name: str,
        user: int,
        scopes: frozenset[Scope],
        expires_at: datetime | None,
        trail: Recorder,
    ) -> tuple[AccessKey, Credential]:
        """Make a key for a user; its scopes may not be more than the caller's own."""
        self.check(user)
        if not scopes <= self.caller.scopes:
            raise Forbidden
        key, credential = issue(
            self.caller.organization, name, user, scopes, self.secret, self.now, expires_at
        )
        if self.signed_before_until:
            earlier, until = (NO_DIGEST,), self.signed_before_until
            credential = replace(credential, earlier=earlier, earlier_until=until)
        self.store.add_credential(credential, partial(trail.commit, act_of_making(credential)))
        return key, credential

    def check(self, user: int | None) -> None:
        """Refuse a caller who may not manage this user's keys; None stands for no user."""
        MANAGE_KEYS.admit_to(self.caller, Target(user=user))

    def page(self, first: str, limit: int) -> tuple[list[Credential], str | None]:
        """The keys from an id on, by their ids, and where the next page begins, if there is one.

        Among the keys that a page reads there may be none that the caller manages.
        """
        most = self.most_read(limit)
        read = list(self.store.credentials(self.caller.organization, first, most + 1))
        may = partial(MANAGE_KEYS.reaches, self.caller)
        managed = [at for at, each in enumerate(read[:most]) if may(Target(user=each.user))]
        shown = managed[:limit]
        end = shown[-1] + 1 if len(shown) == limit else most
        more = end < len(read)
        following = start_after(read[end - 1].key_id, read[end].key_id) if more else None
        return [read[at] for at in shown], following

    def most_read(self, limit: int) -> int:
        """How many keys are read for a page: more than are shown where others are passed over."""
        return limit if MANAGE_KEYS.reaches(self.caller, None) else MOST_READ

    def revoke(self, key_id: str, trail: Recorder) -> None:
        """End a key for good; ending it again changes nothing."""
        credential = self._one(key_id)
        if credential.revoked_at is None:
            revoked = replace(credential, revoked_at=self.now)
            commit = partial(trail.commit, act_on(credential, Action.KEY_REVOKED))
            write = partial(self.store.change_credential, revoked, "revoked_at", commit=commit)
            if not write(revoked_at=None):
                self._check_revoked(key_id)

    def rotate(
        self, key_id: str, grace: timedelta, trail: Recorder
    ) -> tuple[AccessKey, Credential]:
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
        until = former.signed_before_until(self.secret, self.now)
        earlier = former.earlier[:1] if former.is_changing(self.now) else ()
        credential = replace(
            former,
            digest=key.digest(self.secret),
            former_digest=former.digest if grace else NO_DIGEST,
            former_until=(self.now + grace).replace(microsecond=0) if grace else None,
            earlier=(NO_DIGEST, *earlier) if until else (),
            earlier_until=until,
        )
        names = ["digest", "former_digest", "former_until"]
        names += ["earlier", "earlier_until"] if until else []
        commit = partial(trail.commit, act_of_rotating(credential, grace))
        if not self.store.change_credential(
            credential, *names, commit=commit, digest=former.digest
        ):
            raise Conflict(key_id)
        return key, credential

    def _check_revoked(self, key_id: str) -> None:
        """Never say that a key has ended which has not."""
        present = self.store.credential(self.caller.organization, key_id)
        if present and present.revoked_at is None:
            raise Unavailable(key_id)

    def _one(self, key_id: str) -> Credential:
        organization, known = self.caller.organization, AccessKey.is_id(key_id)
        credential = self.store.credential(organization, key_id) if known else None
        self.check(credential.user if credential else None)
        if credential is None:
            raise NotFound
        return credential


def act_on(credential: Credential, action: Action, **details: Any) -> Act:
    """Something that is done with a key, which is told by its id and the number of its owner."""
    return Act(action, key_id=credential.key_id, user=credential.user, details=details)


def act_of_making(credential: Credential) -> Act:
    expires_at = credential.expires_at
    until = {"expires_at": format_seconds(expires_at)} if expires_at else {}
    return act_on(credential, Action.KEY_MADE, scopes=sorted(credential.scopes), **until)


def act_of_rotating(credential: Credential, grace: timedelta) -> Act:
    seconds = int(grace.total_seconds())
    return act_on(credential, Action.KEY_ROTATED, grace_seconds=seconds)


def issue(
    organization: str,
    name: str,
    user: int,
    scopes: frozenset[Scope],
    secret: Secret,
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
        digest=key.digest(secret),
        created_at=now.replace(microsecond=0),
        expires_at=None if expires_at is None else expires_at.replace(microsecond=0),
    )
    return key, credential
