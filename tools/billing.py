"""What a function is billed for, when it waits for tables and computes in turn."""

from typing import Final

from odometer_cli.prices import GB_SECOND, INVOCATION, READ_UNIT

MEMORY_MB: Final = 1_024
"""What the template gives functions that answer requests."""
WHOLE_CORE_MB: Final = 1_769
"""A function with less memory has that much less of a core."""
ROUND_TRIP_MS: Final = 4.0
"""What DynamoDB takes to answer, as a function sees it: 3 to 5 ms."""


def gb_seconds(hops: float, cpu_ms: float, memory_mb: int = MEMORY_MB) -> float:
    """What a function takes of memory and time, which is longer where it has less of a core."""
    computing_ms = cpu_ms * max(WHOLE_CORE_MB / memory_mb, 1)
    return memory_mb / 1_024 * (hops * ROUND_TRIP_MS + computing_ms) / 1_000


def dollars(read_units: float, hops: int, cpu_ms: float) -> float:
    """What a request costs in tables and functions."""
    return READ_UNIT(read_units) + GB_SECOND(gb_seconds(hops, cpu_ms)) + INVOCATION(1)
