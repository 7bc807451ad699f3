"""Readers of what is stored: what is not as its writer put it there is `Corrupt`.

Whatever a reader raises at damaged content says less than that, and may be taken for something else
by whoever catches it. Content is inflated up to a bound, so that no item takes more memory than the
largest that is ever written.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from odometer.domain.errors import Corrupt

Taken = ParamSpec("Taken")
Read = TypeVar("Read")

UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Python raises at content that is not what somebody expects."""


def stored(read: Callable[Taken, Read]) -> Callable[Taken, Read]:
    """Make a reader of what is stored raise `Corrupt`, with the key of the item where it has one.

    The words of the error itself may hold names of people, and errors are logged.
    """

    @wraps(read)
    def reading(*args: Taken.args, **kwargs: Taken.kwargs) -> Read:
        try:
            return read(*args, **kwargs)
        except UNREADABLE as error:
            item = next((each for each in args if isinstance(each, Mapping)), {})
            key = " ".join(str(item[name]) for name in ("pk", "sk") if name in item)
            raise Corrupt(f"{read.__qualname__}: {type(error).__name__} {key}".strip()) from error

    return reading


def inflated(packed: bytes, most: int, wbits: int = zlib.MAX_WBITS) -> bytes:
    """All of one deflate stream, which has at most so many bytes, and nothing after it."""
    stream = zlib.decompressobj(wbits)
    content = stream.decompress(packed, most + 1)
    require(len(content) <= most and stream.eof and not stream.unused_data)
    return content


def require(holds: Any) -> None:
    """What must hold of content that was written as it should be."""
    if not holds:
        raise ValueError("damaged")
