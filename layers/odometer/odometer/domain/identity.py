"""What ids look like."""

import re
from typing import Final

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""8-4-4-4-12 hexadecimal digits, whatever they say about a version."""
