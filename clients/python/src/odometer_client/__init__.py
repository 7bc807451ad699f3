"""Ask Odometer who used what, and send it usage that survives a crash."""

from odometer_client.client import AsyncClient, Client
from odometer_client.conversation import Retry
from odometer_client.errors import (
    APIError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    OdometerError,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from odometer_client.meter import Meter, Stats

__all__ = [
    "APIError",
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidRequest",
    "Meter",
    "NotFound",
    "OdometerError",
    "Retry",
    "ServerError",
    "Stats",
    "TooManyRequests",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
]
