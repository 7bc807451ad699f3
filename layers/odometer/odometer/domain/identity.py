"""What ids look like."""

import re
from typing import Final

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""8-4-4-4-12 hexadecimal digits, whatever they say about a version."""


def as_kept(name: str) -> str:
    """An id of anything but a person: as a UUID in lower case, for either case means the same.

    The names of people are compared as they are sent.
    """
    return name.lower() if UUID.fullmatch(name) else name
