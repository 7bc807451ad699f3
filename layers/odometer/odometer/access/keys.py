"""Access keys: how one is made, read back from a header, and proved without being stored.

    odo_ 7n42DGM5Tflk9n8mt7Fhc7 Zq3v9XbT0aLk _ pJ4…27 characters  1kQ9aB
    mark organization           key id          secret (160 bits)  checksum

The organization is part of the key, so that even the look-up of a credential begins with it.
The checksum tells a mistyped key from an unknown one without a look-up. Stored is a keyed hash.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from uuid import UUID

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
MARK = "odo_"
ORGANIZATION, KEY_ID, SECRET, CHECKSUM = 22, 12, 27, 6
SPELLING = re.compile(
    rf"({MARK}([0-9A-Za-z]{{{ORGANIZATION}}})([0-9A-Za-z]{{{KEY_ID}}})_([0-9A-Za-z]{{{SECRET}}}))"
    rf"([0-9A-Za-z]{{{CHECKSUM}}})"
)
SECRET_BITS = 160
KEY_ID_BITS = 71


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key in the clear: it exists only in the caller's hands and in this request."""

    organization: str
    key_id: str
    secret: str

    @classmethod
    def make(cls, organization: str, key_id: str | None = None) -> "AccessKey":
        """A new key, or a new secret for the key of that id."""
        return cls(
            organization,
            key_id or base62(secrets.randbits(KEY_ID_BITS), KEY_ID),
            base62(secrets.randbits(SECRET_BITS), SECRET),
        )

    @classmethod
    def read(cls, text: str) -> "AccessKey | None":
        """The key that a caller sent, or None when it is none of ours."""
        spelled = SPELLING.fullmatch(text)
        if not spelled:
            return None
        body, organization, key_id, secret, checksum = spelled.groups()
        number = number_of(organization)
        if not same(checksum, checksum_of(body)) or number is None or number >> 128:
            return None
        return cls(str(UUID(int=number)), key_id, secret)

    @staticmethod
    def is_id(text: str) -> bool:
        """Whether the text could be the id of a key."""
        return len(text) == KEY_ID and number_of(text) is not None

    @staticmethod
    def prefix(organization: str, key_id: str) -> str:
        """The part of a key that is no secret, by which its owner knows it again."""
        return MARK + base62(UUID(organization).int, ORGANIZATION) + key_id

    def __str__(self) -> str:
        """The key as it is given to its owner, once."""
        body = f"{self.prefix(self.organization, self.key_id)}_{self.secret}"
        return body + checksum_of(body)

    def __repr__(self) -> str:
        """The key as it may appear in a log: without its secret."""
        return f"AccessKey({self.organization}, {self.key_id})"

    def digest(self, pepper: bytes) -> str:
        """What is stored in place of the secret."""
        message = f"{self.organization}/{self.key_id}/{self.secret}".encode()
        return hmac.new(pepper, message, hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare without telling by the time taken how much agrees."""
    return hmac.compare_digest(one.encode(), other.encode())


def checksum_of(body: str) -> str:
    """Six characters that a slip of the hand does not survive."""
    return base62(zlib.crc32(body.encode()), CHECKSUM)


def base62(number: int, width: int) -> str:
    """A number in the letters and digits that a double click selects."""
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text.rjust(width, DIGITS[0])


def number_of(text: str) -> int | None:
    """The number that the text spells, or None."""
    number = 0
    for letter in text:
        digit = DIGITS.find(letter)
        if digit < 0:
            return None
        number = number * len(DIGITS) + digit
    return number
