"""The deployment's secret in all its versions, and the keys that are derived from it.

    {"versions": ["64 letters", "64 letters"]}   any other text is the first version itself

A stored hash says which versions made it. A hash of the first version says nothing: `5f3a…`. One of
the third says `3:9c1e…`. One that was made with the first and hashed again with the second and the
third says `1-3:77ab…`: whoever has the secret can make it of the older one, without the key.
"""

import hmac
import json
from functools import lru_cache
from typing import Final

from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.stored import require, stored

NO_DIGEST: Final = "0" * 64
"""Where no hash is stored."""


class UnknownVersion(Unavailable):
    """A stored hash was made with a version of the secret that this process does not know."""


@frozen
class Secret:
    """All versions of the secret; what is made anew is made with the newest."""

    versions: tuple[str, ...]

    @classmethod
    @stored
    def of(cls, text: str) -> "Secret":
        versions = json.loads(text)["versions"] if text.startswith("{") else [text]
        require(versions and all(isinstance(each, str) and each for each in versions))
        return cls(tuple(versions))

    @property
    def text(self) -> str:
        """The secret as it is stored."""
        return json.dumps({"versions": self.versions})

    @property
    def newest(self) -> int:
        return len(self.versions)

    def with_version(self, fresh: str) -> "Secret":
        return Secret((*self.versions, fresh))

    def cursor_key(self, version: int) -> bytes:
        """The key that signs cursors."""
        return self._key(version, b"cursor signature")

    def embed_key(self, version: int) -> bytes:
        """The key that signs embed tokens."""
        return self._key(version, b"embed token signature")

    def hash(self, message: bytes) -> str:
        """The hash of a message that is stored in its place."""
        return self._made(message, self.newest, self.newest)

    def hash_like(self, message: bytes, made: str) -> str:
        """The hash of a message, made with the versions that a stored one was made with."""
        first, last, _ = parts_of(made)
        return self._made(message, first, last)

    def hash_again(self, made: str) -> str:
        """A stored hash, hashed again with every newer version."""
        first, last, value = parts_of(made)
        if made == NO_DIGEST or last == self.newest:
            return made
        return named(first, self.newest, self._chain(value.encode(), last + 1, self.newest))

    def _made(self, message: bytes, first: int, last: int) -> str:
        return named(first, last, self._chain(message, first, last))

    def _chain(self, content: bytes, first: int, last: int) -> str:
        for version in range(first, last + 1):
            pepper = self._key(version, b"access key pepper")
            content = hmac.digest(pepper, content, "sha256").hex().encode()
        return content.decode()

    def _key(self, version: int, purpose: bytes) -> bytes:
        if version > self.newest:
            raise UnknownVersion(version)
        return key_for(self.versions[version - 1], purpose)


@lru_cache(maxsize=32)
def key_for(secret: str, purpose: bytes) -> bytes:
    """A key for one purpose; it tells nothing about the secret."""
    return hmac.digest(secret.encode(), purpose, "sha256")


def version_of(made: str) -> int:
    """The newest version that made a stored hash."""
    return parts_of(made)[1]


@stored
def parts_of(made: str) -> tuple[int, int, str]:
    """The first and the last version that made a hash, and the hash."""
    versions, _, value = made.rpartition(":")
    first, _, last = versions.partition("-")
    begin, end = int(first or 1), int(last or first or 1)
    require(1 <= begin <= end)
    return begin, end, value


def named(first: int, last: int, value: str) -> str:
    """A hash with the versions that made it."""
    if last == 1:
        return value
    return f"{last}:{value}" if first == last else f"{first}-{last}:{value}"
