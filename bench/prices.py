"""List prices, in one place: us-east-1, on demand, first tier, as of November 2026."""

from typing import Final

READ_UNIT: Final = 0.125 / 1_000_000
GB_SECOND: Final = 0.0000133334
"""Of a function on arm64."""
INVOCATION: Final = 0.20 / 1_000_000
MEMORY_MB: Final = 1_024
"""What the template gives functions that answer requests."""
WHOLE_CORE_MB: Final = 1_769
"""A function with less memory has that much less of a core."""
ROUND_TRIP_MS: Final = 4.0
"""What DynamoDB takes to answer, as a function sees it: 3 to 5 ms."""


def dollars(read_units: float, hops: int, cpu_ms: float) -> float:
    """What a request costs, when its function computes and waits in turn."""
    took_ms = hops * ROUND_TRIP_MS + cpu_ms * WHOLE_CORE_MB / MEMORY_MB
    computing = GB_SECOND * MEMORY_MB / 1_024 * took_ms / 1_000
    return read_units * READ_UNIT + computing + INVOCATION
