"""Embed tokens: how they are made and read, and what one says.

    oet_ 7n42DGM5Tflk9n8mt7Fhc7 Zq3v9XbT0aLk . eyJ2ZXJz… . pJ4…43 characters
    mark organization           key id         claims      signature

A key makes tokens, and each shows less than the key does: the usage of one subject, to pages of
some origins, for a day at most. Nothing of a token is stored. The stored hash of the key's secret
is part of what signs it, so that it ends with that secret: when the key is revoked or expires, and
when the grace of a rotation is over. A token has one text: the signature is of letters, not of what
they decode to.
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from odometer.access.keys import (
    KEY_ID,
    ORGANIZATION,
    AccessKey,
    PresentedKey,
    base62,
    equal,
    organization_of,
)
from odometer.access.policy import MAKE_EMBEDS, Access, Caller, Grant, Scope, Target
from odometer.access.secret import Secret, version_of
from odometer.domain.errors import Corrupt, Forbidden, Unauthenticated
from odometer.domain.frozen import frozen
from odometer.domain.people import Role
from odometer.domain.stored import require, stored
from odometer.domain.time import epoch_second

MARK: Final = "oet_"
VERSION: Final = 1
LONGEST_TOKEN: Final = 4_096
"""The gateway takes 10,240 bytes of all headers together."""
SIGNATURE: Final = 43
LONGEST_CLAIMS: Final = LONGEST_TOKEN - len(MARK) - ORGANIZATION - KEY_ID - SIGNATURE - 2
PATTERN = re.compile(
    rf"({MARK}([0-9A-Za-z]{{{ORGANIZATION}}})([0-9A-Za-z]{{{KEY_ID}}})"
    rf"\.([0-9A-Za-z_-]{{1,{LONGEST_CLAIMS}}}))\.([0-9A-Za-z_-]{{{SIGNATURE}}})"
)
NOBODY: Final = -1
"""The ordinal of a caller who is no user."""
READS: Final = frozenset({Scope.READ_USAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says: whose usage it opens, of which products, to which pages, and how long."""

    access: Access
    """Whether it is about a user, a team or the organization."""
    subject: str | None = None
    """The id of the user or of the team."""
    products: tuple[str, ...] | None = None
    """By id; None stands for all."""
    origins: tuple[str, ...]
    expires: int
    """The second from which on it is no good."""

    @property
    def text(self) -> str:
        said = {name: getattr(self, name) for name in self.__slots__}
        content = {name: each for name, each in said.items() if each is not None}
        text = json.dumps(
            {"version": VERSION, **content}, ensure_ascii=False, separators=(",", ":")
        )
        return encoded(text.encode())

    @classmethod
    def of(cls, text: str) -> "Claims":
        """The claims of a token that is ours; those of another version are not understood."""
        try:
            return claims_in(text)
        except Corrupt:
            raise Unauthenticated from None


@stored
def claims_in(text: str) -> Claims:
    content: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=="))
    require(content.pop("version") == VERSION and type(content["expires"]) is int)
    lists = {name: tuple(each) for name, each in content.items() if isinstance(each, list)}
    require(all(isinstance(each, str) for several in lists.values() for each in several))
    require(isinstance(content["origins"], list) and "access" in content)
    return Claims(**{**content, **lists, "access": Access(content["access"])})


@frozen
class EmbedToken:
    """A token as it was sent, of which nothing is true until it has been proved."""

    organization: str
    key_id: str
    signed: str
    """Everything before the signature."""
    signature: str

    @classmethod
    def parse(cls, text: str) -> "EmbedToken | None":
        """Read a token; None if the text does not look like one."""
        found = PATTERN.fullmatch(text)
        organization = organization_of(found[2]) if found else None
        if not found or organization is None:
            return None
        return cls(organization, found[3], found[1], found[5])

    @classmethod
    def from_header(cls, header: str) -> "PresentedKey | None":
        """Read `Bearer <token>`; None for anything else."""
        scheme, _, value = header.strip(" ").partition(" ")
        token = cls.parse(value.strip(" ")) if scheme.lower() == "bearer" else None
        return PresentedKey(token) if token else None

    def __str__(self) -> str:
        return f"{self.signed}.{self.signature}"

    def __repr__(self) -> str:
        """The token without its claims and its signature, for logs."""
        return f"EmbedToken({self.organization}, {self.key_id})"

    @property
    def message(self) -> bytes:
        """All that was sent."""
        return str(self).encode()

    def fits(self, secret: Secret, *digests: str) -> list[bool]:
        """Which of some stored hashes are of the secret that it was made with."""
        made = [signature_of(self.signed, each, secret) for each in digests]
        return [equal(self.signature, each) for each in made]

    def claims(self, now: datetime) -> Claims:
        """What it says; it must have been proved before, and ends here if it has expired."""
        claims = Claims.of(self.signed.rpartition(".")[2])
        if claims.expires <= epoch_second(now):
            raise Unauthenticated
        return claims


@frozen
class TokenMaker:
    """Makes tokens that end with the secret of the key that was presented."""

    key: AccessKey
    expires_at: datetime | None
    """When the key ends."""
    digest: str
    """The hash of its secret, as it is stored."""
    secret: Secret

    def end(self, now: datetime, seconds: int) -> int:
        """The second in which a token of so many seconds ends: when its key does, at the latest."""
        end = epoch_second(now) + seconds
        return end if self.expires_at is None else min(end, epoch_second(self.expires_at))

    def make(self, claims: Claims) -> EmbedToken:
        organization = base62(UUID(self.key.organization).int, ORGANIZATION)
        signed = f"{MARK}{organization}{self.key.key_id}.{claims.text}"
        signature = signature_of(signed, self.digest, self.secret)
        return EmbedToken(self.key.organization, self.key.key_id, signed, signature)


def holder_of(claims: Claims, owner: Caller, subject: Target | None) -> Caller:
    """The caller that a token stands for: its subject, and never the owner of its key.

    It opens nothing that the owner could not make a token of now, and no subject that is not there.
    """
    try:
        MAKE_EMBEDS.admit(owner)
        MAKE_EMBEDS.admit_to(owner, subject)
    except Forbidden:
        raise Unauthenticated from None
    if subject is None and claims.access is not Access.ORGANIZATION:
        raise Unauthenticated
    about = subject or Target()
    products = None if claims.products is None else frozenset(claims.products)
    return Caller(
        organization=owner.organization,
        key_id=owner.key_id,
        scopes=READS,
        ordinal=NOBODY if about.user is None else about.user,
        user_id="" if about.user is None else claims.subject or "",
        username="",
        role=Role.MEMBER,
        team=about.team,
        grant=Grant(claims.access, products, frozenset(claims.origins)),
    )


def signature_of(signed: str, digest: str, secret: Secret) -> str:
    """The signature of a token, by the version of the secret that made the hash.

    A hash ends where the mark of the token begins, so no two tokens are signed alike.
    """
    signing_key = secret.embed_key(version_of(digest))
    return encoded(hmac.digest(signing_key, f"{digest}{signed}".encode(), "sha256"))


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
