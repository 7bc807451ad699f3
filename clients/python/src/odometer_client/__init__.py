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

__all__ = [
    "APIError",
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidRequest",
    "NotFound",
    "OdometerError",
    "Retry",
    "ServerError",
    "TooManyRequests",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
]
